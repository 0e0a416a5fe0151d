/** Accounts as the command line offers them: aliases, catch-all, plus addresses, app passwords, disabled users, locks, and SCRAM by GNU SASL. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, type RunResult, run } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { CLIENT, US } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'a-good-password';
const mechanisms = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN'] as const;

/** GNU SASL's own command against a service of ours, in TLS. */
function gsasl(server: Posthorn, service: 'imap' | 'submission', certificate: string, args: readonly string[]): Promise<RunResult> {
  const to = [`--connect=localhost:${server.port(service)}`, service === 'imap' ? '--imap' : '--smtp', '--starttls', `--x509-ca-file=${certificate}`];
  return run('gsasl', [...to, ...args], { timeoutMs: 15_000 });
}
async function subjects(server: Posthorn, user: string, password = PASSWORD): Promise<string[]> {
  const imap = await ImapClient.login(server.port('imap'), user, password);
  const found = (await imap.messages()).map((text) => /^Subject: (.*)\r$/m.exec(text)![1]!);
  await imap.logout();
  return found;
}
const send = (server: Posthorn, to: string, subject: string): Promise<string> =>
  sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: [to], message: letter({ from: 'rita@remote.test', to, subject }) });
const isRefused = (server: Posthorn, to: string, pattern: RegExp): Promise<void> => assert.rejects(send(server, to, 'refused'), pattern);
/** True when LOGIN is answered with OK; the words of the answer otherwise. */
async function imapLogin(server: Posthorn, user: string, password: string, from?: string): Promise<true | string> {
  const imap = await (from === undefined ? ImapClient.open(server.port('imap')) : ImapClient.open(server.port('imaps'), { host: US, from, tls: true }));
  const { status } = await imap.command(`LOGIN "${user}" "${password}"`);
  imap.wire.close();
  return status.startsWith('OK') ? true : status;
}

async function start(t: TestContext, auth: Record<string, string | number | readonly string[]> = {}): Promise<{ server: Posthorn; certificate: string }> {
  const files = await makeCertificate(tempDir(t, 'certificate'), ['mx.us.test', 'localhost', 'IP:127.0.0.1']);
  const server = await startPosthorn(t, {
    config: {
      auth,
      listen: { imap: ['0.0.0.0:1143'], imaps: ['0.0.0.0:1993'] },
      smtp: { relayFrom: [] },
      tls: { certificate: files.certificate, key: files.key },
    },
    domains: ['us.test', 'second.test'],
    users: { 'anna@us.test': PASSWORD, 'bert@us.test': PASSWORD },
  });
  return { server, certificate: files.certificate };
}

