/** Result options of SEARCH, SORT and ESEARCH: "RETURN" "(" … ")" (RFC 4731, RFC 5182, RFC 5267, RFC 6203, RFC 9394). */
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

const COLON = 0x3a;
const MINUS = 0x2d;

/** Options without an argument. */
export type SearchReturn = 'MIN' | 'MAX' | 'ALL' | 'COUNT' | 'SAVE' | 'RELEVANCY' | 'CONTEXT' | 'UPDATE';

/** Results number `first` to `last`, counted from 1 and in this order; `isFromEnd`: from the last result backwards (RFC 9394 section 3.1). */
export interface PartialRange {
  readonly first: number;
  readonly last: number;
  readonly isFromEnd: boolean;
  /** As the client wrote it: the answer repeats it. */
  readonly text: string;
}

/** An empty list stands for ALL (RFC 4731 section 3.1), and has been replaced by it. */
export interface SearchReturns {
  readonly options: ReadonlySet<SearchReturn>;
  readonly partial: PartialRange | null;
}

const OPTIONS: readonly SearchReturn[] = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE', 'RELEVANCY', 'CONTEXT', 'UPDATE'];

/** partial-range, in SEARCH as well as behind PARTIAL in UID FETCH (RFC 9394 section 4). */
export function partialRange(cursor: Cursor): PartialRange {
  const start = cursor.at;
  const isFromEnd = cursor.take(MINUS);
  const a = cursor.nzNumber();
  cursor.expect(COLON);
  if (isFromEnd) cursor.expect(MINUS);
  const b = cursor.nzNumber();
  return { first: Math.min(a, b), last: Math.max(a, b), isFromEnd, text: cursor.bytes.toString('latin1', start, cursor.at) };
}

/** Which of `count` results are in the range: [from, to) as indexes into them. Nothing beyond what there is. */
export function partialBounds(range: PartialRange, count: number): readonly [from: number, to: number] {
  const from = range.isFromEnd ? Math.max(0, count - range.last) : Math.min(count, range.first - 1);
  const to = range.isFromEnd ? Math.max(0, count - range.first + 1) : Math.min(count, range.last);
  return from < to ? [from, to] : [0, 0];
}

/** search-return-opts with the space behind them; null when there are none. */
export function searchReturnOpts(cursor: Cursor): SearchReturns | null {
  if (!cursor.takeWord('RETURN')) return null;
  const options = new Set<SearchReturn>();
  let partial: PartialRange | null = null;
  cursor.sp();
  cursor.list(IMAP_LIMITS.searchReturns, 0, () => {
    const word = cursor.word();
    if (word === 'PARTIAL') {
      cursor.sp();
      if (partial !== null) throw new ImapSyntaxError('Only one PARTIAL is possible');
      partial = partialRange(cursor);
      return;
    }
    const option = OPTIONS.find((known) => known === word);
    if (option === undefined) throw new ImapSyntaxError(`Unknown SEARCH result option ${word.slice(0, 40)}`);
    options.add(option);
  });
  cursor.sp();
  if (partial !== null && options.has('ALL')) throw new ImapSyntaxError('PARTIAL and ALL exclude each other');
  if (partial === null && options.size === 0) options.add('ALL');
  return { options, partial };
}
