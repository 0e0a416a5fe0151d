import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientNetwork, LoginGuard } from './guard.ts';
import { testSettings } from './testing.ts';

const SETTINGS = testSettings({ 'auth.accountFailuresMax': 5, 'auth.networkFailuresMax': 8, 'auth.lockTime': 60_000, 'auth.forgetTime': 600_000 });

test('the answer to each further failure takes twice as long, up to a limit', () => {
  const guard = new LoginGuard();
  const waits = [1, 2, 3].map((n) => guard.failed('anna', '192.0.2.1', `p${n}`, 0, testSettings()));
  assert.deepEqual(waits, [1000, 2000, 4000]);
  for (let n = 4; n < 10; n += 1) assert.ok(guard.failed('anna', '192.0.2.1', `p${n}`, 0, testSettings()) <= 15_000);
});

test('a name is locked after too many failures, and open again later', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 5; n += 1) guard.failed('anna', `192.0.2.${n}`, `p${n}`, 0, SETTINGS);
  assert.equal(guard.lockedFor('anna', '198.51.100.1', 0, SETTINGS), 60_000);
  assert.equal(guard.lockedFor('anna', '198.51.100.1', 59_999, SETTINGS), 1);
  assert.equal(guard.lockedFor('anna', '198.51.100.1', 60_000, SETTINGS), 0);
  assert.equal(guard.lockedFor('berta', '198.51.100.1', 0, SETTINGS), 0);
});

test('failures without a name count for their network alone', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 50; n += 1) guard.failed('', `192.0.2.${n}`, `p${n}`, 0, SETTINGS);
  assert.equal(guard.lockedFor('', '198.51.100.1', 0, SETTINGS), 0);
  for (let n = 0; n < 8; n += 1) guard.failed('', '203.0.113.1', `p${n}`, 0, SETTINGS);
  assert.equal(guard.lockedFor('', '203.0.113.1', 0, SETTINGS), 60_000);
});

test('a locked name stays open for networks it logged in from', () => {
  const guard = new LoginGuard();
  guard.succeeded('anna', '203.0.113.9');
  for (let n = 0; n < 5; n += 1) guard.failed('anna', `192.0.2.${n}`, `p${n}`, 0, SETTINGS);
  assert.equal(guard.lockedFor('anna', '203.0.113.9', 0, SETTINGS), 0);
  assert.ok(guard.lockedFor('anna', '203.0.113.10', 0, SETTINGS) > 0);
});

test('a network is locked whatever names it tries; a success does not clear it', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 7; n += 1) guard.failed(`user${n}`, '2001:db8::1', 'x', 0, SETTINGS);
  guard.succeeded('own', '2001:db8::2');
  guard.failed('user8', '2001:db8:0:0:ffff::3', 'x', 0, SETTINGS);
  assert.ok(guard.lockedFor('own', '2001:db8::4', 0, SETTINGS) > 0);
  assert.equal(guard.lockedFor('own', '2001:db8:0:1::4', 0, SETTINGS), 0);
});

test('the same wrong password again counts once', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 50; n += 1) guard.failed('anna', '192.0.2.1', 'old', n, SETTINGS);
  assert.equal(guard.lockedFor('anna', '192.0.2.1', 50, SETTINGS), 0);
});

test('failures fade', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 4; n += 1) guard.failed('anna', '192.0.2.1', `p${n}`, 0, SETTINGS);
  guard.failed('anna', '192.0.2.1', 'p5', 1_200_000, SETTINGS); // two half-lives: 4 became 1
  assert.equal(guard.lockedFor('anna', '192.0.2.1', 1_200_000, SETTINGS), 0);
});

test('failures within minutes all count, although each has faded a little', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 5; n += 1) guard.failed('anna', `192.0.2.${n}`, `p${n}`, n * 1000, SETTINGS);
  assert.ok(guard.lockedFor('anna', '198.51.100.1', 5000, SETTINGS) > 0);
});

test('a success clears the failures of the name', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 4; n += 1) guard.failed('anna', `192.0.2.${n}`, `p${n}`, 0, SETTINGS);
  guard.succeeded('anna', '192.0.2.200');
  assert.equal(guard.failed('anna', '192.0.2.100', 'p', 0, SETTINGS), 1000);
});

test('loopback is never locked as a network', () => {
  const guard = new LoginGuard();
  for (let n = 0; n < 100; n += 1) guard.failed(`user${n}`, '127.0.0.1', 'x', 0, SETTINGS);
  assert.equal(guard.lockedFor('anna', '127.0.0.1', 0, SETTINGS), 0);
});

for (const [ip, network] of [
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['2001:0db8:0:0::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
] as const)
  test(`the network of ${ip} is ${network}`, () => assert.equal(clientNetwork(ip), network));
