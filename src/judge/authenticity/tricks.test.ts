/**
 * What impostors do to a message. The attacker (evil.test) has a real domain with SPF and DKIM of its own, and may send on what bank.test
 * once signed; bank.test publishes p=reject. No trick may give dmarc=pass for the bank, nor at all where a reader could be shown the bank.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { defaultsOf } from '../../system/declare.ts';
import { AUTHENTICITY_SETTINGS } from './settings.ts';
import { judgeInput, keyRecord, messageView, signMessage, tableDns, type Zones } from './testing.ts';
import { type AuthenticityResult, createAuthenticity } from './verify.ts';

const bank = generateKeyPairSync('ed25519');
const evil = generateKeyPairSync('ed25519');
const ZONES: Zones = {
  'bank.test': { txt: ['v=spf1 ip4:198.51.100.0/24 -all'], mx: [[10, 'mx.bank.test']] },
  '_dmarc.bank.test': { txt: ['v=DMARC1; p=reject; rua=mailto:d@bank.test'] },
  's._domainkey.bank.test': { txt: [keyRecord(bank.publicKey)] },
  'evil.test': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
  'mail.evil.test': { txt: ['v=spf1 a -all'], a: ['192.0.2.1'] },
  '_dmarc.evil.test': { txt: ['v=DMARC1; p=none'] },
  's._domainkey.evil.test': { txt: [keyRecord(evil.publicKey)] },
  // The attacker also owns a name that looks like the bank's.
  'xn--bnk-6cd.test': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
  'bank.test.evil.test': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
};
const authenticity = createAuthenticity({
  settings: () => defaultsOf(AUTHENTICITY_SETTINGS),
  hostname: () => 'mx.us.test',
  dns: tableDns(ZONES),
  now: () => 1_700_000_000_000,
});

const BODY = '\r\nPlease pay.\r\n';
const TAIL = 'To: bert@us.test\r\nSubject: hello\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n';
const byEvil = (header: string, names: readonly string[] = ['from', 'to', 'subject', 'date']): string =>
  signMessage(header + TAIL + BODY, { key: evil.privateKey, domain: 'evil.test', names });
/** A real letter of the bank, which the attacker has received. */
const real = signMessage(`From: Bank <info@bank.test>\r\n${TAIL}${BODY}`, { key: bank.privateKey, domain: 'bank.test' });
const unlimited = signMessage(`From: Bank <info@bank.test>\r\n${TAIL}${BODY}`, { key: bank.privateKey, domain: 'bank.test', bodyBytes: 13 });
const fromOf = (value: string): string => byEvil(`From: ${value}\r\n`);

async function judge(message: string): Promise<AuthenticityResult> {
  const input = judgeInput(messageView(Buffer.from(message, 'latin1')), { sender: { local: 'x', domain: 'evil.test' }, helo: 'mail.evil.test' });
  return authenticity.verify(input);
}

