import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../../system/declare.ts';
import { authenticationResults, authservIdOf, forgedResults } from './results-field.ts';
import { MessageHeader } from './message-header.ts';
import { AUTHENTICITY_SETTINGS, type AuthenticitySettings, readDmarcOverrides } from './settings.ts';
import { judgeInput, keyRecord, messageView, signMessage, tableDns, type Zones } from './testing.ts';
import { type AuthenticityResult, createAuthenticity } from './verify.ts';

const pair = generateKeyPairSync('ed25519');
const ZONES: Zones = {
  'author.test': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
  'mail.author.test': { txt: ['v=spf1 a -all'], a: ['192.0.2.1'] },
  '_dmarc.author.test': { txt: ['v=DMARC1; p=reject; sp=none; rua=mailto:d@author.test'] },
  's._domainkey.author.test': { txt: [keyRecord(pair.publicKey)] },
  'late.test': { fails: true },
  '_dmarc.late.test': { fails: true },
};
const LETTER = 'From: Anna <anna@author.test>\r\nTo: bert@us.test\r\nSubject: hello\r\n\r\nbody\r\n';
const SIGNED = signMessage(LETTER, { key: pair.privateKey, domain: 'author.test' });

function maker(settings: Partial<AuthenticitySettings> = {}, isSlow = false) {
  const counted: string[] = [];
  const values = { ...defaultsOf(AUTHENTICITY_SETTINGS), ...settings };
  const metrics = { count: (name: string, _by?: number, label?: string) => void counted.push(`${name} ${label}`), gauge: () => undefined };
  const authenticity = createAuthenticity({
    settings: () => values,
    hostname: () => 'mx.us.test',
    dns: tableDns(ZONES, isSlow),
    now: () => 1_700_000_000_000,
    metrics,
  });
  return { authenticity, counted };
}
function verifyNow(...args: Parameters<ReturnType<typeof maker>['authenticity']['verify']>): AuthenticityResult {
  const result = maker().authenticity.verify(...args);
  assert.ok(!(result instanceof Promise));
  return result;
}
const names = (result: AuthenticityResult): string[] => result.symbols.map((symbol) => symbol.name);

test('with warm DNS and the message in memory the answer comes at once, and is the same when it must wait', async () => {
  const { authenticity, counted } = maker();
  const now = authenticity.verify(judgeInput(SIGNED));
  assert.ok(!(now instanceof Promise));
  assert.deepEqual(names(now), ['SPF_PASS', 'DKIM_VALID', 'DKIM_VALID_AUTHOR', 'DMARC_PASS']);
  assert.deepEqual(counted, ['authenticity.spf pass', 'authenticity.dkim pass', 'authenticity.dmarc pass']);
  const later = await maker({}, true).authenticity.verify(judgeInput(messageView(Buffer.from(SIGNED), 10)));
  assert.equal(later.authenticationResults, now.authenticationResults);
  assert.deepEqual(later.symbols, now.symbols);
});

test('the fields say what was found', () => {
  const result = verifyNow(judgeInput(SIGNED), { reverse: { name: 'mail.author.test', isConfirmed: true } });
  const value = result.authenticationResults.replace(/header\.b=[^;]+/, 'header.b=X');
  assert.equal(
    value,
    [
      'mx.us.test',
      '\tiprev=pass (mail.author.test) policy.iprev=192.0.2.1',
      '\tspf=pass (ip4:192.0.2.1) smtp.mailfrom=anna@author.test',
      '\tspf=pass (a) smtp.helo=mail.author.test',
      '\tdkim=pass header.d=author.test header.s=s header.a=ed25519-sha256 header.b=X',
      '\tdmarc=pass (p=reject dis=none) header.from=author.test policy.dmarc=none',
    ].join(';\r\n'),
  );
  assert.match(
    result.receivedSpf!,
    /^pass \(mx\.us\.test: author\.test permits 192\.0\.2\.1\)\r\n\tclient-ip=192\.0\.2\.1;\r\n\tenvelope-from="anna@author\.test";\r\n\thelo=mail\.author\.test;/,
  );
  assert.deepEqual(
    result.edits.map((edit) => [edit.kind, edit.name]),
    [
      ['prepend', 'Received-SPF'],
      ['prepend', 'Authentication-Results'],
    ],
  );
  assert.doesNotMatch(result.payload, /[\r\n\t]/);
});

