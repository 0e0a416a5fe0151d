import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isDigits, parseBdat, parseCommand } from './command.ts';
import { parseParameters } from './parameters.ts';
import { decodeXtext, encodeXtext } from './xtext.ts';

for (const [line, verb, rest] of [
  ['EHLO a.example', 'EHLO', 'a.example'],
  ['mail FROM:<a@b>  ', 'MAIL', 'FROM:<a@b>'],
  ['QUIT', 'QUIT', ''],
  ['NOOP\t x y', 'NOOP', 'x y'],
  ['', '', ''],
  [' QUIT', '', 'QUIT'],
] as const)
  test(`command line "${line}"`, () => assert.deepEqual(parseCommand(line), { verb, rest }));

for (const [rest, value] of [
  ['0', { size: 0, isLast: false }],
  ['86 LAST', { size: 86, isLast: true }],
  ['86 last', { size: 86, isLast: true }],
  ['', null],
  ['x', null],
  ['-1', null],
  ['1e3', null],
  ['86 FIRST', null],
  ['86 ', null],
  ['1234567890123456', null],
] as const)
  test(`BDAT ${rest}`, () => assert.deepEqual(parseBdat(rest), value));

for (const [text, value] of [
  ['', []],
  [' SIZE=10', [['SIZE', '10']]],
  [
    ' size=10  SMTPUTF8 x-y=a+3Db',
    [
      ['SIZE', '10'],
      ['SMTPUTF8', ''],
      ['X-Y', 'a+3Db'],
    ],
  ],
  [' SIZE=', null],
  [' =10', null],
  [' -a=1', null],
  [' a=1 A=2', null],
  [' a=b=c', null],
  [' a=\x01', null],
  [' \x01=a', null],
  [Array.from({ length: 30 }, (_, i) => ` k${i}`).join(''), null],
] as const)
  test(`parameters "${text.slice(0, 40)}"`, () => assert.deepEqual(parseParameters(text, 0), value === null ? null : new Map<string, string>(value)));

test('isDigits', () => assert.deepEqual(['', '0', '12', '1a', '１'].map(isDigits), [false, true, true, false, false]));

for (const [text, value] of [
  ['abc', 'abc'],
  ['a+2Bb+3D', 'a+b='],
  ['+c3+a9', 'é'],
  ['a+2', null],
  ['a+ZZ', null],
  ['a=b', null],
  ['a b', null],
  ['+', null],
] as const)
  test(`xtext "${text}"`, () => assert.equal(decodeXtext(text), value));

test('xtext goes there and back', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
      const encoded = encodeXtext(text);
      assert.match(encoded, /^[\x21-\x7e]*$/);
      assert.equal(decodeXtext(encoded), text.toWellFormed());
    }),
    { seed: 3, numRuns: 500 },
  ));
