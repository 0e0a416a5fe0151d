import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dns } from '../net/dns.ts';
import { type FakeZone, fakeDns } from '../net/dns-testing.ts';
import { nexthop, readRoutes } from '../route/transport.ts';
import { type MxContext, ownListeners, resolveTargets, type Resolved } from './mx.ts';

type Zone = Record<string, { mx?: [number, string][] | 'fail'; a?: string[] | 'fail'; aaaa?: string[] | 'fail' }>;

function zoneDns(zone: Zone): Dns {
  const records: { [question: string]: FakeZone[string] } = {};
  for (const [name, { mx, a, aaaa }] of Object.entries(zone)) {
    records[`TXT ${name}`] = []; // the name exists, whatever else it has
    if (mx !== undefined) records[`MX ${name}`] = mx === 'fail' ? 'servfail' : mx.map(([preference, exchange]) => ({ preference, exchange }));
    if (a !== undefined) records[`A ${name}`] = a === 'fail' ? 'servfail' : a;
    if (aaaa !== undefined) records[`AAAA ${name}`] = aaaa === 'fail' ? 'servfail' : aaaa;
  }
  return fakeDns(records);
}
const SETTINGS = {
  hostname: 'us.test',
  'deliver.smtpPort': 25,
  'deliver.protocols': 'both',
  'deliver.allowLoopback': true,
  'deliver.hostsPerAttemptMax': 5,
} as const;

function resolve(domain: string, zone: Zone, more: Partial<MxContext> = {}): Promise<Resolved> {
  const hop = nexthop(domain, readRoutes({ 'deliver.relayHost': '', 'deliver.transports': [] }));
  assert.ok(hop.kind === 'smtp');
  return resolveTargets(hop, { dns: zoneDns(zone), settings: SETTINGS, random: () => 0.999, isOurs: () => false, ...more });
}
const ips = (resolved: Resolved): string[] =>
  resolved.kind === 'targets' ? resolved.targets.map((target) => target.ip) : [`${resolved.code} ${resolved.enhanced}`];

test('MX hosts come by preference, IPv6 and IPv4 in turn', async () => {
  const zone: Zone = {
    'd.test': {
      mx: [
        [20, 'b.test'],
        [10, 'a.test'],
      ],
    },
    'a.test': { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] },
    'b.test': { a: ['192.0.2.3'] },
  };
  assert.deepEqual(ips(await resolve('d.test', zone)), ['2001:db8::1', '192.0.2.1', '192.0.2.2', '192.0.2.3']);
});
test('equal preferences are tried in random order', async () => {
  const zone: Zone = {
    'd.test': {
      mx: [
        [10, 'a.test'],
        [10, 'b.test'],
      ],
    },
    'a.test': { a: ['192.0.2.1'] },
    'b.test': { a: ['192.0.2.2'] },
  };
  assert.deepEqual(ips(await resolve('d.test', zone, { random: () => 0 })), ['192.0.2.2', '192.0.2.1']);
  assert.deepEqual(ips(await resolve('d.test', zone, { random: () => 0.999 })), ['192.0.2.1', '192.0.2.2']);
});
test('without MX the address of the domain is used', async () => {
  assert.deepEqual(ips(await resolve('d.test', { 'd.test': { a: ['192.0.2.9'] } })), ['192.0.2.9']);
});
test('an address literal needs no name server', async () => {
  assert.deepEqual(ips(await resolve('[192.0.2.7]', {})), ['192.0.2.7']);
});
for (const [name, domain, zone, expected] of [
  ['a null MX is final', 'd.test', { 'd.test': { mx: [[0, '']], a: ['192.0.2.1'] } }, '556 5.1.10'],
  ['a domain that does not exist is final', 'd.test', {}, '550 5.1.2'],
  ['a domain without any address is final', 'd.test', { 'd.test': {} }, '550 5.4.4'],
  ['an MX without address is final', 'd.test', { 'd.test': { mx: [[1, 'x.test']] } }, '550 5.4.4'],
  ['SERVFAIL for the MX waits', 'd.test', { 'd.test': { mx: 'fail' } }, '451 4.4.3'],
  ['SERVFAIL for the address waits', 'd.test', { 'd.test': { mx: [[1, 'x.test']] }, 'x.test': { a: 'fail' } }, '451 4.4.3'],
  ['an MX that is ourselves is a loop', 'd.test', { 'd.test': { mx: [[1, 'us.test']] }, 'us.test': { a: ['192.0.2.1'] } }, '554 5.4.6'],
] as [string, string, Zone, string][])
  test(name, async () => assert.deepEqual(ips(await resolve(domain, zone)), [expected]));

