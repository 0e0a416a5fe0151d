/** Mail goes out by MX to a real Postfix, and comes in from it; what cannot be delivered comes back or waits. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Config, type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startDns, startRemote, US, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';

function startUs(t: TestContext, config: Config = {}): Promise<Posthorn> {
  return startPosthorn(t, { config: { ...US_CONFIG, ...config }, users: { 'anna@us.test': PASSWORD } });
}
const swaksAuth = (mechanism: string): string[] => ['--auth', mechanism, '--auth-user', 'anna@us.test', '--auth-password', PASSWORD];
const submit = (to: string, subject: string): string[] => ['--server', US, '--from', 'anna@us.test', '--to', to, '--header', `Subject: ${subject}`];

interface QueueEntry {
  readonly [field: string]: unknown;
}
/** The queue as text of JSON: fields differ in name with time, addresses and replies do not. */
async function queueText(server: Posthorn): Promise<string> {
  const entries = JSON.parse(await server.admin('queue', 'list', '--json')) as QueueEntry[] | { entries: QueueEntry[] };
  return (Array.isArray(entries) ? entries : entries.entries).map((entry) => JSON.stringify(entry)).join('\n');
}

test('submission, delivery by MX, and reports', async (t) => {
  need('swaks');
  await startDns(t);
  const remote = await startRemote(t);
  const server = await startUs(t);
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const arrived = (text: string): Promise<string> =>
    eventually(`a message with "${text}" at the remote host`, () => remote.messages('rita').find((message) => message.includes(text)));
  const bounce = (to: string): Promise<string> =>
    eventually(`a report about ${to}`, async () => (await imap.messages()).find((message) => message.includes('multipart/report') && message.includes(to)));

  for (const [name, port, options] of [
    ['AUTH PLAIN after STARTTLS', '587', ['--tls', ...swaksAuth('PLAIN')]],
    ['AUTH LOGIN after STARTTLS', '587', ['--tls', ...swaksAuth('LOGIN')]],
    ['AUTH PLAIN in implicit TLS', '465', ['--tls-on-connect', ...swaksAuth('PLAIN')]],
  ] as const)
    await t.test(`submission with ${name} is delivered by MX, in TLS`, async () => {
      await succeed('swaks', [...submit('rita@remote.test', name), '--port', port, ...options]);
      const message = await arrived(`Subject: ${name}`);
      assert.match(message, /^Received: from mx\.us\.test/m);
      assert.match(message, /using TLSv1\.3/);
      assert.match(message, /^Message-Id: /im);
    });

  await t.test('submission without login, in clear, with a wrong password or a foreign sender is refused', async () => {
    const refused = async (options: readonly string[], pattern: RegExp): Promise<void> => {
      const result = await run('swaks', [...submit('rita@remote.test', 'refused'), '--port', '587', ...options]);
      assert.notEqual(result.code, 0);
      assert.match(result.stdout + result.stderr, pattern);
    };
    await refused(['--tls'], /530 5\.7\.0/);
    await refused(['--tls', '--auth', 'PLAIN', '--auth-user', 'anna@us.test', '--auth-password', 'wrong'], /535 5\.7\.8/);
    await refused(swaksAuth('PLAIN'), /Host did not advertise authentication|53[08] 5\.7/);
    await refused(['--tls', ...swaksAuth('PLAIN'), '--from', 'bert@us.test'], /553 5\.7\.1/);
  });

  for (const domain of ['backup.test', 'equal.test', 'fallback.test', 'alias.test'])
    await t.test(`${domain}: the host that lives is found`, async () => {
      await succeed('swaks', [...submit(`rita@${domain}`, `to ${domain}`), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
      await arrived(`Subject: to ${domain}`);
    });

  for (const [what, to, status, words] of [
    ['an unknown user at a remote host', 'nobody@remote.test', '5.1.1', /550/],
    ['a domain with a null MX', 'anyone@null.test', '5.1.10', /null\.test/],
    ['a domain that does not exist', 'anyone@nowhere-at-all.test', '5.1.2', /nowhere-at-all\.test/],
    ['a domain whose MX leads back to us', 'anyone@loop.test', '5.4.6', /loop/i],
  ] as const)
    await t.test(`mail to ${what} comes back as a report with ${status}`, async () => {
      await succeed('swaks', [...submit(to, `to ${to}`), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
      const report = await bounce(to);
      assert.match(report, /^Return-Path: <>\r$/m);
      assert.match(report, /report-type="?delivery-status/);
      assert.match(report, /^Action: failed\r$/m);
      assert.match(report, new RegExp(`^Status: ${status.replaceAll('.', '\\.')}`, 'm'));
      assert.match(report, words);
      assert.match(report, new RegExp(`Subject: to ${to}`));
    });

  await t.test('several recipients, some unknown: the known ones get it once, one report names the others', async () => {
    const message = letter({ from: 'anna@us.test', to: 'rita@remote.test', subject: 'for several' });
    const to = 'rita@remote.test,rob@remote.test,gone1@remote.test,gone2@remote.test';
    await succeed('swaks', [
      '--server',
      US,
      '--from',
      'anna@us.test',
      '--to',
      to,
      '--data',
      message,
      '--port',
      '465',
      '--tls-on-connect',
      ...swaksAuth('PLAIN'),
    ]);
    await arrived('Subject: for several');
    await eventually('the second recipient has it', () => remote.messages('rob').length === 1);
    const report = await bounce('gone1@remote.test');
    assert.match(report, /gone2@remote\.test/);
    assert.equal(remote.messages('rita').filter((text) => text.includes('Subject: for several')).length, 1);
  });

  await t.test('a dead host defers the mail, which stays in the queue with the reason', async () => {
    await succeed('swaks', [...submit('anyone@dead.test', 'to the dead'), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
    await eventually('the attempt is noted in the queue', async () => /refused/i.test(await queueText(server)));
    assert.match(await queueText(server), /anyone@dead\.test/);
    assert.ok(!(await imap.messages()).some((message) => message.includes('anyone@dead.test')));
    await server.admin('queue', 'delete', '--to', 'anyone@dead.test', '--yes');
    assert.doesNotMatch(await queueText(server), /anyone@dead\.test/);
  });

  await t.test('a Postfix sends to us by MX, and gets our refusals', async () => {
    const ours = letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'from Postfix' });
    await sendLetter({ port: 25, host: '192.0.2.2', sender: 'rita@remote.test', recipients: ['anna@us.test', 'missing@us.test'], message: ours }).catch(
      (error: unknown) => {
        throw new Error('Postfix did not take the message', { cause: error });
      },
    );
    const message = await eventually('the mail is here', async () => (await imap.messages()).find((text) => text.includes('Subject: from Postfix')));
    assert.match(message, /with ESMTPS/);
    assert.match(message, /mx\.remote\.test/);
    const report = await eventually('Postfix reports the unknown user to its sender', () =>
      remote.messages('rita').find((text) => text.includes('missing@us.test') && text.includes('MAILER-DAEMON')),
    );
    assert.match(report, /Status: 5\.1\.1/);
  });
  await imap.logout();
});

test('mail from the null sender is never answered with a bounce', async (t) => {
  await startDns(t);
  await startRemote(t);
  const server = await startUs(t, { smtp: { relayFrom: ['127.0.0.1/32'] }, queue: { notifyPostmaster: false } });
  const message = letter({ from: 'mailer-daemon@us.test', to: 'nobody@remote.test', subject: 'a report of somebody else' });
  assert.match(await sendLetter({ port: 25, sender: '', recipients: ['nobody@remote.test'], message }), /^250/);
  await eventually(
    'the queue is empty again',
    async () => (await queueText(server)) === '' && (await server.admin('trace', 'nobody@remote.test')).includes('550'),
  );
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  assert.equal(await imap.count(), 0);
  await imap.logout();
});

test('what a peer refuses for now is tried again and delivered', async (t) => {
  await startDns(t);
  const remote = await startRemote(t, { main: { smtpd_client_restrictions: 'defer' } });
  // A connection that is kept would keep a process of Postfix with its settings of before.
  const server = await startUs(t, { deliver: { messagesPerConnectionMax: 1 } });
  await succeed('swaks', [...submit('rita@remote.test', 'later'), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
  await eventually('the refusal is noted in the queue', async () => /45\d/.test(await queueText(server)));
  remote.set({ smtpd_client_restrictions: '' });
  await remote.reload();
  await eventually('the message is delivered after a flush', async () => {
    await server.admin('queue', 'flush');
    return remote.messages('rita').some((message) => message.includes('Subject: later'));
  });
});

test('a dead DNS server defers mail and refuses nothing; it goes out when DNS is back', async (t) => {
  const dns = await startDns(t);
  const remote = await startRemote(t);
  const server = await startUs(t, { dns: { servers: ['127.0.0.1:53'], timeout: '1s', tries: 1, cacheTtlNegative: '1s' } });
  await dns.stop();
  await succeed('swaks', [...submit('rita@remote.test', 'without DNS'), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
  await eventually('the failed lookup is noted in the queue', async () => /name server|lookup|4\.4\.\d/i.test(await queueText(server))).catch(
    async (error: unknown) => {
      throw new Error(`the queue says ${await queueText(server)}`, { cause: error });
    },
  );
  // Mail of strangers is put off while nobody can tell whether the sender's domain exists; our own people's goes on.
  const stranger = {
    port: 25,
    host: US,
    sender: 'rita@remote.test',
    recipients: ['anna@us.test'],
    message: letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'from outside' }),
  };
  await assert.rejects(sendLetter(stranger), /450 4\.1\.8 /);
  await succeed('swaks', [...submit('anna@us.test', 'local still works'), '--port', '465', '--tls-on-connect', ...swaksAuth('PLAIN')]);
  await dns.start();
  await eventually('the message is delivered after a flush', async () => {
    await server.admin('queue', 'flush');
    return remote.messages('rita').some((message) => message.includes('Subject: without DNS'));
  });
});
