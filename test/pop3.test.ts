/** POP3 as fetchers use it: fetchmail, getmail, curl, Python's poplib; what one account sees by POP3, and what deleting does. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { makeCertificate } from './peers/certificate.ts';

ownNetwork();
const USER = 'anna@us.test';
const PASSWORD = 'anna-password';
/** Debian's user nobody: getmail delivers nothing as root, and wants a user with a name. */
const NOBODY_ID = 65534;
const PROBE = fileURLToPath(new URL('peers/pop3_probe.py', import.meta.url));

interface Probe {
  readonly capa: readonly string[];
  readonly count: number;
  readonly octets: number;
  readonly list: readonly string[];
  readonly uidl: readonly string[];
  readonly messages: readonly { readonly size: number; readonly text: string; readonly top: string }[];
}
const poplib = async (server: Posthorn, ...options: string[]): Promise<Probe> =>
  JSON.parse(await succeed('python3', [PROBE, '127.0.0.1', String(server.port('pop3')), USER, PASSWORD, ...options])) as Probe;

const note = (subject: string, body = 'Hello.'): string => letter({ from: 'rita@remote.test', to: USER, subject, body });
async function inbox(server: Posthorn): Promise<ImapClient> {
  return ImapClient.login(server.port('imap'), USER, PASSWORD);
}

