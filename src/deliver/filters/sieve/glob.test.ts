import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, matchGlob, quoteGlob } from './glob.ts';

const free = (): void => {};
const parts = (pattern: string, text: string): readonly string[] | null =>
  matchGlob(compileGlob(pattern), text, free)?.map(([from, to]) => text.slice(from, to)) ?? null;

for (const [pattern, text, expected] of [
  ['', '', []],
  ['', 'a', null],
  ['a', 'a', []],
  ['*', '', ['']],
  ['*', 'abc', ['abc']],
  ['?', '', null],
  ['?', '\u{1f600}', ['\u{1f600}']],
  ['*-*', 'a-b-c', ['a', 'b-c']],
  ['*b*', 'abcabc', ['a', 'cabc']],
  ['a*c', 'abcabc', ['bcab']],
  ['*??', 'abc', ['a', 'b', 'c']],
  ['*ab', 'aab', ['a']],
  ['\\*', '*', []],
  ['\\*', 'a', null],
  ['a\\', 'a\\', []],
] as const) {
  test(`"${pattern}" on "${text}" gives ${JSON.stringify(expected)}`, () => assert.deepEqual(parts(pattern, text), expected));
}

test('patterns find what the same regular expression finds', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '?', '*'), maxLength: 7 });
  fc.assert(
    fc.property(patterns, letters, (pattern, text) => {
      const source = pattern.replace(/[?*]/g, (c) => (c === '?' ? '(.)' : '(.*?)'));
      const expected = new RegExp(`^${source}$`, 's').exec(text);
      assert.deepEqual(parts(pattern, text), expected === null ? null : expected.slice(1));
    }),
    { seed: 5229, numRuns: 3000 },
  );
});

test('a quoted text matches itself only', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('*', '?', '\\', 'a') }), (text) => {
      assert.deepEqual(parts(quoteGlob(text), text), []);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('no pattern takes more than text times pattern steps', () => {
  let steps = 0;
  matchGlob(compileGlob(`${'*a?'.repeat(20)}b`), 'a'.repeat(2000), (n) => {
    steps += n;
  });
  assert.ok(steps < 2000 * 60);
});
