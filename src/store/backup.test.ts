import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { backupStore, restoreStore } from './backup.ts';
import { checkStore } from './check.ts';
import { storePaths } from './paths.ts';
import { accept, acceptInput, addAccount, delivery, messageText, openTestStore, testDirectory } from './testing.ts';

const never = new AbortController().signal;

test('a backup under load is one consistent moment and is restored whole, with keys', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  mkdirSync(join(store.dataDir, 'tls'));
  writeFileSync(join(store.dataDir, 'tls', 'key.pem'), 'secret', { mode: 0o600 });
  const large = store.staging.open();
  for (let i = 0; i < 12; i += 1) await large.write(Buffer.from(Array.from({ length: 40_000 }, (_, n) => 33 + ((n * n * 31 + i * 7 + (n >> 3)) % 90))));
  await accept(store, acceptInput(await large.finish(), [delivery(id)]));
  let isRunning = true;
  let delivered = 1;
  const load = (async () => {
    while (isRunning) {
      await accept(store, acceptInput(store.staging.stage(messageText(`m${delivered}`, 2000)), [delivery(id)]));
      delivered += 1;
    }
  })();
  const before = delivered;
  const target = join(testDirectory(t), 'backup');
  await backupStore(store.dataDir, target, never);
  isRunning = false;
  await load;
  const restored = join(testDirectory(t), 'data');
  await restoreStore(target, restored);
  assert.equal(readFileSync(join(restored, 'tls', 'key.pem'), 'utf8'), 'secret');
  assert.equal(statSync(join(restored, 'tls', 'key.pem')).mode & 0o777, 0o600);
  const result = await checkStore(storePaths(restored), never);
  assert.deepEqual(result.problems, []);
  assert.ok(result.messages >= before && result.messages <= delivered);
  const again = openTestStore(t, restored);
  assert.deepEqual(
    again.reader.messages(id, inbox.id, 1, 1e9, 1e9).map((row) => row[0]),
    Array.from({ length: result.messages }, (_, i) => i + 1),
  );
});

test('neither backup nor restore writes over anything', async (t) => {
  const store = openTestStore(t);
  const target = testDirectory(t);
  writeFileSync(join(target, 'something'), '');
  await assert.rejects(backupStore(store.dataDir, target, never), /not empty/);
  const good = join(testDirectory(t), 'backup');
  await backupStore(store.dataDir, good, never);
  await assert.rejects(restoreStore(good, target), /not empty/);
  await assert.rejects(restoreStore(target, join(target, 'new')), /not a finished backup/);
  assert.equal(existsSync(join(target, 'something')), true);
});
