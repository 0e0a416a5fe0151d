/** Sequence sets against what a client knows: numbers or uids to ranges of positions, ascending and without overlap. */
import { indexOfUid, lowerBound } from './view.ts';

/** [first, last, first, last …], positions from 0, both ends included. */
export type Ranges = readonly number[];

/**
 * Message sequence numbers to positions. What lies beyond the last message is left out rather than refused: a client whose
 * own EXPUNGE crosses our answer means no harm.
 */
export function sequenceRanges(set: readonly number[], count: number): Ranges {
  const pairs: [number, number][] = [];
  if (count === 0) return [];
  for (let i = 0; i < set.length; i += 2) {
    const a = set[i] === 0 ? count : set[i]!;
    const b = set[i + 1] === 0 ? count : set[i + 1]!;
    const low = Math.min(a, b);
    if (low <= count) pairs.push([low - 1, Math.min(Math.max(a, b), count) - 1]);
  }
  return merged(pairs);
}

/** Unique identifiers to positions; "*" is the last message's. Uids that do not exist are passed over (RFC 9051 section 6.4.9). */
export function uidRanges(set: readonly number[], uids: Uint32Array, count: number): Ranges {
  if (count === 0) return [];
  const last = uids[count - 1]!;
  const pairs: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) {
    const a = set[i] === 0 ? last : set[i]!;
    const b = set[i + 1] === 0 ? last : set[i + 1]!;
    const from = lowerBound(uids, count, Math.min(a, b));
    const high = Math.max(a, b);
    const to = high >= last ? count - 1 : lowerBound(uids, count, high + 1) - 1;
    if (from <= to) pairs.push([from, to]);
  }
  return merged(pairs);
}

/** The uids of a saved search result ("$") that the client still has. */
export function savedRanges(saved: Uint32Array | null, uids: Uint32Array, count: number): Ranges {
  const pairs: [number, number][] = [];
  for (const uid of saved ?? []) {
    const index = indexOfUid(uids, count, uid);
    if (index !== -1) pairs.push([index, index]);
  }
  return merged(pairs);
}

/** Positions that both have. */
export function inBoth(a: Ranges, b: Ranges): Ranges {
  const both: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const from = Math.max(a[i]!, b[j]!);
    const to = Math.min(a[i + 1]!, b[j + 1]!);
    if (from <= to) both.push(from, to);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return both;
}

function merged(pairs: [number, number][]): Ranges {
  if (pairs.length > 1) pairs.sort((a, b) => a[0] - b[0]);
  const ranges: number[] = [];
  for (const [from, to] of pairs) {
    const last = ranges.length - 1;
    if (last > 0 && from <= ranges[last]! + 1) ranges[last] = Math.max(ranges[last]!, to);
    else ranges.push(from, to);
  }
  return ranges;
}

/** Every position of the ranges, for sets that will be walked anyway. */
export function* positions(ranges: Ranges): Generator<number> {
  for (let i = 0; i < ranges.length; i += 2) for (let at = ranges[i]!; at <= ranges[i + 1]!; at += 1) yield at;
}

/** Is the position in the ranges? */
export function hasPosition(ranges: Ranges, at: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle * 2 + 1]! < at) low = middle + 1;
    else high = middle;
  }
  return low * 2 < ranges.length && ranges[low * 2]! <= at;
}
