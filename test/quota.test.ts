/** Full mailboxes: refused at the door where that can be known, kept in the queue where another recipient has room. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run } from './harness/run.ts';
import { eventually } from './harness/wait.ts';

ownNetwork();
const PASSWORD = 'a-good-password';
const filler = (kib: number): string => `${'0123456789abcdef'.repeat(4)}\n`.repeat(kib * 16);
const message = (to: string, subject: string, kib = 0): string => letter({ from: 'rita@remote.test', to, subject, body: filler(kib) });

async function countOf(server: Posthorn, user: string): Promise<number> {
  const imap = await ImapClient.login(server.port('imap'), user, PASSWORD);
  const count = await imap.count();
  await imap.logout();
  return count;
}
/** A transaction up to RCPT. */
async function upToRcpt(server: Posthorn, mailParameters: string, to: string, reply: RegExp): Promise<LineClient> {
  const client = await LineClient.open(server.port('smtp'));
  await client.smtp(null, /^220/);
  await client.smtp('EHLO client.test', /^250/);
  await client.smtp(`MAIL FROM:<rita@remote.test>${mailParameters}`, /^250/);
  await client.smtp(`RCPT TO:<${to}>`, reply);
  return client;
}

test('a full mailbox', async (t) => {
  need('swaks');
  const server = await startPosthorn(t, {
    users: { 'full@us.test': PASSWORD, 'roomy@us.test': PASSWORD, 'few@us.test': PASSWORD },
    aliases: { 'both@us.test': ['full@us.test', 'roomy@us.test'] },
  });
  const send = (to: string, text: string): Promise<string> =>
    sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: [to], message: text });
  await server.admin('user', 'quota', 'full@us.test', '40KiB');
  await server.admin('user', 'quota', 'few@us.test', 'none', '--messages', '1');

  await t.test('a declared SIZE that does not fit is refused at RCPT with 452 4.2.2, one that fits is not', async () => {
    (await upToRcpt(server, ' SIZE=60000', 'full@us.test', /^452 4\.2\.2/)).close();
    (await upToRcpt(server, ' SIZE=60000', 'roomy@us.test', /^250/)).close();
    (await upToRcpt(server, ' SIZE=10000', 'full@us.test', /^250/)).close();
  });
  await t.test('an undeclared one is refused after its data, and nothing of it is kept', async () => {
    assert.match(await send('full@us.test', message('full@us.test', 'too big', 64)), /^452 4\.2\.2/);
    assert.equal(await countOf(server, 'full@us.test'), 0);
  });
  await t.test('once it is full, swaks hears it at RCPT', async () => {
    assert.match(await send('full@us.test', message('full@us.test', 'fits', 36)), /^250/);
    const result = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(server.port('smtp')),
      '--from',
      'rita@remote.test',
      '--to',
      'full@us.test',
      '--body',
      filler(8),
    ]);
    assert.notEqual(result.code, 0);
    // Known at RCPT only where the size is declared, which swaks does not do.
    assert.match(result.stdout, /452 4\.2\.2/);
    (await upToRcpt(server, ' SIZE=9000', 'full@us.test', /^452 4\.2\.2/)).close();
  });
  await t.test('the number of messages counts as well', async () => {
    assert.match(await send('few@us.test', message('few@us.test', 'the only one')), /^250/);
    (await upToRcpt(server, '', 'few@us.test', /^452 4\.2\.2/)).close();
  });
  await t.test('IMAP APPEND says OVERQUOTA', async () => {
    const imap = await ImapClient.login(server.port('imap'), 'full@us.test', PASSWORD);
    const bytes = message('full@us.test', 'appended', 16);
    imap.wire.send(`a APPEND INBOX {${bytes.length}}\r\n`);
    const first = await imap.wire.expect(/^(\+|a NO \[OVERQUOTA\])/);
    if (first.startsWith('+')) {
      imap.wire.send(`${bytes}\r\n`);
      await imap.wire.expect(/^a NO \[OVERQUOTA\]/);
    }
    await imap.logout();
  });
  await t.test('a message for a full and a roomy mailbox reaches the one at once, and the other when it has room', async () => {
    assert.match(await send('both@us.test', message('both@us.test', 'for both', 16)), /^250/);
    assert.equal(await countOf(server, 'roomy@us.test'), 1);
    assert.equal(await countOf(server, 'full@us.test'), 1);
    const queue = await eventually('the attempt is noted', async () => {
      const text = await server.admin('queue', 'list', '--json');
      return text.includes('Mailbox is full') && text;
    });
    assert.match(queue, /full@us\.test/);
    assert.doesNotMatch(queue, /roomy@us\.test/);
    await server.admin('user', 'quota', 'full@us.test', '1MiB');
    await eventually('it is in the mailbox', async () => (await countOf(server, 'full@us.test')) === 2);
    assert.equal(await countOf(server, 'roomy@us.test'), 1);
    await eventually('the queue is empty', async () => !(await server.admin('queue', 'list', '--json')).includes('full@us.test'));
  });
});
