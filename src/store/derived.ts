/** What is derived from a message's bytes (envelope, structure, offsets), made again and compared with what is kept. */
import { DigestBuilder, digestMessage } from '../mail/digest.ts';
import type { Digest, EmailId, StoreReader } from '../ports.ts';
import { Failure } from '../system/failure.ts';

/** The columns of an email row that follow from its bytes. */
export type Derived = Pick<Digest, 'headerBytes' | 'envelope' | 'bodyStructure' | 'parts' | 'messageId' | 'sentAt'> & { readonly id: EmailId };

const PAGE = 100;
/** Up to here a message is read as a whole. */
const WHOLE_BYTES_MAX = 256 * 1024;

/** Email rows whose derived columns are not what their bytes say now. A damaged blob is passed over: it is a problem of its own. */
export async function* outdatedEmails(reader: StoreReader, signal: AbortSignal): AsyncIterable<Derived> {
  let last = 0;
  while (!signal.aborted) {
    const rows = reader.rows(
      'SELECT id, blob_id, blob_bytes, header_bytes, envelope, body_structure, parts, message_id, sent_at FROM email WHERE id>? ORDER BY id LIMIT ?',
      last,
      PAGE,
    ) as any[][];
    if (rows.length === 0) return;
    for (const [id, blobId, bytes, headerBytes, envelope, bodyStructure, parts, messageId, sentAt] of rows) {
      last = id;
      const digest = await digestOf(reader, blobId, bytes);
      if (digest === null) continue;
      const isSame =
        digest.headerBytes === headerBytes &&
        digest.envelope === envelope &&
        digest.bodyStructure === bodyStructure &&
        digest.messageId === messageId &&
        digest.sentAt === sentAt &&
        Buffer.compare(digest.parts ?? NOTHING, parts ?? NOTHING) === 0;
      if (isSame) continue;
      const { headerBytes: h, envelope: e, bodyStructure: b, parts: p, messageId: m, sentAt: s } = digest;
      yield { id, headerBytes: h, envelope: e, bodyStructure: b, parts: p, messageId: m, sentAt: s };
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const NOTHING = new Uint8Array(0);

async function digestOf(reader: StoreReader, blobId: number, bytes: number): Promise<Digest | null> {
  try {
    const blob = reader.openBlob(blobId);
    try {
      if (bytes <= WHOLE_BYTES_MAX) return digestMessage(await blob.slice(0, bytes));
      const builder = new DigestBuilder();
      for await (const piece of blob.stream(0, blob.size)) builder.push(piece);
      return builder.end();
    } finally {
      blob.close();
    }
  } catch (error) {
    if (error instanceof Failure && error.code === 'corruptBlob') return null;
    throw error;
  }
}
