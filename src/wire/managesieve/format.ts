/** What the server says: strings and responses (RFC 5804 sections 1.2, 1.3 and 4). */
import { QUOTED_OCTETS_MAX } from './limits.ts';

/** A response code: a name, with a string where it takes one (TAG, SASL, REFERRAL). */
export type ResponseCode =
  | 'AUTH-TOO-WEAK'
  | 'ENCRYPT-NEEDED'
  | 'QUOTA'
  | 'QUOTA/MAXSCRIPTS'
  | 'QUOTA/MAXSIZE'
  | 'TRANSITION-NEEDED'
  | 'TRYLATER'
  | 'ACTIVE'
  | 'NONEXISTENT'
  | 'ALREADYEXISTS'
  | 'WARNINGS'
  | { readonly name: 'TAG' | 'SASL' | 'REFERRAL'; readonly value: string };

/** `text` as a string of the protocol: quoted when it can be, else a literal. */
export function formatString(text: string): string {
  if (isQuotable(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  return `{${Buffer.byteLength(text)}}\r\n${text}`;
}

/** Lines go as literals: a quoted string holds no line end (SAFE-CHAR), and some clients stop at one. */
function isQuotable(text: string): boolean {
  return !/[\0\r\n]/.test(text) && Buffer.byteLength(text) <= QUOTED_OCTETS_MAX;
}

/** The response that ends a command, with its CRLF. */
export function formatResponse(status: 'OK' | 'NO' | 'BYE', text: string | null, code: ResponseCode | null = null): string {
  let response: string = status;
  if (code !== null) response += ` (${typeof code === 'string' ? code : `${code.name} ${formatString(code.value)}`})`;
  if (text !== null && text !== '') response += ` ${formatString(text)}`;
  return `${response}\r\n`;
}

/** A line of the capability response. */
export function formatCapability(name: string, value: string | null): string {
  return value === null ? `${formatString(name)}\r\n` : `${formatString(name)} ${formatString(value)}\r\n`;
}

/** A line of LISTSCRIPTS. */
export function formatListed(name: string, isActive: boolean): string {
  return `${formatString(name)}${isActive ? ' ACTIVE' : ''}\r\n`;
}
