import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NO_ARC } from './arc.ts';
import type { Author } from './author.ts';
import type { DkimResult } from './dkim.ts';
import { checkDmarc, type DmarcInput, type DmarcOptions, type DmarcResult } from './dmarc.ts';
import { isDmarcRecord, parseDmarc } from './dmarc-record.ts';
import { domainName } from './domain-name.ts';
import { createMemo } from './memo.ts';
import { organisationalDomain } from './organisation.ts';
import type { SpfResult } from './spf.ts';
import { run } from './steps.ts';
import { tableDns, type Zones } from './testing.ts';

const PSL = readFileSync(new URL('../../../test/vectors/dmarc/test_psl.txt', import.meta.url), 'utf8');
const ROWS = [...PSL.matchAll(/^checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);/gm)].map((match) =>
  match.slice(1, 3).map((word) => (word === 'null' ? null : word!.slice(1, -1))),
);

test('the organisational domains of the public suffix list vectors', () => {
  assert.ok(ROWS.length >= 78);
  for (const [input, expected] of ROWS as [string | null, string | null][]) {
    // Names that stand in no From field: no name at all, or one with an empty label.
    const domain = input === null ? null : domainName(input);
    const found = domain === null ? null : organisationalDomain(domain);
    assert.equal(found, expected === null ? null : domainName(expected), `${input}`);
  }
});

for (const [text, expected] of [
  ['v=DMARC1; p=none', { p: 'none', sp: 'none', np: 'none', adkim: 'r', aspf: 'r', pct: 100 }],
  ['v=DMARC1;p=reject;sp=quarantine;adkim=s;aspf=s;pct=30', { p: 'reject', sp: 'quarantine', np: 'quarantine', adkim: 's', aspf: 's', pct: 30 }],
  ['v = DMARC1 ; p = Reject ; np=none;', { p: 'reject', sp: 'reject', np: 'none' }],
  ['v=DMARC1; p=reject; adkim=x; pct=101; zz=1;;', { p: 'reject', adkim: 'r', pct: 100 }],
  ['v=DMARC1; P=reject', { p: 'reject' }],
  ['v=DMARC1; rua=mailto:a@b.test', { p: 'none' }],
  ['v=DMARC1; p=often; rua=mailto:a@b.test', { p: 'none' }],
  ['v=DMARC1; p=reject; sp=often; rua=mailto:a@b.test', { p: 'none', sp: 'none' }],
  ['v=DMARC1; p=none; rua=mailto:a@b.test!10m, https://x.test/y ,nonsense; fo=1:d', { rua: ['mailto:a@b.test!10m', 'https://x.test/y'], fo: '1:d' }],
  ['v=DMARC1', 'p= is missing or wrong'],
  ['v=DMARC1; p=often', 'p= is missing or wrong'],
  ['v=DMARC1; p=reject; sp=often', 'sp= is wrong'],
  ['v=DMARC1; p=reject; p=none', 'p= stands twice'],
  ['v=DMARC1; p', 'syntax error in its tags'],
] as const)
  test(`record "${text}"`, () => {
    const record = parseDmarc(text);
    if (typeof expected === 'string') assert.equal(record, expected);
    else assert.deepEqual({ ...(record as object), ...expected }, record);
  });

test('only what begins with v=DMARC1 is a record', () => {
  for (const text of ['v=DMARC1', 'v=DMARC1;p=none', 'v = DMARC1 ; x']) assert.ok(isDmarcRecord(text), text);
  for (const text of ['v=DMARC10; p=none', 'p=none; v=DMARC1', 'v=spf1 -all', '', 'v=dmarc1; p=none', ' v=DMARC1']) assert.ok(!isDmarcRecord(text), text);
});

