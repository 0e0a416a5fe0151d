/** Sorting that lets other sessions run: pieces are sorted at once, then merged with pauses. */
import { pause, type SliceClock } from './pace.ts';

type Sortable = Float64Array | Uint32Array;

/** Elements sorted at once: below 5 ms also for texts that are compared one by one. */
const NUMBERS_AT_ONCE = 65_536;
const COMPARED_AT_ONCE = 8192;
/** Elements between looks at the clock. */
const LOOK_EVERY = 4096;

/** Ascending, in place or in another array of the same length. */
export function sortNumbers(values: Float64Array, clock: SliceClock): Float64Array | Promise<Float64Array> {
  if (values.length <= NUMBERS_AT_ONCE) return values.sort();
  return sortPieces(
    values,
    NUMBERS_AT_ONCE,
    (piece) => piece.sort(),
    (a, b) => a <= b,
    clock,
  );
}

/** By `compare`, which must never answer 0 for two different elements. */
export function sortCompared(values: Uint32Array, compare: (a: number, b: number) => number, clock: SliceClock): Uint32Array | Promise<Uint32Array> {
  if (values.length <= COMPARED_AT_ONCE) return values.sort(compare);
  return sortPieces(
    values,
    COMPARED_AT_ONCE,
    (piece) => piece.sort(compare),
    (a, b) => compare(a, b) <= 0,
    clock,
  );
}

async function sortPieces<T extends Sortable>(
  values: T,
  pieceSize: number,
  sort: (piece: T) => unknown,
  isInOrder: (a: number, b: number) => boolean,
  clock: SliceClock,
): Promise<T> {
  const { length } = values;
  for (let from = 0; from < length; from += pieceSize) {
    sort(values.subarray(from, Math.min(length, from + pieceSize)) as T);
    if (clock.isOver()) await pause(clock);
  }
  let source = values;
  let target = values.slice() as T;
  for (let width = pieceSize; width < length; width *= 2) {
    for (let from = 0; from < length; from += 2 * width) {
      const middle = Math.min(length, from + width);
      const end = Math.min(length, from + 2 * width);
      let left = from;
      let right = middle;
      for (let to = from; to < end; ) {
        const stop = Math.min(end, to + LOOK_EVERY);
        for (; to < stop; to += 1) {
          if (right >= end || (left < middle && isInOrder(source[left]!, source[right]!))) {
            target[to] = source[left]!;
            left += 1;
          } else {
            target[to] = source[right]!;
            right += 1;
          }
        }
        if (clock.isOver()) await pause(clock);
      }
    }
    [source, target] = [target, source];
  }
  return source;
}

/**
 * Each value's place among the different ones, from 0; `distinct` is how many there are. In slices.
 */
export async function denseRanks(values: Float64Array, clock: SliceClock): Promise<{ readonly ranks: Uint32Array; readonly distinct: number }> {
  const sorted = await sortNumbers(values.slice(), clock);
  let distinct = 0;
  for (let i = 0; i < sorted.length; i += 1) {
    if (i > 0 && sorted[i] === sorted[distinct - 1]) continue;
    sorted[distinct] = sorted[i]!;
    distinct += 1;
  }
  const ranks = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    let low = 0;
    let high = distinct - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    ranks[i] = low;
    if (i % LOOK_EVERY === 0 && clock.isOver()) await pause(clock);
  }
  return { ranks, distinct };
}
