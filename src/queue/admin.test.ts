import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOUR } from '../system/declare.ts';
import { QUEUE_ADMIN } from './admin.ts';
import { house } from './testing.ts';

test('the list is filtered by sender, recipient, domain and age', async (t) => {
  const h = house(t);
  const old = await h.submit(['a@one.test', 'b@two.test']);
  h.clock.now += HOUR;
  const bounce = await h.submit(['c@two.test'], { sender: null });
  const other = await h.submit(['d@three.test'], { sender: 'X@Other.test' });
  const ids = async (filter: unknown): Promise<string[]> => (await h.admin('queue.list', filter)).entries.map((entry: { id: string }) => entry.id);
  assert.deepEqual(await ids({}), [old.id, bounce.id, other.id]);
  assert.deepEqual(await ids({ sender: '<>' }), [bounce.id]);
  assert.deepEqual(await ids({ sender: '@other.test' }), [other.id]);
  assert.deepEqual(await ids({ sender: 'x@other.test' }), [other.id]);
  assert.deepEqual(await ids({ domain: 'two.test' }), [old.id, bounce.id]);
  assert.deepEqual(await ids({ recipient: 'A@one.test' }), [old.id]);
  assert.deepEqual(await ids({ olderThanMs: HOUR }), [old.id]);
  assert.deepEqual(await h.admin('queue.list', { limit: 1 }), { total: 3, entries: [(await h.admin('queue.list')).entries[0]] });
});
test('show tells all recipients, cat gives the bytes', async (t) => {
  const h = house(t);
  const text = `Subject: x\r\n\r\n${'line\r\n'.repeat(20_000)}`;
  const { id } = await h.submit(
    Array.from({ length: 9 }, (_, i) => `u${i}@one.test`),
    { text },
  );
  const entry = await h.admin('queue.show', { id });
  assert.deepEqual([entry.recipients.length, entry.recipientCount, entry.sender, entry.size], [9, 9, 'from@sender.test', text.length]);
  assert.equal((await h.admin('queue.list')).entries[0].recipients.length, 5);
  const pieces: Buffer[] = [];
  const context = { reader: h.store.reader } as unknown as Parameters<NonNullable<(typeof QUEUE_ADMIN)['queue.cat']>>[0];
  await QUEUE_ADMIN['queue.cat']!(
    context,
    { id },
    (progress) => pieces.push(Buffer.from((progress as { base64: string }).base64, 'base64')),
    new AbortController().signal,
  );
  assert.equal(Buffer.concat(pieces).toString(), text);
});
test('a change without a filter, and an id that is not there, are refused', async (t) => {
  const h = house(t);
  await h.submit(['a@one.test']);
  await assert.rejects(h.admin('queue.delete', {}), /Say which messages/);
  await assert.rejects(h.admin('queue.delete', { ids: ['nosuch'] }), /No message nosuch is in the queue/);
  await assert.rejects(h.admin('queue.hold', { ids: 'x' }), /ids must be a list/);
  assert.equal((await h.admin('queue.list')).total, 1);
});
test('requeue forgets attempts and age', async (t) => {
  const h = house(t, { 'deliver.transports': ['* retry:4.3.0 not today'] });
  const { id } = await h.submit(['a@one.test']);
  h.start();
  await h.event('deferred');
  await h.courier().stop(0);
  h.clock.now += HOUR;
  assert.deepEqual(await h.admin('queue.requeue', { ids: [id] }), { changed: 1 });
  assert.deepEqual(h.rows('SELECT attempts, next_attempt_at FROM queue_recipient'), [[0, h.clock.now]]);
  assert.deepEqual(h.rows('SELECT created_at FROM queue_entry'), [[h.clock.now]]);
});
