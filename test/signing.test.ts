/** Signatures that others verify: OpenDKIM with the records that we print, served by NSD. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DkimKeyView, SIGNING_ADMIN } from '../src/judge/signing/admin.ts';
import { zoneTxt } from '../src/judge/signing/record.ts';
import { createKeyRing, type KeyRing } from '../src/judge/signing/ring.ts';
import { SIGNING_SETTINGS } from '../src/judge/signing/settings.ts';
import { signingDomain, signMessage, signOptions } from '../src/judge/signing/sign.ts';
import { viewOf } from '../src/mail/view.ts';
import type { AdminContext, MessageView } from '../src/ports.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { ownNetwork } from './harness/own-network.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { startNsd } from './peers/nsd.ts';

ownNetwork();
const SETTINGS = defaultsOf(SIGNING_SETTINGS);

/** A letter as a mail program writes it; `body` follows the header. */
const letter = (body: string, more = ''): string =>
  `From: Anna <anna@signed.example>\r\nTo: rita@remote.test\r\nSubject: =?utf-8?q?f=C3=BCr?= you\r\n and more\r\nDate: Wed, 01 Jul 2026 12:00:00 +0000\r\nMessage-ID: <1@signed.example>\r\n${more}\r\n${body}`;

const LETTERS: Readonly<Record<string, string>> = {
  'a short text': letter('Hello.\r\n'),
  'an empty body': letter(''),
  'blank lines at the end': letter('Hello.\r\n\r\n \t\r\n\r\n'),
  'white space and dots': letter('  two  \t words \r\n.\r\n..\r\n'),
  'eight bits': letter('caf\u00e9 \u20ac\r\n'),
  'more fields, some folded': letter('x\r\n', 'List-Id: <l.signed.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\n'),
  'no line end at the end': letter('end'),
};

async function signed(bytes: Buffer, ring: KeyRing, view: MessageView = viewOf(bytes)): Promise<Buffer> {
  const domain = signingDomain(view.header, ring, true);
  assert.ok(domain !== null);
  const values = await signMessage(view, domain, ring, signOptions(SETTINGS, Date.now));
  return Buffer.concat([...values.map((value) => Buffer.from(`DKIM-Signature: ${value}\r\n`)), bytes]);
}

test('OpenDKIM verifies what we sign, with the records we print', async (t) => {
  need('nsd', 'opendkim-testmsg', 'opendkim-testkey');
  const dataDir = tempDir(t, 'keys');
  const context = { dataDir, log: SILENT_LOG, now: Date.now, settings: () => SETTINGS } as unknown as AdminContext;
  const call = <T>(name: string, args: unknown): Promise<T> => SIGNING_ADMIN[name]!(context, args, () => {}, new AbortController().signal) as Promise<T>;
  const rsa = await call<{ keys: DkimKeyView[] }>('dkim.create', { domain: 'signed.example', selector: 'one', algorithm: 'rsa' });
  const large = await call<{ keys: DkimKeyView[] }>('dkim.create', { domain: 'large.example', selector: 'four', algorithm: 'rsa', rsaBits: 4096 });
  const keys = [...rsa.keys, ...large.keys];
  await startNsd(t, { 'example.': keys.map((key) => zoneTxt(key.name, 60, key.record)).join('\n'), '.': '' });

  // Debian's own configuration names a trust anchor, which our little root does not have. (libunbound answers for "test." by itself: RFC 6761.)
  const config = join(dataDir, 'opendkim.conf');
  writeFileSync(config, 'Nameservers 127.0.0.1\n');
  for (const key of keys)
    await t.test(`opendkim-testkey finds the record of ${key.selector}._domainkey.${key.domain} right`, async () => {
      const result = await run('opendkim-testkey', ['-x', config, '-d', key.domain, '-s', key.selector, '-k', key.file, '-vvv']);
      assert.equal(result.code, 0, result.stdout + result.stderr);
      assert.match(result.stdout + result.stderr, /key OK/);
    });

  const ring = createKeyRing({ dataDir, log: SILENT_LOG, now: Date.now });
  for (const [what, text] of Object.entries(LETTERS))
    await t.test(`a message with ${what} verifies`, async () => {
      await succeed('opendkim-testmsg', [], { input: await signed(Buffer.from(text), ring) });
    });

  await t.test('a key of 4096 bits, whose record has several strings, verifies', async () => {
    await succeed('opendkim-testmsg', [], { input: await signed(Buffer.from(letter('x\r\n').replaceAll('signed.example', 'large.example')), ring) });
  });

  await t.test('a large message that was signed in pieces verifies', async () => {
    const bytes = Buffer.from(letter(`${randomBytes(1_500_000).toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`));
    await succeed('opendkim-testmsg', [], { input: await signed(bytes, ring, { ...viewOf(bytes), bytes: null }) });
  });

  await t.test('a changed message does not', async () => {
    const bytes = await signed(Buffer.from(LETTERS['a short text']!), ring);
    for (const changed of [
      bytes.toString().replace('Hello', 'Hallo'),
      bytes.toString().replace('for', 'vor').replace('Subject: ', 'Subject: x'),
      `Subject: another\r\n${bytes.toString()}`,
    ]) {
      const result = await run('opendkim-testmsg', [], { input: changed });
      assert.notEqual(result.code, 0, changed);
    }
  });

  await t.test('after a rotation old and new signatures verify side by side', async () => {
    const before = await signed(Buffer.from(LETTERS['a short text']!), ring);
    const { keys: next } = await call<{ keys: DkimKeyView[] }>('dkim.rotate', { domain: 'signed.example', selector: 'two', activate: true });
    assert.deepEqual(
      next.map((key) => key.selector),
      ['two'],
    );
    ring.reload();
    const after = await signed(Buffer.from(LETTERS['a short text']!), ring);
    assert.match(after.toString(), /s=two;/);
    assert.match(before.toString(), /s=one;/);
    assert.equal((await call<{ keys: DkimKeyView[] }>('dkim.list', { domain: 'signed.example' })).keys.map((key) => key.state).join(), 'retired,active');
    await succeed('opendkim-testmsg', [], { input: before });
  });

  await t.test('the key files belong to the folder they are kept with', async () => {
    assert.equal(await succeed('stat', ['-c', '%a', join(dataDir, 'dkim'), rsa.keys[0]!.file]), '700\n600\n');
  });
});
