import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { BodyHashes } from './body-hash.ts';
import { checkDkim, type DkimOptions, type DkimResult } from './dkim.ts';
import { parseKey } from './dkim-key.ts';
import { createMemo } from './memo.ts';
import { MessageHeader } from './message-header.ts';
import { run } from './steps.ts';
import { keyRecord, messageView, signMessage, tableDns, type TestSignature, type Zones } from './testing.ts';

const NOW = 1_700_000_000;
const OPTIONS: DkimOptions = { rsaBitsMin: 1024, signaturesMax: 10, domainSignaturesMax: 5, nowSeconds: NOW, prefer: null };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const short = generateKeyPairSync('rsa', { modulusLength: 768 });
const ed = generateKeyPairSync('ed25519');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const at = (name: string): string => `${name}._domainkey.author.test`;
const ZONES: Zones = {
  [at('rsa')]: { txt: [keyRecord(rsa.publicKey)] },
  [at('pkcs1')]: { txt: [`k=rsa; p=${rsa.publicKey.export({ format: 'der', type: 'pkcs1' }).toString('base64')}`] },
  [at('bare')]: { txt: [keyRecord(rsa.publicKey, 'n=no version')] },
  [at('ed')]: { txt: [keyRecord(ed.publicKey)] },
  [at('short')]: { txt: [keyRecord(short.publicKey)] },
  [at('testing')]: { txt: [keyRecord(rsa.publicKey, 'v=DKIM1; t=y')] },
  [at('strict')]: { txt: [keyRecord(rsa.publicKey, 'v=DKIM1; t=s : y')] },
  [at('sha1')]: { txt: [keyRecord(rsa.publicKey, 'v=DKIM1; h=sha1')] },
  [at('web')]: { txt: [keyRecord(rsa.publicKey, 'v=DKIM1; s=web:tlsrpt')] },
  [at('email')]: { txt: [keyRecord(rsa.publicKey, 'v=DKIM1; s=email:web')] },
  [at('late')]: { txt: [keyRecord(rsa.publicKey, 'k2=x; v=DKIM1')] },
  [at('other')]: { txt: ['v=DKIM2; p=AAAA'] },
  [at('revoked')]: { txt: ['v=DKIM1; p='] },
  [at('broken')]: { txt: ['v=DKIM1; p=!!!'] },
  [at('garbage')]: { txt: ['v=DKIM1; p=AAAA'] },
  [at('ec')]: { txt: [`v=DKIM1; p=${ec.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')}`] },
  [at('spf')]: { txt: ['v=spf1 -all', keyRecord(rsa.publicKey)] },
  [at('down')]: { fails: true },
  [at('elsewhere')]: { cname: 'rsa._domainkey.provider.test' },
  'rsa._domainkey.provider.test': { txt: [keyRecord(rsa.publicKey)] },
};

async function verify(message: string | Buffer, options: Partial<DkimOptions> = {}, zones: Zones = ZONES, pieceBytes = 0): Promise<DkimResult[]> {
  const view = messageView(typeof message === 'string' ? Buffer.from(message, 'latin1') : message, pieceBytes);
  const header = new MessageHeader(view.header, view.size);
  const hashes = new BodyHashes();
  const pending = await run(checkDkim(header, tableDns(zones), createMemo(100), { ...OPTIONS, ...options }, hashes));
  await hashes.feed(view, header.end);
  return pending.map((finish) => finish());
}

const LETTER =
  'From: Anna <anna@author.test>\r\nTo: bert@us.test\r\nSubject:  two  blanks\r\n\tand a fold \r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nHello,  world \r\n\r\nbye\r\n\r\n';
const signed = (how: Partial<TestSignature> = {}, letter = LETTER): string =>
  signMessage(letter, { key: rsa.privateKey, domain: 'author.test', selector: 'rsa', ...how });

for (const [header, body] of [
  ['simple', 'simple'],
  ['simple', 'relaxed'],
  ['relaxed', 'simple'],
  ['relaxed', 'relaxed'],
] as const)
  for (const [name, key] of [
    ['rsa', rsa],
    ['ed', ed],
  ] as const)
    test(`a ${name} signature in ${header}/${body} form passes, whole, in pieces and with LF alone`, async () => {
      const message = signed({ key: key.privateKey, selector: name, forms: [header, body] });
      for (const text of [message, message.replaceAll('\r\n', '\n')])
        for (const pieceBytes of [0, 1, 64]) {
          const [result] = await verify(text, {}, ZONES, pieceBytes);
          assert.deepEqual([result!.result, result!.reason, result!.isVerified], ['pass', null, true]);
        }
    });

