import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DISK, DiskReads } from './disk-reads.ts';

test('after a read that came from the disk the copy is taken for a while, then rows are tried again', (t) => {
  const { blocksRead } = DISK;
  t.after(() => {
    DISK.blocksRead = blocksRead;
  });
  let blocks = 0;
  DISK.blocksRead = () => blocks;
  const reads = new DiskReads();
  const read = (cost: number): string =>
    reads.takeCold()
      ? 'copy'
      : reads.watch(500, () => {
          blocks += cost;
          return 'rows';
        });
  assert.deepEqual([read(0), read(8), read(249), read(0)], ['rows', 'rows', 'rows', 'rows']);
  assert.equal(read(600), 'rows');
  for (let n = 0; n < 64; n += 1) assert.equal(read(0), 'copy');
  assert.deepEqual([read(0), read(0)], ['rows', 'rows']);
});

test('the system counts blocks, and reading them counts nothing of its own', () => {
  const before = DISK.blocksRead();
  assert.ok(Number.isInteger(before) && before >= 0);
  assert.ok(DISK.blocksRead() >= before);
});
