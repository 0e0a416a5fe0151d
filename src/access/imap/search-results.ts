/** What is said of results: the data items of ESEARCH responses (RFC 4731, RFC 9394, RFC 6203), for SEARCH, SORT and ESEARCH alike. */
import { formatSet, imapString } from '../../wire/imap/format.ts';
import { partialBounds, type SearchReturn, type SearchReturns } from '../../wire/imap/search-returns.ts';

/** Results in their order: of the mailbox, or as sorted. */
export interface Results {
  /** Sequence numbers or uids, as the client gets to see them. */
  readonly numbers: readonly number[];
  /** 1 to 100 for each of them; null: nothing was FUZZY. */
  readonly relevancy: readonly number[] | null;
  /** Of the result at a place in `numbers`; null: the search was not about MODSEQ. */
  readonly modseqOf: ((i: number) => number) | null;
}

/** Options that only ask for something to be done. */
const SILENT: ReadonlySet<SearchReturn> = new Set<SearchReturn>(['SAVE', 'UPDATE', 'CONTEXT']);

/** Does the client want to hear anything? With SAVE (RFC 5182 section 2.1) or UPDATE alone it does not. */
export function saysAnything({ options, partial }: SearchReturns): boolean {
  if (partial !== null) return true;
  for (const option of options) if (!SILENT.has(option)) return true;
  return false;
}

/** `* ESEARCH (TAG …) [UID] …`, with its line end. `correlator`: what stands behind the tag, beginning with a space (RFC 7377). */
export function esearchLine(tag: string, correlator: string, isUid: boolean, returns: SearchReturns, results: Results): string {
  return `* ESEARCH (TAG ${imapString(tag)}${correlator})${isUid ? ' UID' : ''}${resultItems(returns, results)}\r\n`;
}

/** The data items, each with a space before it. */
function resultItems({ options, partial }: SearchReturns, { numbers, relevancy, modseqOf }: Results): string {
  const count = numbers.length;
  let text = '';
  if (count > 0) {
    if (options.has('MIN')) text += ` MIN ${numbers[0]}`;
    if (options.has('MAX')) text += ` MAX ${numbers.at(-1)}`;
    if (options.has('ALL')) text += ` ALL ${formatSet(numbers)}`;
  }
  const [from, to] = partial === null ? [0, 0] : partialBounds(partial, count);
  if (partial !== null) text += ` PARTIAL (${partial.text} ${from < to ? formatSet(numbers.slice(from, to)) : 'NIL'})`;
  if (options.has('COUNT')) text += ` COUNT ${count}`;
  if (options.has('RELEVANCY') && relevancy !== null) {
    // Those of the messages that are named.
    const shown = partial === null ? relevancy : relevancy.slice(from, to);
    if (shown.length > 0) text += ` RELEVANCY (${shown.join(' ')})`;
  }
  const highest = modseqOf === null ? 0 : highestModseq(options, partial === null ? null : [from, to], count, modseqOf);
  return highest === 0 ? text : `${text} MODSEQ ${highest}`;
}

/** RFC 4731 section 3.2: of the messages that were returned; with MIN and MAX alone, of those. */
function highestModseq(options: ReadonlySet<SearchReturn>, bounds: readonly [number, number] | null, count: number, modseqOf: (i: number) => number): number {
  let highest = 0;
  const look = (i: number): void => {
    highest = Math.max(highest, modseqOf(i));
  };
  const isWhole = options.has('ALL') || options.has('COUNT') || (bounds === null && !options.has('MIN') && !options.has('MAX'));
  const [from, to] = isWhole ? [0, count] : (bounds ?? [0, 0]);
  for (let i = from; i < to; i += 1) look(i);
  if (count > 0 && options.has('MIN')) look(0);
  if (count > 0 && options.has('MAX')) look(count - 1);
  return highest;
}

/** Which results "$" stands for afterwards, as places among `count` results: the tables of RFC 5182 section 2.4 and RFC 9394 section 3.2. */
export function savedPlaces({ options, partial }: SearchReturns, count: number): number[] | 'all' {
  if (options.has('ALL') || options.has('COUNT') || (partial === null && !options.has('MIN') && !options.has('MAX'))) return 'all';
  const places = new Set<number>();
  if (count > 0 && options.has('MIN')) places.add(0);
  if (partial !== null) {
    const [from, to] = partialBounds(partial, count);
    for (let i = from; i < to; i += 1) places.add(i);
  }
  if (count > 0 && options.has('MAX')) places.add(count - 1);
  return [...places];
}
