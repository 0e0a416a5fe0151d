/**
 * Sets of characters as sorted, disjoint ranges of UTF-16 code units: [from, to, from, to, …], both ends included.
 * Patterns are compared by code units, as a JavaScript RegExp without the u flag does.
 */
export type Ranges = readonly number[];

export const UNIT_MAX = 0xffff;
export const EVERY: Ranges = [0, UNIT_MAX];
export const NOTHING: Ranges = [];
export const NEWLINE: Ranges = [0x0a, 0x0a];
export const DIGIT: Ranges = [0x30, 0x39];
export const WORD: Ranges = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
/** PCRE \s and POSIX [:space:]. */
export const SPACE: Ranges = [0x09, 0x0d, 0x20, 0x20];
/** PCRE \h. */
export const HORIZONTAL: Ranges = [
  0x09, 0x09, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x180e, 0x180e, 0x2000, 0x200a, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000,
];
/** PCRE \v. */
export const VERTICAL: Ranges = [0x0a, 0x0d, 0x85, 0x85, 0x2028, 0x2029];

/** POSIX classes in the C locale, and PCRE's [:word:]. */
export const CLASSES: ReadonlyMap<string, Ranges> = new Map<string, Ranges>([
  ['alpha', [0x41, 0x5a, 0x61, 0x7a]],
  ['digit', DIGIT],
  ['alnum', [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a]],
  ['upper', [0x41, 0x5a]],
  ['lower', [0x61, 0x7a]],
  ['space', SPACE],
  ['blank', [0x09, 0x09, 0x20, 0x20]],
  ['punct', [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e]],
  ['print', [0x20, 0x7e]],
  ['graph', [0x21, 0x7e]],
  ['cntrl', [0x00, 0x1f, 0x7f, 0x7f]],
  ['xdigit', [0x30, 0x39, 0x41, 0x46, 0x61, 0x66]],
]);

export const single = (code: number): Ranges => [code, code];

/** Sorts and joins. */
export function normalise(ranges: Ranges): Ranges {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [from, to] of pairs) {
    const last = joined.length - 1;
    if (last > 0 && from <= joined[last]! + 1) joined[last] = Math.max(joined[last]!, to);
    else joined.push(from, to);
  }
  return joined;
}

export const union = (...sets: readonly Ranges[]): Ranges => normalise(sets.flat());

export function negate(ranges: Ranges): Ranges {
  const rest: number[] = [];
  let next = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! > next) rest.push(next, ranges[i]! - 1);
    next = ranges[i + 1]! + 1;
  }
  if (next <= UNIT_MAX) rest.push(next, UNIT_MAX);
  return rest;
}

export const intersect = (a: Ranges, b: Ranges): Ranges => negate(union(negate(a), negate(b)));

/** Whether the two share a character. */
export function overlaps(a: Ranges, b: Ranges): boolean {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i + 1]! < b[j]!) i += 2;
    else if (b[j + 1]! < a[i]!) j += 2;
    else return true;
  }
  return false;
}

export const isSubset = (a: Ranges, b: Ranges): boolean => !overlaps(a, negate(b));

/** Wider ranges outside ASCII are taken to hold both cases of what is in them. */
const WIDEST_FOLDED = 512;

/** The set with the other case of each of its letters, so that case needs no attention afterwards. */
export function foldCase(ranges: Ranges): Ranges {
  const added: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i]!;
    const to = ranges[i + 1]!;
    addShifted(added, from, to, 0x41, 0x5a, 32);
    addShifted(added, from, to, 0x61, 0x7a, -32);
    if (to < 128 || to - from > WIDEST_FOLDED) continue;
    for (let code = Math.max(from, 128); code <= to; code += 1) {
      const char = String.fromCharCode(code);
      for (const other of [char.toLowerCase(), char.toUpperCase()])
        if (other.length === 1 && other.charCodeAt(0) >= 128) added.push(other.charCodeAt(0), other.charCodeAt(0));
    }
  }
  return added.length === 0 ? ranges : normalise([...ranges, ...added]);
}

function addShifted(into: number[], from: number, to: number, first: number, last: number, shift: number): void {
  const low = Math.max(from, first);
  const high = Math.min(to, last);
  if (low <= high) into.push(low + shift, high + shift);
}
