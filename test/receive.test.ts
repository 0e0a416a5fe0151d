/** Mail comes in and is read: swaks, curl, Python's imaplib, and what must be refused at the door. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { CLIENT, US } from './peers/small-internet.ts';

ownNetwork();
const PROBE = fileURLToPath(new URL('peers/imap_probe.py', import.meta.url));

interface Probe {
  readonly count: number;
  readonly messages: readonly { readonly uid: number; readonly meta: string; readonly message: string }[];
  readonly folders: readonly string[];
}
const imaplib = async (args: readonly string[]): Promise<Probe> => JSON.parse(await succeed('python3', [PROBE, ...args])) as Probe;

async function receiver(t: TestContext): Promise<{ server: Posthorn; certificate: string }> {
  const files = await makeCertificate(tempDir(t, 'certificate'), ['mx.us.test', 'localhost', 'IP:127.0.0.1']);
  const server = await startPosthorn(t, {
    config: { listen: { smtp: ['127.0.0.1:0', `${US}:25`] }, tls: { certificate: files.certificate, key: files.key } },
    users: { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' },
    aliases: { 'team@us.test': ['anna@us.test', 'bert@us.test'] },
  });
  return { server, certificate: files.certificate };
}

test('mail comes in by SMTP and is read by IMAP and POP3', async (t) => {
  need('swaks', 'curl', 'python3');
  const { server, certificate } = await receiver(t);
  const port = (name: Parameters<Posthorn['port']>[0]): string => String(server.port(name));

  await t.test('swaks brings a message, imaplib reads it byte for byte', async () => {
    const body = 'first line\n.dot at the start\n..two dots\nend';
    await succeed('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      port('smtp'),
      '--from',
      'rita@remote.test',
      '--to',
      'anna@us.test',
      '--header',
      'Subject: by swaks',
      '--body',
      body,
    ]);
    const seen = await imaplib(['127.0.0.1', port('imap'), 'anna@us.test', 'anna-password', 'INBOX', '--starttls', certificate]);
    assert.equal(seen.count, 1);
    const message = Buffer.from(seen.messages[0]!.message, 'base64').toString('latin1');
    assert.match(message, /^Return-Path: <rita@remote\.test>\r\n/);
    assert.match(message, /\r\nReceived: from /);
    assert.ok(message.includes(`\r\n\r\n${body.replaceAll('\n', '\r\n')}\r\n`), message);
    assert.match(seen.messages[0]!.meta, new RegExp(`RFC822\\.SIZE ${message.length}\\b`));
    for (const role of ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'])
      assert.ok(
        seen.folders.some((folder) => folder.includes(`\\${role}`)),
        `${role} in ${seen.folders}`,
      );
  });

  await t.test('swaks speaks TLS after STARTTLS, and the trace says so', async () => {
    const output = await succeed('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      port('smtp'),
      '--tls',
      '--from',
      'rita@remote.test',
      '--to',
      'bert@us.test',
      '--header',
      'Subject: in TLS',
    ]);
    assert.match(output, /TLS started with cipher TLSv1\.3/);
    const imap = await ImapClient.login(server.port('imaps'), 'bert@us.test', 'bert-password', { tls: true });
    assert.match((await imap.messages())[0]!, /with ESMTPS/);
    await imap.logout();
  });

  await t.test('an alias leads to both, curl reads the copies by IMAP, IMAPS, POP3 and POP3S', async () => {
    await sendLetter({
      port: server.port('smtp'),
      sender: 'rita@remote.test',
      recipients: ['team@us.test'],
      message: letter({ from: 'rita@remote.test', to: 'team@us.test', subject: 'for the team' }),
    });
    const trust = ['--silent', '--show-error', '--cacert', certificate, '--user'];
    assert.match(
      await succeed('curl', [...trust, 'anna@us.test:anna-password', '--ssl-reqd', `imap://127.0.0.1:${port('imap')}/INBOX;MAILINDEX=2`]),
      /for the team/,
    );
    assert.match(await succeed('curl', [...trust, 'bert@us.test:bert-password', `imaps://127.0.0.1:${port('imaps')}/INBOX;MAILINDEX=2`]), /for the team/);
    assert.match(await succeed('curl', [...trust, 'anna@us.test:anna-password', '--ssl-reqd', `pop3://127.0.0.1:${port('pop3')}/2`]), /for the team/);
    assert.match(await succeed('curl', [...trust, 'bert@us.test:bert-password', `pop3s://127.0.0.1:${port('pop3s')}/2`]), /for the team/);
    assert.match(await succeed('curl', [...trust, 'anna@us.test:anna-password', `imaps://127.0.0.1:${port('imaps')}/INBOX?TEXT%20team`]), /\* SEARCH 2/);
  });

  await t.test('curl sends by SMTP and appends by IMAP', async () => {
    const file = letter({ from: 'rita@remote.test', to: 'bert@us.test', subject: 'from curl' });
    const path = join(tempDir(t, 'curl'), 'message');
    writeFileSync(path, file); // For APPEND curl must know the size before.
    const common = ['--silent', '--show-error', '--upload-file', path];
    await succeed('curl', [...common, '--mail-from', 'rita@remote.test', '--mail-rcpt', 'bert@us.test', `smtp://127.0.0.1:${port('smtp')}/client.test`]);
    await succeed('curl', [...common, '--cacert', certificate, '--user', 'bert@us.test:bert-password', `imaps://127.0.0.1:${port('imaps')}/Drafts`]);
    const imap = await ImapClient.login(server.port('imap'), 'bert@us.test', 'bert-password');
    assert.ok((await imap.messages()).some((message) => message.includes('Subject: from curl')));
    assert.equal((await imap.messages('Drafts'))[0], file);
    await imap.logout();
  });

  await t.test('an unknown user is refused with 550 5.1.1 at RCPT', async () => {
    const result = await run('swaks', ['--server', '127.0.0.1', '--port', port('smtp'), '--from', 'rita@remote.test', '--to', 'nobody@us.test']);
    assert.notEqual(result.code, 0);
    assert.match(result.stdout, /RCPT TO:<nobody@us\.test>\n<\*\* 550 5\.1\.1/);
  });

  await t.test('a stranger may not relay, not even from loopback', async () => {
    for (const from of ['127.0.0.1', CLIENT]) {
      const client = await LineClient.open(from === CLIENT ? 25 : server.port('smtp'), from === CLIENT ? { host: US, from } : {});
      await client.smtp(null, /^220/);
      await client.smtp('EHLO client.test', /^250/);
      await client.smtp('MAIL FROM:<anna@us.test>', /^250/);
      await client.smtp('RCPT TO:<rita@remote.test>', /^55[04] 5\.7\.1/);
      // Old ways to say the same: source route, percent hack, bang path.
      await client.smtp('RCPT TO:<@us.test:rita@remote.test>', /^55\d 5\./);
      await client.smtp('RCPT TO:<rita%remote.test@us.test>', /^55\d 5\./);
      await client.smtp('RCPT TO:<remote.test!rita@us.test>', /^55\d 5\./);
      client.close();
    }
  });

  await t.test('what was sent in clear behind STARTTLS is not heard after it (CVE-2011-0411)', async () => {
    const client = await LineClient.open(server.port('smtp'));
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /STARTTLS/);
    client.send('STARTTLS\r\nMAIL FROM:<evil@remote.test>\r\nRCPT TO:<anna@us.test>\r\n');
    const reply = await client.line();
    if (reply?.startsWith('220') === true) {
      await client.startTls();
      // The transaction has not begun: nothing of the clear text counts.
      await client.smtp('EHLO client.test', /^250/);
      await client.smtp('RCPT TO:<anna@us.test>', /^503/);
    } else assert.match(reply ?? '421', /^[45]\d\d/);
    client.close();
  });

  await t.test('the same injection is refused by IMAP and POP3', async () => {
    const imap = await LineClient.open(server.port('imap'));
    await imap.expect(/^\* OK/);
    imap.send('a STARTTLS\r\nb NOOP\r\n');
    if (/^a OK/.test((await imap.line()) ?? '')) {
      await imap.startTls();
      imap.send('c NOOP\r\n');
      await imap.expect(/^c OK/);
    }
    imap.close();
    const pop3 = await LineClient.open(server.port('pop3'));
    await pop3.expect(/^\+OK/);
    pop3.send('STLS\r\nCAPA\r\n');
    if (/^\+OK/.test((await pop3.line()) ?? '')) {
      await pop3.startTls();
      pop3.send('NOOP\r\n');
      await pop3.expect(/^-ERR/);
    }
    pop3.close();
  });

  await t.test('a smuggled second message does not get in (bare LF before the dot)', async () => {
    const before = await countOf(server, 'bert@us.test', 'bert-password');
    const client = await LineClient.open(server.port('smtp'));
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^250/);
    await client.smtp('MAIL FROM:<rita@remote.test>', /^250/);
    await client.smtp('RCPT TO:<anna@us.test>', /^250/);
    await client.smtp('DATA', /^354/);
    client.send('Subject: one\r\n\r\nbody\n.\nMAIL FROM:<evil@remote.test>\nRCPT TO:<bert@us.test>\nDATA\nSubject: two\n\nsmuggled\r\n.\r\n');
    await client.smtp(null, /^550 5\.6\./);
    await client.smtp('QUIT', /^221/);
    assert.equal(await countOf(server, 'bert@us.test', 'bert-password'), before);
  });

  await t.test('the sendmail command hands mail over, with the server up', async () => {
    const file = 'To: anna@us.test\nSubject: by sendmail\n\nfrom a script\n';
    const result = await server.cli(['sendmail', '-t', '-i', '-f', 'bert@us.test'], { input: file });
    assert.equal(result.code, 0, result.stderr);
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
    const message = await eventually('the message is in the mailbox', async () =>
      (await imap.messages()).find((text) => text.includes('Subject: by sendmail')),
    );
    assert.match(message, /\r\nMessage-ID: </i);
    await imap.logout();
  });

  await t.test('the path of a message can be traced', async () => {
    const text = await eventually('the journey is written', async () => {
      const output = await server.admin('trace', 'team@us.test');
      return output.includes('rita@remote.test') && output;
    });
    assert.match(text, /delivered to .*anna@us\.test/);
  });
});

async function countOf(server: Posthorn, user: string, password: string): Promise<number> {
  const imap = await ImapClient.login(server.port('imap'), user, password);
  const count = await imap.count();
  await imap.logout();
  return count;
}

test('mail handed over by sendmail while the server is down arrives after the start', async (t) => {
  const server = await startPosthorn(t, { users: { 'anna@us.test': 'anna-password' } });
  await server.stop();
  const result = await server.cli(['sendmail', '-f', 'anna@us.test', 'anna@us.test'], { input: 'Subject: kept\n\nwhile down\n' });
  assert.equal(result.code, 0, result.stderr);
  await server.start();
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  await eventually('the message is in the mailbox', async () => (await imap.count()) === 1);
  assert.match((await imap.messages())[0]!, /Subject: kept/);
  await imap.logout();
});
