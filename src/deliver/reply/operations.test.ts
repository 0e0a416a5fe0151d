import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Operations } from '../../store/transaction.ts';
import { openLocalStore, type LocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { DAY, defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { countForwardIn, FORWARDING_OPERATIONS, forwardsToday } from '../forwarding/operations.ts';
import { countedReply, isRemembered, repliesToday } from './memory.ts';
import { REPLY_OPERATIONS } from './operations.ts';
import { ownAddressesOf } from './own-addresses.ts';

const NOON = 20_000 * DAY + DAY / 2;

function open(t: TestContext, clock: { now: number }): LocalStore {
  const operations: Operations = {
    ...REPLY_OPERATIONS,
    ...FORWARDING_OPERATIONS,
    'test.alias': (tx, [address, target]: [string, string]) => tx.run('INSERT INTO alias (address, target, created_at) VALUES (?, ?, 0)', address, target),
    'test.twice': (tx) => [countForwardIn(tx, 7, 1), countForwardIn(tx, 7, 1)],
  };
  const store = openLocalStore({
    dataDir: testDirectory(t),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: () => clock.now,
    operations,
    journey: () => {},
  });
  t.after(() => store.close());
  return store;
}

test('what is remembered holds until its time, counts as new only then, and is pruned', async (t) => {
  const clock = { now: NOON };
  const store = open(t, clock);
  const memory = { kind: 'vacation', key: 'k', until: NOON + 1000 };
  const remember = (until: number): Promise<boolean[]> => store.writer.run('memory.remember', { accountId: 1, memories: [{ ...memory, until }] });
  assert.equal(isRemembered(store.reader, 1, 'vacation', 'k', clock.now), false);
  assert.deepEqual(await remember(NOON + 1000), [true]);
  assert.equal(isRemembered(store.reader, 1, 'vacation', 'k', clock.now), true);
  assert.equal(isRemembered(store.reader, 2, 'vacation', 'k', clock.now), false);
  assert.deepEqual(await remember(NOON + 5000), [false]);
  clock.now = NOON + 1000;
  assert.equal(isRemembered(store.reader, 1, 'vacation', 'k', clock.now), false);
  assert.deepEqual(await remember(NOON + 2000), [true]);
  clock.now = NOON + 3000;
  assert.equal(await store.writer.run('memory.prune', { rowsMax: 10 }), 1);
});

test('automatic mail is counted by account and day', async (t) => {
  const clock = { now: NOON };
  const store = open(t, clock);
  for (const id of ['a', 'b']) await store.writer.run('memory.remember', { accountId: 1, memories: [countedReply(id, NOON)] });
  await store.writer.run('memory.remember', { accountId: 1, memories: [countedReply('c', NOON - DAY), countedReply('d', NOON, 'challenged')] });
  assert.equal(repliesToday(store.reader, 1, NOON), 2);
  assert.equal(repliesToday(store.reader, 1, NOON, 'challenged'), 1);
  assert.equal(repliesToday(store.reader, 2, NOON), 0);
  assert.equal(repliesToday(store.reader, 1, NOON + DAY), 0);
});

test('forwards are counted by account and day, and stop at the limit', async (t) => {
  const clock = { now: NOON };
  const store = open(t, clock);
  const count = (most: number): Promise<boolean> => store.writer.run('forward.count', { accountId: 1, most });
  assert.deepEqual([await count(2), await count(2), await count(2)], [true, true, false]);
  assert.equal(forwardsToday(store.reader, 1, NOON), 2);
  assert.equal(await count(0), true);
  assert.deepEqual(await store.writer.run('test.twice', null), [true, false]);
  clock.now += DAY;
  assert.equal(forwardsToday(store.reader, 1, clock.now), 0);
  assert.equal(await count(2), true);
  clock.now += 40 * DAY;
  assert.equal(await store.writer.run('forward.prune', { days: 30 }), 3);
});

test('an account owns its login and the aliases that lead to it alone', async (t) => {
  const store = open(t, { now: NOON });
  for (const row of [
    ['a@example.org', 'anna@example.org'],
    ['team@example.org', 'anna@example.org'],
    ['team@example.org', 'bob@example.org'],
  ])
    await store.writer.run('test.alias', row);
  assert.deepEqual(ownAddressesOf(store.reader, { login: 'anna@example.org' }), ['anna@example.org', 'a@example.org']);
});
