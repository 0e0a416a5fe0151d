/** One stored email to what the index keeps of it. */
import { asBuffer } from '../mail/header.ts';
import { decodeParts, type PartIndex } from '../mail/part-index.ts';
import { searchableText } from '../mail/searchable-text.ts';
import { shortHeader } from '../mail/short-header.ts';
import { foldForSearch, headerText } from '../mail/text.ts';
import { type HeaderThreadFacts, threadFacts } from '../mail/thread-facts.ts';
import type { AccountId, BlobId, EmailId, EmailRow, MessageReader, StoreReader } from '../ports.ts';
import { attachmentsOf } from './attachments/find.ts';
import { SEARCH_LIMITS } from './limits.ts';

/** Columns of the store's email table, in the order of EMAIL_SQL. */
export type StoredEmail = [
  id: EmailId,
  accountId: AccountId,
  blobId: BlobId,
  prefix: Uint8Array,
  blobBytes: number,
  headerBytes: number,
  parts: Uint8Array | null,
  savedAt: number,
];
const COLUMNS = 'id, account_id, blob_id, prefix, blob_bytes, header_bytes, parts, saved_at';
export const NEXT_EMAILS_SQL = `SELECT ${COLUMNS} FROM email WHERE id>? ORDER BY id LIMIT ?`;
export const EMAIL_SQL = `SELECT ${COLUMNS} FROM email WHERE id=? AND account_id=?`;

export interface PreparedEmail {
  readonly facts: HeaderThreadFacts;
  /** Folded. */
  readonly header: string;
  readonly body: string;
  /** The header without its long fields; null: not kept. */
  readonly short: string | null;
  /** False: texts were cut, or could not be read. */
  readonly isComplete: boolean;
  /** It has attachments whose text can be read. */
  readonly hasAttachments: boolean;
}

/** What is kept of an email whose bytes are damaged. */
export const UNREADABLE: PreparedEmail = {
  facts: { messageId: null, references: [], baseSubject: '', isReply: false },
  header: '',
  body: '',
  short: null,
  isComplete: false,
  hasAttachments: false,
};

/** Opens the email's bytes; the caller closes the reader. Throws Failure 'corruptBlob'. */
export function openStored(store: StoreReader, email: StoredEmail): { reader: MessageReader; root: PartIndex } {
  const [id, , blobId, prefix, blobBytes, headerBytes, parts, savedAt] = email;
  const row: EmailRow = { id, blobId, prefix, blobBytes, headerBytes, envelope: '', bodyStructure: '', parts, messageId: null, sentAt: null, savedAt };
  return { reader: store.open(row), root: decodeParts(parts, headerBytes, blobBytes, prefix.length) };
}

/** Throws what reading the bytes throws (Failure 'corruptBlob'). */
export async function prepareEmail(store: StoreReader, email: StoredEmail, charactersMax: number): Promise<PreparedEmail> {
  const { reader, root } = openStored(store, email);
  const read = (start: number, end: number): Uint8Array | Promise<Uint8Array> => reader.slice(start, end);
  try {
    const headerEnd = Math.min(root.bodyStart, SEARCH_LIMITS.headerBytes);
    const header = asBuffer(await read(0, headerEnd));
    const headerFolded = foldForSearch(headerText(header));
    const body = foldForSearch(await searchableText(read, root));
    return {
      facts: threadFacts(header),
      header: cut(headerFolded, charactersMax),
      body: cut(body, charactersMax),
      short: root.bodyStart <= headerEnd ? shortHeader(header) : null,
      isComplete: root.bodyStart <= headerEnd && headerFolded.length <= charactersMax && body.length <= charactersMax,
      hasAttachments: (await attachmentsOf(read, root)).length > 0,
    };
  } finally {
    reader.close();
  }
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most);
}