/** Never dmarc=pass. */
const NEVER: readonly [name: string, message: string][] = [
  ['the bank in From, SPF of another MAIL FROM', fromOf('info@bank.test')],
  ['a subdomain of the bank that does not exist', fromOf('info@login.bank.test')],
  ['two From fields, the bank first', byEvil('From: info@bank.test\r\nFrom: x@evil.test\r\n')],
  ['two From fields, the bank last', byEvil('From: x@evil.test\r\nFrom: info@bank.test\r\n')],
  ['two From fields, both the attacker', byEvil('From: x@evil.test\r\nFrom: x@evil.test\r\n')],
  ['a second From in lower case', byEvil('From: x@evil.test\r\nfrom: info@bank.test\r\n')],
  ['a second From with a blank before the colon', byEvil('From: x@evil.test\r\nFrom : info@bank.test\r\n')],
  ['a second From with a tab before the colon', byEvil('FROM\t: info@bank.test\r\nFrom: x@evil.test\r\n')],
  ['a From whose name hides a NUL', byEvil('From: x@evil.test\r\nFr\0om: info@bank.test\r\n')],
  ['a From after a NUL', byEvil('From: x@evil.test\r\n\0From: info@bank.test\r\n')],
  ['a From after a byte order mark', byEvil('\xef\xbb\xbfFrom: info@bank.test\r\nFrom: x@evil.test\r\n')],
  ['a From with a blank before its name, at the very top', ` From: info@bank.test\r\n${byEvil('From: x@evil.test\r\n')}`],
  ['a NUL in the address', fromOf('x@evil.test\0@bank.test')],
  ['a NUL in the name', fromOf('"Bank <info@bank.test>\0" <x@evil.test>')],
  ['a bare CR before another From', byEvil('X-A: b\rFrom: info@bank.test\r\nFrom: x@evil.test\r\n')],
  ['a bare CR within From', fromOf('info@bank.test\r <x@evil.test>')],
  ['a bare LF before another From', byEvil('X-A: b\nFrom: info@bank.test\r\nFrom: x@evil.test\r\n')],
  ['two addresses', fromOf('info@bank.test, x@evil.test')],
  ['two addresses, the attacker first', fromOf('x@evil.test, info@bank.test')],
  ['many addresses', fromOf(`${'x@evil.test, '.repeat(50)}info@bank.test`)],
  ['two addresses of the attacker', fromOf('x@evil.test, y@evil.test')],
  ['a group', fromOf('Bank: x@evil.test;')],
  ['a group with the bank', fromOf('x@evil.test: info@bank.test;')],
  ['an empty group', fromOf('undisclosed:;')],
  ['an address as name, unquoted', fromOf('info@bank.test <x@evil.test>')],
  ['two pairs of brackets', fromOf('<info@bank.test> <x@evil.test>')],
  ['brackets within brackets', fromOf('<info@bank.test<x@evil.test>>')],
  ['an address after the brackets', fromOf('<x@evil.test> info@bank.test')],
  ['a route', fromOf('<@evil.test:info@bank.test>')],
  ['a route the other way', fromOf('<@bank.test:x@evil.test>')],
  ['two at signs', fromOf('info@bank.test@evil.test')],
  ['two at signs in brackets', fromOf('<info@bank.test@evil.test>')],
  ['a comment within the domain', fromOf('<x@evil.test(@bank.test)')],
  ['a comment that does not end', fromOf('x@evil.test (info@bank.test')],
  ['a quoted string that does not end', fromOf('"info@bank.test <x@evil.test>')],
  ['blanks within the address', fromOf('<info @ bank.test . evil.test>')],
  ['a semicolon', fromOf('x@evil.test; info@bank.test')],
  ['an encoded word alone', fromOf('=?utf-8?q?info=40bank.test?=')],
  ['an encoded word as domain', fromOf('info@=?utf-8?q?bank.test?=')],
  ['no address', fromOf('Bank')],
  ['an empty From', fromOf('')],
  ['From missing', byEvil('', ['to', 'from'])],
  ['an address literal', fromOf('x@[192.0.2.1]')],
  ['a domain with an empty label', fromOf('x@evil..test')],
  ['a domain of a thousand octets', fromOf(`x@${'a.'.repeat(500)}evil.test`)],
  ['a label of 64 octets', fromOf(`x@${'a'.repeat(64)}.evil.test`)],
  ['From longer than is read', fromOf(`"${'x'.repeat(9000)}" <x@evil.test>`)],
  ['the bank in letters of another script is not the bank, nor the attacker', fromOf('info@b\xd0\xb0nk.test')],
  ['a domain that only ends like the attacker', fromOf('x@notevil.test')],
  ['a domain in UTF-8 that is broken', fromOf('x@ev\xffil.test')],
  [
    'From not among the signed fields',
    signMessage(`From: info@bank.test\r\n${TAIL}${BODY}`, { key: bank.privateKey, domain: 'bank.test', names: ['to', 'subject', 'date'] }),
  ],
  ['the bank signed, another From above', `From: x@evil.test\r\n${real}`],
  ['the bank signed, another Subject above', `Subject: your account\r\n${real}`],
  ['the bank signed, another To above', `To: other@us.test\r\n${real}`],
  ['the bank signed, another Date above', `Date: Tue, 2 Jan 2024 00:00:00 +0000\r\n${real}`],
  ['the bank signed, the body changed', real.replace('Please pay', 'Please pay me')],
  ['the bank signed with l=, more text below', `${unlimited}Pay to another account.\r\n`],
  ["the bank's d= with the attacker's key", signMessage(`From: info@bank.test\r\n${TAIL}${BODY}`, { key: evil.privateKey, domain: 'bank.test' })],
  [
    "the attacker's d= with the bank as i=",
    signMessage(`From: info@bank.test\r\n${TAIL}${BODY}`, { key: evil.privateKey, domain: 'evil.test', tags: 'i=info@bank.test' }),
  ],
  ['d= below the top level only', signMessage(`From: info@bank.test\r\n${TAIL}${BODY}`, { key: evil.privateKey, domain: 'test' })],
  [
    'a selector that leads elsewhere',
    signMessage(`From: info@bank.test\r\n${TAIL}${BODY}`, { key: evil.privateKey, domain: 'bank.test', selector: 's._domainkey.evil.test' }),
  ],
  [
    'fifty broken signatures before a broken one of the bank',
    `${'DKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=s; h=from; bh=AAAA; b=AAAA\r\n'.repeat(50)}From: info@bank.test\r\n${TAIL}${BODY}`,
  ],
  ['results of ours, forged', `Authentication-Results: mx.us.test; dmarc=pass header.from=bank.test\r\n${fromOf('info@bank.test')}`],
  [
    'an ARC set of nobody that says pass',
    `ARC-Seal: i=1; a=rsa-sha256; cv=none; d=evil.test; s=s; b=AAAA\r\nARC-Message-Signature: i=1; a=rsa-sha256; d=evil.test; s=s; h=from; bh=AAAA; b=AAAA\r\nARC-Authentication-Results: i=1; mx.us.test; dmarc=pass header.from=bank.test\r\n${fromOf('info@bank.test')}`,
  ],
  ['a thousand fields before From', `${'X-A: b\r\n'.repeat(1100)}${fromOf('x@evil.test')}`],
];
for (const [name, message] of NEVER)
  test(`${name}: never dmarc=pass`, async () => {
    const result = await judge(message);
    assert.notEqual(result.dmarc.result, 'pass');
    assert.doesNotMatch(result.authenticationResults, /dmarc=pass/);
    assert.ok(!result.symbols.some((symbol) => symbol.name === 'DMARC_PASS'));
  });