test('hosts less preferred than ourselves are left out', async () => {
  const zone: Zone = {
    'd.test': {
      mx: [
        [5, 'a.test'],
        [10, 'us.test'],
        [20, 'b.test'],
      ],
    },
    'a.test': { a: ['192.0.2.1'] },
    'b.test': { a: ['192.0.2.2'] },
    'us.test': { a: ['192.0.2.3'] },
  };
  assert.deepEqual(ips(await resolve('d.test', zone)), ['192.0.2.1']);
});
test('a better host than ourselves that cannot be looked up now keeps the mail waiting', async () => {
  const mx: [number, string][] = [
    [5, 'a.test'],
    [10, 'b.test'],
    [20, 'c.test'],
  ];
  const isOurs = ownListeners(['*:25'], ['192.0.2.50']);
  const zone: Zone = { 'd.test': { mx }, 'a.test': { a: 'fail', aaaa: 'fail' }, 'b.test': { a: ['192.0.2.50'] }, 'c.test': { a: ['192.0.2.2'] } };
  assert.deepEqual(ips(await resolve('d.test', zone, { isOurs })), ['451 4.4.3']);
  const worse: Zone = { ...zone, 'a.test': { a: ['192.0.2.50'] }, 'c.test': { a: 'fail', aaaa: 'fail' } };
  assert.deepEqual(ips(await resolve('d.test', worse, { isOurs })), ['554 5.4.6']);
});
test('a domain without MX that has our own name leads back to us, whatever its address', async () => {
  assert.deepEqual(ips(await resolve('us.test', { 'us.test': { a: ['192.0.2.9'] } })), ['554 5.4.6']);
});
test('our own address is known in every spelling', async () => {
  const isOurs = ownListeners(['[::]:25', '127.0.0.1:2525'], ['192.0.2.50', '2001:db8::5']);
  for (const ip of ['::ffff:192.0.2.50', '::ffff:c000:232', '2001:DB8:0:0::5', '0:0:0:0:0:0:0:1', '::ffff:7f00:1', '0.0.0.0', '::'])
    assert.equal(isOurs(ip, 25), true, ip);
  assert.equal(isOurs('0.0.0.0', 2525), true);
  assert.equal(isOurs('::ffff:192.0.2.51', 25), false);
});
test('our own listener is told by address and port', async () => {
  const isOurs = ownListeners(['*:25', '127.0.0.1:2525'], ['192.0.2.50']);
  assert.equal(isOurs('192.0.2.50', 25), true);
  assert.equal(isOurs('127.0.0.1', 25), true);
  assert.equal(isOurs('127.0.0.1', 2525), true);
  assert.equal(isOurs('127.0.0.2', 2525), false);
  assert.equal(isOurs('127.0.0.1', 2526), false);
  const zone: Zone = {
    'd.test': {
      mx: [
        [5, 'a.test'],
        [10, 'b.test'],
      ],
    },
    'a.test': { a: ['192.0.2.50'] },
    'b.test': { a: ['192.0.2.2'] },
  };
  assert.deepEqual(ips(await resolve('d.test', zone, { isOurs })), ['554 5.4.6']);
  assert.deepEqual(ips(await resolve('[192.0.2.50]', zone, { isOurs })), ['554 5.4.6']);
});
test('loopback targets can be refused', async () => {
  const settings = { ...SETTINGS, 'deliver.allowLoopback': false };
  assert.deepEqual(ips(await resolve('d.test', { 'd.test': { a: ['127.0.0.1'] } }, { settings })), ['550 5.4.4']);
});
