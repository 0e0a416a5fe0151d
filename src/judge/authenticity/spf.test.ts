import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseMailbox } from '../../mail/address.ts';
import { checkSpf, createSpf, SPF_LIMITS } from './spf.ts';
import { tableDns, type Zone, type Zones } from './testing.ts';

interface Scenario {
  readonly description: string;
  readonly tests: Readonly<Record<string, { helo: string; host: string; mailfrom: string; result: string | string[]; explanation?: string }>>;
  readonly zonedata: Readonly<Record<string, readonly unknown[]>>;
}
const SCENARIOS = JSON.parse(readFileSync(new URL('../../../test/vectors/spf/rfc7208-tests.json', import.meta.url), 'utf8')) as Scenario[];

/** Zone data of the suite: records of type SPF stand for TXT unless the name has TXT records of its own. */
function zonesOf(scenario: Scenario): Zones {
  const zones: Record<string, Zone> = {};
  for (const [name, records] of Object.entries(scenario.zonedata)) {
    const zone: { -readonly [K in keyof Zone]: any } = {};
    const spf: string[] = [];
    const fails: string[] = [];
    let hasTxt = false;
    for (const record of records) {
      if (record === 'TIMEOUT') {
        zone.fails = ['a', 'aaaa', 'mx', 'txt', 'ptr'].filter((type) => !(type in zone));
        continue;
      }
      const [[type, value]] = Object.entries(record as Record<string, any>) as [[string, any]];
      if (type === 'SPF') spf.push(joined(value));
      else if (type === 'TXT') {
        hasTxt = true;
        if (value === 'TIMEOUT') fails.push('txt');
        else if (value !== 'NONE') zone.txt = [...(zone.txt ?? []), joined(value)];
      } else if (type === 'CNAME') zone.cname = value;
      else if (value === 'TIMEOUT') fails.push(type.toLowerCase());
      else {
        const key = type.toLowerCase() as 'a' | 'aaaa' | 'mx' | 'ptr';
        zone[key] = [...(zone[key] ?? []), value];
      }
    }
    if (!hasTxt && spf.length > 0) {
      if (spf.includes('TIMEOUT')) fails.push('txt');
      else zone.txt = spf;
    }
    if (fails.length > 0) zone.fails = fails;
    zones[reverseAddress(name) ?? name] = zone;
  }
  return zones;
}
const joined = (value: string | string[]): string => (Array.isArray(value) ? value.join('') : value);
function reverseAddress(name: string): string | null {
  const labels = name.replace(/\.$/, '').split('.').reverse();
  if (labels[1] === 'in-addr') return labels.slice(2).join('.');
  if (labels[1] !== 'ip6') return null;
  return new URL(`http://[${labels.slice(2).join('').match(/.{4}/g)!.join(':')}]/`).hostname.slice(1, -1);
}

for (const scenario of SCENARIOS)
  test(`RFC 7208 test suite: ${scenario.description}`, async (t) => {
    for (const isSlow of [false, true]) {
      const dns = tableDns(zonesOf(scenario), isSlow);
      for (const [name, row] of Object.entries(scenario.tests)) {
        const at = row.mailfrom.lastIndexOf('@');
        const sender = row.mailfrom === '' ? null : { local: row.mailfrom.slice(0, Math.max(at, 0)), domain: row.mailfrom.slice(at + 1) };
        await t.test(`${name}${isSlow ? ' (waiting)' : ''}`, async () => {
          const result = checkSpf({ ip: row.host, helo: row.helo, sender }, dns);
          if (!isSlow) assert.ok(!(result instanceof Promise), 'synchronous when DNS is');
          const found = await result;
          assert.ok([row.result].flat().includes(found.result), `${found.result} (${found.problem}), expected ${row.result}`);
          if (row.explanation !== undefined && found.result === 'fail') {
            const expected = row.explanation === 'DEFAULT' ? null : row.explanation;
            assert.equal(found.explanation, expected);
          }
        });
      }
    }
  });

test('the suite has its 203 cases', () => {
  assert.equal(
    SCENARIOS.reduce((sum, scenario) => sum + Object.keys(scenario.tests).length, 0),
    203,
  );
});

