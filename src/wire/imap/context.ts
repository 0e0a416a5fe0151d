/** CANCELUPDATE (RFC 5267 section 5). */
import { SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

/** 1*(SP quoted): tags. Atoms are taken too. */
export function cancelUpdateArguments(cursor: Cursor): string[] {
  const tags: string[] = [];
  do {
    if (tags.length >= IMAP_LIMITS.contextTags) throw new ImapSyntaxError('Too many tags');
    cursor.sp();
    tags.push(cursor.astring().toString('latin1'));
  } while (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length);
  cursor.end();
  return tags;
}
