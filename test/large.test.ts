/** 20 MB through every door, byte for byte: it is kept as a file, and read whole and in pieces. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startDns, startRemote, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';
const MiB = 1024 * 1024;

/** A message of 20 MB with an attachment that does not compress; lines that begin with dots among them. The same each time. */
function largeMessage(): string {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(15 * MiB));
  const lines = noise.toString('base64').match(/.{1,76}/g)!;
  const head = [
    'From: <rita@remote.test>',
    'To: <anna@us.test>',
    'Subject: large',
    'Date: Fri, 20 Nov 2026 10:00:00 +0000',
    'Message-ID: <large@remote.test>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="edge"',
    '',
    '--edge',
    'Content-Type: text/plain',
    '',
    '.',
    '..two',
    '.last',
    '--edge',
    'Content-Type: application/octet-stream; name="noise"',
    'Content-Transfer-Encoding: base64',
    '',
  ];
  return [...head, ...lines, '--edge--', ''].join('\r\n');
}
const hash = (text: string): string => createHash('sha256').update(Buffer.from(text, 'latin1')).digest('hex');
const fromSubject = (text: string): string => text.slice(text.indexOf('From: <rita@remote.test>'));

test('a message of 20 MB', async (t) => {
  need('curl');
  await startDns(t);
  const remote = await startRemote(t);
  const certificate = await makeCertificate(tempDir(t, 'certificate'), ['mx.us.test', 'localhost', 'IP:127.0.0.1', 'IP:192.0.2.1']);
  const server = await startPosthorn(t, {
    config: { ...US_CONFIG, tls: { certificate: certificate.certificate, key: certificate.key } },
    users: { 'anna@us.test': PASSWORD },
    aliases: { 'rita@us.test': ['rita@remote.test'] },
  });
  const message = largeMessage();
  assert.ok(message.length > 20 * 1_000_000);
  const file = join(tempDir(t, 'letter'), 'message');
  writeFileSync(file, message, 'latin1');
  const login = ['--user', `anna@us.test:${PASSWORD}`, '--cacert', certificate.certificate];
  const curl = (...args: string[]): Promise<string> => succeed('curl', ['--silent', '--show-error', ...args]);
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  let stored = '';

  await t.test('in by SMTP: kept as one file, read whole by IMAP', async () => {
    await curl('--upload-file', file, '--mail-from', 'rita@remote.test', '--mail-rcpt', 'anna@us.test', 'smtp://127.0.0.1:25/client.test');
    stored = (await imap.messages())[0]!;
    assert.equal(hash(fromSubject(stored)), hash(message));
    const files = readdirSync(join(server.dataDir, 'blobs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.equal(files.length, 1);
    assert.ok(statSync(join(files[0]!.parentPath, files[0]!.name)).size > 10 * MiB);
    const { untagged } = await imap.ok('FETCH 1 (RFC822.SIZE BODYSTRUCTURE)');
    assert.match(untagged.join(), new RegExp(`RFC822\\.SIZE ${stored.length}\\b`));
  });

  await t.test('in pieces by IMAP: the whole, the attachment, odd offsets, beyond the end', async () => {
    const pieces: string[] = [];
    const step = 3_000_001;
    for (let at = 0; at < stored.length; at += step) pieces.push((await imap.ok(`FETCH 1 BODY.PEEK[]<${at}.${step}>`)).literals[0]!);
    assert.equal(hash(pieces.join('')), hash(stored));
    const part = (await imap.ok('FETCH 1 BODY.PEEK[2]')).literals[0]!;
    assert.equal(hash(part), hash(message.slice(message.indexOf('base64\r\n\r\n') + 10, message.indexOf('\r\n--edge--'))));
    assert.equal((await imap.ok('FETCH 1 BODY.PEEK[2]<10000000.100>')).literals[0], part.slice(10_000_000, 10_000_100));
    assert.equal((await imap.ok('FETCH 1 BODY.PEEK[1]')).literals[0], '.\r\n..two\r\n.last');
    assert.match((await imap.ok(`FETCH 1 BODY.PEEK[]<${stored.length}.10>`)).untagged.join(), /BODY\[\]<\d+> (""|\{0\})/);
  });

  await t.test('by POP3, and put back by IMAP APPEND', async () => {
    const popped = join(tempDir(t, 'popped'), 'message');
    await curl(...login, '--ssl-reqd', `pop3://127.0.0.1:${server.port('pop3')}/1`, '--output', popped);
    assert.equal(statSync(popped).size, stored.length);
    await curl(...login, '--upload-file', popped, `imaps://127.0.0.1:${server.port('imaps')}/Archive`);
    assert.equal(hash((await imap.messages('Archive'))[0]!), hash(stored));
  });

  await t.test('out by submission and MX, and on through an alias', async () => {
    const out = join(tempDir(t, 'out'), 'message');
    writeFileSync(out, message.replace('From: <rita@remote.test>', 'From: <anna@us.test>'), 'latin1');
    await curl(...login, '--upload-file', out, '--mail-from', 'anna@us.test', '--mail-rcpt', 'rita@remote.test', 'smtps://192.0.2.1:465/client.test');
    const body = (text: string): string => text.slice(text.indexOf('--edge'));
    const got = await eventually('it is at the remote host', () => remote.messages('rita').find((text) => text.endsWith('--edge--\n')));
    assert.equal(hash(body(got).replaceAll('\n', '\r\n')), hash(body(message)));
    await curl('--upload-file', file, '--mail-from', 'rita@remote.test', '--mail-rcpt', 'rita@us.test', 'smtp://127.0.0.1:25/client.test');
    await eventually('the second is there', () => remote.messages('rita').filter((text) => text.endsWith('--edge--\n')).length === 2);
    for (const text of remote.messages('rita')) assert.equal(hash(body(text).replaceAll('\n', '\r\n')), hash(body(message)));
  });

  await t.test('one byte over the limit is refused, before the data where it is declared', async () => {
    server.configure({ ...US_CONFIG, tls: { certificate: certificate.certificate, key: certificate.key }, smtp: { messageBytesMax: message.length - 1 } });
    await server.admin('reload');
    await assert.rejects(
      curl('--upload-file', file, '--mail-from', 'rita@remote.test', '--mail-rcpt', 'anna@us.test', 'smtp://127.0.0.1:25/client.test'),
      /55[02]/,
    );
    assert.equal(await imap.count(), 1);
  });
  await imap.logout();
});
