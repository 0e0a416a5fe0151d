import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileExpression, countMatches } from './regex.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What `\/` gives, true for a match without one, false for none. */
function find(text: string, pattern: string, isCaseSensitive = false): string | boolean {
  const found = compileExpression(pattern, isCaseSensitive).expression!.search(bytes(text), 0);
  if (found === null) return false;
  return found.match === null ? true : text.slice(found.match.from, found.match.to);
}

const count = (text: string, pattern: string): number => countMatches(compileExpression(pattern, false).expression!, bytes(text), () => true);

for (const [text, pattern, expected] of [
  ['abc', 'b', true],
  ['abc', '^^b', false],
  ['abc', 'c^^', true],
  ['abc\n', 'c^^', false],
  ['abc\n', 'c$^^', true],
  ['abc\ndef', 'abc$def', true],
  ['abc\ndef', 'abc$^def', false],
  ['a\nb', 'a[^x]b', false],
  ['ABC', 'abc', true],
  ['foobar', '()\\/o+', 'oo'],
  ['Subject:   hello', '^Subject: *\\/.*', '   hello'],
  ['Subject:   hello', '^Subject:[ ]*\\/[^ ].*', 'hello'],
  ['foobar', '(foo|bar\\/x)', true],
  ['foo bar', '()\\<bar\\>', true],
  ['a*b', 'a**b', true],
  ['To: joe@example.org', '^TO_joe', true],
  ['To: xjoe@example.org', '^TO_joe', false],
] as const)
  test(`${JSON.stringify(text)} and ${pattern}: ${expected}`, () => {
    assert.equal(find(text, pattern), expected);
  });

test('upper and lower case differ with D', () => {
  assert.equal(find('ABC', 'abc', true), false);
  assert.equal(find('ABC', '[A-C]+', true), true);
});

test('a line end that ended one match may begin the next', () => {
  assert.equal(count('a\n\nb\n', '^.*$'), 4);
  assert.equal(count('aaaa', 'aa'), 2);
  assert.equal(count('abc', 'x*'), Number.POSITIVE_INFINITY);
});

test('an expression with a parenthesis too many is used as far as it goes', () => {
  const { expression, problem } = compileExpression('a)b', false);
  assert.equal(problem, 'Invalid regexp "a)b"');
  assert.equal(expression!.test(bytes('a')), true);
});

test('expressions that drive backtracking mad are linear', () => {
  const text = 'a'.repeat(200_000);
  assert.equal(find(text, '(a*)*(a|aa)*(a?)*b'), false);
  assert.equal(find(text, '(a*)*\\/(a|aa)*(a?)*b'), false);
});

test('an expression with more states than are kept is answered all the same', () => {
  const text = Array.from({ length: 20_000 }, (_, n) => ((n * 7919) % 13 < 6 ? 'a' : 'b')).join('');
  assert.equal(find(`${text}c`, `a${'(a|b)'.repeat(14)}c`), find(`${text}c`, `a${'.'.repeat(14)}c`));
});

test('an expression that is too large matches nothing and says so', () => {
  const { expression, problem } = compileExpression('a'.repeat(20_000), false);
  assert.equal(expression, null);
  assert.equal(problem, 'The expression is too large');
  assert.equal(compileExpression('('.repeat(5_000), false).expression, null);
});