test('what fails is refused with a reply, and the report has the facts', () => {
  const result = verifyNow(
    judgeInput(LETTER, { client: { ip: '203.0.113.9', port: 1, name: null }, helo: 'x.test', sender: { local: 'a', domain: 'other.test' } }),
  );
  assert.deepEqual([result.dmarc.result, result.dmarc.disposition], ['fail', 'reject']);
  assert.deepEqual([result.reply?.code, result.reply?.enhanced], [550, '5.7.26']);
  assert.ok(names(result).includes('DMARC_REJECT'));
  assert.deepEqual(result.report, {
    domain: 'author.test',
    policy: { adkim: 'r', aspf: 'r', p: 'reject', sp: 'none', pct: 100, rua: ['mailto:d@author.test'] },
    sourceIp: '203.0.113.9',
    headerFrom: 'author.test',
    envelopeFrom: 'other.test',
    disposition: 'reject',
    dkimAligned: false,
    spfAligned: false,
    override: null,
    dkim: [],
    spf: { domain: 'other.test', scope: 'mfrom', result: 'none' },
  });
});

test('the null reverse-path is checked by its HELO name', () => {
  const result = verifyNow(judgeInput(LETTER, { sender: null }));
  assert.deepEqual([result.spf?.scope, result.spf?.result, result.heloSpf, result.dmarc.result], ['helo', 'pass', null, 'pass']);
  assert.equal(result.report?.spf.scope, 'helo');
});

test('mail of our own users and mail without a client is not asked about', () => {
  const account = { id: 1, login: 'anna@us.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
  const own = verifyNow(judgeInput(LETTER, { auth: account }));
  assert.equal(own.authenticationResults, 'mx.us.test;\r\n\tauth=pass smtp.auth=anna@us.test');
  assert.deepEqual([own.symbols.length, own.report, own.receivedSpf, own.dmarc.disposition], [0, null, null, 'none']);
  assert.equal(verifyNow(judgeInput(LETTER, { client: null })).spf, null);
});

test('a dead name server is a temporary error and refuses nothing', () => {
  const result = verifyNow(judgeInput(LETTER.replace('author.test', 'late.test'), { sender: { local: 'a', domain: 'late.test' } }));
  assert.deepEqual([result.spf?.result, result.dmarc.result, result.dmarc.disposition], ['temperror', 'temperror', 'none']);
});

test('reverse DNS gives symbols only when somebody looked', () => {
  assert.ok(names(verifyNow(judgeInput(LETTER), { reverse: { name: null, isConfirmed: false } })).includes('RDNS_NONE'));
  assert.ok(names(verifyNow(judgeInput(LETTER), { reverse: { name: 'a.test', isConfirmed: false } })).includes('RDNS_UNCONFIRMED'));
  assert.ok(!names(verifyNow(judgeInput(LETTER))).some((name) => name.startsWith('RDNS')));
});

test('the same message is always sampled alike', () => {
  const ids = Array.from({ length: 400 }, (_, i) => `id${i}`);
  const zones: Zones = { '_dmarc.author.test': { txt: ['v=DMARC1; p=reject; pct=25'] } };
  const authenticity = createAuthenticity({ settings: () => defaultsOf(AUTHENTICITY_SETTINGS), hostname: () => 'mx', dns: tableDns(zones), now: () => 0 });
  const judged = (id: string): string => (authenticity.verify(judgeInput(LETTER, { id })) as AuthenticityResult).dmarc.disposition;
  const rejected = ids.filter((id) => judged(id) === 'reject');
  assert.ok(rejected.length > 60 && rejected.length < 140, String(rejected.length));
  assert.deepEqual(
    ids.filter((id) => judged(id) === 'reject'),
    rejected,
  );
});

for (const [value, expected] of [
  ['mx.us.test; spf=pass', 'mx.us.test'],
  ['mx.us.test 1; none', 'mx.us.test'],
  ['MX.us.test;none', 'MX.us.test'],
  ['  (a (nested) comment) mx.us.test(x); none', 'mx.us.test'],
  ['"mx.us.test"; none', 'mx.us.test'],
  ['"mx\\.us.test"; none', 'mx.us.test'],
  ['mx.us.test', 'mx.us.test'],
  ['other.test; x=mx.us.test', 'other.test'],
  ['(unfinished mx.us.test', null],
  ['; spf=pass', null],
  ['@mx.us.test; x', null],
  ['', null],
] as const)
  test(`the server that "${value}" claims`, () => assert.equal(authservIdOf(value), expected));

test('results that claim to be ours are taken out from the last one, others stay', () => {
  const fields = ['other.test; spf=pass', 'mx.us.test; spf=pass', '"MX.us.test" 1; none', '(x)\r\n mx.us.test; dmarc=pass', '', 'mx.us.test.evil.test; none'];
  const bytes = Buffer.from(
    `${fields.map((value, i) => `${i % 2 === 0 ? 'Authentication-Results' : 'authentication-RESULTS '}: ${value}\r\n`).join('')}From: a@b.test\r\n\r\n`,
  );
  assert.deepEqual(
    forgedResults(new MessageHeader(bytes, bytes.length), 'mx.us.test').map((edit) => (edit.kind === 'change' ? edit.nth : 0)),
    [5, 4, 3, 2],
  );
});

test('nothing a sender says ends a value, a comment or a field', () => {
  const nasty = fc.string({
    unit: fc.constantFrom('a', '@', '.', '"', '\\', '(', ')', ';', '\r', '\n', '\r\n', '\0', ' ', '\t', 'é', '<', '=', '%'),
    maxLength: 30,
  });
  fc.assert(
    fc.property(nasty, nasty, nasty, nasty, (local, domain, helo, from) => {
      const message = `From: ${from.replace(/[\r\n]/g, '')}\r\nDKIM-Signature: v=1; a=${local.replace(/[\r\n;]/g, '')}; d=${domain.replace(/[\r\n;]/g, '')}; s=x; i=${helo.replace(/[\r\n;]/g, '')}@x; h=from; bh=AA; b=AA\r\n\r\n`;
      const { authenticity } = maker();
      const result = authenticity.verify(judgeInput(message, { sender: { local, domain }, helo }));
      assert.ok(!(result instanceof Promise));
      for (const value of [result.authenticationResults, result.receivedSpf!]) {
        assert.match(value, /^[\x20-\x7e\r\n\t]*$/);
        assert.doesNotMatch(value.replaceAll('\r\n\t', ''), /[\r\n\t]/);
        assert.ok(isBalanced(value), value);
        for (const line of value.split('\r\n')) assert.ok(line.length <= 998);
      }
      const methods = outside(result.authenticationResults).split(';').slice(1);
      for (const method of methods) assert.match(method, /^\s*(?:spf|dkim|dmarc|arc)=(?:pass|fail|softfail|neutral|none|policy|temperror|permerror)(?:\s|$)/);
    }),
    { seed: 8601, numRuns: 500 },
  );
});

/** The text outside of comments and quoted strings. */
function outside(value: string): string {
  return value.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/\([^()]*\)/g, '');
}
function isBalanced(value: string): boolean {
  return !/["()\\]/.test(outside(value));
}

test('no header, however odd, makes the checks throw', () => {
  const piece = fc.constantFrom(
    'From',
    ':',
    ' ',
    'a@author.test',
    '<',
    '>',
    ',',
    ';',
    '(',
    ')',
    '"',
    '\\',
    '\r\n',
    '\n',
    '\r',
    '\0',
    '\xff',
    'DKIM-Signature: v=1; a=rsa-sha256; d=author.test; s=s; h=from; bh=AA==; b=AA==',
    'ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.test; s=s; b=AA',
    'Authentication-Results:',
    '=?utf-8?q?x?=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { authenticity } = maker();
      const result = authenticity.verify(judgeInput(pieces.join('')));
      assert.ok(!(result instanceof Promise));
    }),
    { seed: 5322, numRuns: 500 },
  );
});

