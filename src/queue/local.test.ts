import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { FilterPlan } from '../deliver/mailroom/types.ts';
import type { Account } from '../ports.ts';
import { MINUTE } from '../system/declare.ts';
import { house } from './testing.ts';

const account = (id: number): Account => ({ id, login: 'ann@us.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0 });

test('a message that waited for room and is then disposed of by the rules of its account leaves the queue', async (t) => {
  const plan: FilterPlan = { refusal: null, copies: [], effects: null, steps: [{ what: 'thrown away', by: 'sieve:main:1' }] };
  let runs = 0;
  const h = house(t, {}, { account }, undefined, () => ({
    mailroom: {
      sort: () => {
        runs += 1;
        return plan;
      },
    },
  }));
  const delivery = await h.account('ann@us.test', 1);
  await h.submit([], { deliveries: [delivery] });
  const { id } = await h.submit([], { deliveries: [delivery] });
  assert.deepEqual(h.rows('SELECT address FROM queue_recipient'), [['ann@us.test']]);
  h.clock.now += 6 * MINUTE;
  h.start();
  await h.event('filtered', (event) => event.id === id);
  assert.deepEqual(h.rows('SELECT address FROM queue_recipient'), []);
  assert.deepEqual(h.rows('SELECT id FROM queue_entry'), []);
  assert.equal(runs, 1);
});

test('a message that finds its mailbox full again leaves no file behind', async (t) => {
  const dropped: string[] = [];
  const h = house(t, {}, { account }, undefined, ({ staging }) => ({
    staging: { ...staging, discard: ({ blob }) => void dropped.push(blob.kind) },
  }));
  const delivery = await h.account('ann@us.test', 1);
  await h.submit([], { deliveries: [delivery] });
  // Random, or it would be small enough for the database.
  await h.submit([], { deliveries: [delivery], text: `Subject: large\r\n\r\n${randomBytes(600_000).toString('base64')}\r\n` });
  h.clock.now += 6 * MINUTE;
  h.start();
  await h.event('deferred');
  assert.deepEqual(dropped, ['file']);
});
