import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '../../directory/testing.ts';
import { POLICY_OPERATIONS } from './operations.ts';
import { type CalloutAnswer, createProber, type ProbeSettings, probeSweepInput } from './probes.ts';
import { mailbox } from './testing.ts';

const DAY = 86_400_000;
const SETTINGS: ProbeSettings = {
  positiveExpireMs: 31 * DAY,
  positiveRefreshMs: 7 * DAY,
  negativeExpireMs: 3 * DAY,
  negativeRefreshMs: DAY / 8,
  waitMs: 10_000,
  calloutMs: 10_000,
  pendingMax: 2,
  rowsMax: 3,
};
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function world(settings: Partial<ProbeSettings> = {}) {
  const store = testStore(POLICY_OPERATIONS);
  const calls: string[] = [];
  const answers = new Map<string, CalloutAnswer | Promise<CalloutAnswer>>();
  const state = { now: 1_000_000_000_000, calls, answers, store };
  const make = () =>
    createProber({
      callout: async (address) => {
        calls.push(`${address.local}@${address.domain}`);
        return answers.get(address.local) ?? { code: 250, enhanced: '2.1.5', text: 'Ok' };
      },
      recipients: { classify: ({ domain }) => (domain === 'us.test' ? 'local' : 'foreign'), isListed: ({ local }) => local === 'anna' },
      reader: store.reader,
      writer: store.writer,
      log: silent,
      settings: () => ({ ...SETTINGS, ...settings }),
      now: () => state.now,
    });
  return { ...state, make, at: (now: number) => (state.now = now), start: state.now };
}
const a = mailbox('a@good.test');

test('an address of ours is known without asking', async () => {
  const { make, calls } = world();
  const prober = make();
  assert.deepEqual(await prober.probe(mailbox('anna@us.test')), { status: 'deliverable', text: '' });
  assert.equal((await prober.probe(mailbox('nobody@us.test'))).status, 'undeliverable');
  assert.deepEqual(calls, []);
});

test('an answer is remembered, in memory and in the store', async () => {
  const { make, calls, answers } = world();
  answers.set('bad', { code: 550, enhanced: '5.1.1', text: 'No such user' });
  const prober = make();
  assert.deepEqual(await prober.probe(mailbox('bad@good.test')), { status: 'undeliverable', text: '550 5.1.1 No such user' });
  assert.equal((await prober.probe(a)).status, 'deliverable');
  const again = prober.probe(a);
  assert.ok(!(again instanceof Promise), 'at once');
  assert.equal((await make().probe(mailbox('bad@good.test'))).status, 'undeliverable', 'another thread reads the store');
  assert.deepEqual(calls, ['bad@good.test', 'a@good.test']);
});

test('an old answer is used and asked for again; a too old one is not used', async () => {
  const { make, calls, answers, at, start } = world();
  const prober = make();
  await prober.probe(a);
  at(start + 8 * DAY);
  assert.equal((await prober.probe(a)).status, 'deliverable');
  assert.equal(calls.length, 2);
  await new Promise(setImmediate);
  answers.set('a', { code: 550, enhanced: '5.1.1', text: 'gone' });
  at(start + 40 * DAY);
  assert.equal((await prober.probe(a)).status, 'undeliverable');
  assert.equal((await make().probe(a)).status, 'undeliverable', 'and the store knows');
});

test('one failure does not make a good address bad', async () => {
  const { make, answers, at, start, store } = world();
  const prober = make();
  await prober.probe(a);
  answers.set('a', { code: 550, enhanced: '5.1.1', text: 'broken today' });
  at(start + 8 * DAY);
  await prober.probe(a);
  await new Promise(setImmediate);
  assert.equal((await prober.probe(a)).status, 'deliverable');
  assert.deepEqual(store.reader.rows('SELECT status FROM address_probe'), [[1]]);
});

test('a server that cannot be asked makes the address unknown', async () => {
  const { make, answers } = world();
  answers.set('a', Promise.reject(new Error('connection refused')));
  assert.deepEqual(await make().probe(a), { status: 'unknown', text: 'connection refused' });
});

test('"not known" counts for seconds only: a server that is back is asked again', async () => {
  const { make, answers, at, start, calls } = world();
  answers.set('a', { code: 0, enhanced: '4.4.1', text: 'connection refused' });
  const prober = make();
  assert.equal((await prober.probe(a)).status, 'unknown');
  answers.set('a', { code: 250, enhanced: '2.1.5', text: 'Ok' });
  at(start + 5000);
  assert.equal((await prober.probe(a)).status, 'unknown');
  assert.equal(calls.length, 1);
  at(start + 10_000);
  assert.equal((await prober.probe(a)).status, 'deliverable');
});

test('a session does not wait for ever, and the answer counts for the next', async () => {
  const { make, answers } = world({ waitMs: 1 });
  const { promise, resolve } = Promise.withResolvers<CalloutAnswer>();
  answers.set('a', promise);
  const prober = make();
  assert.deepEqual(await prober.probe(a), { status: 'unknown', text: 'Address verification in progress' });
  resolve({ code: 250, enhanced: '2.1.5', text: 'Ok' });
  await promise;
  await new Promise(setImmediate);
  assert.equal((await prober.probe(a)).status, 'deliverable');
});

test('there is a limit to questions at a time, and equal ones are one', async () => {
  const { make, answers, calls } = world();
  const { promise, resolve } = Promise.withResolvers<CalloutAnswer>();
  for (const local of ['a', 'b', 'c']) answers.set(local, promise);
  const prober = make();
  const waiting = [a, a, mailbox('b@good.test')].map((address) => prober.probe(address));
  assert.match((await prober.probe(mailbox('c@good.test'))).text, /Too many/);
  resolve({ code: 250, enhanced: '2.1.5', text: 'Ok' });
  await Promise.all(waiting);
  assert.deepEqual(calls, ['a@good.test', 'b@good.test']);
});

test('the sweep removes what is too old, and the oldest of too many', async () => {
  const { store, start } = world();
  const add = (address: string, status: number, days: number): void =>
    store.run('probe.record', { address, status, checkedAt: start - days * DAY, text: '', replacesGoodBefore: 0 });
  add('old-good', 1, 32);
  add('good', 1, 30);
  add('old-bad', 2, 4);
  add('bad', 2, 2);
  add('new1', 1, 0);
  add('new2', 1, 1);
  assert.deepEqual(store.run('probe.sweep', probeSweepInput(SETTINGS, start)), { removed: 3 });
  assert.deepEqual(store.reader.rows('SELECT address FROM address_probe ORDER BY address'), [['bad'], ['new1'], ['new2']]);
});
