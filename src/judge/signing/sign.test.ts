import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import type { MessageView } from '../../ports.ts';
import { dkimRecord } from './record.ts';
import type { DkimSigner, KeyRing } from './ring.ts';
import { signingDomain, signMessage } from './sign.ts';
import { testOptions, testRing, viewOf } from './testing.ts';

const AT = Date.UTC(2026, 6, 1);
const LETTER = [
  'From: "Anna, the first" <anna@example.org>',
  'To: rita@remote.test,',
  '  rob@remote.test',
  'Subject: =?utf-8?q?caf=C3=A9?=   and more',
  'Date: Wed, 01 Jul 2026 12:00:00 +0000',
  'Message-ID: <1@example.org>',
  'List-Unsubscribe: <mailto:off@example.org>',
  '',
  'Hello  Rita, \t',
  '',
  '.a dot',
  '',
  '',
].join('\r\n');

const ring = testRing(['example.org']);

/** What mailauth says of each signature of the message. */
async function verdicts(message: string | Buffer, signers: readonly DkimSigner[], at = AT): Promise<string[]> {
  const records = new Map(signers.map((s) => [`${s.selector}._domainkey.${s.domain}`, dkimRecord(s.algorithm, createPublicKey(s.key))]));
  const { results } = await dkimVerify(
    message as Buffer,
    {
      curTime: new Date(at),
      resolver: async (name: string, type: string) => {
        const found = type === 'TXT' ? records.get(name) : undefined;
        if (found === undefined) throw Object.assign(new Error('no record'), { code: 'ENOTFOUND' });
        return [[found]];
      },
    } as never,
  );
  return results.map((result) => `${result.algo} ${result.status.result}`);
}

async function signed(message: string, options = testOptions(AT), view: MessageView = viewOf(message), keys: KeyRing = ring): Promise<string> {
  const fields = await signMessage(view, 'example.org', keys, options);
  return `${fields.map((value) => `DKIM-Signature: ${value}\r\n`).join('')}${message}`;
}

test('a message is signed with RSA and with Ed25519, and both verify', async () => {
  assert.deepEqual((await verdicts(await signed(LETTER), ring.signers)).sort(), ['ed25519-sha256 pass', 'rsa-sha256 pass']);
});

for (const [what, message] of [
  ['an empty body', 'From: a@example.org\r\n\r\n'],
  ['no blank line at all', 'From: a@example.org\r\nSubject: x\r\n'],
  ['a body of line ends only', 'From: a@example.org\r\n\r\n\r\n\r\n'],
  ['a body without a final line end', 'From: a@example.org\r\n\r\nend'],
  ['fields given twice', 'From: a@example.org\r\nTo: b@example.org\r\nReceived: x\r\nTo: c@example.org\r\nSubject:\r\n\r\nx\r\n'],
  ['octets above 127', 'From: a@example.org\r\nSubject: \xc3\xa9\xff\r\n\r\n\xff\xfe\r\n'],
  ['fields folded in every place', 'From:\r\n a@example.org\r\nSubject: x\r\n\t y \r\n  z\r\n\r\nx\r\n'],
] as const)
  test(`a message with ${what} verifies`, async () => {
    const whole = Buffer.from(await signed(message), 'latin1');
    assert.deepEqual((await verdicts(whole, ring.signers)).sort(), ['ed25519-sha256 pass', 'rsa-sha256 pass']);
  });

test('a message in pieces is signed as one that is held', async () => {
  const long = `${LETTER}${'A line of text that is repeated.  \r\n'.repeat(3000)}`;
  for (const pieceBytes of [1000, 65_536])
    assert.equal(
      await signed(long, testOptions(AT), viewOf(long, true, pieceBytes), testRing2()),
      await signed(long, testOptions(AT), viewOf(long), testRing2()),
    );
});
/** Ed25519 signatures are the same each time. */
const onlyEd25519 = testRing(['example.org'], ['ed25519']);
function testRing2(): KeyRing {
  return onlyEd25519;
}

