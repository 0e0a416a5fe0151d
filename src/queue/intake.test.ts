import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address, LocalTarget, Recipient } from '../ports.ts';
import { expand } from './intake.ts';

const at = (local: string, domain = 'example.org'): Address => ({ local, domain });
const target = (accountId: number, local: string): LocalTarget => ({ accountId, address: at(local), detail: null });
const recipient = (local: string, ...targets: LocalTarget[]): Recipient => ({
  address: at(local),
  resolution: { kind: 'deliver', local: targets, remote: [] },
  notify: null,
  orcpt: null,
});

test('a recipient refused as a loop is not delivered to in part', () => {
  const { deliveries, outcomes } = expand([recipient('list', target(1, 'anna'), target(2, 'berta')), recipient('carl', target(3, 'carl'))], null, [
    'Berta@example.org',
  ]);
  assert.deepEqual(
    deliveries.map(({ accountId }) => accountId),
    [3],
  );
  assert.equal(outcomes[0]!.refusal?.enhanced, '5.4.6');
  assert.deepEqual(outcomes[1], { local: [0], isRemote: false, refusal: null });
});

test('two recipients that lead to one account are one delivery, and both hear of it', () => {
  const { deliveries, outcomes } = expand([recipient('anna', target(1, 'anna')), recipient('info', target(1, 'anna'), target(2, 'berta'))], 'a@b', []);
  assert.equal(deliveries.length, 2);
  assert.deepEqual(
    outcomes.map(({ local }) => local),
    [[0], [0, 1]],
  );
});
