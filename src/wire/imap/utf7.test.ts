import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatFlags, formatMailbox, formatSet, imapString } from './format.ts';
import { decodeUtf7, encodeUtf7 } from './utf7.ts';

const ROWS: [string, string][] = [
  ['plain', 'plain'],
  ['a & b', 'a &- b'],
  ['Entwürfe', 'Entw&APw-rfe'],
  ['台北', '&U,BTFw-'],
  ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
  ['😀', '&2D3eAA-'],
];
for (const [name, wire] of ROWS) {
  test(`${name} is ${wire} in modified UTF-7`, () => {
    assert.equal(encodeUtf7(name), wire);
    assert.equal(decodeUtf7(wire), name);
  });
}

for (const wire of ['&', '&APw', '&A-', '&AGE-', '&APx-', '&2D0-', '&!!!-']) {
  test(`${wire} is not modified UTF-7`, () => assert.equal(decodeUtf7(wire), null));
}

test('every well-formed name comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (name) => {
      assert.equal(decodeUtf7(encodeUtf7(name)), name);
    }),
    { seed: 3, numRuns: 500 },
  );
});

test('strings: quoted where they can be, literals where not', () => {
  assert.equal(imapString('a"b\\'), '"a\\"b\\\\"');
  assert.equal(imapString('a\r\nb'), '{4}\r\na\r\nb');
  assert.equal(imapString(''), '""');
});

test('mailbox names: atoms where they can be', () => {
  assert.equal(formatMailbox('INBOX', false), 'INBOX');
  assert.equal(formatMailbox('a b', false), '"a b"');
  assert.equal(formatMailbox('nil', false), '"nil"');
  assert.equal(formatMailbox('ü', false), '&APw-');
  assert.equal(formatMailbox('ü', true), '"\xc3\xbc"');
});

test('flags and sets', () => {
  assert.equal(formatFlags(0, null, false), '()');
  assert.equal(formatFlags(3, '$a b', true), '(\\Recent \\Answered \\Seen $a b)');
  assert.equal(formatSet([1, 2, 3, 5, 7, 8]), '1:3,5,7:8');
  assert.equal(formatSet([]), '');
});
