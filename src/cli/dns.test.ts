import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findingText, summaryText } from './dns.ts';
import { type DnsFacts, type RecordKind, wantedRecords, zoneText } from './dns-advice.ts';
import { checkRecords, isSerious } from './dns-check.ts';
import { isPublicAddress, publicAddresses } from './dns-facts.ts';
import { type Zone, zoneDns } from './dns-testing.ts';

const KEY = `v=DKIM1; k=rsa; p=${'A'.repeat(392)}`;
const FACTS: DnsFacts = {
  domain: 'us.test',
  hostname: 'mx.us.test',
  addresses: ['192.0.2.1', '2001:db8::1'],
  keys: [
    { selector: 's1', name: 's1._domainkey.us.test', record: KEY, state: 'active' },
    { selector: 's0', name: 's0._domainkey.us.test', record: 'v=DKIM1; k=rsa; p=OLD', state: 'retired' },
  ],
  ports: { submissions: 465, imaps: 993 },
  reportAddress: 'dmarc@us.test',
  certificateKey: 'ab'.repeat(32),
};
const IP6_REVERSE = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';
const GOOD: Zone = {
  'MX us.test': [{ exchange: 'mx.us.test', preference: 10 }],
  'A mx.us.test': ['192.0.2.1'],
  'AAAA mx.us.test': ['2001:db8::1'],
  'TXT us.test': ['google-site-verification=x', 'v=spf1 mx -all'],
  'TXT mx.us.test': ['v=spf1 a -all'],
  'TXT s1._domainkey.us.test': [KEY.replace('; p=', ';p= ')],
  'TXT _dmarc.us.test': ['v=DMARC1; p=reject; rua=mailto:dmarc@us.test'],
  'PTR 1.2.0.192.in-addr.arpa': ['mx.us.test'],
  [`PTR ${IP6_REVERSE}`]: ['mx.us.test'],
  'SRV _submissions._tcp.us.test': [{ priority: 0, weight: 1, port: 465, target: 'mx.us.test' }],
  'SRV _imaps._tcp.us.test': [{ priority: 0, weight: 1, port: 993, target: 'mx.us.test' }],
  'TXT _smtp._tls.us.test': ['v=TLSRPTv1; rua=mailto:dmarc@us.test'],
};

async function look(zone: Zone, facts: DnsFacts = FACTS) {
  const findings = await checkRecords(wantedRecords(facts), facts, zoneDns(zone));
  return { findings, of: (kind: RecordKind) => findings.find(({ record }) => record.kind === kind)!, isSerious: findings.some(isSerious) };
}

test('a domain with everything has nothing serious to hear', async () => {
  const { findings, isSerious: serious } = await look(GOOD);
  assert.deepEqual(
    findings.filter(({ state }) => state !== 'right').map(({ record }) => record.kind),
    ['tlsa', 'mtaSts', 'autoconfig', 'autoconfig'],
  );
  assert.equal(serious, false);
  assert.equal(summaryText('us.test', findings), 'All that us.test needs is there.');
});

test('an empty zone lacks all, and what mail depends on is named', async () => {
  const { findings } = await look({});
  assert.deepEqual(
    findings.filter(isSerious).map(({ record }) => `${record.type} ${record.name}`),
    ['MX us.test', 'A mx.us.test', 'AAAA mx.us.test', 'TXT us.test', 'TXT s1._domainkey.us.test', 'PTR 1.2.0.192.in-addr.arpa', `PTR ${IP6_REVERSE}`],
  );
  assert.match(
    findings.map(findingText).join('\n'),
    /MISSING {2}us\.test\. 3600 IN MX 10 mx\.us\.test\.\n\s+- where mail for the domain goes: mail for the domain has no way here/,
  );
});