const ZONES: Zones = {
  '_dmarc.reject.test': { txt: ['v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@reject.test'] },
  'real.reject.test': { a: ['192.0.2.1'] },
  '_dmarc.own.reject.test': { txt: ['v=DMARC1; p=none'] },
  '_dmarc.strict.test': { txt: ['v=DMARC1; p=reject; adkim=s; aspf=s'] },
  '_dmarc.sampled.test': { txt: ['v=DMARC1; p=reject; pct=30'] },
  '_dmarc.half.test': { txt: ['v=DMARC1; p=quarantine; pct=0'] },
  '_dmarc.several.test': { txt: ['v=DMARC1; p=reject', 'v=DMARC1; p=none'] },
  '_dmarc.mixed.test': { txt: ['v=spf1 -all', 'v=DMARC1; p=quarantine'] },
  '_dmarc.broken.test': { txt: ['v=DMARC1; p=often'] },
  '_dmarc.down.test': { fails: true },
  '_dmarc.sub.several.test': { txt: ['unrelated'] },
  '_dmarc.example.co.uk': { txt: ['v=DMARC1; p=quarantine'] },
  '_dmarc.co.uk': { txt: ['v=DMARC1; p=reject'] },
};
const OPTIONS: DmarcOptions = { overrides: new Map(), most: 'reject', trustedSealers: [], severalFields: 'reject' };
const author = (...domains: string[]): Author => ({
  kind: domains.length === 1 ? 'one' : domains.length === 0 ? 'none' : 'several',
  domains,
  hasSeveralFields: false,
  nameDomain: null,
});
const spf = (domain: string, result: SpfResult['result'] = 'pass'): SpfResult => ({
  result,
  scope: 'mailfrom',
  domain,
  mechanism: null,
  problem: null,
  explanation: null,
});
const dkim = (domain: string, result: DkimResult['result'] = 'pass'): DkimResult => ({
  result,
  isVerified: result === 'pass',
  domain,
  selector: 's',
  identity: null,
  algorithm: 'rsa-sha256',
  bits: 2048,
  signature: 'abc',
  isTesting: false,
  reason: null,
});
function check(from: Author, more: Partial<DmarcInput> = {}, options: Partial<DmarcOptions> = {}): DmarcResult {
  const input = { author: from, spf: null, dkim: [], arc: NO_ARC, sample: 0, ...more };
  const result = run(checkDmarc(input, tableDns(ZONES), createMemo(10), { ...OPTIONS, ...options }));
  assert.ok(!(result instanceof Promise));
  return result;
}

const CASES: readonly [name: string, domain: string, more: Partial<DmarcInput>, options: Partial<DmarcOptions>, result: string, disposition: string][] = [
  ['SPF of the same domain', 'reject.test', { spf: spf('reject.test') }, {}, 'pass', 'none'],
  ['SPF of a domain below', 'reject.test', { spf: spf('mail.reject.test') }, {}, 'pass', 'none'],
  ['SPF of the domain above', 'real.reject.test', { spf: spf('reject.test') }, {}, 'pass', 'none'],
  ['SPF of another domain', 'reject.test', { spf: spf('other.test') }, {}, 'fail', 'reject'],
  ['SPF softfail', 'reject.test', { spf: spf('reject.test', 'softfail') }, {}, 'fail', 'reject'],
  ['DKIM of the same domain', 'reject.test', { dkim: [dkim('reject.test')] }, {}, 'pass', 'none'],
  ['DKIM of a domain below', 'reject.test', { dkim: [dkim('x.y.reject.test')] }, {}, 'pass', 'none'],
  ['DKIM that is only policy', 'reject.test', { dkim: [dkim('reject.test', 'policy')] }, {}, 'fail', 'reject'],
  ['DKIM of a domain that ends like it', 'reject.test', { dkim: [dkim('notreject.test')] }, {}, 'fail', 'reject'],
  ['one of several signatures', 'reject.test', { dkim: [dkim('x.test'), dkim('reject.test', 'fail'), dkim('reject.test')] }, {}, 'pass', 'none'],
  ['nothing', 'reject.test', {}, {}, 'fail', 'reject'],
  ['a subdomain that exists: sp', 'real.reject.test', {}, {}, 'fail', 'quarantine'],
  ['a subdomain that does not exist: np', 'ghost.reject.test', {}, {}, 'fail', 'reject'],
  ['a subdomain with its own record', 'own.reject.test', {}, {}, 'fail', 'none'],
  ['below a subdomain with its own record: the organisational domain counts', 'a.own.reject.test', {}, {}, 'fail', 'reject'],
  ['strict alignment, same', 'strict.test', { dkim: [dkim('strict.test')] }, {}, 'pass', 'none'],
  ['strict alignment, DKIM below', 'strict.test', { dkim: [dkim('m.strict.test')] }, {}, 'fail', 'reject'],
  ['strict alignment, SPF below', 'strict.test', { spf: spf('m.strict.test') }, {}, 'fail', 'reject'],
  ['sampled', 'sampled.test', { sample: 29 }, {}, 'fail', 'reject'],
  ['sampled out of reject', 'sampled.test', { sample: 30 }, {}, 'fail', 'quarantine'],
  ['sampled out of quarantine', 'half.test', { sample: 0 }, {}, 'fail', 'none'],
  ['several records', 'several.test', {}, {}, 'permerror', 'none'],
  ['several records above', 'x.several.test', {}, {}, 'permerror', 'none'],
  ['a record among others', 'mixed.test', {}, {}, 'fail', 'quarantine'],
  ['a broken record', 'broken.test', {}, {}, 'permerror', 'none'],
  ['a dead name server', 'down.test', {}, {}, 'temperror', 'none'],
  ['no record', 'nothing.test', {}, {}, 'none', 'none'],
  ['below a public suffix', 'a.example.co.uk', {}, {}, 'fail', 'quarantine'],
  ['another customer of the suffix', 'example.co.uk', { spf: spf('other.co.uk') }, {}, 'fail', 'quarantine'],
  ['the suffix itself', 'co.uk', { spf: spf('example.co.uk') }, {}, 'fail', 'reject'],
  ['overridden to none', 'reject.test', {}, { overrides: new Map([['reject.test', 'none' as const]]) }, 'fail', 'none'],
  ['overridden for the domain above', 'real.reject.test', {}, { overrides: new Map([['reject.test', 'reject' as const]]) }, 'fail', 'reject'],
  ['a policy for a domain without a record', 'nothing.test', {}, { overrides: new Map([['nothing.test', 'reject' as const]]) }, 'fail', 'reject'],
  ['never more than quarantine', 'reject.test', {}, { most: 'quarantine' }, 'fail', 'quarantine'],
  ['never more than none', 'reject.test', {}, { most: 'none' }, 'fail', 'none'],
];
for (const [name, domain, more, options, result, disposition] of CASES)
  test(`${name}: ${result}, ${disposition}`, () => {
    const found = check(author(domain), more, options);
    assert.deepEqual([found.result, found.disposition], [result, disposition], found.reason ?? '');
  });

