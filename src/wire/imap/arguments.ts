/** Arguments of the shorter commands (RFC 9051 section 9), each as one function from the cursor behind the verb to a typed value. */
import { CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError, type SequenceSet } from './cursor.ts';
import { type FlagList, flagListOrFlags } from './flags.ts';
import { IMAP_LIMITS } from './limits.ts';

export function noArguments(cursor: Cursor): null {
  cursor.end();
  return null;
}

/** SP mailbox */
export function mailboxArgument(cursor: Cursor): string {
  cursor.sp();
  const name = cursor.mailbox();
  cursor.end();
  return name;
}

/** SP mailbox SP mailbox */
export function renameArguments(cursor: Cursor): { from: string; to: string } {
  cursor.sp();
  const from = cursor.mailbox();
  cursor.sp();
  const to = cursor.mailbox();
  cursor.end();
  return { from, to };
}

/** SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"] (RFC 6154 section 3). Attributes in upper case, without backslash. */
export function createArguments(cursor: Cursor): { name: string; use: string[] } {
  cursor.sp();
  const name = cursor.mailbox();
  const use: string[] = [];
  if (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    cursor.sp();
    cursor.list(10, 1, () => {
      const parameter = cursor.word();
      if (parameter !== 'USE') throw new ImapSyntaxError(`Unknown CREATE parameter ${parameter.slice(0, 40)}`);
      cursor.sp();
      cursor.list(10, 0, () => {
        cursor.expect(0x5c);
        use.push(cursor.word());
      });
    });
  }
  cursor.end();
  return { name, use };
}

/** SP userid SP password, both as UTF-8 text. */
export function loginArguments(cursor: Cursor): { login: string; password: string } {
  cursor.sp();
  const login = cursor.astring().toString('utf8');
  cursor.sp();
  const password = cursor.astring().toString('utf8');
  cursor.end();
  return { login, password };
}

/** SP auth-type [SP initial-resp] (RFC 4959): "=" is the empty response, null none. */
export function authenticateArguments(cursor: Cursor): { mechanism: string; initial: Buffer | null } {
  cursor.sp();
  const mechanism = cursor.word();
  let initial: Buffer | null = null;
  if (cursor.take(SP) && !cursor.isAtEnd) {
    const text = cursor.take(0x3d) ? '' : cursor.astring().toString('latin1');
    initial = decodeBase64(text);
    if (initial === null) throw new ImapSyntaxError('Initial response is not base64');
  }
  cursor.end();
  return { mechanism, initial };
}

/** base64 as RFC 4648 section 4 has it, padding included; null when it is not. */
export function decodeBase64(text: string): Buffer | null {
  if (text.length % 4 !== 0) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** 1*(SP capability), upper case. */
export function enableArguments(cursor: Cursor): string[] {
  const names: string[] = [];
  do {
    cursor.sp();
    names.push(cursor.word());
    if (names.length > IMAP_LIMITS.enable) throw new ImapSyntaxError('Too many capabilities');
  } while (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length);
  cursor.end();
  return names;
}

/** SP ("NIL" / "(" [string SP nstring …] ")") (RFC 2971 section 3.1). Text is UTF-8. */
export function idArguments(cursor: Cursor): Map<string, string> {
  const fields = new Map<string, string>();
  cursor.sp();
  if (!cursor.takeWord('NIL')) {
    cursor.list(IMAP_LIMITS.idPairs, 0, () => {
      const name = cursor.string();
      cursor.sp();
      const value = cursor.nstring();
      if (name.length > 30 || (value?.length ?? 0) > IMAP_LIMITS.idBytes) throw new ImapSyntaxError('ID field is too long');
      if (value !== null) fields.set(name.toString('utf8').toLowerCase(), value.toString('utf8'));
    });
  }
  cursor.end();
  return fields;
}

/** SP sequence-set SP mailbox (COPY, MOVE) */
export function copyArguments(cursor: Cursor): { set: SequenceSet; name: string } {
  cursor.sp();
  const set = cursor.sequenceSet();
  cursor.sp();
  const name = cursor.mailbox();
  cursor.end();
  return { set, name };
}

/** SP sequence-set (UID EXPUNGE) */
export function setArgument(cursor: Cursor): SequenceSet {
  cursor.sp();
  const set = cursor.sequenceSet();
  cursor.end();
  return set;
}

export interface StoreArguments {
  readonly set: SequenceSet;
  readonly mode: 'add' | 'remove' | 'replace';
  readonly isSilent: boolean;
  readonly flags: FlagList;
  /** null: not given (RFC 7162 section 3.1.3). */
  readonly unchangedSince: number | null;
}

/** SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence ")"] SP store-att-flags */
export function storeArguments(cursor: Cursor): StoreArguments {
  cursor.sp();
  const set = cursor.sequenceSet();
  cursor.sp();
  let unchangedSince: number | null = null;
  if (cursor.take(OPEN)) {
    const modifier = cursor.word();
    if (modifier !== 'UNCHANGEDSINCE') throw new ImapSyntaxError(`Unknown STORE modifier ${modifier.slice(0, 40)}`);
    cursor.sp();
    unchangedSince = cursor.modSequence();
    cursor.expect(CLOSE);
    cursor.sp();
  }
  const mode = cursor.take(0x2b) ? 'add' : cursor.take(0x2d) ? 'remove' : 'replace';
  const item = cursor.word();
  if (item !== 'FLAGS' && item !== 'FLAGS.SILENT') throw new ImapSyntaxError(`Unknown STORE item ${item.slice(0, 40)}`);
  cursor.sp();
  const flags = flagListOrFlags(cursor);
  cursor.end();
  return { set, mode, isSilent: item === 'FLAGS.SILENT', flags, unchangedSince };
}