test('addresses that lead to mailboxes', async (t) => {
  const { server } = await start(t);

  await t.test('an alias of aliases, in two domains, reaches everyone once', async () => {
    await server.admin('alias', 'add', 'team@us.test', 'anna@us.test', 'bert@us.test');
    await server.admin('alias', 'add', 'all@second.test', 'team@us.test', 'anna@us.test');
    assert.match(await send(server, 'all@second.test', 'to all'), /^250/);
    assert.match(await send(server, 'ALL@Second.TEST', 'to ALL'), /^250/);
    for (const user of ['anna@us.test', 'bert@us.test']) assert.deepEqual(await subjects(server, user), ['to all', 'to ALL']);
    assert.match(await server.admin('alias', 'list', 'second.test'), /all@second\.test +alias +anna@us\.test, team@us\.test/);
    await server.admin('alias', 'remove', 'all@second.test');
    await isRefused(server, 'all@second.test', /550 5\.1\.1/);
  });
  await t.test('aliases in a circle end there: who is on it gets one copy', async () => {
    await server.admin('alias', 'add', 'round@us.test', 'anna@us.test');
    await server.admin('alias', 'add', 'about@us.test', 'round@us.test');
    await server.admin('alias', 'add', 'round@us.test', 'about@us.test');
    assert.match(await send(server, 'about@us.test', 'in a circle'), /^250/);
    assert.equal((await subjects(server, 'anna@us.test')).filter((subject) => subject === 'in a circle').length, 1);
  });
  await t.test('plus addresses reach their user, also by an alias', async () => {
    assert.match(await send(server, 'anna+shop@us.test', 'plus'), /^250/);
    assert.match(await send(server, 'team+list@us.test', 'team plus'), /^250/);
    assert.deepEqual((await subjects(server, 'anna@us.test')).slice(-2), ['plus', 'team plus']);
    await isRefused(server, 'nobody+shop@us.test', /550 5\.1\.1/);
  });
  await t.test('a catch-all takes what nobody else has, until it ends', async () => {
    await isRefused(server, 'anything@second.test', /550 5\.1\.1/);
    await server.admin('domain', 'catchall', 'second.test', 'bert@us.test');
    assert.match(await send(server, 'anything@second.test', 'caught'), /^250/);
    assert.equal((await subjects(server, 'bert@us.test')).at(-1), 'caught');
    await server.admin('domain', 'catchall', 'second.test');
    await isRefused(server, 'anything@second.test', /550 5\.1\.1/);
  });
  await t.test('postmaster is always there', async () => {
    assert.match(await send(server, 'postmaster@second.test', 'to the postmaster'), /^250/);
    assert.ok((await subjects(server, 'anna@us.test')).includes('to the postmaster'));
  });
  await t.test('a user who is switched off gets no mail and cannot log in; switched on again, both', async () => {
    const open = await ImapClient.login(server.port('imap'), 'bert@us.test', PASSWORD);
    await server.admin('user', 'disable', 'bert@us.test');
    await isRefused(server, 'bert@us.test', /550 5\.2\.1/);
    assert.match(String(await imapLogin(server, 'bert@us.test', PASSWORD)), /^NO/);
    await eventually('the open session ends', async () => (await open.command('NOOP').catch(() => null)) === null);
    assert.match(await server.admin('user', 'list'), /bert@us\.test +disabled/);
    await server.admin('user', 'enable', 'bert@us.test');
    assert.equal(await imapLogin(server, 'bert@us.test', PASSWORD), true);
    assert.match(await send(server, 'bert@us.test', 'back again'), /^250/);
  });
  await t.test('a removed user is unknown, and a new one of that name finds nothing of the old', async () => {
    await server.admin('user', 'remove', 'bert@us.test', '--yes');
    await isRefused(server, 'bert@us.test', /550 5\.1\.1/);
    await server.addUser('bert@us.test', PASSWORD);
    assert.deepEqual(await subjects(server, 'bert@us.test'), []);
  });
  await t.test('a changed password counts at once', async () => {
    const result = await server.cli(['user', 'passwd', 'bert@us.test', '--password-stdin'], { input: 'another-password\n' });
    assert.equal(result.code, 0, result.stderr);
    assert.match(String(await imapLogin(server, 'bert@us.test', PASSWORD)), /^NO \[AUTHENTICATIONFAILED\]/);
    assert.equal(await imapLogin(server, 'bert@us.test', 'another-password'), true);
  });
});

test('app passwords open what they are for, until they are revoked', async (t) => {
  need('swaks');
  const { server } = await start(t);
  const make = async (...args: string[]): Promise<string> =>
    /Password: (\S+)/.exec(await server.admin('user', 'app-password', 'add', 'anna@us.test', ...args))![1]!;
  const phone = await make('phone', '--for', 'imap');
  const printer = await make('printer', '--for', 'smtp');
  const submit = (password: string): Promise<RunResult> =>
    run('swaks', [
      ...['--server', '127.0.0.1', '--port', String(server.port('submission')), '--tls', '--auth', 'PLAIN', '--auth-user', 'anna@us.test'],
      ...['--auth-password', password, '--from', 'anna@us.test', '--to', 'anna@us.test', '--header', 'Subject: by app password'],
    ]);

  assert.equal(await imapLogin(server, 'anna@us.test', phone), true);
  assert.match(String(await imapLogin(server, 'anna@us.test', printer)), /^NO/);
  assert.equal((await submit(printer)).code, 0);
  assert.match((await submit(phone)).stdout, /535 5\.7\.8/);
  assert.equal(await imapLogin(server, 'anna@us.test', PASSWORD), true, 'the main password goes on');
  assert.deepEqual(await subjects(server, 'anna@us.test', phone), ['by app password']);
  const list = await server.admin('user', 'app-password', 'list', 'anna@us.test');
  assert.match(list, /phone +imap/);
  assert.match(list, /printer +smtp/);
  assert.ok(!list.includes(phone));
  await server.admin('user', 'app-password', 'remove', 'anna@us.test', 'phone');
  assert.match(String(await imapLogin(server, 'anna@us.test', phone)), /^NO/);
  assert.equal((await submit(printer)).code, 0);
  const wrong = await server.cli(['user', 'app-password', 'add', 'anna@us.test', 'x', '--for', 'telnet']);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /imap, pop3, smtp/);
});