for (const [what, kind, change, state, advice] of [
  ['mail goes elsewhere', 'mx', { 'MX us.test': [{ exchange: 'mx.other.test', preference: 1 }] }, 'wrong', /name mx\.us\.test instead/],
  ['the domain says it takes no mail', 'mx', { 'MX us.test': [{ exchange: '', preference: 0 }] }, 'wrong', /RFC 7505/],
  [
    'another server comes first',
    'mx',
    {
      'MX us.test': [
        { exchange: 'a.test', preference: 1 },
        { exchange: 'mx.us.test', preference: 5 },
      ],
    },
    'right',
    /get the mail first \(a\.test\)/,
  ],
  ['the host is elsewhere', 'host', { 'A mx.us.test': ['192.0.2.99'] }, 'wrong', /192\.0\.2\.99, not to this server/],
  ['the host is an alias', 'host', { 'CNAME mx.us.test': ['x.test'] }, 'wrong', /must not be an alias/],
  ['two SPF records', 'spf', { 'TXT us.test': ['v=spf1 mx -all', 'v=spf1 a -all'] }, 'wrong', /join them/],
  ['SPF lets all send', 'spf', { 'TXT us.test': ['v=spf1 mx +all'] }, 'wrong', /lets everybody/],
  ['SPF forgets us', 'spf', { 'TXT us.test': ['v=spf1 ip4:192.0.2.99 -all'] }, 'wrong', /192\.0\.2\.1: fail/],
  ['SPF forgets our IPv6', 'spf', { 'TXT us.test': ['v=spf1 ip4:192.0.2.1 -all'] }, 'wrong', /ip6:2001:db8::1/],
  ['SPF has a mistake', 'spf', { 'TXT us.test': ['v=spf1 mx foo:bar -all'] }, 'wrong', /a mistake/],
  ['SPF cannot be asked', 'spf', { 'TXT us.test': 'dead' }, 'unknown', /did not answer/],
  ['another key is published', 'dkim', { 'TXT s1._domainkey.us.test': ['v=DKIM1; p=OTHER'] }, 'wrong', /another key/],
  ['two keys under one name', 'dkim', { 'TXT s1._domainkey.us.test': [KEY, KEY] }, 'wrong', /one record/],
  ['DMARC without policy', 'dmarc', { 'TXT _dmarc.us.test': ['v=DMARC1; rua=mailto:x@us.test'] }, 'wrong', /needs p=none/],
  ['DMARC with p=none', 'dmarc', { 'TXT _dmarc.us.test': ['v=DMARC1; p=none'] }, 'right', /forged mail still passes.*does not name dmarc@us\.test/],
  ['two DMARC records', 'dmarc', { 'TXT _dmarc.us.test': ['v=DMARC1; p=none', 'v=DMARC1; p=reject'] }, 'wrong', /remove one/],
  ['the address has another name', 'ptr', { 'PTR 1.2.0.192.in-addr.arpa': ['host-1.isp.test'] }, 'wrong', /host-1\.isp\.test/],
  [
    'SRV leads elsewhere',
    'srv',
    { 'SRV _submissions._tcp.us.test': [{ priority: 0, weight: 1, port: 587, target: 'x.test' }] },
    'wrong',
    /0 1 465 mx\.us\.test/,
  ],
  [
    'TLSA names another key',
    'tlsa',
    { 'TLSA _25._tcp.mx.us.test': [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 1) }] },
    'wrong',
    /will not deliver/,
  ],
  ['TLSA names ours', 'tlsa', { 'TLSA _25._tcp.mx.us.test': [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 0xab) }] }, 'right', /^$/],
  ['TLS reports without address', 'tlsReports', { 'TXT _smtp._tls.us.test': ['v=TLSRPTv1;'] }, 'wrong', /rua=/],
] as const)
  test(`when ${what}, ${kind} is ${state}`, async () => {
    const finding = (await look({ ...GOOD, ...(change as Zone) })).of(kind);
    assert.equal(finding.state, state, finding.advice);
    assert.match(finding.advice, advice);
  });

test('reports to an address in another domain need its consent', async () => {
  const facts = { ...FACTS, reportAddress: 'dmarc@reports.example' };
  const name = 'us.test._report._dmarc.reports.example';
  assert.equal((await look(GOOD, facts)).of('dmarcConsent').state, 'missing');
  assert.equal((await look({ ...GOOD, [`TXT ${name}`]: ['v=DMARC1'] }, facts)).of('dmarcConsent').state, 'right');
});

test('the zone text holds all, with a long key in several strings and doubtful records as comments', () => {
  const text = zoneText(wantedRecords(FACTS));
  assert.match(text, /^us\.test\. 3600 IN MX 10 mx\.us\.test\.$/m);
  assert.match(text, /^s1\._domainkey\.us\.test\. 3600 IN TXT \(\n {4}"v=DKIM1[^"]{248}"\n {4}"A+" \)$/m);
  assert.match(text, /^; autoconfig\.us\.test\. 3600 IN CNAME mx\.us\.test\.$/m);
  assert.match(text, /^; 1\.2\.0\.192\.in-addr\.arpa\. 3600 IN PTR mx\.us\.test\.$/m);
  assert.doesNotMatch(text, /OLD/);
  for (const line of text.split('\n')) for (const [string] of line.matchAll(/"[^"]*"/g)) assert.ok(string.length <= 257);
});

test('of the addresses of the interfaces only public ones count', () => {
  const list = (...all: string[]) => ({ eth0: all.map((address) => ({ address })) }) as unknown as ReturnType<typeof import('node:os').networkInterfaces>;
  assert.deepEqual(publicAddresses(list('127.0.0.1', 'fe80::1%eth0', '10.0.0.1', 'fd00::1', '2001:db8::1', '192.0.2.1')), ['192.0.2.1', '2001:db8::1']);
  assert.equal(isPublicAddress('nonsense'), false);
});
