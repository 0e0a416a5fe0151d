import assert from 'node:assert/strict';
import test from 'node:test';
import { parseListenAddress } from './address.ts';
import { IdleSweeper } from './idle.ts';
import { canonicalIp, clientKey, networksOf, parseIp, wrongNetwork } from './networks.ts';

for (const [text, value] of [
  ['127.0.0.1:2525', { kind: 'tcp', host: '127.0.0.1', port: 2525 }],
  ['[::]:25', { kind: 'tcp', host: '::', port: 25 }],
  ['*:0', { kind: 'tcp', host: '::', port: 0 }],
  ['localhost:25', { kind: 'tcp', host: 'localhost', port: 25 }],
  ['unix:/run/lmtp', { kind: 'unix', path: '/run/lmtp' }],
  ['unix:lmtp', null],
  [`unix:/${'x'.repeat(108)}`, null],
  ['127.0.0.1', null],
  ['::1:25', null],
  ['127.0.0.1:65536', null],
  ['', null],
] as const)
  test(`listening address "${text.slice(0, 30)}"`, () => assert.deepEqual(parseListenAddress(text), value));

test('networks hold addresses of their own family, IPv4 in IPv6 counts as IPv4', () => {
  const networks = networksOf(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7', '::ffff:203.0.113.5']);
  for (const ip of ['192.0.2.255', '2001:db8::1', '198.51.100.7', '::ffff:192.0.2.1', '203.0.113.5']) assert.ok(networks.has(ip), ip);
  for (const ip of ['192.0.3.1', '2001:db9::1', '198.51.100.8', '', 'x', '::1']) assert.ok(!networks.has(ip), ip);
  assert.ok(networksOf([]).isEmpty);
});

for (const entry of ['', '10', '10.0.0.0/33', '10.0.0/8', '0x7f.1', '2001:db8::/129', 'example.org', '10.0.0.0/', '10.0.0.0/8/8'])
  test(`"${entry}" is no network`, () => assert.notEqual(wrongNetwork(entry), undefined));

test('addresses have one form', () => {
  assert.equal(canonicalIp('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(canonicalIp('fe80::1%eth0'), 'fe80::1');
  assert.equal(canonicalIp(undefined), '');
  assert.equal(parseIp('2001:DB8:0:0::1'), '2001:db8::1');
  assert.equal(parseIp('192.0.2.1'), '192.0.2.1');
  assert.equal(parseIp('192.0.2'), null);
});

test('an IPv6 client is its /64', () => {
  assert.equal(clientKey('2001:db8:1:2:3:4:5:6'), clientKey('2001:db8:1:2::9'));
  assert.notEqual(clientKey('2001:db8:1:2::1'), clientKey('2001:db8:1:3::1'));
  assert.equal(clientKey('192.0.2.1'), '192.0.2.1');
});

test('the sweeper tells those whose deadline passed, and only them', () => {
  let now = 0;
  const sweeper = new IdleSweeper(() => now);
  const told: string[] = [];
  const entry = (name: string, deadline: number) => ({ deadline, onIdle: () => void told.push(name) });
  const early = entry('early', 1000);
  const late = entry('late', 5000);
  sweeper.watch(early);
  sweeper.watch(late);
  now = 999;
  sweeper.sweep();
  assert.deepEqual(told, []);
  now = 1000;
  sweeper.sweep();
  assert.deepEqual(told, ['early']);
  sweeper.unwatch(early);
  now = 9000;
  sweeper.sweep();
  assert.deepEqual(told, ['early', 'late']);
  sweeper.stop();
  assert.equal(sweeper.size, 0);
});
