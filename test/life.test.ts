/** A server's life: start, reload, graceful stop, restart, and the sentences of a start that fails. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { Posthorn, startPosthorn } from './harness/posthorn.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { within } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startDns } from './peers/small-internet.ts';

ownNetwork();
const USERS = { 'anna@us.test': 'anna-password' };

async function smtp(server: Posthorn, until: 'greeting' | 'rcpt' | 'data'): Promise<LineClient> {
  const client = await LineClient.open(server.port('smtp'));
  await client.smtp(null, /^220/);
  if (until === 'greeting') return client;
  await client.smtp('EHLO client.test', /^250/);
  await client.smtp('MAIL FROM:<rita@remote.test>', /^250/);
  await client.smtp('RCPT TO:<anna@us.test>', /^250/);
  if (until === 'data') await client.smtp('DATA', /^354/);
  return client;
}

/** Fingerprint of the certificate that a new IMAPS session is shown. */
async function shownCertificate(server: Posthorn): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: server.port('imaps'), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('a reload brings new certificates to new sessions and leaves the others alone', async (t) => {
  const files = await makeCertificate(tempDir(t, 'tls'), ['mx.us.test']);
  const server = await startPosthorn(t, { users: USERS, config: { tls: { certificate: files.certificate, key: files.key } } });
  const before = await shownCertificate(server);
  const open = connect({ host: '127.0.0.1', port: server.port('imaps'), rejectUnauthorized: false });
  await once(open, 'data');
  const renewed = await makeCertificate(tempDir(t, 'tls2'), ['mx.us.test']);
  copyFileSync(renewed.certificate, files.certificate);
  copyFileSync(renewed.key, files.key);
  await server.admin('reload');
  assert.notEqual(await shownCertificate(server), before);
  open.write('a LOGIN anna@us.test anna-password\r\n');
  const [answer] = (await once(open, 'data')) as [Buffer];
  assert.match(answer.toString(), /^a OK/m);
  open.destroy();

  // One that cannot be used is refused, and the present one stays.
  const after = await shownCertificate(server);
  writeFileSync(files.key, 'no key');
  const result = await server.cli(['reload']);
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /key\.pem/);
  assert.equal(await shownCertificate(server), after);
});

test('a reload changes settings and keeps sessions', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  for (const [way, reload] of [
    ['the command', () => server.admin('reload')],
    ['SIGHUP', async () => server.signal('SIGHUP')],
  ] as const)
    await t.test(`by ${way}`, async () => {
      const inTransaction = await smtp(server, 'rcpt');
      const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
      const size = way === 'SIGHUP' ? 1_500_000 : 1_400_000;
      server.configure({ listen: fixed(server), smtp: { messageBytesMax: size } });
      const mark = server.log.mark();
      await reload();
      await server.event('server.reloaded', undefined, { after: mark });
      const fresh = await smtp(server, 'greeting');
      assert.match(await fresh.smtp('EHLO client.test', /^250/), new RegExp(`SIZE ${size}`));
      fresh.close();
      await inTransaction.smtp('DATA', /^354/);
      inTransaction.send(letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: `across ${way}` }));
      await inTransaction.smtp('.', /^250/);
      assert.ok((await imap.messages()).some((message) => message.includes(`Subject: across ${way}`)));
      inTransaction.close();
      await imap.logout();
    });

  await t.test('a wrong configuration is refused and the old one stays in force', async () => {
    appendFileSync(server.configFile, '\n[imap]\nnoSuchOption = 1\n');
    const result = await server.cli(['reload']);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /noSuchOption/);
    const client = await smtp(server, 'data');
    client.close();
  });
});

/** The listeners as they are now: a reload must not seem to move them. */
function fixed(server: Posthorn): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(server.listen).map(([protocol, addresses]) => [protocol, addresses]));
}

