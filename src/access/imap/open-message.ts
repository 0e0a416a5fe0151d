/** One stored message while FETCH or SEARCH reads it: its bytes and the places of its parts, each found when first asked for. */
import { decodeParts, findSection, type PartIndex } from '../../mail/part-index.ts';
import { contentOf } from '../../mail/mime-part.ts';
import { isKnownEncoding, type Transform, transferDecoder } from '../../mail/transfer.ts';
import type { AccountId, BodyRow, EmailId, EmailRow, MessageReader, StoredBody, StoreReader } from '../../ports.ts';

/** A part in an encoding that we cannot undo: NO [UNKNOWN-CTE] (RFC 3516 section 4.3). */
export class UnknownEncoding extends Error {}

/** A message without a blank line is all header; fields are looked for no further than this. */
export const HEADER_BYTES = 1024 * 1024;

/** The header of a part that tells its encoding is short; this bounds what is read of it. */
const PART_HEADER_BYTES = 64 * 1024;

/** Its bytes cannot be read because it was removed since its row was: that is no damage. */
export function isRemoved(store: Pick<StoreReader, 'email'>, accountId: AccountId, emailId: EmailId): boolean {
  return store.email(accountId, emailId) === null;
}

export class OpenMessage {
  readonly reader: MessageReader;
  readonly #email: BodyRow;
  #root: PartIndex | null = null;
  #encodings: Map<string, string> | null = null;

  constructor(store: Pick<StoreReader, 'open'>, email: EmailRow) {
    this.#email = email;
    this.reader = store.open(email);
  }

  /** Throws Failure 'corruptBlob' when there is nothing to be read. */
  static of(body: StoredBody): OpenMessage {
    // It opens what it came with, whatever it is asked to open.
    return new OpenMessage(body, body.email as EmailRow);
  }

  get size(): number {
    return this.reader.size;
  }

  /** Offsets count from the prefix of the account's copy. */
  get root(): PartIndex {
    const email = this.#email;
    this.#root ??= decodeParts(email.parts, email.headerBytes, email.blobBytes, email.prefix.length);
    return this.#root;
  }

  /** Reads the first byte, so that a blob that cannot be read fails now. */
  check(): Promise<Uint8Array> | Uint8Array {
    return this.reader.slice(0, 1);
  }

  header(): Uint8Array | Promise<Uint8Array> {
    return this.reader.slice(0, Math.min(this.root.bodyStart, HEADER_BYTES));
  }

  /** Finds out how a part is encoded. Throws UnknownEncoding when it cannot be decoded. */
  async checkBinary(path: readonly number[]): Promise<void> {
    this.#encodings ??= new Map();
    const part = findSection(this.root, path);
    let encoding = '7bit';
    // Multiparts and messages have no encoding of their own; the whole message is given as it is.
    if (part !== null && path.length > 0 && part.kind === 'leaf') {
      const header = await this.reader.slice(part.headerStart, Math.min(part.bodyStart, part.headerStart + PART_HEADER_BYTES));
      encoding = contentOf(header).encoding;
    }
    if (!isKnownEncoding(encoding)) throw new UnknownEncoding();
    this.#encodings.set(path.join('.'), encoding);
  }

  /** A fresh decoder for a part that was checked. */
  decoder(path: readonly number[]): Transform {
    return transferDecoder(this.#encodings?.get(path.join('.')) ?? '7bit');
  }

  close(): void {
    this.reader.close();
  }
}
