/** Accounts that are not made here: virtual users and their passwords in MariaDB, and users of the machine with the passwords of /etc/shadow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { privateMachine } from './harness/private-machine.ts';
import { need, run, succeed } from './harness/run.ts';
import { cfWriter } from './harness/tables.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { startMariaDb } from './peers/mariadb.ts';

ownNetwork();
const PASSWORD = 'käse & secret';
/** What Dovecot's own command makes and its SQL users have; all for PASSWORD. */
const SCHEMES = [
  ...['PLAIN', 'CRYPT', 'SHA512-CRYPT', 'SHA256-CRYPT', 'MD5-CRYPT', 'BLF-CRYPT', 'ARGON2ID', 'ARGON2I', 'PBKDF2', 'SCRAM-SHA-256', 'SCRAM-SHA-1'],
  ...['SSHA', 'SSHA256', 'SSHA512', 'SHA', 'SHA256', 'SHA512', 'SMD5', 'PLAIN-MD5', 'LDAP-MD5', 'SSHA256.HEX', 'SSHA512.B64'],
] as const;
const userOf = (scheme: string): string => scheme.toLowerCase().replace(/[^a-z0-9]/g, '');

const send = (server: Posthorn, to: string, subject: string): Promise<string> =>
  sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: [to], message: letter({ from: 'rita@remote.test', to, subject }) });
/** True when LOGIN is answered with OK; the words of the answer otherwise. */
async function imapLogin(server: Posthorn, user: string, password: string): Promise<true | string> {
  const imap = await ImapClient.open(server.port('imap'));
  const bytes = Buffer.from(password);
  imap.wire.send(`a LOGIN "${user}" {${bytes.length}}\r\n`);
  await imap.wire.expect(/^\+/);
  imap.wire.send(bytes);
  imap.wire.send('\r\n');
  const { status } = await imap.finish('a');
  imap.wire.close();
  return status.startsWith('OK') ? true : status;
}
async function subjects(server: Posthorn, user: string, password: string): Promise<string[]> {
  const imap = await ImapClient.login(server.port('imap'), user, password);
  const found = (await imap.messages()).map((text) => /^Subject: (.*)\r$/m.exec(text)![1]!);
  await imap.logout();
  return found;
}
const accounts = async (server: Posthorn): Promise<string[]> =>
  [...(await server.admin('user', 'list')).matchAll(/^(\S+@\S+)/gm)].map(([, login]) => login!).sort();

