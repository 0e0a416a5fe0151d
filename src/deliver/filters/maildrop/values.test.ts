import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { echoed, escaped, fromNumber, fromUnicode, substitute, toExitCode, toNumber, toUmask, toUnicode } from './values.ts';

const NUMBERS: readonly (readonly [text: string, value: number])[] = [
  ['', 0],
  ['abc', 0],
  [' 12x', 12],
  ['-4', -4],
  ['+5', 5],
  ['1e3', 1000],
  ['1e', 1],
  ['.5', 0.5],
  ['.', 0],
  ['0x1F', 31],
  ['0x', 0],
  ['0x.8', 0.5],
  ['inf', Number.POSITIVE_INFINITY],
  ['-INFINITY', Number.NEGATIVE_INFINITY],
  ['1e400', Number.POSITIVE_INFINITY],
];
for (const [text, value] of NUMBERS)
  test(`the number at the start of ${JSON.stringify(text)} is ${value}`, () => {
    assert.equal(toNumber(text), value);
  });

const SHOWN: readonly (readonly [value: number, text: string])[] = [
  [3, '3'],
  [-0, '-0'],
  [2.5, '2.5'],
  [0.1 + 0.2, '0.3000000000000000444089'],
  [1e21, '1000000000000000000000'],
  [1e22, '1e+22'],
  [1e30, '1.000000000000000019885e+30'],
  [1e-5, '1.000000000000000081803e-05'],
  [0.0001, '0.0001000000000000000047922'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [Number.NaN, 'nan'],
];
for (const [value, text] of SHOWN)
  test(`${value} is written as ${text}`, () => {
    assert.equal(fromNumber(value), text);
  });

test('numbers survive being written', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      assert.equal(toNumber(fromNumber(value)), value);
    }),
    { seed: 5, numRuns: 500 },
  );
});

test('exit codes are the low byte of a number', () => {
  assert.deepEqual(['', 'x', '3', ' 7x', '300', '-1', '0x10'].map(toExitCode), [0, 0, 3, 7, 44, 255, 0]);
});

test('a umask is octal', () => {
  assert.deepEqual(['077', '7', '8', '', 'x', '00077'].map(toUmask), [0o77, 7, null, null, null, null]);
});

test('echo knows escapes, and "\\c" at the end keeps the line open', () => {
  assert.equal(echoed('a\\tb\\n'), 'a\tb\n\n');
  assert.equal(echoed('a\\c'), 'a');
  assert.equal(echoed('a\\cb'), 'acb\n');
  assert.equal(echoed('\\101\\q\\\\'), 'Aq\\\n');
  assert.equal(echoed('\\'), '\\\n');
});

test('escape() puts a backslash before what shells and patterns give a meaning', () => {
  assert.equal(escaped('a.b c/d_$'), 'a\\.b c/d_\\$');
});

test('variables are replaced, but not behind a backslash, nor without a name', () => {
  const variables = new Map([
    ['A', 'x'],
    ['A B', 'y'],
    ['1', 'z'],
  ]);
  const replaced = (text: string): string => substitute(text, variables, 1000);
  assert.equal(replaced('$A $'.concat('{A}b $', '{A B} $1 $NO.')), 'x xb y z .');
  assert.equal(replaced('\\$A $ $$A ${A'), '\\$A $ $x ${A');
  assert.equal(substitute('$A$A$A', variables, 2), 'xx');
});

test('bytes and Unicode are two views of one text', () => {
  assert.equal(toUnicode(fromUnicode('Grüße 😀')), 'Grüße 😀');
  assert.equal(fromUnicode('ü').length, 2);
});
