import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../system/declare.ts';
import { createDns } from './dns.ts';
import { DNS_SETTINGS } from './dns-settings.ts';
import { fakeTransport, type FakeZone } from './dns-testing.ts';

const VALUES = { ...defaultsOf(DNS_SETTINGS), 'dns.cacheEntriesMax': 10 };

function resolver(zone: FakeZone, ttlSeconds = 300, negativeSeconds: number | null = 60) {
  const clock = { now: 0 };
  const transport = fakeTransport(zone, ttlSeconds, negativeSeconds);
  const dns = createDns(
    () => VALUES,
    () => clock.now,
    transport,
  );
  return { dns, clock, asked: transport.asked };
}

test('questions at the same time share one packet and the answer lives as long as its TTL', async () => {
  const { dns, clock, asked } = resolver({ 'A a.test': ['192.0.2.1'] }, 30);
  const [one, two] = await Promise.all([dns.addresses4('a.test'), dns.addresses4('A.test.')]);
  assert.deepEqual(one, { kind: 'found', records: ['192.0.2.1'], ttlSeconds: 30, isAuthentic: false });
  assert.equal(two, one);
  clock.now = 29_000;
  await dns.addresses4('a.test');
  assert.equal(asked.length, 1);
  clock.now = 31_000;
  await dns.addresses4('a.test');
  assert.equal(asked.length, 2);
});

test('absence of a name, absence of records and failure are three answers', async () => {
  const { dns } = resolver({ 'MX empty.test': [], 'MX broken.test': 'servfail', 'MX slow.test': 'timeout' });
  assert.deepEqual(await dns.mx('gone.test'), { kind: 'none', exists: false, ttlSeconds: 60, isAuthentic: false });
  assert.deepEqual(await dns.mx('empty.test'), { kind: 'none', exists: true, ttlSeconds: 60, isAuthentic: false });
  assert.deepEqual(await dns.mx('broken.test'), { kind: 'failed', reason: 'name server failure (SERVFAIL)' });
  assert.equal((await dns.mx('slow.test')).kind, 'failed');
});

test('a name that cannot be asked for does not exist, and no packet says so', async () => {
  const { dns, asked } = resolver({});
  for (const name of ['bad..name', '', '.', '.a.test', 'a b.test', 'ä.test', `${'a'.repeat(64)}.test`, 'a.'.repeat(128), 'a\\.test']) {
    assert.deepEqual(await dns.mx(name), { kind: 'none', exists: false }, name);
    assert.deepEqual(dns.cached('MX', name), { kind: 'none', exists: false }, name);
  }
  assert.deepEqual(asked, []);
});

test('a cached answer is there without a promise; an unknown one is undefined and asks nobody', async () => {
  const { dns, clock, asked } = resolver({ 'A a.test': ['192.0.2.1'] }, 30);
  assert.equal(dns.cached('A', 'a.test'), undefined);
  const answer = await dns.ask('A', 'a.test');
  assert.equal(dns.cached('A', 'A.TEST.'), answer);
  assert.equal(dns.cached('AAAA', 'a.test'), undefined);
  clock.now = 30_000;
  assert.equal(dns.cached('A', 'a.test'), undefined);
  assert.equal(asked.length, 1);
});

test('absence lives as its SOA says, shortly without one, failure for five seconds', async () => {
  const lives = async (zone: FakeZone, negativeSeconds: number | null): Promise<number> => {
    const { dns, clock } = resolver(zone, 300, negativeSeconds);
    await dns.txt('a.test');
    let seconds = 0;
    while (dns.cached('TXT', 'a.test') !== undefined) {
      seconds += 1;
      clock.now = seconds * 1000;
    }
    return seconds;
  };
  assert.equal(await lives({}, 60), 60);
  assert.equal(await lives({}, 100_000), VALUES['dns.cacheTtlNegative'] / 1000);
  assert.equal(await lives({}, null), 30);
  assert.equal(await lives({ 'TXT a.test': 'servfail' }, 60), 5);
  assert.equal(await lives({ 'TXT a.test': [['x']] }, 60), 300);
});

