import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRequire } from 'node:module';
import { BodyHash } from '../authenticity/body-hash.ts';
import { relaxed } from '../authenticity/canonical-header.ts';

/** mailauth's relaxed body hash is the second opinion. */
const { dkimBody } = createRequire(import.meta.url)('mailauth/lib/dkim/body/index.js') as {
  dkimBody(canonicalization: string, algorithm: string, most: false): { update(chunk: Uint8Array): void; digest(encoding: string): string };
};

function hashOf(...pieces: readonly (string | Uint8Array)[]): string {
  const body = new BodyHash('relaxed', 'sha256', null);
  for (const piece of pieces) body.update(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  return body.digest().toString('base64');
}
const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('base64');

for (const [body, canonical] of [
  ['', ''],
  ['\r\n', ''],
  ['\r\n\r\n\r\n', ''],
  [' \t\r\n', ''],
  ['text', 'text\r\n'],
  ['text\r\n', 'text\r\n'],
  ['text \t \r\n\r\n \r\n', 'text\r\n'],
  [' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
  ['\r\nafter an empty line\r\n', '\r\nafter an empty line\r\n'],
  ['a\r\n\r\n\r\nb\r\n', 'a\r\n\r\n\r\nb\r\n'],
  ['lone\nline feeds\n\n', 'lone\r\nline feeds\r\n'],
  ['a lone \r stays\r\n', 'a lone \r stays\r\n'],
  ['ends in \r', 'ends in \r\r\n'],
] as const)
  test(`the body ${JSON.stringify(body)} is signed as ${JSON.stringify(canonical)}`, () => assert.equal(hashOf(body), sha256(canonical)));

test('many empty lines in the middle are kept, at the end they are not', () => {
  const empty = '\r\n'.repeat(3000);
  assert.equal(hashOf(`a${empty}b${empty}`), sha256(`a${empty}b\r\n`));
});

test('a body split anywhere has the same hash, which is also the hash of mailauth', () => {
  const piece = fc.constantFrom(' ', '\t', '\r\n', '\n', 'a', 'bc', 'd e', '\xff', '  ', '\r\n\r\n');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(), fc.nat(), (pieces, a, b) => {
      const text = Buffer.from(pieces.join(''), 'latin1');
      const [from, to] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y) as [number, number];
      const whole = hashOf(text);
      assert.equal(hashOf(text.subarray(0, from), text.subarray(from, to), text.subarray(to)), whole);
      const other = dkimBody('relaxed', 'sha256', false);
      other.update(text);
      assert.equal(other.digest('base64'), whole);
    }),
    { seed: 6376, numRuns: 500 },
  );
});

test('a header field is unfolded, its white space reduced, its name in lower case', () => {
  assert.equal(relaxed('SubJect', ' AbC\r\n'.slice(0, -2)), 'subject:AbC');
  assert.equal(relaxed('B', ' Y\t\r\n\tZ  '), 'b:Y Z');
  assert.equal(relaxed('X', '\r\n  '), 'x:');
});
