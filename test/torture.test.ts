/** A short torture with a fixed seed; `npm run torture -- --kills 50` is the long one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownNetwork } from './harness/own-network.ts';
import { runKills } from './torture/kills.ts';
import { copyKey, Ledger } from './torture/ledger.ts';
import { runPowerCuts } from './torture/power.ts';

ownNetwork();
const say = (): void => {};

test('the ledger finds what is lost, doubled or half delivered', () => {
  const ledger = new Ledger();
  const none = new Map<string, number>();
  for (const id of ['lost', 'twice', 'good']) ledger.acknowledge(ledger.open(id, ['user1@us.test']));
  ledger.open('half', ['user1@us.test', 'user2@us.test']);
  ledger.open('refused', ['user1@us.test']).answer = 'refused';
  const mailbox = new Map(['twice', 'good', 'half', 'refused'].map((id) => [copyKey(id, 'user1@us.test'), id === 'twice' ? 2 : 1]));
  const { faults } = ledger.balance({ mailbox, sink: none, bounce: none, queue: none });
  assert.deepEqual(
    faults.map((fault) => fault.split(' ')[0]),
    ['lost', 'twice', 'half', 'refused'],
  );
});

test('eight kills under load lose and double nothing that was acknowledged', async (t) => {
  const balance = await runKills(t, { kills: 8, seed: 20_261_120, clients: 6, say });
  assert.deepEqual(balance.faults, []);
  assert.ok(balance.acknowledged > 50, `only ${balance.acknowledged} messages were acknowledged`);
});

test('six kills with Sieve, programs, forwards and Maildirs in play: every acknowledged recipient is accounted for', async (t) => {
  const balance = await runKills(t, { kills: 6, seed: 20_261_121, clients: 6, say, hasRules: true });
  t.diagnostic(`${balance.acknowledged} acknowledged, ${balance.duplicatesAtSink} duplicates outside the store`);
  assert.deepEqual(balance.faults, []);
  for (const [recipient, count] of balance.ruled) assert.ok(count > 0, `nothing for ${recipient}`);
  assert.ok(balance.acknowledged > 30, `only ${balance.acknowledged} messages were acknowledged`);
});

test('a log cut behind what was synced opens, checks, and holds what was acknowledged', async (t) => {
  const result = await runPowerCuts(t, { snapshots: 6, cutsEach: 5, seed: 20_261_120, say });
  assert.deepEqual(result.faults, []);
  assert.ok(result.cuts > 0);
});
