/** flag and flag-list (RFC 9051 section 9). */
import { FLAG } from '../../ports.ts';
import { BACKSLASH, CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

export interface FlagList {
  /** System flags as bits of FLAG. */
  bits: number;
  keywords: string[];
}

const BITS = new Map<string, number>([
  ['SEEN', FLAG.seen],
  ['ANSWERED', FLAG.answered],
  ['FLAGGED', FLAG.flagged],
  ['DELETED', FLAG.deleted],
  ['DRAFT', FLAG.draft],
  // Cannot be set by a client (RFC 3501 section 2.3.2), yet some copy it from what they fetched: taken and dropped.
  ['RECENT', 0],
]);

function flag(cursor: Cursor, into: FlagList): void {
  if (cursor.take(BACKSLASH)) {
    const name = cursor.word();
    const bit = BITS.get(name);
    if (bit === undefined) throw new ImapSyntaxError(`Unknown system flag \\${name.slice(0, 40)}`);
    into.bits |= bit;
    return;
  }
  const keyword = cursor.atom();
  if (keyword.length > IMAP_LIMITS.flagBytes) throw new ImapSyntaxError('Keyword is too long');
  if (!into.keywords.includes(keyword)) into.keywords.push(keyword);
}

/** "(" [flag *(SP flag)] ")" */
export function flagList(cursor: Cursor): FlagList {
  const flags: FlagList = { bits: 0, keywords: [] };
  cursor.list(IMAP_LIMITS.flags, 0, () => flag(cursor, flags));
  return flags;
}

/** store-att-flags has the list also without parentheses. */
export function flagListOrFlags(cursor: Cursor): FlagList {
  if (cursor.isListAhead()) return flagList(cursor);
  const flags: FlagList = { bits: 0, keywords: [] };
  let count = 0;
  do {
    count += 1;
    if (count > IMAP_LIMITS.flags || cursor.peek() === OPEN || cursor.peek() === CLOSE) cursor.fail('a flag');
    flag(cursor, flags);
  } while (cursor.take(SP));
  return flags;
}