test('an empty message has no author and is judged all the same', () => {
  assert.ok(names(verifyNow(judgeInput(''))).includes('FROM_MISSING'));
});

test('overrides are read by canonical domain', () => {
  const setting = AUTHENTICITY_SETTINGS['authenticity.dmarcOverrides'];
  assert.deepEqual(
    [...readDmarcOverrides(setting.parse(['Example.ORG none', 'bücher.test  reject']))],
    [
      ['example.org', 'none'],
      ['xn--bcher-kva.test', 'reject'],
    ],
  );
  for (const wrong of ['example.org', 'example.org maybe', 'a..b none', '[192.0.2.1] none']) assert.throws(() => setting.parse([wrong]));
});

test('without any result the field says none', () => {
  const { dmarc, arc, dkim } = verifyNow(judgeInput(LETTER, { client: null }));
  const findings = { ip: null, helo: null, sender: null, login: '', reverse: null, spf: null, heloSpf: null, dkim, dmarc, arc };
  assert.match(authenticationResults('mx.us.test', findings, ' '), /^mx\.us\.test; auth=pass smtp\.auth=""$/);
});

test('a resolver that writes down hears the same questions, whether results were remembered or not', () => {
  const { authenticity } = maker();
  const heard = (): string[] => {
    const asked: string[] = [];
    const result = authenticity.verify(judgeInput(SIGNED), { dns: tableDns(ZONES, false, asked) });
    assert.ok(!(result instanceof Promise));
    return [...new Set(asked)].sort();
  };
  const first = heard();
  assert.deepEqual(first, ['a mail.author.test', 'txt _dmarc.author.test', 'txt author.test', 'txt mail.author.test', 'txt s._domainkey.author.test']);
  assert.deepEqual(heard(), first);
});
