import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../system/declare.ts';
import { createDns, type RawResolver } from './dns.ts';
import { DNS_SETTINGS } from './dns-settings.ts';

function fake(answers: Record<string, any>): { raw: RawResolver; asked: string[] } {
  const asked: string[] = [];
  const answer = async (key: string): Promise<any> => {
    asked.push(key);
    const found = answers[key];
    if (typeof found === 'string') throw Object.assign(new Error(found), { code: found });
    return found ?? Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
  };
  const raw: RawResolver = {
    resolveMx: (name) => answer(`MX ${name}`),
    resolve4: (name) => answer(`A ${name}`),
    resolve6: (name) => answer(`AAAA ${name}`),
    resolveTxt: (name) => answer(`TXT ${name}`),
    reverse: (ip) => answer(`PTR ${ip}`),
  };
  return { raw, asked };
}
const values = { ...defaultsOf(DNS_SETTINGS), 'dns.cacheEntriesMax': 10 };

test('questions at the same time share one packet and the answer lives as long as its TTL', async () => {
  let now = 0;
  const { raw, asked } = fake({ 'A a.test': [{ address: '192.0.2.1', ttl: 30 }] });
  const dns = createDns(
    () => values,
    () => now,
    raw,
  );
  const [one, two] = await Promise.all([dns.addresses4('a.test'), dns.addresses4('A.test')]);
  assert.deepEqual(one, { kind: 'found', records: ['192.0.2.1'] });
  assert.deepEqual(two, one);
  now = 29_000;
  await dns.addresses4('a.test');
  assert.equal(asked.length, 1);
  now = 31_000;
  await dns.addresses4('a.test');
  assert.equal(asked.length, 2);
});
test('absence of a name, absence of records and failure are three answers', async () => {
  const { raw } = fake({ 'MX empty.test': 'ENODATA', 'MX broken.test': 'ESERVFAIL', 'MX slow.test': 'ETIMEOUT' });
  const dns = createDns(
    () => values,
    () => 0,
    raw,
  );
  assert.deepEqual(await dns.mx('gone.test'), { kind: 'none', exists: false });
  assert.deepEqual(await dns.mx('empty.test'), { kind: 'none', exists: true });
  assert.deepEqual(await dns.mx('broken.test'), { kind: 'failed', reason: 'name server failure (SERVFAIL)' });
  assert.equal((await dns.mx('slow.test')).kind, 'failed');
  assert.deepEqual(await dns.mx('bad..name'), { kind: 'none', exists: false });
  assert.deepEqual(await dns.mx(''), { kind: 'none', exists: false });
});
test('the cache forgets the oldest answer when it is full', async () => {
  const { raw, asked } = fake({});
  const dns = createDns(
    () => values,
    () => 0,
    raw,
  );
  for (let i = 0; i < 11; i++) await dns.txt(`n${i}.test`);
  await dns.txt('n10.test');
  assert.equal(asked.length, 11);
  await dns.txt('n0.test');
  assert.equal(asked.length, 12);
});
test('MX names are lower case without a final dot; a null MX keeps its empty name', async () => {
  const { raw } = fake({
    'MX a.test': [{ exchange: 'MX1.A.test.', priority: 10 }],
    'MX null.test': [{ exchange: '', priority: 0 }],
  });
  const dns = createDns(
    () => values,
    () => 0,
    raw,
  );
  assert.deepEqual(await dns.mx('a.test'), { kind: 'found', records: [{ exchange: 'mx1.a.test', preference: 10 }] });
  assert.deepEqual(await dns.mx('null.test'), { kind: 'found', records: [{ exchange: '', preference: 0 }] });
});