test('why the disposition is another one is said as reports want it', () => {
  assert.equal(check(author('sampled.test'), { sample: 99 }).override?.type, 'sampled_out');
  assert.equal(check(author('reject.test'), {}, { most: 'none' }).override?.type, 'local_policy');
  assert.equal(check(author('reject.test')).override, null);
});

test('several authors never pass; the strictest policy of those who are not aligned is applied', () => {
  const all = { spf: spf('reject.test'), dkim: [dkim('reject.test')] };
  const two = check(author('reject.test', 'mixed.test'), all);
  assert.deepEqual([two.result, two.domain, two.disposition], ['fail', 'mixed.test', 'quarantine']);
  assert.deepEqual(
    [check(author('reject.test', 'nothing.test'), all).result, check(author('reject.test', 'nothing.test'), all).disposition],
    ['permerror', 'none'],
  );
  const fields = check({ ...author('reject.test', 'nothing.test'), hasSeveralFields: true }, all);
  assert.deepEqual([fields.result, fields.disposition], ['permerror', 'reject']);
  assert.equal(check({ ...author('reject.test', 'nothing.test'), hasSeveralFields: true }, all, { severalFields: 'none' }).disposition, 'none');
});

test('no author is permerror', () => assert.deepEqual([check(author()).result, check(author()).disposition], ['permerror', 'none']));

test('a trusted sealer who saw it pass overrides, an untrusted one and a gap do not', () => {
  const set = (instance: number, domain: string, payload: string) => ({
    instance,
    payload,
    results: null!,
    message: null!,
    seal: { field: null!, cv: 'pass' as const, domain, selector: 'k', keyType: 'rsa' as const, signature: Buffer.alloc(0) },
  });
  const arc = (...sets: ReturnType<typeof set>[]) => ({ ...NO_ARC, result: 'pass' as const, isFromSigned: true, sets, highest: sets.length });
  const trusted = { trustedSealers: ['list.test'] };
  const pass = 'list.test; dmarc=pass header.from=reject.test';
  const kept = check(author('reject.test'), { arc: arc(set(1, 'mx.list.test', pass)) }, trusted);
  assert.deepEqual([kept.result, kept.disposition, kept.override?.type], ['fail', 'none', 'trusted_forwarder']);
  assert.equal(check(author('reject.test'), { arc: arc(set(1, 'list.test', pass), set(2, 'list.test', 'list.test; arc=pass')) }, trusted).disposition, 'none');
  for (const [name, chain] of [
    ['nobody trusted', arc(set(1, 'other.test', pass))],
    ['the newest is not trusted', arc(set(1, 'list.test', pass), set(2, 'other.test', pass))],
    ['an untrusted one says so before the trusted', arc(set(1, 'other.test', pass), set(2, 'list.test', 'list.test; dmarc=fail'))],
    ['about another author', arc(set(1, 'list.test', 'list.test; dmarc=pass header.from=evil.test'))],
    ['a broken chain', { ...arc(set(1, 'list.test', pass)), result: 'fail' as const }],
    ['From not covered', { ...arc(set(1, 'list.test', pass)), isFromSigned: false }],
  ] as const)
    assert.equal(check(author('reject.test'), { arc: chain }, trusted).disposition, 'reject', name);
});