type Change = (message: string) => string;
const same: Change = (message) => message;
const CASES: readonly [name: string, how: Partial<TestSignature>, change: Change, expected: DkimResult['result'], reason: RegExp | null][] = [
  ['a changed subject', {}, (m) => m.replace('two', 'three'), 'fail', /signature did not/],
  ['a changed body', {}, (m) => m.replace('world', 'World'), 'fail', /body hash/],
  ['blanks at line ends in relaxed form', {}, (m) => m.replace('world \r\n', 'world\t \r\n'), 'pass', null],
  ['a field refolded in relaxed form', {}, (m) => m.replace('two  blanks\r\n\tand', 'two blanks and'), 'pass', null],
  ['a field refolded in simple form', { forms: ['simple', 'simple'] }, (m) => m.replace('two  blanks\r\n\tand', 'two blanks and'), 'fail', /signature did not/],
  ['names in other cases, with blanks before the colon', {}, (m) => m.replace('Subject:', 'SUBJECT \t:'), 'pass', null],
  ['an unsigned field added', {}, (m) => `X-Other: 1\r\n${m}`, 'pass', null],
  ['a second Subject above', {}, (m) => `Subject: other\r\n${m}`, 'policy', /subject stands more often/],
  ['a second From above', {}, (m) => `From: x@evil.test\r\n${m}`, 'policy', /from stands more often/],
  ['a second From below', {}, (m) => m.replace('\r\n\r\n', '\r\nFrom: x@evil.test\r\n\r\n'), 'fail', /signature did not/],
  ['a second From where it was oversigned', { names: ['from', 'from', 'to', 'subject'] }, (m) => `From: x@evil.test\r\n${m}`, 'fail', /signature did not/],
  ['oversigned and unchanged', { names: ['from', 'from', 'cc', 'to', 'subject'] }, same, 'pass', null],
  ['From unsigned', { names: ['to', 'subject'] }, same, 'permerror', /From is not signed/],
  ['l= that covers all', { bodyBytes: 25 }, same, 'policy', null],
  ['l= with text added', { bodyBytes: 10 }, (m) => `${m}more\r\n`, 'policy', /not signed/],
  ['l=0', { bodyBytes: 0 }, same, 'policy', /not signed/],
  ['l= beyond the body', { bodyBytes: 999 }, same, 'fail', /beyond/],
  ['expired', { tags: `t=${NOW - 1000}; x=${NOW - 500}` }, same, 'fail', /expired/],
  ['about to expire', { tags: `t=${NOW - 1000}; x=${NOW + 5}` }, same, 'pass', null],
  ['expired within the clock skew', { tags: `x=${NOW - 60}` }, same, 'pass', null],
  ['from the future', { tags: `t=${NOW + 4000}` }, same, 'fail', /future/],
  ['expires before it was made', { tags: `t=${NOW - 10}; x=${NOW - 20}` }, same, 'fail', /before/],
  ['t= no number', { tags: 't=yes' }, same, 'permerror', /no time/],
  ['i= within d=', { tags: 'i=anna@mail.author.test' }, same, 'pass', null],
  ['i= elsewhere', { tags: 'i=anna@evil.test' }, same, 'permerror', /within/],
  ['i= that only ends like d=', { tags: 'i=anna@evilauthor.test' }, same, 'permerror', /within/],
  ['i= without @', { tags: 'i=author.test' }, same, 'permerror', /within/],
  ['i= quoted printable', { tags: 'i==61nna=40author.test' }, same, 'pass', null],
  ['a tag twice', { tags: 'd=author.test' }, same, 'neutral', /twice/],
  ['an unknown tag', { tags: 'zz=1' }, same, 'pass', null],
  ['q=dns/txt', { tags: 'q=dns/txt' }, same, 'pass', null],
  ['q= unknown', { tags: 'q=carrier/pigeon' }, same, 'neutral', /query/],
  ['rsa-sha1', { hash: 'sha1' }, same, 'policy', /sha1/],
  ['rsa-sha1 with a changed body', { hash: 'sha1' }, (m) => m.replace('world', 'World'), 'fail', /body hash/],
  ['an unknown algorithm', { algorithm: 'rsa-md5' }, same, 'neutral', /algorithm/],
  ['v=2', {}, (m) => m.replace('v=1;', 'v=2;'), 'neutral', /version/],
  ['no v=', {}, (m) => m.replace('v=1;', ''), 'fail', /signature did not/],
  ['no d=', {}, (m) => m.replace('d=author.test;', ''), 'permerror', /d= is missing/],
  ['an empty b=', {}, (m) => m.replace(/ b=[^\r]*/, ' b='), 'permerror', /b= is missing/],
  ['b= no base64', {}, (m) => m.replace(/ b=[^\r]*/, ' b=**'), 'permerror', /base64/],
  ['a d= that is no domain', { domain: 'author..test' }, same, 'permerror', /no domain/],
  ['a selector that is no name', { selector: 'a b' }, same, 'permerror', /selector/],
  ['a key of 768 bits', { key: short.privateKey, selector: 'short' }, same, 'policy', /768 bits/],
  ['a key as RSAPublicKey', { selector: 'pkcs1' }, same, 'pass', null],
  ['a key without v=', { selector: 'bare' }, same, 'pass', null],
  ['a key behind a CNAME', { selector: 'elsewhere' }, same, 'pass', null],
  ['a key beside another TXT record', { selector: 'spf' }, same, 'pass', null],
  ['a key for testing', { selector: 'testing' }, same, 'pass', null],
  ['a strict key and i= in d= itself', { selector: 'strict', tags: 'i=anna@author.test' }, same, 'pass', null],
  ['a strict key and i= below', { selector: 'strict', tags: 'i=anna@mail.author.test' }, same, 'permerror', /itself/],
  ['a key for sha1 only', { selector: 'sha1' }, same, 'permerror', /hash/],
  ['a key for other services', { selector: 'web' }, same, 'permerror', /not for mail/],
  ['a key for mail among others', { selector: 'email' }, same, 'pass', null],
  ['a key whose v= is not first', { selector: 'late' }, same, 'permerror', /version/],
  ['a key of another version', { selector: 'other' }, same, 'permerror', /version/],
  ['a revoked key', { selector: 'revoked' }, same, 'permerror', /revoked/],
  ['a key that is no base64', { selector: 'broken' }, same, 'permerror', /no valid key/],
  ['a key that is no key', { selector: 'garbage' }, same, 'permerror', /no valid key/],
  ['an EC key called RSA', { selector: 'ec' }, same, 'permerror', /no valid key/],
  ['a key of the other type', { selector: 'ed' }, same, 'permerror', /another type/],
  ['no key', { selector: 'nothing' }, same, 'permerror', /no key/],
  ['a dead name server', { selector: 'down' }, same, 'temperror', /did not answer/],
  ['a field longer than any signer writes', { tags: `z=${'x'.repeat(20_000)}` }, same, 'neutral', /too long/],
];
for (const [name, how, change, expected, reason] of CASES)
  test(`${name}: ${expected}`, async () => {
    const [result] = await verify(change(signed(how)));
    if (name === 'l= that covers all') {
      const whole = await verify(signed({ bodyBytes: 'Hello, world\r\n\r\nbye\r\n'.length }));
      assert.equal(whole[0]!.result, 'pass');
      return;
    }
    assert.equal(result!.result, expected, result!.reason ?? '');
    if (reason === null) assert.equal(result!.reason, null);
    else assert.match(result!.reason ?? '', reason);
  });

