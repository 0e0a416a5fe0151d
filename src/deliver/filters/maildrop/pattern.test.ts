import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PatternProblem } from '../../../directory/tables/pattern/compile.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import { PatternCache, Searcher } from './pattern.ts';

const all = (source: string, text: string): string[][] => [...new Searcher(source, false).all(text)].map((groups) => groups.map((group) => group ?? '-'));

test('every match is found, with what stands before it in view', () => {
  assert.deepEqual(all('^a', 'aaa'), [['a']]);
  assert.deepEqual(all('\\ba', 'a.aa a'), [['a'], ['a'], ['a']]);
  assert.deepEqual(all('(?<=a)a', 'aaaa'), [['a'], ['a'], ['a']]);
  assert.deepEqual(all('(x)(b)?', 'aXbXc'), [
    ['Xb', 'X', 'b'],
    ['X', 'X', '-'],
  ]);
});

test('matches of nothing come to an end', () => {
  assert.equal(all('x*', 'a😀b').length, 4);
});

for (const length of [10, 100_000, 3_000_000])
  test(`a text of ${length} characters and patterns with many ways through it`, () => {
    const text = `${'a'.repeat(length)}!`;
    assert.equal(new Searcher('(a|aa)+b', false).test(text), false);
    assert.equal(new Searcher('(a+)+!', false).test(text), true);
    assert.equal(new Searcher('!$', false).first(text)?.[0], '!');
    assert.equal([...new Searcher('(a|b)!', false).all(text)].length, 1);
  });

test('a text beyond the bound is taken for not matching when JavaScript cannot be trusted with it', () => {
  assert.equal(new Searcher('(a|b)+!', false).test(`${'a'.repeat(MAILDROP_LIMITS.linearChars)}!`), false);
});

test('case matters only where it is asked for, the dot leaves line ends alone', () => {
  assert.equal(new Searcher('ü', false).test('Ü'), true);
  assert.equal(new Searcher('a', true).test('A'), false);
  assert.equal(new Searcher('a.b', false).test('a\nb'), false);
});

test('compiled patterns are kept, up to a bound, and bad ones are values', () => {
  const cache = new PatternCache();
  assert.equal(cache.get('a', false), cache.get('a', false));
  assert.notEqual(cache.get('Da', false), cache.get('a', true));
  assert.ok(cache.get('(', false) instanceof PatternProblem);
  const first = cache.get('a', false);
  for (let i = 0; i <= MAILDROP_LIMITS.patterns; i += 1) cache.get(`x${i}`, false);
  assert.notEqual(cache.get('a', false), first);
});
