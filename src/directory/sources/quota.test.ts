import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuota } from './quota.ts';

const READ: readonly (readonly [text: string, bytes: number, messages: number])[] = [
  ['0', 0, 0],
  ['1048576', 1_048_576, 0],
  [' 512M ', 536_870_912, 0],
  ['2 GiB', 2_147_483_648, 0],
  ['10k', 10_240, 0],
  ['10000000S', 10_000_000, 0],
  ['10000000S,500C', 10_000_000, 500],
  ['500C', 0, 500],
  ['*:bytes=2000', 2000, 0],
  ['*:storage=1024', 1_048_576, 0],
  ['*:storage=1G:messages=500', 1_073_741_824, 500],
];
for (const [text, bytes, messages] of READ) test(`"${text}" is a quota`, () => assert.deepEqual(parseQuota(text), { bytes, messages }));

for (const text of ['', 'much', '-1', '1.5G', '10X', '5S,', '*:', '*:storage', '*:storage=', '*:ignore', '99999999999999999999', '999999999999999T', '1,2'])
  test(`"${text}" is none`, () => assert.equal(parseQuota(text), null));

test('any text is a quota of whole numbers, or none', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789SC,:=*kMGTiB storagebytesmessages'), maxLength: 40 }), (text) => {
      const quota = parseQuota(text);
      assert.ok(quota === null || (Number.isSafeInteger(quota.bytes) && quota.bytes >= 0 && Number.isSafeInteger(quota.messages)));
    }),
    { seed: 4, numRuns: 500 },
  );
});
