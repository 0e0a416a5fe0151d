/** Arguments of LANGUAGE (RFC 5255 section 3.5). */
import { SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

/** *(SP lang-range), in lower case. */
export function languageArguments(cursor: Cursor): string[] {
  const ranges: string[] = [];
  while (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    cursor.sp();
    if (ranges.length >= IMAP_LIMITS.languages) throw new ImapSyntaxError('Too many languages');
    ranges.push(languageRange(cursor));
  }
  cursor.end();
  return ranges;
}

/** "*" is no ASTRING-CHAR, yet a language range (RFC 4647 section 2.1) that clients may send bare. */
function languageRange(cursor: Cursor): string {
  if (cursor.take(0x2a)) return '*';
  const range = cursor.astring().toString('latin1').toLowerCase();
  if (range.length > IMAP_LIMITS.languageBytes) throw new ImapSyntaxError('Language is too long');
  return range;
}