test('an answer with TTL 0 is for those who asked and nobody else', async () => {
  const { dns, asked } = resolver({ 'A a.test': ['192.0.2.1'] }, 0);
  await Promise.all([dns.addresses4('a.test'), dns.addresses4('a.test')]);
  await dns.addresses4('a.test');
  assert.equal(asked.length, 2);
});

test('names that every message needs survive a flood of names that are asked once', async () => {
  const { dns, asked } = resolver({ 'A hot.test': ['192.0.2.1'] });
  await dns.addresses4('hot.test');
  for (let i = 0; i < 100; i += 1) {
    await dns.txt(`n${i}.test`);
    assert.notEqual(dns.cached('A', 'hot.test'), undefined);
  }
  assert.equal(asked.filter((question) => question === 'A hot.test').length, 1);
});

test('the cache forgets when it is full', async () => {
  const { dns, asked } = resolver({});
  for (let i = 0; i < 11; i += 1) await dns.txt(`n${i}.test`);
  await dns.txt('n10.test');
  assert.equal(asked.length, 11);
  await dns.txt('n0.test');
  assert.equal(asked.length, 12);
});

test('TXT comes joined or as its strings, from one question', async () => {
  const { dns, asked } = resolver({ 'TXT a.test': [['v=spf1 ', '-all'], ['other']] });
  assert.deepEqual((await dns.txt('a.test')) as object, { kind: 'found', records: ['v=spf1 -all', 'other'], ttlSeconds: 300, isAuthentic: false });
  const strings = await dns.txtStrings('a.test');
  assert.deepEqual(strings.kind === 'found' && strings.records, [['v=spf1 ', '-all'], ['other']]);
  assert.equal(asked.length, 1);
});

test('aliases are followed, in one response or over several, and never without end', async () => {
  const { dns } = resolver({
    'CNAME www.test': ['web.test'],
    'CNAME web.test': ['host.test'],
    'A host.test': ['192.0.2.1'],
    'CNAME loop.test': ['pool.test'],
    'CNAME pool.test': ['loop.test'],
    'CNAME dangling.test': ['nowhere.test'],
  });
  const www = await dns.addresses4('www.test');
  assert.deepEqual(www.kind === 'found' && www.records, ['192.0.2.1']);
  assert.deepEqual(await dns.addresses4('loop.test'), { kind: 'failed', reason: 'too many aliases (CNAME)' });
  assert.deepEqual(await dns.addresses4('dangling.test'), { kind: 'none', exists: false, ttlSeconds: 60, isAuthentic: false });
  const alias = await dns.cname('www.test');
  assert.deepEqual(alias.kind === 'found' && alias.records, ['web.test']);
});

test('an alias whose target a response leaves out is asked for', async () => {
  const asked: string[] = [];
  const dns = createDns(
    () => VALUES,
    () => 0,
    {
      ask: async (name) => {
        asked.push(name);
        const answers =
          name === 'a.test'
            ? ([{ name, type: 'CNAME', ttlSeconds: 10, data: 'b.test' }] as const)
            : ([{ name, type: 'A', ttlSeconds: 300, data: '192.0.2.1' }] as const);
        return { kind: 'response', rcode: 0, isAuthentic: false, answers, negativeSeconds: null };
      },
      close: () => {},
    },
  );
  assert.equal((await dns.addresses4('a.test')).kind, 'found');
  assert.deepEqual(asked, ['a.test', 'b.test']);
});

test('PTR takes an address and asks for its name turned round', async () => {
  const { dns, asked } = resolver({ 'PTR 192.0.2.7': ['host.test'], 'PTR 2001:db8::1': ['six.test'] });
  assert.equal((await dns.ptr('192.0.2.7')).kind, 'found');
  assert.equal((await dns.ptr('2001:db8::1')).kind, 'found');
  assert.equal((await dns.ptr('::ffff:192.0.2.7')).kind, 'found');
  assert.deepEqual(asked, ['PTR 7.2.0.192.in-addr.arpa', 'PTR 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa']);
});