test('a signature of draft times without v= is verified but no pass', async () => {
  const message = signMessage(LETTER, { key: rsa.privateKey, domain: 'author.test', selector: 'rsa' });
  const value = message.slice(message.indexOf(':') + 1, message.indexOf('\r\nFrom')).replace(' v=1;', '');
  // Signed anew without v=: the signer of these tests always writes it.
  const { relaxed, signedFields } = await import('./canonical-header.ts');
  const { sign } = await import('node:crypto');
  const bytes = Buffer.from(LETTER, 'latin1');
  const bare = value.replace(/ b=[^\r]*$/, ' b=');
  const data = signedFields(new MessageHeader(bytes, bytes.length), ['from', 'to', 'subject', 'date'], 'relaxed') + relaxed('DKIM-Signature', bare);
  const [result] = await verify(`DKIM-Signature:${bare}${sign('sha256', Buffer.from(data, 'latin1'), rsa.privateKey).toString('base64')}\r\n${LETTER}`);
  assert.deepEqual([result!.result, result!.isVerified, result!.reason], ['policy', true, 'v=1 is missing']);
});

test('a key for testing is noted', async () => assert.equal((await verify(signed({ selector: 'testing' })))[0]!.isTesting, true));

test('the messages of RFC 8463 appendix A.3 pass with both keys', async () => {
  const message = [
    'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;',
    ' d=football.example.com; i=@football.example.com;',
    ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
    ' subject : date : message-id : from : subject : date;',
    ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
    ' b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus',
    ' Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;',
    ' d=football.example.com; i=@football.example.com;',
    ' q=dns/txt; s=test; t=1528637909; h=from : to : subject :',
    ' date : message-id : from : subject : date;',
    ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
    ' b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3',
    ' DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz',
    ' dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=',
    'From: Joe SixPack <joe@football.example.com>',
    'To: Suzie Q <suzie@shopping.example.net>',
    'Subject: Is dinner ready?',
    'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
    'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
    '',
    'Hi.',
    '',
    'We lost the game.  Are you hungry yet?',
    '',
    'Joe.',
    '',
  ].join('\r\n');
  const zones: Zones = {
    'brisbane._domainkey.football.example.com': { txt: ['v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='] },
    'test._domainkey.football.example.com': { txt: [vector('test.txt').trim().replace('g=*; ', '')] },
  };
  for (const text of [message, vector('rfc6376.signed.msg')])
    assert.deepEqual(
      (await verify(text, {}, zones)).map(({ result, algorithm, reason }) => [result, algorithm, reason]),
      [
        ['pass', 'ed25519-sha256', null],
        ['pass', 'rsa-sha256', null],
      ],
    );
});
function vector(name: string): string {
  return readFileSync(new URL(`../../../test/vectors/dkim/${name}`, import.meta.url), 'latin1');
}