test('POP3 fetchers, one after the other', async (t) => {
  need('fetchmail', 'getmail', 'curl', 'python3');
  const files = await makeCertificate(tempDir(t, 'certificate'), ['localhost', 'IP:127.0.0.1']);
  const server = await startPosthorn(t, { config: { tls: { certificate: files.certificate, key: files.key } }, users: { [USER]: PASSWORD } });
  const imap = await inbox(server);
  for (const [subject, body] of [['one'], ['dots', '.dot\n..two\n.\nlast'], ['umlaut', 'ä\u0080'], ['long', `${'x'.repeat(900)}\n`.repeat(300)]] as const)
    await imap.append('INBOX', note(subject, body));

  await t.test('poplib: what LIST and STAT count is what RETR sends, and unique-ids stay', async () => {
    const seen = await poplib(server, '--stls', files.certificate);
    for (const word of ['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'UTF8', 'LANG', 'SASL']) assert.ok(seen.capa.includes(word), word);
    assert.deepEqual(
      seen.list,
      seen.messages.map(({ size }, n) => `${n + 1} ${size}`),
    );
    assert.equal(
      seen.octets,
      seen.messages.reduce((sum, { size }) => sum + size, 0),
    );
    assert.match(seen.messages[1]!.text, /\n\.dot\n\.\.two\n\.\nlast$/);
    assert.match(seen.messages[1]!.top, /\n\n\.dot$/);
    assert.equal(new Set(seen.uidl.map((line) => line.split(' ')[1])).size, 4);
    assert.deepEqual((await poplib(server)).uidl, seen.uidl);
  });

  await t.test('curl lists and fetches by unique-id', async () => {
    const curl = (path: string, ...more: string[]): Promise<string> =>
      succeed('curl', [
        '--silent',
        '--show-error',
        '--cacert',
        files.certificate,
        '--user',
        `${USER}:${PASSWORD}`,
        `pop3s://127.0.0.1:${server.port('pop3s')}/${path}`,
        ...more,
      ]);
    assert.equal((await curl('')).trim().split(/\r?\n/).length, 4);
    assert.match(await curl('', '--request', 'UIDL'), /^1 [0-9a-f]{16}\r?\n/m);
    assert.match(await curl('1'), /^Subject: one\r?$/m);
  });

  await t.test('getmail takes what it has not seen, twice without doubles, and leaves it there', async () => {
    const home = tempDir(t, 'getmail');
    for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(home, 'Maildir', part), { recursive: true });
    writeFileSync(
      join(home, 'getmailrc'),
      `[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = ${server.port('pop3s')}\nusername = ${USER}\npassword = ${PASSWORD}\nca_certs = ${files.certificate}\n\n[destination]\ntype = Maildir\npath = ${join(home, 'Maildir')}/\n\n[options]\nread_all = false\ndelete = false\n`,
      { mode: 0o600 },
    );
    for (const name of ['', 'getmailrc', 'Maildir', 'Maildir/cur', 'Maildir/new', 'Maildir/tmp']) chownSync(join(home, name), NOBODY_ID, NOBODY_ID);
    const getmail = async (): Promise<number> => {
      const result = await run('setpriv', [`--reuid=${NOBODY_ID}`, `--regid=${NOBODY_ID}`, '--clear-groups', 'getmail', `--getmaildir=${home}`], {
        env: { HOME: home },
      });
      assert.equal(result.code, 0, result.stdout + result.stderr);
      return readdirSync(join(home, 'Maildir/new')).length;
    };
    assert.equal(await getmail(), 4);
    assert.equal(await getmail(), 4);
    await imap.append('INBOX', note('five'));
    assert.equal(await getmail(), 5);
    const texts = readdirSync(join(home, 'Maildir/new')).map((name) => readFileSync(join(home, 'Maildir/new', name), 'utf8'));
    assert.ok(texts.some((text) => text.includes('\n.dot\n..two\n.\nlast\n')));
    assert.equal(await imap.count(), 5);
  });

  await t.test('fetchmail with UIDL keeps mail at the server and fetches each message once', async () => {
    const home = tempDir(t, 'fetchmail');
    const fetched = join(home, 'fetched');
    writeFileSync(
      join(home, 'rc'),
      `poll localhost protocol POP3 uidl service ${server.port('pop3s')} user "${USER}" password "${PASSWORD}" ssl sslproto "TLS1.2+" sslcertck sslcertfile "${files.certificate}" keep no rewrite mda "/bin/sh -c 'cat >> ${fetched}; echo >> ${fetched}'"\n`,
      { mode: 0o600 },
    );
    const fetchmail = async (): Promise<number> => {
      const words = ['-f', join(home, 'rc'), '--nosyslog', '--pidfile', join(home, 'pid'), '--idfile', join(home, 'ids')];
      const result = await run('fetchmail', words, { env: { HOME: home, FETCHMAILHOME: home } });
      assert.ok(result.code === 0 || result.code === 1, result.stdout + result.stderr); // 1: nothing new
      return [...readFileSync(fetched, 'utf8').matchAll(/^Subject: /gm)].length;
    };
    const there = await imap.count();
    assert.equal(await fetchmail(), there);
    assert.equal(await fetchmail(), there);
    await imap.append('INBOX', note('six'));
    assert.equal(await fetchmail(), there + 1);
    assert.equal(await imap.count(), there + 1);
  });
  await imap.logout();
});

test('an account chooses what POP3 shows and what deleting does', async (t) => {
  const server = await startPosthorn(t, { users: { [USER]: PASSWORD } });
  const imap = await inbox(server);
  for (const subject of ['first', 'second', 'third', 'fourth']) await imap.append('INBOX', note(subject));
  await imap.ok('SELECT INBOX');
  await imap.ok('STORE 1 +FLAGS (\\Seen)');
  const option = (name: string, value: string): Promise<string> => server.admin('user', 'option', USER, name, value);
  const subjects = (seen: Probe): string[] => seen.messages.map(({ text }) => /^Subject: (.*)$/m.exec(text)![1]!);

  await option('pop3.shows', 'unseen');
  assert.deepEqual(subjects(await poplib(server)), ['second', 'third', 'fourth']);
  // Fetched is read.
  assert.deepEqual(subjects(await poplib(server)), []);
  await option('pop3.shows', 'all');

  await option('pop3.deletes', 'keep');
  const all = await poplib(server, '--delete', '2');
  assert.deepEqual(subjects(all), ['first', 'second', 'third', 'fourth']);
  const kept = await poplib(server);
  assert.deepEqual(subjects(kept), ['first', 'third', 'fourth']);
  assert.deepEqual(
    kept.uidl.map((line) => line.split(' ')[1]),
    [0, 2, 3].map((n) => all.uidl[n]!.split(' ')[1]),
  );
  assert.equal(await imap.count(), 4);
  assert.doesNotMatch((await imap.ok('FETCH 1:* (FLAGS)')).untagged.join(), /pop/i);

  await option('pop3.deletes', 'trash');
  await poplib(server, '--delete', '1');
  assert.equal(await imap.count(), 3);
  assert.match((await imap.messages('Trash'))[0]!, /Subject: first/);

  await option('pop3.deletes', 'expunge');
  await poplib(server, '--delete', '1');
  assert.equal(await imap.count(), 2);
  assert.equal(await imap.count('Trash'), 1);

  await option('pop3.shows', 'none');
  const pop = await LineClient.open(server.port('pop3'));
  await pop.expect(/^\+OK/);
  pop.send(`USER ${USER}\r\nPASS ${PASSWORD}\r\nQUIT\r\n`);
  await pop.expect(/^\+OK/);
  await pop.expect(/^-ERR \[SYS\/PERM\]/);
  await pop.expect(/^\+OK/);
  pop.close();
  await imap.logout();
});

test('a second login while one is there, and one too soon after it, are refused with codes that say so', async (t) => {
  const server = await startPosthorn(t, { config: { pop3: { loginDelay: '1h' } }, users: { [USER]: PASSWORD } });
  const login = async (): Promise<LineClient> => {
    const pop = await LineClient.open(server.port('pop3'));
    await pop.expect(/^\+OK/);
    pop.send(`USER ${USER}\r\nPASS ${PASSWORD}\r\n`);
    await pop.expect(/^\+OK/);
    return pop;
  };
  const first = await login();
  await first.expect(/^\+OK 0 messages/);
  const second = await login();
  await second.expect(/^-ERR \[IN-USE\] /);
  first.send('QUIT\r\n');
  await first.expect(/^\+OK/);
  second.send(`USER ${USER}\r\nPASS ${PASSWORD}\r\n`);
  await second.expect(/^\+OK/);
  await second.expect(/^-ERR \[LOGIN-DELAY\] /);
  second.send('CAPA\r\n');
  await second.expect(/^\+OK/);
  for (let line = await second.line(); line !== 'LOGIN-DELAY 3600'; line = await second.line()) assert.notEqual(line, '.');
  for (const client of [first, second]) client.close();
});