test('guessing is slowed, then locked: the network, and the name for those who never logged in', async (t) => {
  const { server } = await start(t, { failureDelay: '1ms', failureDelayMax: '2ms', networkFailuresMax: 4, accountFailuresMax: 7, unguardedNetworks: [] });
  assert.equal(await imapLogin(server, 'anna@us.test', PASSWORD), true, 'a network that is known for anna');
  for (let index = 0; index < 4; index += 1)
    assert.match(String(await imapLogin(server, 'bert@us.test', `guess-${index}`, CLIENT)), /^NO \[AUTHENTICATIONFAILED\]/);
  assert.match(String(await imapLogin(server, 'bert@us.test', PASSWORD, CLIENT)), /^NO/, 'locked: even the right password');
  assert.match(String(await imapLogin(server, 'anna@us.test', PASSWORD, CLIENT)), /^NO/, 'all names from there');
  assert.equal(await imapLogin(server, 'bert@us.test', PASSWORD), true, 'not from elsewhere');
  // Each from another address: it is the name that is locked in the end.
  for (let index = 0; index < 8; index += 1) await imapLogin(server, 'anna@us.test', `guess-${index}`, `127.0.0.${10 + index}`);
  assert.match(String(await imapLogin(server, 'anna@us.test', PASSWORD, '127.0.0.99')), /^NO/);
  assert.equal(await imapLogin(server, 'anna@us.test', PASSWORD), true, 'the owner still gets in from where she was before');
  // A name that does not exist is treated alike, word for word.
  const client = await LineClient.open(server.port('imaps'), { host: US, from: '127.0.0.200', tls: true });
  await client.expect(/^\* OK/);
  client.send(`a LOGIN "nobody@us.test" "x"\r\nb LOGIN "bert@us.test" "x"\r\n`);
  const [first, second] = [await client.expect(/^a NO/), await client.expect(/^b NO/)];
  assert.equal(first.slice(2), second.slice(2));
  client.close();
});

test('GNU SASL logs in by every mechanism, and is refused where it must be', async (t) => {
  need('gsasl');
  const { server, certificate } = await start(t, { failureDelay: '1ms' });
  for (const service of ['imap', 'submission'] as const)
    await t.test(service, async () => {
      for (const mechanism of mechanisms) {
        // GNU SASL 2.2 does not take a plain SCRAM when it could bind to TLS (against Dovecot neither): there it is told not to.
        const binding = mechanism === 'SCRAM-SHA-256' ? ['--no-cb'] : [];
        const login = ['-m', mechanism, '-a', 'anna@us.test', ...binding];
        const good = await gsasl(server, service, certificate, [...login, '-p', PASSWORD]);
        assert.equal(good.code, 0, `${mechanism}\n${good.stdout}\n${good.stderr}`);
        assert.match(good.stdout, service === 'imap' ? /^\. OK \[CAPABILITY/m : /^235 2\.7\.0/m);
        if (mechanism !== 'PLAIN') assert.match(good.stderr, /server trusted/);
        const bad = await gsasl(server, service, certificate, [...login, '-p', 'wrong-password']);
        assert.notEqual(bad.code, 0);
        assert.match(bad.stdout, service === 'imap' ? /^\. NO \[AUTHENTICATIONFAILED\]/m : /^535 5\.7\.8/m);
      }
    });
  await t.test('nobody acts for somebody else', async () => {
    const result = await gsasl(server, 'imap', certificate, ['-m', 'PLAIN', '-a', 'anna@us.test', '-z', 'bert@us.test', '-p', PASSWORD]);
    assert.notEqual(result.code, 0);
    assert.match(result.stdout, /^\. NO/m);
  });
});
