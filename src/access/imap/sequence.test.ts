import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern } from './list-match.ts';
import { hasPosition, inBoth, positions, savedRanges, sequenceRanges, uidRanges } from './sequence.ts';

const UIDS = Uint32Array.of(2, 5, 6, 9);

const ROWS: [name: string, ranges: readonly number[], expected: readonly number[]][] = [
  ['1:2,4', sequenceRanges([1, 2, 4, 4], 4), [0, 1, 3, 3]],
  ['4:2,3 merged', sequenceRanges([4, 2, 3, 3], 4), [1, 3]],
  ['3:* of 4', sequenceRanges([3, 0], 4), [2, 3]],
  ['9:* of 4 is the last', sequenceRanges([9, 0], 4), [3, 3]],
  ['9 of 4 is nothing', sequenceRanges([9, 9], 4), []],
  ['1:* of none', sequenceRanges([1, 0], 0), []],
  ['uid 5:6', uidRanges([5, 6], UIDS, 4), [1, 2]],
  ['uid 7:8 is nothing', uidRanges([7, 8], UIDS, 4), []],
  ['uid 3:4294967295', uidRanges([3, 0xffffffff], UIDS, 4), [1, 3]],
  ['uid 100:* is the last', uidRanges([100, 0], UIDS, 4), [3, 3]],
  ['uid *', uidRanges([0, 0], UIDS, 4), [3, 3]],
  ['saved', savedRanges(Uint32Array.of(2, 7, 9), UIDS, 4), [0, 0, 3, 3]],
  ['nothing saved', savedRanges(null, UIDS, 4), []],
];
for (const [name, ranges, expected] of ROWS) test(name, () => assert.deepEqual(ranges, expected));

test('ranges hold what the set names, each position once and in order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 20 }), fc.nat(25), (numbers, count) => {
      const set = numbers.length % 2 === 0 ? numbers : numbers.slice(1);
      const wanted = new Set<number>();
      for (let i = 0; i < set.length; i += 2) {
        const [a, b] = [set[i] === 0 ? count : set[i]!, set[i + 1] === 0 ? count : set[i + 1]!];
        for (let n = Math.min(a, b); n <= Math.max(a, b); n += 1) if (n >= 1 && n <= count) wanted.add(n - 1);
      }
      const ranges = sequenceRanges(set, count);
      assert.deepEqual(
        [...positions(ranges)],
        [...wanted].sort((x, y) => x - y),
      );
      for (let at = 0; at < count; at += 1) assert.equal(hasPosition(ranges, at), wanted.has(at));
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('two sets have in common what is in both, once and in order', () => {
  const set = fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 12 }).map((numbers) => sequenceRanges(numbers.slice(0, numbers.length & ~1), 25));
  fc.assert(
    fc.property(set, set, (a, b) => {
      const others = new Set(positions(b));
      assert.deepEqual(
        [...positions(inBoth(a, b))],
        [...positions(a)].filter((position) => others.has(position)),
      );
    }),
    { seed: 6, numRuns: 500 },
  );
});

test('wildcards match as the same regular expression does', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 6 });
  fc.assert(
    fc.property(name, pattern, (text, glob) => {
      assert.equal(matchesPattern(glob, text), new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('%', '[^/]*')}$`).test(text));
    }),
    { seed: 4, numRuns: 2000 },
  );
});

test('a pattern of wildcards alone takes no longer than its length by the length of the name', () => {
  assert.equal(matchesPattern(`${'*a'.repeat(500)}b`, 'a'.repeat(1000)), false);
  assert.equal(matchesPattern('*'.repeat(5000), 'a'), false);
});