test('an ISP: domains, mailboxes, passwords and quotas in MariaDB', async (t) => {
  need('doveadm');
  const database = await startMariaDb(t, 3306);
  const hashes: [user: string, hash: string][] = [];
  for (const scheme of SCHEMES) hashes.push([userOf(scheme), (await succeed('doveadm', ['pw', '-s', scheme, '-p', PASSWORD])).trim()]);
  await database.sql(`SET NAMES utf8mb4; CREATE DATABASE mail CHARACTER SET utf8mb4; USE mail;
    CREATE TABLE domains (name VARCHAR(250) PRIMARY KEY);
    CREATE TABLE users (email VARCHAR(250) PRIMARY KEY, password VARCHAR(250) NOT NULL, quota BIGINT NOT NULL DEFAULT 0, active INT NOT NULL DEFAULT 1);
    INSERT INTO domains VALUES ('us.test'), ('isp.test');
    INSERT INTO users (email, password, quota) VALUES ('ann@isp.test', '{PLAIN}secret', 0), ('bob@us.test', '{PLAIN}secret', 0), ('tiny@isp.test', '{PLAIN}secret', 3000),
      ${hashes.map(([user, hash]) => `('${user}@isp.test', '${hash}', 0)`).join(', ')};
    CREATE USER mail@'127.0.0.1' IDENTIFIED BY 'pass'; GRANT SELECT ON mail.* TO mail@'127.0.0.1';`);
  const write = cfWriter(tempDir(t, 'cf'));
  const table = (name: string, query: string): string[] => [
    `mysql:${write(`${name}.cf`, { hosts: 'inet:127.0.0.1:3306', user: 'mail', password: 'pass', dbname: 'mail', query })}`,
  ];
  const server = await startPosthorn(t, {
    config: {
      tables: { cacheTtl: '500ms', serverCooldown: '100ms' },
      policy: {
        virtualMailboxDomains: table('domains', "SELECT 1 FROM domains WHERE name='%s'"),
        virtualMailboxMaps: table('mailboxes', "SELECT email FROM users WHERE email='%s' AND active"),
      },
      auth: {
        failureDelay: '1ms',
        failureDelayMax: '2ms',
        passwordMaps: table('passwords', "SELECT password FROM users WHERE email='%s' AND active"),
        quotaMaps: table('quotas', "SELECT quota FROM users WHERE email='%s'"),
      },
    },
  });
  const sql = (text: string): Promise<string> => database.sql(text, 'mail');

  await t.test('mail for a user of the table makes the account; she reads it with the password of the table', async () => {
    assert.deepEqual(await accounts(server), []);
    assert.match(await send(server, 'Ann+shop@isp.test', 'first'), /^250/);
    assert.deepEqual(await accounts(server), ['ann@isp.test']);
    assert.deepEqual(await subjects(server, 'ann@isp.test', 'secret'), ['first']);
    assert.match(String(await imapLogin(server, 'ann@isp.test', 'Secret')), /^NO \[AUTHENTICATIONFAILED\]/);
  });
  await t.test('the domain of the configuration may be in the table, too', async () => {
    assert.equal(await imapLogin(server, 'bob', 'secret'), true);
    assert.match(await send(server, 'bob@us.test', 'to bob'), /^250/);
    assert.deepEqual(await subjects(server, 'bob@us.test', 'secret'), ['to bob']);
  });
  await t.test('posthorn route knows who never had mail, and makes no account for the asking', async () => {
    assert.match(await server.admin('route', 'ssha+x@isp.test'), /mailbox of ssha@isp\.test +virtualMailboxMaps mysql:/);
    assert.match((await server.cli(['route', 'nobody@isp.test'])).stdout, /550 5\.1\.1/);
  });
  await t.test('nobody is refused by SMTP and by IMAP, and leaves nothing', async () => {
    await assert.rejects(send(server, 'nobody@isp.test', 'x'), /550 5\.1\.1/);
    assert.match(String(await imapLogin(server, 'nobody@isp.test', 'secret')), /^NO \[AUTHENTICATIONFAILED\]/);
    assert.deepEqual(await accounts(server), ['ann@isp.test', 'bob@us.test']);
  });
  for (const scheme of SCHEMES)
    await t.test(`a password that Dovecot stored as ${scheme}`, async () => {
      const user = `${userOf(scheme)}@isp.test`;
      assert.match(String(await imapLogin(server, user, `${PASSWORD}x`)), /^NO \[AUTHENTICATIONFAILED\]/);
      assert.equal(await imapLogin(server, user, PASSWORD), true);
    });
  await t.test('submission: she sends as herself, not as bob', async () => {
    need('swaks');
    const submit = (from: string) =>
      run('swaks', [
        ...['--server', '127.0.0.1', '--port', String(server.port('submission')), '--auth', 'PLAIN', '--auth-user', 'ann@isp.test'],
        ...['--auth-password', 'secret', '--from', from, '--to', 'ann@isp.test', '--header', 'Subject: from herself'],
      ]);
    const own = await submit('ann@isp.test');
    assert.equal(own.code, 0, own.stdout);
    assert.match((await submit('bob@us.test')).stdout, /553 5\.7\.1/);
    assert.deepEqual(await subjects(server, 'ann@isp.test', 'secret'), ['first', 'from herself']);
  });
  await t.test('SCRAM is not offered: it could not work', async () => {
    const imap = await ImapClient.open(server.port('imap'));
    const { untagged } = await imap.ok('CAPABILITY');
    assert.match(untagged.join(' '), /AUTH=PLAIN/);
    assert.doesNotMatch(untagged.join(' '), /SCRAM/);
    await imap.logout();
  });
  await t.test('the quota of the table counts', async () => {
    assert.match(await send(server, 'tiny@isp.test', 'small'), /^250/);
    const big = letter({ from: 'rita@remote.test', to: 'tiny@isp.test', subject: 'big', body: 'x'.repeat(70).concat('\n').repeat(50) });
    const outcome = await sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: ['tiny@isp.test'], message: big }).catch(String);
    assert.match(outcome, /[45]52 [45]\.2\.2/);
  });
  await t.test('a user who is switched off in the table, or taken out, is gone for login and mail at once', async () => {
    assert.equal(await imapLogin(server, 'bob@us.test', 'secret'), true);
    await sql("UPDATE users SET active=0 WHERE email='bob@us.test'");
    assert.match(String(await imapLogin(server, 'bob@us.test', 'secret')), /^NO \[AUTHENTICATIONFAILED\]/);
    await eventually('mail is refused', async () => /550 5\.1\.1/.test(await send(server, 'bob@us.test', 'to nobody').catch(String)));
    await sql("UPDATE users SET active=1, password='{PLAIN}changed' WHERE email='bob@us.test'");
    assert.match(String(await imapLogin(server, 'bob@us.test', 'secret')), /^NO \[AUTHENTICATIONFAILED\]/);
    assert.equal((await subjects(server, 'bob@us.test', 'changed'))[0], 'to bob', 'back, with the old mail');
  });
  await t.test('while the database is down mail is told to come again and logins are not called wrong; afterwards all is well', async () => {
    await database.stop();
    await assert.rejects(send(server, 'smd5@isp.test', 'x'), /45[01] 4\.3\./);
    assert.match(String(await imapLogin(server, 'ann@isp.test', 'secret')), /^NO \[UNAVAILABLE\]/);
    assert.match(String(await imapLogin(server, 'nobody@isp.test', 'secret')), /^NO \[UNAVAILABLE\]/);
    await database.start();
    await eventually('logins are checked again', async () => (await imapLogin(server, 'ann@isp.test', 'secret')) === true);
    await eventually('mail is taken again', async () => (await send(server, 'ann@isp.test', 'after').catch(() => '')).startsWith('250'));
    assert.deepEqual(await subjects(server, 'ann@isp.test', 'secret'), ['first', 'from herself', 'after']);
  });
});