test('a field added on the way breaks the signature when its name is oversigned', async () => {
  const whole = await signed(LETTER);
  for (const field of ['From: x@evil.test', 'Subject: other', 'Reply-To: x@evil.test', 'Content-Type: text/html', 'Cc: x@evil.test'])
    for (const message of [`${field}\r\n${whole}`, whole.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`)])
      assert.deepEqual([...new Set((await verdicts(message, ring.signers)).map((verdict) => verdict.split(' ')[1]))], ['fail'], field);
});

test('trace fields added on the way leave it intact', async () => {
  const whole = `Received: from a by b; date\r\nReturn-Path: <x@example.org>\r\n${await signed(LETTER)}`;
  assert.deepEqual((await verdicts(whole, ring.signers)).sort(), ['ed25519-sha256 pass', 'rsa-sha256 pass']);
});

test('no line of the field is longer than 78 octets, and every continuation begins with white space', async () => {
  for (const value of await signMessage(viewOf(LETTER), 'example.org', ring, testOptions(AT, { 'dkim.expireAfter': 86_400_000 }))) {
    const lines = `DKIM-Signature: ${value}`.split('\r\n');
    for (const [n, line] of lines.entries()) {
      assert.ok(line.length <= 78, line);
      assert.ok(n === 0 || /^[ \t]+\S/.test(line), line);
    }
  }
});

test('the signature says when it was made, and when it ends if that is wished', async () => {
  const plain = (await signMessage(viewOf(LETTER), 'example.org', ring, testOptions(AT)))[0]!;
  assert.match(plain, new RegExp(`\\bt=${AT / 1000};`));
  assert.doesNotMatch(plain, /\bx=/);
  const ending = (await signMessage(viewOf(LETTER), 'example.org', ring, testOptions(AT, { 'dkim.expireAfter': 3_600_000 })))[0]!;
  assert.match(ending, new RegExp(`\\bx=${AT / 1000 + 3600};`));
});

test('List-Unsubscribe is signed where it stands but may be added later; trace fields never are', async () => {
  const value = (
    await signMessage(viewOf(LETTER), 'example.org', ring, testOptions(AT, { 'dkim.signedFields': ['List-Unsubscribe', 'Received', 'Return-Path'] }))
  )[0]!;
  const names = /h=([^;]*);/.exec(value)![1]!.replace(/\s/g, '').split(':');
  assert.equal(names.filter((name) => name === 'list-unsubscribe').length, 1);
  assert.equal(names.filter((name) => name === 'from').length, 2);
  assert.ok(!names.includes('received') && !names.includes('return-path'));
});

test('nothing is signed without keys, without From, or when not all of the header is there', async () => {
  assert.deepEqual(await signMessage(viewOf(LETTER), 'other.example', ring, testOptions(AT)), []);
  assert.deepEqual(await signMessage(viewOf('To: a@b.test\r\n\r\nx\r\n'), 'example.org', ring, testOptions(AT)), []);
  const cut = { ...viewOf(LETTER), header: Buffer.from(LETTER.slice(0, 60), 'latin1') };
  assert.deepEqual(await signMessage(cut, 'example.org', ring, testOptions(AT)), []);
});

for (const [header, parent, expected] of [
  ['From: a@example.org', true, 'example.org'],
  ['From: A <a@EXAMPLE.org>', true, 'example.org'],
  ['From: a@sub.example.org', true, 'example.org'],
  ['From: a@sub.example.org', false, null],
  ['From: a@notexample.org', true, null],
  ['From: a@org', true, null],
  ['From: a@example.org\r\nFrom: b@example.org', true, null],
  ['From: group: a@example.org;', true, null],
  ['From: <>', true, null],
  ['To: a@example.org', true, null],
  ['From: a@../../etc', true, null],
] as const)
  test(`${JSON.stringify(header)} is signed ${parent ? 'with the parent too ' : ''}by ${expected}`, () =>
    assert.equal(signingDomain(Buffer.from(`${header}\r\n\r\n`), ring, parent), expected));