test('the bad key records of dkimpy are none', () => {
  for (const name of ['badk.txt', 'badversion.txt', 'test_bad.txt', 'test_tlsrpt.txt']) assert.notEqual(typeof parseKey(vector(name).trim()), 'object', name);
  assert.equal(typeof parseKey(vector('test.txt').trim()), 'object');
});

test('of many signatures ten are verified, five of one domain, the author first', async () => {
  const zones: Record<string, { txt: string[] }> = {};
  let message = LETTER;
  for (let i = 0; i < 14; i += 1) {
    const domain = i < 8 ? 'author.test' : `d${i}.test`;
    zones[`ed._domainkey.${domain}`] = { txt: [keyRecord(ed.publicKey)] };
    message = signMessage(message, { key: ed.privateKey, domain, selector: 'ed' });
  }
  const results = await verify(message, { prefer: 'mail.author.test' }, zones);
  assert.equal(results.length, 14);
  assert.equal(results.filter(({ result }) => result === 'pass').length, 10);
  assert.equal(results.filter(({ result, domain }) => result === 'pass' && domain === 'author.test').length, 5);
  const asked: string[] = [];
  const view = messageView(Buffer.from(message, 'latin1'));
  run(checkDkim(new MessageHeader(view.header, view.size), tableDns(zones, false, asked), createMemo(10), OPTIONS, new BodyHashes()));
  assert.ok(new Set(asked).size <= 10);
});

test('thousands of signature fields cost as much as a hundred', async () => {
  const results = await verify(`${'DKIM-Signature: v=1; d=x.test\r\n'.repeat(900)}${LETTER}`);
  assert.equal(results.length, 100);
});

test('a message without a body has a signature', async () => {
  for (const letter of ['From: a@author.test\r\n\r\n', 'From: a@author.test\r\n']) {
    const [result] = await verify(signed({ forms: ['relaxed', 'simple'] }, letter));
    assert.equal(result!.result, 'pass', result!.reason ?? '');
  }
});

test('mailauth signs and we verify; we sign in these tests and mailauth verifies', async () => {
  const require = createRequire(import.meta.url);
  const { dkimSign } = require('mailauth/lib/dkim/sign') as { dkimSign(message: Buffer, options: unknown): Promise<{ signatures: string; errors: unknown[] }> };
  const { dkimVerify } = require('mailauth/lib/dkim/verify') as {
    dkimVerify(message: Buffer, options: unknown): Promise<{ results: { status: { result: string } }[] }>;
  };
  for (const [selector, pair] of [
    ['rsa', rsa],
    ['ed', ed],
  ] as const)
    for (const canonicalization of ['relaxed/relaxed', 'simple/simple', 'relaxed/simple']) {
      const privateKey = pair.privateKey.export({ format: 'pem', type: 'pkcs8' });
      const { signatures } = await dkimSign(Buffer.from(LETTER), {
        canonicalization,
        signTime: new Date((NOW - 5) * 1000),
        signatureData: [{ signingDomain: 'author.test', selector, privateKey }],
      });
      const [result] = await verify(signatures + LETTER);
      assert.deepEqual([result!.result, result!.reason], ['pass', null]);
      const forms = canonicalization.split('/') as ['simple' | 'relaxed', 'simple' | 'relaxed'];
      const ours = signed({ key: pair.privateKey, selector, forms });
      const resolver = async (name: string): Promise<string[][]> => [[...(ZONES[name]?.txt ?? [])]];
      const theirs = await dkimVerify(Buffer.from(ours, 'latin1'), { resolver, curTime: new Date(NOW * 1000) });
      assert.equal(theirs.results[0]!.status.result, 'pass');
    }
});
