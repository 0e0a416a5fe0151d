import assert from 'node:assert/strict';
import { linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { giveData, lookUpUser } from './user.ts';

const IDS = { uid: 12_345, gid: 12_346 };

test('the data is given to the user, but no link, no file with a second name, and no message of the pickup directory', {
  skip: process.getuid?.() !== 0 && 'only root can give files away',
}, (t) => {
  const root = mkdtempSync(join(tmpdir(), 'posthorn-user-'));
  t.after(() => rmSync(root, { recursive: true }));
  const dataDir = join(root, 'data');
  const pickup = join(dataDir, 'pickup');
  for (const path of ['blobs/ab', 'pickup/tmp', 'pickup/new', 'pickup/bad']) mkdirSync(join(dataDir, path), { recursive: true });
  for (const path of ['store.db', 'blobs/ab/cd', 'pickup/new/message']) writeFileSync(join(dataDir, path), '');
  writeFileSync(join(root, 'shadow'), '');
  linkSync(join(root, 'shadow'), join(dataDir, 'hard'));
  symlinkSync(join(root, 'shadow'), join(dataDir, 'soft'));
  symlinkSync(root, join(dataDir, 'blobs/out'));
  writeFileSync(join(root, 'log'), '');
  giveData({ dataDir, pickup, logFile: join(root, 'log') }, IDS);
  const owner = (path: string): number => lstatSync(join(root, path)).uid;
  for (const path of ['data', 'data/store.db', 'data/blobs', 'data/blobs/ab', 'data/blobs/ab/cd', 'data/pickup', 'data/pickup/new', 'data/pickup/tmp', 'log'])
    assert.equal(owner(path), IDS.uid, path);
  for (const path of ['.', 'shadow', 'data/pickup/new/message']) assert.equal(owner(path), 0, path);
});

test('a user is looked up by name', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'posthorn-user-'));
  t.after(() => rmSync(root, { recursive: true }));
  const file = join(root, 'passwd');
  writeFileSync(file, 'root:x:0:0:root:/root:/bin/sh\n+nis\nposthorn:x:998:997::/nonexistent:/bin/false\n');
  assert.deepEqual(lookUpUser('posthorn', file), { uid: 998, gid: 997 });
  assert.throws(() => lookUpUser('nobody-here', file), /There is no system user "nobody-here"/);
  assert.throws(() => lookUpUser('+nis', file), /no system user/);
});
