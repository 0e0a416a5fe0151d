import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Base64Encoder, decodeTransfer, isKnownEncoding, QuotedPrintableEncoder, type Transform, transferDecoder } from './transfer.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
function run(transform: Transform, input: Uint8Array, cuts: readonly number[]): Buffer {
  const out: Uint8Array[] = [];
  let at = 0;
  for (let n = 0; at < input.length; n += 1) {
    const size = cuts[n % cuts.length]!;
    out.push(transform.push(input.subarray(at, at + size)));
    at += size;
  }
  out.push(transform.end());
  return Buffer.concat(out);
}

describe('decoding', () => {
  const rows: [encoding: string, text: string, decoded: string][] = [
    ['base64', 'SGVsbG8=', 'Hello'],
    ['base64', 'SGVs\r\nbG8=\r\n', 'Hello'],
    ['base64', 'SGVsbG8', 'Hello'],
    ['base64', 'SGVsbG8=SGVsbG8=', 'HelloHello'],
    ['base64', '!S-G*V s\0b\xe9G8', '\x4b\xe1\x95\xb1\xb1\xbc'],
    ['base64', '', ''],
    ['base64', 'S', ''],
    ['quoted-printable', 'a=3Db', 'a=b'],
    ['quoted-printable', 'a=3db=C3=A9', 'a=b\xc3\xa9'],
    ['quoted-printable', 'soft=\r\nbreak', 'softbreak'],
    ['quoted-printable', 'soft= \t\r\nbreak', 'softbreak'],
    ['quoted-printable', 'soft=\nbreak', 'softbreak'],
    ['quoted-printable', 'blanks  \t\r\nend ', 'blanks\r\nend'],
    ['quoted-printable', 'a b  c\td', 'a b  c\td'],
    ['quoted-printable', 'bad =G1 =1 =', 'bad =G1 =1 '],
    ['quoted-printable', 'raw \xe9 = x', 'raw \xe9 = x'],
    ['quoted-printable', 'a\rb \r c', 'a\rb \r c'],
    ['7bit', 'a=3D', 'a=3D'],
    ['x-unknown', 'a=3D', 'a=3D'],
  ];
  for (const [encoding, text, decoded] of rows) {
    test(`${encoding} ${JSON.stringify(text)}`, () => {
      assert.equal(Buffer.from(decodeTransfer(bytes(text), encoding)).toString('latin1'), decoded);
      for (let size = 1; size < text.length; size += 1)
        assert.equal(run(transferDecoder(encoding), bytes(text), [size]).toString('latin1'), decoded, `pieces of ${size}`);
    });
  }
  test('which encodings are known', () => assert.deepEqual(['7bit', 'base64', 'x-uuencode'].map(isKnownEncoding), [true, true, false]));
});

describe('encoding', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 });
  test('base64 reads back and has lines of at most 76 characters, whatever the pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (input, sizes) => {
        const encoded = run(new Base64Encoder(), input, sizes);
        assert.deepEqual(Buffer.from(decodeTransfer(encoded, 'base64')), Buffer.from(input));
        for (const line of encoded.toString('latin1').split('\r\n')) assert.ok(line.length <= 76);
        assert.deepEqual(encoded, run(new Base64Encoder(), input, [1000]));
      }),
      { seed: 91, numRuns: 300 },
    );
  });

  test('quoted-printable reads back, is ASCII, and has lines of at most 76 characters, whatever the pieces', () => {
    const unit = fc.constantFrom('a', ' ', '\t', '\r\n', '\r', '\n', '=', '.', '\xe9', 'word', 'x'.repeat(80));
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), cuts, (text, sizes) => {
        const encoded = run(new QuotedPrintableEncoder(), bytes(text), sizes).toString('latin1');
        assert.equal(Buffer.from(decodeTransfer(bytes(encoded), 'quoted-printable')).toString('latin1'), text);
        assert.match(encoded, /^[\x09\x0d\x0a\x20-\x7e]*$/);
        for (const line of encoded.split('\r\n')) assert.ok(line.length <= 76 && !/[\r\n]|[ \t]$/.test(line), JSON.stringify(line));
        assert.equal(encoded, run(new QuotedPrintableEncoder(), bytes(text), [10_000]).toString('latin1'));
      }),
      { seed: 92, numRuns: 1500 },
    );
  });
});

test('any bytes decode the same whole and in pieces', () => {
  const unit = fc.constantFrom('=', ' ', '\r', '\n', 'A', '4', 'g', '\t', '\xe9');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), fc.integer({ min: 1, max: 7 }), fc.constantFrom('base64', 'quoted-printable'), (text, size, encoding) => {
      assert.deepEqual(run(transferDecoder(encoding), bytes(text), [size]), Buffer.from(decodeTransfer(bytes(text), encoding)));
    }),
    { seed: 93, numRuns: 2000 },
  );
});
