/** Puts messages in the order of sort criteria (RFC 5256 section 3), in slices. */
import type { Collation } from '../../mail/collation.ts';
import type { StoreReader } from '../../ports.ts';
import type { SortCriterion, SortKey } from '../../wire/imap/sort.ts';
import { pause, type SliceClock } from './pace.ts';
import { keysFor, type MailboxKeys, type NumberField, type Ranks, type TextColumn, type TextField } from './sort-keys.ts';
import { denseRanks, sortNumbers } from './sort-slices.ts';
import { indexOfUid, type MailboxView } from './view.ts';

const NUMBERS: Partial<Readonly<Record<SortKey, NumberField>>> = { ARRIVAL: 'arrival', DATE: 'date', SIZE: 'size' };
const TEXTS: Partial<Readonly<Record<SortKey, TextField>>> = {
  CC: 'cc',
  DISPLAYFROM: 'displayFrom',
  DISPLAYTO: 'displayTo',
  FROM: 'from',
  SUBJECT: 'subject',
  TO: 'to',
};

/** The messages to be sorted: their uids, ascending. */
export interface Unsorted {
  readonly view: MailboxView;
  readonly uids: ArrayLike<number>;
  /** 1 to 100 for each; null: nothing was FUZZY, all count the same. */
  readonly relevancy: readonly number[] | null;
}

export function textColumns(keys: MailboxKeys, criteria: readonly SortCriterion[], collation: Collation): TextColumn[] {
  const columns: TextColumn[] = [];
  for (const { key } of criteria) {
    const field = TEXTS[key];
    if (field !== undefined) columns.push(keys.column(field, collation));
  }
  return columns;
}

/**
 * Places in `uids` in the order of the criteria; equal ones stay as they are. Messages that are gone from the store are left out.
 * Numbers with 53 bits hold the ranks by several criteria and the place at once, so that one sort of numbers does it all.
 */
export async function sortedPlaces(
  reader: StoreReader,
  { view, uids, relevancy }: Unsorted,
  criteria: readonly SortCriterion[],
  collation: Collation,
  clock: SliceClock,
): Promise<Uint32Array> {
  const keys = await keysFor(reader, view, uids, (set) => textColumns(set, criteria, collation), clock);
  const indexes = keys.indexes(uids);
  const places = present(indexes);
  const count = places.length;
  let packed = new Float64Array(count);
  /** The numbers in `packed` are below. */
  let span = 1;
  const compress = async (): Promise<void> => {
    const { ranks, distinct } = await denseRanks(packed, clock);
    packed = Float64Array.from(ranks);
    span = distinct;
  };
  for (const { key, isReverse } of criteria) {
    let ranks: Ranks;
    // RFC 6203 section 6: the most relevant first, unless reversed.
    if (key === 'RELEVANCY') ranks = { distinct: 101, of: (place) => 100 - (relevancy?.[place] ?? 100) };
    else {
      const field = NUMBERS[key];
      const column = field === undefined ? await keys.column(TEXTS[key]!, collation).ranks(clock) : await keys.ranks(field, clock);
      ranks = { distinct: column.distinct, of: (place) => column.of(indexes[place]!) };
    }
    if (span * ranks.distinct > Number.MAX_SAFE_INTEGER) await compress();
    const last = ranks.distinct - 1;
    for (let i = 0; i < count; i += 1) {
      const rank = ranks.of(places[i]!);
      packed[i] = packed[i]! * ranks.distinct + (isReverse ? last - rank : rank);
    }
    span *= ranks.distinct;
    if (clock.isOver()) await pause(clock);
  }
  if (span * count > Number.MAX_SAFE_INTEGER) await compress();
  for (let i = 0; i < count; i += 1) packed[i] = packed[i]! * count + i;
  if (clock.isOver()) await pause(clock);
  const sorted = await sortNumbers(packed, clock);
  if (clock.isOver()) await pause(clock);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) order[i] = places[sorted[i]! % count]!;
  return order;
}

/** Places whose message is known. */
function present(indexes: Int32Array): Uint32Array {
  const places = new Uint32Array(indexes.length);
  let count = 0;
  for (let i = 0; i < indexes.length; i += 1) {
    if (indexes[i] === -1) continue;
    places[count] = i;
    count += 1;
  }
  return places.subarray(0, count);
}

/** The order of two messages whose keys are known, by uid; those that the criteria do not tell apart stand as in the mailbox. Without RELEVANCY. */
export function orderOf(keys: MailboxKeys, criteria: readonly SortCriterion[], collation: Collation): (a: number, b: number) => number {
  const columns = criteria.map(({ key, isReverse }) => {
    const field = NUMBERS[key];
    const text = TEXTS[key] === undefined ? null : keys.column(TEXTS[key], collation);
    return { field, text, sign: isReverse ? -1 : 1 };
  });
  return (a, b) => {
    const x = indexOfUid(keys.uids, keys.count, a);
    const y = indexOfUid(keys.uids, keys.count, b);
    for (const { field, text, sign } of columns) {
      if (field !== undefined) {
        const difference = keys.numbers[field].values[x]! - keys.numbers[field].values[y]!;
        if (difference !== 0) return difference * sign;
      } else if (text !== null && text.ids[x] !== text.ids[y]) return text.texts[text.ids[x]!]! < text.texts[text.ids[y]!]! ? -sign : sign;
    }
    return a - b;
  };
}
