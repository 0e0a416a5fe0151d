import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentKind } from './content-type.ts';

const ROWS: readonly (readonly [value: string, type: string, subtype: string, ...boundaries: readonly string[]])[] = [
  [' text/plain', 'text', 'plain'],
  ['', '', ''],
  [' text', 'text', ''],
  [' MultiPart/Mixed; Boundary=b', 'multipart', 'mixed', 'b'],
  [' multipart/mixed; boundary="a b"', 'multipart', 'mixed', 'a b'],
  [' multipart/mixed; boundary="a\\"b"', 'multipart', 'mixed', 'a"b'],
  [' multipart/mixed; boundary="a \n b"', 'multipart', 'mixed', 'a b'],
  [' multipart/mixed; boundary="open', 'multipart', 'mixed', 'open'],
  [' multipart/mixed; boundary=a; boundary=b', 'multipart', 'mixed', 'a', 'b'],
  [' multipart/mixed; boundary="a;boundary=b"; x=y', 'multipart', 'mixed', 'a;boundary=b'],
  [' multipart/mixed; boundary=a:b', 'multipart', 'mixed', 'a'],
  [" multipart/mixed; boundary*=us-ascii''b", 'multipart', 'mixed'],
  [' multipart/mixed boundary=b', 'multipart', 'mixed'],
  [' text/plain; boundary=b', 'text', 'plain'],
  [' (one (two\\) ) three) multipart (x)/ (y)mixed;boundary(z)=(;)b', 'multipart', 'mixed', 'b'],
  [' (never closed multipart/mixed; boundary=b', '', ''],
];

for (const [value, type, subtype, ...boundaries] of ROWS)
  test(`Content-Type:${value.replaceAll('\n', '\\n')}`, () => assert.deepEqual(contentKind(value), { type, subtype, boundaries }));

test('any text is read to its end', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...' \t\n;"\\()=/ab', 'multipart/', 'boundary') }), (text) => {
      assert.ok(contentKind(text).boundaries.length <= text.length);
    }),
    { seed: 3, numRuns: 300 },
  );
});