test('a graceful stop finishes the message in hand and says goodbye to the idle', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  const idle = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  await idle.ok('SELECT INBOX');
  idle.wire.send('i IDLE\r\n');
  await idle.wire.expect(/^\+/);
  const waiting = await smtp(server, 'greeting');
  const inData = await smtp(server, 'data');
  const mark = server.log.mark();
  const stopped = server.stop();
  await waiting.smtp(null, /^421 4\.3\.2|^421/);
  await idle.wire.expect(/^\* BYE/);
  inData.send(letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'the last one' }));
  await inData.smtp('.', /^250/);
  inData.close();
  assert.equal(await stopped, 0);
  await server.event('server.stopped', undefined, { after: mark });
  await server.start();
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  assert.match((await imap.messages())[0]!, /Subject: the last one/);
  await imap.logout();
});

test('a restart keeps the queue, the mailboxes and their uids', async (t) => {
  await startDns(t);
  const server = await startPosthorn(t, { users: USERS, config: { dns: { servers: ['127.0.0.1:53'] }, smtp: { relayFrom: ['127.0.0.1/32'] } } });
  const message = letter({ from: 'anna@us.test', to: 'x@dead.test', subject: 'kept' });
  await sendLetter({ port: server.port('smtp'), sender: 'anna@us.test', recipients: ['x@dead.test', 'anna@us.test'], message });
  const look = async (): Promise<string> => {
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
    const state = (await imap.ok('STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)')).untagged.join();
    await imap.logout();
    return state;
  };
  const before = await look();
  for (const end of [() => server.stop(), () => server.kill()]) {
    await end();
    // With the server down the command line looks for itself.
    assert.match(await server.admin('queue', 'list'), /x@dead\.test/);
    await server.start();
    assert.match(await server.admin('queue', 'list'), /x@dead\.test/);
    assert.equal(await look(), before);
  }
});

test('through the launcher: starts, stops on SIGTERM, and does not outlive a killed parent', async (t) => {
  const server = await startPosthorn(t, { launcher: true, users: USERS });
  await sendLetter({
    port: server.port('smtp'),
    sender: 'rita@remote.test',
    recipients: ['anna@us.test'],
    message: letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'x' }),
  });
  assert.equal(await server.stop(), 0);
  await server.start();
  const port = server.port('smtp');
  const mark = server.log.mark();
  process.kill(server.pid, 'SIGKILL'); // The launcher alone.
  await server.event('server.stopped', undefined, { after: mark });
  await assert.rejects(LineClient.open(port));
});

test('a port in use ends the start with a sentence that names it', async (t) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  atEnd(t, () => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const output = await failedStart(t, { listen: { imap: [`127.0.0.1:${port}`] } });
  assert.match(output, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.match(output, /in use/i);
  assert.doesNotMatch(output, /^\s+at /m, 'a stack trace is not for administrators');
});

test('a wrong configuration ends the start with file, line and the nearest name', async (t) => {
  const output = await failedStart(t, { smtp: { mesageBytesMax: '1MiB' } });
  assert.match(output, /posthorn\.toml:\d+/);
  assert.match(output, /messageBytesMax/);
});

test('a second server on the same data is refused, and the first goes on', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  const second = new Posthorn(tempDir(t, 'second'), { dataDir: server.dataDir });
  atEnd(t, () => second.kill());
  const output = await ended(second);
  assert.match(output, /already|in use|another/i);
  const client = await smtp(server, 'data');
  client.close();
});

async function failedStart(t: TestContext, config: ConstructorParameters<typeof Posthorn>[1]['config']): Promise<string> {
  const server = new Posthorn(tempDir(t, 'failing'), { config });
  atEnd(t, () => server.kill());
  return ended(server);
}
/** Starts a server that cannot start; answers what it said. */
async function ended(server: Posthorn): Promise<string> {
  const child = server.spawn();
  const [code] = await within('the failing start to end', once(child, 'close'), 15_000).catch((error: unknown) => {
    throw new Error(`it did not end; it said:\n${server.log.text}`, { cause: error });
  });
  assert.notEqual(code, 0);
  return server.log.text;
}
