import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inlineFile, insideBraces, splitList } from './braces.ts';
import { TableProblem } from './errors.ts';
import { expand, parseReplacement, ReplacementProblem } from './expand.ts';
import { logicalLines } from './lines.ts';
import { parseTextFile } from './text-file.ts';

test('a line that begins with white space continues the one before, across comments and empty lines', () => {
  const { lines, warnings } = logicalLines('first\n  more  \n# comment\n\n \t\n\tyet more\nsecond\n');
  assert.deepEqual(lines, [
    { text: 'first  more  \tyet more', line: 1 },
    { text: 'second', line: 7 },
  ]);
  assert.deepEqual(warnings, []);
});

test('a first line that begins with white space is passed over with a warning', () => {
  const { lines, warnings } = logicalLines('  early\nlate\n');
  assert.deepEqual(lines, [{ text: 'late', line: 2 }]);
  assert.equal(warnings[0]!.line, 1);
});

test('lines may end in CRLF', () =>
  assert.deepEqual(
    logicalLines('a b\r\n\r\nc d\r\n').lines.map((line) => line.text),
    ['a b', 'c d'],
  ));

test('duplicates, missing values and open quotes are warned of, and the first of two keys counts', () => {
  const { pairs, warnings } = parseTextFile('Key one\nkey two\nalone\n"open value\nalias: x\n');
  assert.deepEqual(
    [...pairs],
    [
      ['key', 'one'],
      ['alias:', 'x'],
    ],
  );
  assert.deepEqual(
    warnings.map((warning) => warning.line),
    [2, 3, 4, 5],
  );
});

test('a line that is not UTF-8 is passed over', () => {
  const { pairs, warnings } = parseTextFile(Buffer.from([0x61, 0x20, 0xff, 0x0a, 0x62, 0x20, 0x63]).toString('utf8'));
  assert.deepEqual([...pairs.keys()], ['b']);
  assert.equal(warnings.length, 1);
});

test('every key without white space and quotes is found again', () => {
  const word = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !/[\s"#\ufffd]/.test(text) && text === text.toLowerCase());
  fc.assert(
    fc.property(fc.uniqueArray(word, { maxLength: 20 }), (keys) => {
      const { pairs } = parseTextFile(keys.map((key, i) => `${key}\tvalue ${i}\n`).join(''));
      assert.deepEqual([...pairs.keys()], keys);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('any text is read without an exception', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      parseTextFile(text);
      assert.ok(logicalLines(text).lines.every(({ text: line }) => line !== ''));
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('braces hold lists together', () => {
  assert.equal(insideBraces('  { a {b} } ', 't'), 'a {b}');
  assert.equal(insideBraces('a', 't'), null);
  assert.deepEqual(splitList('a, {b c}  d={e, f}x,,g', 't'), ['a', '{b c}', 'd={e, f}x', 'g']);
  assert.equal(inlineFile('{ {/a/ x}, { if /b/ } }', 't'), '/a/ x\nif /b/\n');
  for (const wrong of ['{a', '{a}b']) assert.throws(() => insideBraces(wrong, 't'), TableProblem);
  for (const wrong of ['a}', '{a']) assert.throws(() => splitList(wrong, 't'), TableProblem);
  assert.throws(() => inlineFile('{ /a/ x }', 't'), TableProblem);
});

test('references by number, bare and in brackets, and two dollar signs are replaced', () => {
  const groups = ['whole', 'one', undefined, 'three'];
  for (const [text, result] of [
    ['$1 $3', 'one three'],
    ['<$' + '{1}> <$(2)>', '<one> <>'],
    ['$$1', '$1'],
    ['plain', 'plain'],
    ['', ''],
  ] as const)
    assert.equal(expand(parseReplacement(text, 3), groups), result);
  for (const wrong of ['$4', '$0', '$', '${1', '$1y', '$x', '${1', '$ 1']) assert.throws(() => parseReplacement(wrong, 3), ReplacementProblem, wrong);
});

test('a result that groups make huge is cut', () => {
  assert.equal(expand(parseReplacement('$1$1$1', 1), ['', 'x'.repeat(50_000)]).length, 65_536);
});
