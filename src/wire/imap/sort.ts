/** sort (RFC 5256 section 5, ESORT RFC 5267, SORT=DISPLAY RFC 5957, RELEVANCY RFC 6203) and comparator-cmd (RFC 5255 section 4.10). */
import { SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';
import { hasKey, type SearchArguments, type SearchKey, searchCharset, searchCriteria } from './search.ts';
import { searchReturnOpts } from './search-returns.ts';

export type SortKey = 'ARRIVAL' | 'CC' | 'DATE' | 'DISPLAYFROM' | 'DISPLAYTO' | 'FROM' | 'RELEVANCY' | 'SIZE' | 'SUBJECT' | 'TO';

export interface SortCriterion {
  readonly key: SortKey;
  readonly isReverse: boolean;
}

export interface SortArguments extends SearchArguments {
  readonly criteria: readonly SortCriterion[];
}

const SORT_KEYS: readonly SortKey[] = ['ARRIVAL', 'CC', 'DATE', 'DISPLAYFROM', 'DISPLAYTO', 'FROM', 'RELEVANCY', 'SIZE', 'SUBJECT', 'TO'];

/** sort-criteria */
function sortCriteria(cursor: Cursor): SortCriterion[] {
  const criteria: SortCriterion[] = [];
  cursor.list(IMAP_LIMITS.sortCriteria, 1, () => {
    const isReverse = cursor.takeWord('REVERSE');
    if (isReverse) cursor.sp();
    const word = cursor.word();
    const key = SORT_KEYS.find((known) => known === word);
    if (key === undefined) throw new ImapSyntaxError(`Unknown sort key ${word.slice(0, 40)}`);
    // What is sorted by once is not changed by sorting by it again.
    if (!criteria.some((criterion) => criterion.key === key)) criteria.push({ key, isReverse });
  });
  return criteria;
}

/** charset SP search-key *(SP search-key): the search-criteria of SORT and THREAD, whose charset must be there. */
export function charsetAndCriteria(cursor: Cursor): { readonly charset: string; readonly key: SearchKey } {
  const charset = searchCharset(cursor);
  cursor.sp();
  return { charset, key: searchCriteria(cursor) };
}

/** SP [search-return-opts SP] sort-criteria SP search-criteria */
export function sortArguments(cursor: Cursor): SortArguments {
  cursor.sp();
  const returns = searchReturnOpts(cursor);
  const criteria = sortCriteria(cursor);
  cursor.sp();
  const { charset, key } = charsetAndCriteria(cursor);
  const wantsRelevancy = returns?.options.has('RELEVANCY') || criteria.some((criterion) => criterion.key === 'RELEVANCY');
  // RFC 6203 section 6. What filters hold is not looked into.
  if (wantsRelevancy && !hasKey(key, ['fuzzy', 'filter'])) throw new ImapSyntaxError('RELEVANCY needs a FUZZY search key');
  return { returns, criteria, charset, key };
}

/** *(SP comp-order-quoted) */
export function comparatorArguments(cursor: Cursor): string[] {
  const orders: string[] = [];
  while (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    if (orders.length >= IMAP_LIMITS.comparators) throw new ImapSyntaxError('Too many comparators');
    cursor.sp();
    orders.push(cursor.astring().toString('latin1'));
  }
  cursor.end();
  return orders;
}
