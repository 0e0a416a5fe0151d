/**
 * Addresses of stored ENVELOPEs for clients that take UTF-8 in strings (RFC 9755 section 3, RFC 9051 section 4.3). What is stored is ASCII:
 * text of headers beyond it stands in encoded words (RFC 2047), which every client reads. In the local part of an address nobody reads
 * them, and an answer would go nowhere; so who can is given the local part as it is.
 */
import { decodeWords } from './encoded-word.ts';
import { MAIL_LIMITS } from './limits.ts';

/** How local parts begin that envelopeOf() had to encode. */
const ENCODED = '=?utf-8?';

/** An ENVELOPE, or a BODYSTRUCTURE with some in it; one character per byte, before and after. */
export function withUtf8Addresses(text: string): string {
  // Nearly all have nothing to be done.
  if (!text.includes(ENCODED)) return text;
  let out = '';
  let copied = 0;
  for (let at = 0; at < text.length; ) {
    const c = text[at];
    if (c === '"' || c === '{') {
      at = endOfString(text, at);
      continue;
    }
    const local = c === '(' ? localPartAt(text, at) : null;
    at += 1;
    if (local === null) continue;
    const decoded = decodedLocalPart(text.slice(local.start, local.end));
    if (decoded !== null) {
      out += text.slice(copied, local.start) + decoded;
      copied = local.end;
    }
    at = local.end;
  }
  return copied === 0 ? text : out + text.slice(copied);
}

/** Where the third of the four strings of an address stands (RFC 9051 section 9, address), which begins at a parenthesis. */
function localPartAt(text: string, open: number): { readonly start: number; readonly end: number } | null {
  let at = open + 1;
  let found: { start: number; end: number } | null = null;
  for (let n = 0; n < 4; n += 1) {
    if (n > 0) {
      if (text[at] !== ' ') return null;
      at += 1;
    }
    const start = at;
    at = nstring(text, at);
    if (at === -1) return null;
    if (n === 2) found = { start, end: at };
  }
  // A group has no host, and a name in this place.
  return text[at] === ')' && text[at - 1] !== 'L' ? found : null;
}

/** Offset past the string or NIL, or -1. */
function nstring(text: string, at: number): number {
  if (text[at] === '"' || text[at] === '{') return endOfString(text, at);
  return text.startsWith('NIL', at) ? at + 3 : -1;
}

/** Offset past the quoted string or literal that begins at `at`; what is damaged ends the text. */
function endOfString(text: string, at: number): number {
  if (text[at] === '{') {
    const size = /^\{(\d{1,9})\}\r\n/.exec(text.slice(at, at + 14));
    return size === null ? text.length : Math.min(text.length, at + size[0].length + Number(size[1]));
  }
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return Math.min(text.length, end + 1);
}

/** As a quoted string of UTF-8; null: it stays as it is. */
function decodedLocalPart(string: string): string | null {
  if (!string.startsWith(`"${ENCODED}`) || string.length > MAIL_LIMITS.textBytes) return null;
  const local = decodeWords(string.slice(1, -1).replace(/\\(["\\])/g, '$1'));
  // Quoted strings have no control characters and no half of a surrogate pair.
  if (/[\p{Cc}\p{Cs}]/u.test(local)) return null;
  return `"${Buffer.from(local.replace(/["\\]/g, '\\$&'), 'utf8').toString('latin1')}"`;
}