/** Passes, but for the attacker's own domain, and the result says so. */
const OWN: readonly [name: string, message: string, symbol: string | null][] = [
  ['his own address', fromOf('x@evil.test'), null],
  ['the bank as quoted name', fromOf('"info@bank.test" <x@evil.test>'), 'FROM_NAME_OTHER'],
  ['the bank in a comment', fromOf('x@evil.test (info@bank.test)'), null],
  ['the bank as encoded name', fromOf('=?utf-8?q?info=40bank.test?= <x@evil.test>'), 'FROM_NAME_OTHER'],
  ['the bank as quoted local part', fromOf('"info@bank.test"@evil.test'), null],
  ['the bank as subdomain of his', fromOf('info@bank.test.evil.test'), null],
  ['folded between name and address', fromOf('Bank\r\n <x@evil.test>'), null],
  ['upper case', fromOf('X@EVIL.TEST'), null],
];
for (const [name, message, symbol] of OWN)
  test(`${name}: dmarc=pass for evil.test only`, async () => {
    const result = await judge(message);
    assert.equal(result.dmarc.result, 'pass', `${result.author.kind} ${result.dmarc.reason}`);
    assert.match(result.dmarc.domain!, /(^|\.)evil\.test$/);
    assert.doesNotMatch(result.authenticationResults, /header\.from="?[^;]*bank\.test(?!\.evil)/);
    assert.equal(result.symbols.find(({ name: own }) => own.startsWith('FROM_'))?.name ?? null, symbol);
  });

test('the real letter of the bank, sent on unchanged, passes by its signature', async () => {
  const result = await judge(real);
  assert.deepEqual([result.dmarc.result, result.dmarc.domain, result.dmarc.dkimAligned, result.dmarc.spfAligned], ['pass', 'bank.test', true, false]);
});

test('an address as unquoted name is shown by a symbol, and harmless where it is the same', async () => {
  const other = await judge(fromOf('info@bank.test <x@evil.test>'));
  assert.deepEqual(
    other.symbols.filter(({ name }) => name.startsWith('FROM_')).map(({ name }) => name),
    ['FROM_INVALID', 'FROM_NAME_OTHER'],
  );
  assert.equal((await judge(fromOf('x@evil.test <x@evil.test>'))).dmarc.result, 'pass');
});

test('several From fields are refused by default, with a reason', async () => {
  const result = await judge(byEvil('From: x@evil.test\r\nFrom: y@evil.test\r\n'));
  assert.deepEqual([result.dmarc.disposition, result.reply?.code, result.reply?.enhanced], ['reject', 550, '5.6.0']);
  assert.ok(result.symbols.some(({ name }) => name === 'FROM_SEVERAL'));
});

test('mail that names the bank where it should not is treated as the bank asks', async () => {
  for (const value of ['info@bank.test', 'x@evil.test, info@bank.test', 'Bank: info@bank.test;']) {
    const result = await judge(fromOf(value));
    assert.deepEqual([result.dmarc.disposition, result.reply?.enhanced], ['reject', '5.7.26'], value);
  }
});