test('a classic host: users of the machine log in with the passwords of /etc/shadow', async (t) => {
  const machine = privateMachine(t);
  machine.addUser('posthorn');
  machine.addUser('anna', 'annas-password');
  machine.addUser('bert');
  const server = await startPosthorn(t, {
    config: { policy: { localDomains: ['us.test', 'mx.us.test'] }, auth: { systemUsers: true, failureDelay: '1ms', failureDelayMax: '2ms' } },
  });
  assert.match(await send(server, 'anna@us.test', 'by mail first'), /^250/);
  await eventually('the account is made', async () => (await accounts(server)).length === 1);
  for (const name of ['anna', 'anna@us.test', 'Anna@mx.us.test']) assert.equal(await imapLogin(server, name, 'annas-password'), true, name);
  assert.deepEqual(await accounts(server), ['anna@us.test']);
  for (const [name, password] of [
    ['anna', 'wrong'],
    ['anna', ''],
    ['bert', '!'],
    ['nobody', 'x'],
    ['root', 'x'],
    ['anna@elsewhere.test', 'annas-password'],
  ] as const)
    assert.match(String(await imapLogin(server, name, password)), /^NO \[AUTHENTICATIONFAILED\]/, `${name} ${password}`);
  await succeed('chpasswd', ['-c', 'SHA512'], { input: 'anna:another-password\n' });
  assert.match(String(await imapLogin(server, 'anna', 'annas-password')), /^NO \[AUTHENTICATIONFAILED\]/);
  assert.equal(await imapLogin(server, 'anna', 'another-password'), true);
  assert.deepEqual(await subjects(server, 'anna', 'another-password'), ['by mail first']);
  await assert.rejects(send(server, 'nobodyatall@us.test', 'x'), /550 5\.1\.1/);
});
