import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MirrorBench, mirrorBench } from './testing.ts';

const subscribed = ({ store, accountId }: MirrorBench): string[] =>
  store.reader
    .rows('SELECT name FROM mailbox WHERE account_id=?1 AND is_subscribed=1 UNION SELECT name FROM subscription WHERE account_id=?1 ORDER BY 1', accountId)
    .map(([name]) => name as string);
const list = (bench: MirrorBench): string => readFileSync(join(bench.root, 'subscriptions'), 'latin1');

test('without a list none is made, before somebody subscribes or unsubscribes', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  bench.deliver('cur/1.M1P1.host:2,', 'b', '.Lists.Cars');
  await bench.refresh();
  await bench.refresh();
  assert.ok(!existsSync(join(bench.root, 'subscriptions')));
  await bench.writer.subscribe(bench.accountId, 'Lists/Cars', true);
  assert.equal(list(bench), 'V\t2\n\nINBOX\nLists\tCars\n');
  await bench.writer.subscribe(bench.accountId, 'Lists/Cars', false);
  assert.equal(list(bench), 'V\t2\n\nINBOX\n');
  assert.deepEqual(bench.warnings, []);
});

test('a list that is there is taken in, and both sides follow each other from then on', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  bench.deliver('cur/1.M1P1.host:2,', 'b', '.Entw&APw-rfe');
  writeFileSync(join(bench.root, 'subscriptions'), 'V\t2\n\nEntw&APw-rfe\nGone\tLong\n');
  await bench.refresh();
  assert.deepEqual(subscribed(bench), ['Entwürfe', 'Gone/Long', 'INBOX']);
  assert.equal(list(bench), 'V\t2\n\nEntw&APw-rfe\nGone\tLong\nINBOX\n');
  writeFileSync(join(bench.root, 'subscriptions'), 'V\t2\n\nINBOX\nNew\nGone\tLong\n');
  await bench.writer.subscribe(bench.accountId, 'Gone/Long', false);
  assert.deepEqual(subscribed(bench), ['INBOX', 'New']);
  assert.equal(list(bench), 'V\t2\n\nINBOX\nNew\n');
  bench.asked.length = 0;
  await bench.another().refresh(bench.accountId, { kind: 'names' });
  assert.deepEqual(
    bench.asked.map(({ op }) => op),
    ['scan'],
    'one look, while nothing has changed',
  );
});

test('what cannot be written now is written later, and is not taken for a change of the list', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  writeFileSync(join(bench.root, 'subscriptions'), 'V\t2\n\nINBOX\nOld\n');
  await bench.refresh();
  writeFileSync(join(bench.root, 'subscriptions.lock'), '');
  await bench.writer.subscribe(bench.accountId, 'New', true);
  await bench.writer.subscribe(bench.accountId, 'Old', false);
  assert.equal(list(bench), 'V\t2\n\nINBOX\nOld\n');
  assert.deepEqual(subscribed(bench), ['INBOX', 'New']);
  unlinkSync(join(bench.root, 'subscriptions.lock'));
  await bench.refresh();
  assert.equal(list(bench), 'V\t2\n\nINBOX\nNew\n');
  assert.deepEqual(subscribed(bench), ['INBOX', 'New']);
});

test('a list that somebody removed unsubscribes nobody', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  writeFileSync(join(bench.root, 'subscriptions'), 'INBOX\nOld\n');
  await bench.refresh();
  unlinkSync(join(bench.root, 'subscriptions'));
  await bench.refresh();
  assert.deepEqual(subscribed(bench), ['INBOX', 'Old']);
});

test('of mbox files the list is ~/mail/.subscriptions', async (t) => {
  const bench = await mirrorBench(t, 'mbox');
  writeFileSync(join(bench.home, 'mbox'), '');
  mkdirSync(join(bench.home, 'mail'));
  writeFileSync(join(bench.home, 'mail/.subscriptions'), 'V\t2\n\nLists\tCars\n');
  await bench.refresh();
  assert.deepEqual(subscribed(bench), ['INBOX', 'Lists/Cars']);
  assert.equal(readFileSync(join(bench.home, 'mail/.subscriptions'), 'latin1'), 'V\t2\n\nLists\tCars\nINBOX\n');
});
