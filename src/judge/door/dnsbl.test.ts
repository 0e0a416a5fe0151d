import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FakeZone } from '../../net/dns-testing.ts';
import type { Dns } from '../../net/dns.ts';
import { DnsLists, listSymbols, type ListScore } from './dnsbl.ts';
import { doorHouse, settled } from './testing.ts';

function lists(t: TestContext, zone: FakeZone, dns?: Pick<Dns, 'ask' | 'cached'>) {
  const house = doorHouse(t, {}, zone);
  const clock = { now: 0 };
  const log = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (event: string, fields: object = {}) => void house.events.push([event, { ...fields }]),
  };
  const made = new DnsLists({ dns: dns ?? house.dns, log, metrics: { count: () => {}, gauge: () => {} }, now: () => clock.now, wheel: house.wheel });
  const ask = async (ip: string, entries: readonly string[]): Promise<ListScore> => made.queryAddress({ lists: entries, timeoutMs: 1000 }, ip);
  return { made, ask, house, clock };
}

test('weights of all lists that fit add up; a zone is asked once for all its filters', async (t) => {
  const { ask, house } = lists(t, { 'A 1.2.0.192.bl.test': ['127.0.0.4', '127.0.0.2'], 'A 1.2.0.192.wl.test': ['127.0.5.1'] });
  const score = await ask('192.0.2.1', [
    'bl.test=127.0.0.2*3',
    'bl.test=127.0.0.[4..7]*2',
    'bl.test=127.0.0.9*50',
    'wl.test=127.0.[0..255].1*-1',
    'other.test*9',
  ]);
  assert.deepEqual(score, {
    score: 4,
    hits: [
      { zone: 'bl.test', value: '127.0.0.2', weight: 3 },
      { zone: 'bl.test', value: '127.0.0.4', weight: 2 },
      { zone: 'wl.test', value: '127.0.5.1', weight: -1 },
    ],
    failed: [],
  });
  assert.deepEqual(house.transport.asked, ['A 1.2.0.192.bl.test', 'A 1.2.0.192.wl.test', 'A 1.2.0.192.other.test']);
  assert.deepEqual(listSymbols(score)[2], { name: 'DNSWL_WL_TEST', score: -1, text: 'wl.test answers 127.0.5.1' });
});

test('what is cached is answered at once', async (t) => {
  const { made, ask } = lists(t, { 'A 1.2.0.192.bl.test': ['127.0.0.2'] });
  const entries = ['bl.test', 'other.test'];
  await ask('192.0.2.1', entries);
  const again = made.queryAddress({ lists: entries, timeoutMs: 1000 }, '192.0.2.1');
  assert.ok(!(again instanceof Promise));
  assert.equal(again.score, 1);
});

test('IPv6 addresses are asked nibble by nibble, IPv4 in IPv6 as IPv4', async (t) => {
  const { ask, house } = lists(t, {});
  await ask('2001:db8::ff', ['bl.test']);
  await ask('::ffff:192.0.2.1', ['bl.test']);
  assert.deepEqual(house.transport.asked, ['A f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test', 'A 1.2.0.192.bl.test']);
});

test('domains are asked as they are; what is no domain is not', async (t) => {
  const { made, house } = lists(t, { 'A spam.example.dbl.test': ['127.0.1.2'] });
  const query = { lists: ['dbl.test*5'], timeoutMs: 1000 };
  assert.equal((await made.queryDomain(query, 'Spam.Example')).score, 5);
  for (const domain of ['', 'a b', 'x..y', '[192.0.2.1', 'ä.test']) if (domain !== '[192.0.2.1') assert.equal((await made.queryDomain(query, domain)).score, 0);
  assert.equal(house.transport.asked.length, 1);
});

test('a list that does not answer in time counts nothing; its answer serves the next client', async (t) => {
  let answer: (value: { kind: 'found'; records: readonly string[] }) => void = () => {};
  const slow = { cached: () => undefined, ask: () => new Promise((resolve) => (answer = resolve)) } as unknown as Pick<Dns, 'ask' | 'cached'>;
  const { ask, house } = lists(t, {}, slow);
  let score: ListScore | null = null;
  void ask('192.0.2.1', ['bl.test*9']).then((found) => (score = found));
  await house.pass(900);
  assert.equal(score, null);
  await house.pass(200);
  assert.deepEqual(score, { score: 0, hits: [], failed: ['bl.test'] });
  answer({ kind: 'found', records: ['127.0.0.2'] });
  await settled();
  assert.deepEqual(
    house.events.map(([event]) => event),
    ['door.list.silent'],
  );
});

test('a list that fails again and again is left out for a minute and told of once', async (t) => {
  const { ask, house, clock } = lists(t, Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`A ${i}.2.0.192.dead.test`, 'servfail' as const])));
  for (let i = 0; i < 9; i += 1) assert.deepEqual((await ask(`192.0.2.${i}`, ['dead.test'])).failed, ['dead.test']);
  assert.equal(house.transport.asked.length, 5);
  assert.deepEqual(
    house.events.map(([event]) => event),
    ['door.list.silent', 'door.list.leftOut'],
  );
  clock.now += 60_000;
  await ask('192.0.2.8', ['dead.test']);
  assert.equal(house.transport.asked.length, 6);
});

test('a list that refuses this resolver refuses no mail and is left out', async (t) => {
  const { ask, house } = lists(t, { 'A 1.2.0.192.bl.test': ['127.255.255.254'], 'A 2.2.0.192.bl.test': ['127.0.0.2'] });
  assert.deepEqual(await ask('192.0.2.1', ['bl.test*9']), { score: 0, hits: [], failed: ['bl.test'] });
  assert.equal((await ask('192.0.2.2', ['bl.test*9'])).score, 0);
  assert.equal(house.transport.asked.length, 1);
  assert.deepEqual(house.events[0], ['door.list.refuses', { zone: 'bl.test', subject: '1.2.0.192', value: '127.255.255.254' }]);
});

test('an answer outside 127.0.0.0/8 is no listing', async (t) => {
  const { ask, house } = lists(t, { 'A 1.2.0.192.bl.test': ['203.0.113.80'] });
  assert.equal((await ask('192.0.2.1', ['bl.test*9'])).score, 0);
  assert.equal(house.events[0]![0], 'door.list.nonsense');
});

test('the words of a list are cleaned and cut before they go into a reply', async (t) => {
  const { made } = lists(t, { 'TXT 1.2.0.192.bl.test': [['see http://bl.test/\r\n250 OK', 'x'.repeat(300)]], 'TXT 2.2.0.192.bl.test': [['\r\n']] });
  const reason = await made.reason('bl.test', '192.0.2.1', 1000);
  assert.match(reason!, /^see http:\/\/bl\.test\/ 250 OKx+$/);
  assert.equal(reason!.length, 200);
  assert.equal(await made.reason('bl.test', '192.0.2.2', 1000), null);
  assert.equal(await made.reason('bl.test', '192.0.2.3', 1000), null);
});
