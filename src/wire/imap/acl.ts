/** Arguments and values of the access control commands (RFC 4314 section 7). */
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { imapString } from './format.ts';
import { IMAP_LIMITS } from './limits.ts';

export interface IdentifierArguments {
  readonly name: string;
  /** As sent, in Unicode; not yet prepared. */
  readonly identifier: string;
}

export interface SetAclArguments extends IdentifierArguments {
  readonly mode: 'replace' | 'add' | 'remove';
  /** Letters of RFC 4314 section 2.1, the obsolete ones taken apart; may be empty. */
  readonly rights: string;
}

/** Rights as they are written, in this order. */
const RIGHTS = 'lrswipkxtea';
/** RFC 4314 section 2.1.1: what the rights of RFC 2086 stand for here. */
const OBSOLETE: ReadonlyMap<string, string> = new Map([
  ['c', 'kx'],
  ['d', 'te'],
]);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** identifier = astring, in UTF-8 */
function identifier(cursor: Cursor): string {
  const bytes = cursor.astring();
  if (bytes.length > IMAP_LIMITS.identifierBytes) throw new ImapSyntaxError('Identifier is too long');
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ImapSyntaxError('Identifier is not valid UTF-8'); // the decoder throws for malformed input and for nothing else
  }
}

/** SP mailbox SP identifier (DELETEACL, LISTRIGHTS) */
export function identifierArguments(cursor: Cursor): IdentifierArguments {
  cursor.sp();
  const name = cursor.mailbox();
  cursor.sp();
  const who = identifier(cursor);
  cursor.end();
  return { name, identifier: who };
}

/** SP mailbox SP identifier SP mod-rights */
export function setAclArguments(cursor: Cursor): SetAclArguments {
  cursor.sp();
  const name = cursor.mailbox();
  cursor.sp();
  const who = identifier(cursor);
  cursor.sp();
  const text = cursor.astring().toString('latin1');
  cursor.end();
  const mode = text.startsWith('+') ? 'add' : text.startsWith('-') ? 'remove' : 'replace';
  const { rights, unknown } = readRights(mode === 'replace' ? text : text.slice(1));
  // RFC 4314 section 3.1: what is not known must not be passed over silently.
  if (unknown !== '') throw new ImapSyntaxError(/[A-Z]/.test(unknown) ? 'Uppercase rights are not allowed' : `The ${unknown} right is not supported`);
  return { name, identifier: who, mode, rights };
}

/** Letters as people write them, each once and in order; `unknown` is the first that is no right, or "". */
export function readRights(text: string): { readonly rights: string; readonly unknown: string } {
  let given = '';
  for (const letter of text) {
    const meant = OBSOLETE.get(letter) ?? letter;
    if (!/^[a-z]+$/.test(meant) || ![...meant].every((right) => RIGHTS.includes(right))) return { rights: '', unknown: /^[!-~]$/.test(letter) ? letter : '?' };
    // Repeated letters must not make the string longer than the alphabet.
    if (!given.includes(meant)) given += meant;
  }
  return { rights: [...RIGHTS].filter((right) => given.includes(right)).join(''), unknown: '' };
}

/** rights = astring, with the virtual rights that clients of RFC 2086 look for (RFC 4314 section 2.1.1). */
export function formatRights(rights: string): string {
  let text = rights;
  if (/[kx]/.test(rights)) text += 'c';
  if (/[te]/.test(rights)) text += 'd';
  return text === '' ? '""' : text;
}

/** identifier = astring */
export function formatIdentifier(text: string): string {
  return /^[^\x00-\x20(){%*"\\\x7f-\uffff]+$/.test(text) && text.toUpperCase() !== 'NIL' ? text : imapString(Buffer.from(text, 'utf8').toString('latin1'));
}
