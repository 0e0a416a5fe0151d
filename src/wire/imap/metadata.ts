/** Arguments of GETMETADATA and SETMETADATA (RFC 5464 section 5). */
import { OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { imapString } from './format.ts';
import { IMAP_LIMITS } from './limits.ts';

export interface GetMetadataArguments {
  /** '' is the server. */
  readonly name: string;
  /** As sent, one character per byte. */
  readonly entries: readonly string[];
  /** Octets, or null. */
  readonly maxSize: number | null;
  readonly depth: 0 | 1 | 'infinity';
}

export interface SetMetadataArguments {
  readonly name: string;
  /** null removes. */
  readonly values: readonly { readonly entry: string; readonly value: Buffer | null }[];
}

/**
 * [SP options] SP mailbox SP entries. The options stand before the mailbox in the grammar and behind it in the examples of RFC 5464
 * (section 4.2.1): both are taken.
 */
export function getMetadataArguments(cursor: Cursor): GetMetadataArguments {
  const options: Options = { maxSize: null, depth: 0 };
  cursor.sp();
  if (cursor.isListAhead()) {
    readOptions(cursor, options);
    cursor.sp();
  }
  const name = cursor.mailbox();
  cursor.sp();
  if (isOptionListAhead(cursor)) {
    readOptions(cursor, options);
    cursor.sp();
  }
  const entries: string[] = [];
  const entry = (): void => void entries.push(cursor.astring().toString('latin1'));
  if (cursor.isListAhead()) cursor.list(IMAP_LIMITS.metadataEntries, 1, entry);
  else entry();
  cursor.end();
  return { name, entries, ...options };
}

interface Options {
  maxSize: number | null;
  depth: 0 | 1 | 'infinity';
}

/** Entries begin with "/" or a quote, options with a letter. */
function isOptionListAhead(cursor: Cursor): boolean {
  return cursor.peek() === OPEN && /^[A-Za-z]$/.test(String.fromCharCode(cursor.bytes[cursor.at + 1] ?? 0));
}

function readOptions(cursor: Cursor, options: Options): void {
  cursor.list(IMAP_LIMITS.metadataOptions, 1, () => {
    const option = cursor.word();
    if (option === 'MAXSIZE') {
      cursor.sp();
      options.maxSize = cursor.number();
    } else if (option === 'DEPTH') {
      cursor.sp();
      const depth = cursor.word();
      if (depth !== '0' && depth !== '1' && depth !== 'INFINITY') throw new ImapSyntaxError('DEPTH is 0, 1 or infinity');
      options.depth = depth === 'INFINITY' ? 'infinity' : depth === '1' ? 1 : 0;
    } else throw new ImapSyntaxError(`Unknown GETMETADATA option ${option.slice(0, 40)}`);
  });
}

/** SP mailbox SP "(" entry SP value *(SP entry SP value) ")" */
export function setMetadataArguments(cursor: Cursor): SetMetadataArguments {
  cursor.sp();
  const name = cursor.mailbox();
  cursor.sp();
  const values: { entry: string; value: Buffer | null }[] = [];
  cursor.list(IMAP_LIMITS.metadataEntries, 1, () => {
    const entry = cursor.astring().toString('latin1');
    if (cursor.peek() !== SP) cursor.fail('a value');
    cursor.sp();
    // The command's bytes are used again for the next one.
    const value = cursor.value();
    values.push({ entry, value: value === null ? null : Buffer.from(value) });
  });
  cursor.end();
  return { name, values };
}

/** value = nstring / literal8 */
export function formatMetadataValue(value: Uint8Array | null): string {
  if (value === null) return 'NIL';
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
  return value.includes(0) ? `~{${bytes.length}}\r\n${bytes}` : imapString(bytes);
}