const ZONES: Zones = {
  'plain.test': { txt: ['v=spf1 ip4:192.0.2.0/24 include:other.test -all'] },
  'other.test': { txt: ['v=spf1 ip6:2001:db8::/32 ~all'] },
  'personal.test': { txt: ['v=spf1 exists:%{l}.%{d} -all'] },
  'anna.personal.test': { a: ['127.0.0.2'] },
  'xn--bcher-kva.test': { txt: ['v=spf1 a -all'], a: ['192.0.2.9'] },
  'slow.test': { txt: ['v=spf1 a mx -all'], a: ['198.51.100.1'], mx: [[10, 'mx.slow.test']] },
  'six.test': { txt: ['v=spf1 a mx -all'], a: ['192.0.2.1'], mx: [1, 2, 3, 4].map((n) => [n, `mx${n}.six.test`] as const) },
  'mx1.six.test': { a: ['192.0.2.1'] },
  'mx2.six.test': { a: ['192.0.2.1'] },
  'mx3.six.test': { a: ['192.0.2.1'] },
  'mx4.six.test': { a: ['192.0.2.1'] },
  'told.test': { txt: ['v=spf1 exp=why.told.test -all'] },
  'why.told.test': { txt: ['%{i} may not send for %{d}\u00fc'] },
  'long.test': { txt: [`v=spf1 ${'a '.repeat(5000)}`] },
};
const sender = (text: string) => parseMailbox(text, { utf8: true })!;

test('results are remembered for client and domain, until their time is over', () => {
  const asked: string[] = [];
  let now = 1_000_000;
  const spf = createSpf(
    tableDns(ZONES, false, asked),
    () => SPF_LIMITS,
    () => now,
  );
  const ask = (from: string, ip = '192.0.2.7') => spf.check({ ip, helo: 'mail.test', sender: sender(from) });
  assert.equal((ask('anna@plain.test') as { result: string }).result, 'pass');
  const once = asked.length;
  assert.equal((ask('bert@plain.test') as { result: string }).result, 'pass');
  assert.equal(asked.length, once, 'no further question');
  ask('anna@plain.test', '2001:db8::1');
  assert.ok(asked.length > once, 'another client is asked about');
  const twice = asked.length;
  now += 61_000;
  ask('bert@plain.test');
  assert.ok(asked.length > twice, 'asked again after a minute');
});

test('a record that looks at the local part is evaluated for each sender', () => {
  const spf = createSpf(
    tableDns(ZONES),
    () => SPF_LIMITS,
    () => 0,
  );
  const ask = (from: string) => (spf.check({ ip: '192.0.2.7', helo: 'mail.test', sender: sender(from) }) as { result: string }).result;
  assert.equal(ask('anna@personal.test'), 'pass');
  assert.equal(ask('bert@personal.test'), 'fail');
  assert.equal(ask('m\u00fcller@personal.test'), 'fail');
});

test('a domain in Unicode is asked for by its A-labels', () => {
  const result = checkSpf({ ip: '192.0.2.9', helo: 'mail.test', sender: sender('a@b\u00fccher.test') }, tableDns(ZONES));
  assert.equal((result as { result: string }).result, 'pass');
});

test('an IPv6 client of a domain whose MX names have only IPv4 addresses is no permerror', () => {
  const result = checkSpf({ ip: '2001:db8::5', helo: 'mail.test', sender: sender('a@six.test') }, tableDns(ZONES));
  assert.equal((result as { result: string }).result, 'fail');
});

test('IPv4 within IPv6 is IPv4', () => {
  const result = checkSpf({ ip: '::ffff:192.0.2.9', helo: 'mail.test', sender: sender('a@plain.test') }, tableDns(ZONES));
  assert.equal((result as { result: string }).result, 'pass');
});

test('an explanation that is not ASCII is none', () => {
  const result = checkSpf({ ip: '192.0.2.9', helo: 'mail.test', sender: sender('a@told.test') }, tableDns(ZONES));
  assert.deepEqual([(result as { result: string }).result, (result as { explanation: string | null }).explanation], ['fail', null]);
});

test('a check that takes too long is a temperror', async () => {
  let now = 0;
  const dns = tableDns(ZONES, true);
  const late = {
    ...dns,
    txt(name: string) {
      now += 30_000;
      return dns.txt(name);
    },
  };
  const result = await checkSpf({ ip: '192.0.2.9', helo: 'mail.test', sender: sender('a@slow.test') }, late, SPF_LIMITS, () => now);
  assert.equal(result.result, 'temperror');
});

test('a record of thousands of terms is a permerror before any of them is asked for', () => {
  const asked: string[] = [];
  const result = checkSpf({ ip: '192.0.2.9', helo: 'mail.test', sender: sender('a@long.test') }, tableDns(ZONES, false, asked));
  assert.deepEqual([(result as { result: string }).result, asked.length], ['permerror', 1]);
});

test('nonsense instead of names and addresses gives none and never throws', () => {
  for (const helo of ['', '.', '[192.0.2.1]', 'a..b', '\0', 'x'.repeat(5000), 'm\u00fcller.test', '%{d}.test'])
    for (const ip of ['192.0.2.1', '', 'nonsense', '::'])
      assert.equal((checkSpf({ ip, helo, sender: null }, tableDns(ZONES)) as { result: string }).result, 'none', `${helo} ${ip}`);
});
