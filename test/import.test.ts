/** Moving in: a Maildir that Dovecot has served, imports that are killed at any moment, and mail that comes meanwhile. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RUNTIME_FLAGS, runtimeEnvironment } from '../bin/lib.mjs';
import { openStoreReader } from '../src/store/reader.ts';
import { storePaths } from '../src/store/paths.ts';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { Posthorn, ROOT, startPosthorn } from './harness/posthorn.ts';
import { succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { startDovecot } from './peers/dovecot.ts';

ownNetwork();
const PASSWORD = 'anna-password';
const USERS = { 'anna@us.test': PASSWORD };

/** Everything a client knows of a mailbox. */
async function known(imap: ImapClient, mailbox: string): Promise<string[]> {
  const { untagged } = await imap.ok(`EXAMINE "${mailbox}"`);
  const validity = untagged.find((line) => line.includes('UIDVALIDITY'))!;
  const next = untagged.find((line) => line.includes('UIDNEXT'))!;
  const rows = (await imap.ok('FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])')).untagged.filter((line) => line.includes('FETCH'));
  const messages = rows.map((line) => {
    const flags = /FLAGS \(([^)]*)\)/
      .exec(line)![1]!
      .split(' ')
      .filter((flag) => flag !== '\\Recent' && flag !== '')
      .sort();
    const date = Date.parse(/INTERNALDATE "([^"]*)"/.exec(line)![1]!);
    return [
      /UID (\d+)/.exec(line)![1],
      flags.join(' '),
      date,
      /RFC822\.SIZE (\d+)/.exec(line)![1],
      /\}\n([\s\S]*)\)$/.exec(line)?.[1]?.replace(/ UID \d+[\s\S]*$/, ''),
    ].join('|');
  });
  return [/UIDVALIDITY \d+/.exec(validity)![0], /UIDNEXT \d+/.exec(next)![0], ...messages];
}

async function uidls(port: number, user: string): Promise<string[]> {
  const pop = await LineClient.open(port);
  await pop.expect(/^\+OK/);
  for (const line of [`USER ${user}`, `PASS ${PASSWORD}`, 'UIDL']) {
    pop.send(`${line}\r\n`);
    await pop.expect(/^\+OK/);
  }
  const rows: string[] = [];
  for (let line = await pop.line(); line !== '.' && line !== null; line = await pop.line()) rows.push(line);
  pop.send('QUIT\r\n');
  await pop.line();
  pop.close();
  return rows;
}

test('an account that Dovecot has served: IMAP clients and POP3 clients find everything as they know it', async (t) => {
  const dovecot = await startDovecot(t, { address: '127.0.0.1', imapPort: 1143, lmtpPort: 1024, users: { anna: PASSWORD } });
  const imap = await ImapClient.login(1143, 'anna', PASSWORD);
  for (const name of ['Work', 'Work.Old', 'Entw&APw-rfe', 'Unsubscribed']) await imap.ok(`CREATE "${name}"`);
  for (const name of ['Work.Old', 'Entw&APw-rfe']) await imap.ok(`SUBSCRIBE "${name}"`);
  const note = (n: number): string =>
    letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: `note ${n}`, body: `.dot\nFrom me\n${'x'.repeat(n * 50)}` });
  for (let n = 1; n <= 12; n += 1) {
    const date = `"${String(n).padStart(2, '0')}-Jan-2021 10:00:00 +0000"`;
    const mailbox = n <= 8 ? 'INBOX' : n <= 10 ? 'Work.Old' : 'Entw&APw-rfe';
    const bytes = Buffer.from(note(n));
    imap.wire.send(
      `a${n} APPEND "${mailbox}" (${n % 2 === 0 ? '\\Seen' : ''}${n === 3 ? ' $Forwarded later' : ''}${n === 4 ? ' \\Flagged \\Answered' : ''}) ${date} {${bytes.length}}\r\n`,
    );
    await imap.wire.expect(/^\+/);
    imap.wire.send(bytes);
    imap.wire.send('\r\n');
    await imap.finish(`a${n}`);
  }
  // UIDs with gaps, at the end too.
  await imap.ok('SELECT INBOX');
  await imap.ok('STORE 2,5,8 +FLAGS (\\Deleted)');
  await imap.ok('EXPUNGE');
  await imap.ok('CLOSE');
  const folders = ['INBOX', 'Work.Old', 'Entw&APw-rfe'];
  const before = new Map<string, string[]>();
  for (const name of folders) before.set(name, await known(imap, name));
  await imap.logout();
  await dovecot.stop();
  // Its process writes the list of UIDs after the client has gone.
  for (const [name, rows] of before)
    await eventually(`Dovecot has written the UIDs of ${name}`, () => {
      const list = readFileSync(join(dovecot.mailboxes, 'anna/Maildir', name === 'INBOX' ? '' : `.${name}`, 'dovecot-uidlist'), 'latin1').split('\n');
      return rows.slice(2).every((row) => list.some((line) => line.startsWith(`${row.split('|')[0]} `)));
    });

  const server = await startPosthorn(t, { users: USERS });
  const said = await server.admin('import', 'anna@us.test', join(dovecot.mailboxes, 'anna/Maildir'));
  assert.match(said, /^9 messages were added to 5 mailboxes of anna@us\.test\.\nIMAP clients find what they know by its old UID in \d mailboxes\.$/m);
  const ours = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  for (const name of folders) assert.deepEqual(await known(ours, name.replace('.', '/')), before.get(name), name);
  // As Dovecot makes unique-ids when nothing is set: pop3_uidl_format = %08Xu%08Xv, in small letters.
  assert.match(await succeed('doveconf', ['-d', 'pop3_uidl_format']), /= %08Xu%08Xv$/m);
  const [validity, , ...inbox] = before.get('INBOX')!;
  const hex = (n: string): string => Number(n).toString(16).padStart(8, '0');
  const wanted = inbox.map((line, n) => `${n + 1} ${hex(line.split('|')[0]!)}${hex(validity!.slice('UIDVALIDITY '.length))}`);
  assert.equal(wanted.length, 5);
  assert.deepEqual(await uidls(server.port('pop3'), 'anna@us.test'), wanted);
  const subscribed = (await ours.ok('LSUB "" "*"')).untagged.map((line) => /"?([^" ]+)"?$/.exec(line)![1]);
  assert.ok(subscribed.includes('Work/Old') && subscribed.includes('Entw&APw-rfe') && !subscribed.includes('Unsubscribed'), subscribed.join());
  await ours.logout();
});

const MESSAGES = 4000;
/** Which messages, with what: "subject flags date" by number. */
function manyMessages(root: string): string[] {
  for (const part of ['cur', 'new', 'tmp', '.Work/cur']) mkdirSync(join(root, part), { recursive: true });
  const expected: string[] = [];
  const uidlist: string[] = [];
  for (let n = 0; n < MESSAGES; n += 1) {
    const seconds = 1_600_000_000 + n;
    const directory = n % 8 === 7 ? '.Work/cur' : 'cur';
    const flags = `${n % 5 === 0 ? 'F' : ''}${n % 3 === 0 ? 'S' : ''}`;
    const name = `${seconds}.M${n}P7.host`;
    const path = join(root, directory, `${name}:2,${flags}`);
    writeFileSync(path, `From: <rita@remote.test>\nSubject: m${n}\nMessage-ID: <${n}@remote.test>\n\n${`line ${n}\n`.repeat(n % 50)}`);
    utimesSync(path, seconds, seconds);
    if (directory === 'cur') uidlist.push(`${n + 10} :${name}\n`);
    expected.push(`${directory === 'cur' ? `INBOX ${n + 10}` : 'Work'} m${n} ${(n % 3 === 0 ? 1 : 0) | (n % 5 === 0 ? 4 : 0)} ${seconds}`);
  }
  writeFileSync(join(root, 'dovecot-uidlist'), `3 V1500000000 N${MESSAGES + 10} G0\n${uidlist.join('')}`);
  return expected.sort();
}

function readStore<T>(server: Posthorn, read: (rows: (sql: string) => unknown[][]) => T): T {
  const paths = storePaths(server.dataDir);
  const reader = openStoreReader(paths.database, paths.blobs);
  try {
    return read((sql) => reader.rows(sql));
  } finally {
    reader.close();
  }
}
const counted = (server: Posthorn): number => readStore(server, (rows) => Number(rows('SELECT sum(message_count) FROM mailbox')[0]![0]));
const stored = (server: Posthorn): string[] =>
  readStore(server, (rows) =>
    rows(
      'SELECT b.name, m.uid, m.flags, m.internal_date / 1000, e.message_id FROM message m JOIN mailbox b ON b.id=m.mailbox_id JOIN email e ON e.id=m.email_id',
    ),
  )
    .map(([box, uid, flags, seconds, id]) => `${box === 'INBOX' ? `INBOX ${uid}` : box} m${/\d+/.exec(String(id))![0]} ${flags} ${seconds}`)
    .sort();

/** `posthorn import` as a process of its own. */
function importing(server: Posthorn, source: string): ChildProcess {
  const args = [...RUNTIME_FLAGS, join(ROOT, 'src/main.ts'), '--config', server.configFile, 'import', 'anna@us.test', source];
  const env: Record<string, string> = { ...runtimeEnvironment(ROOT), NO_COLOR: '1' };
  delete env['NODE_TEST_CONTEXT'];
  return spawn(process.execPath, args, { cwd: server.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

test('an import that is killed three times at any point brings each message once, with its flags, date and UID', async (t) => {
  const root = join(tempDir(t, 'maildir'), 'Maildir');
  const expected = manyMessages(root);
  const server = new Posthorn(tempDir(t, 'server'), {});
  atEnd(t, () => server.kill());
  await server.addUser('anna@us.test', PASSWORD);
  // Somewhere in the first, the second and the third thousand.
  let seed = 20261120;
  for (const from of [0, 1000, 2000]) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    const point = from + (seed % 1000);
    const child = importing(server, root);
    const ended = once(child, 'exit');
    await eventually(`${point} messages are in the store`, () => child.exitCode !== null || counted(server) >= point);
    child.kill('SIGKILL');
    await ended;
    t.diagnostic(`killed with ${counted(server)} messages in the store`);
  }
  const said = await server.admin('import', 'anna@us.test', root);
  assert.match(said, /had been added before/);
  assert.deepEqual(stored(server), expected);
  assert.match(await server.admin('import', 'anna@us.test', root), /^0 messages were added .* 4000 messages had been added before/);
  assert.match(await server.admin('store', 'check'), /All is well/);
});

test('Ctrl-C stops an import with a sentence; the same command goes on', async (t) => {
  const root = join(tempDir(t, 'maildir'), 'Maildir');
  const expected = manyMessages(root);
  const server = await startPosthorn(t, { users: USERS });
  const child = importing(server, root);
  let said = '';
  child.stderr!.on('data', (chunk) => (said += String(chunk)));
  const ended = once(child, 'exit');
  await eventually('the import has begun', () => child.exitCode !== null || counted(server) > 0);
  child.kill('SIGINT');
  const [code] = await ended;
  if (code !== 0) assert.deepEqual([code, said], [130, 'Stopped. What was added stays; the same command goes on there.\n']);
  const imported = await eventually('the server has let go of the first import', async () => {
    const result = await server.cli(['import', 'anna@us.test', root]);
    return result.code === 0 ? result.stdout : null;
  });
  assert.match(imported, /messages? (was|were) added/);
  assert.deepEqual(stored(server), expected);
});

test('mail that comes while an import runs, and a server that is killed in it: nothing is lost, nothing comes twice', async (t) => {
  const root = join(tempDir(t, 'maildir'), 'Maildir');
  manyMessages(root);
  const server = await startPosthorn(t, { users: USERS });
  const child = importing(server, root);
  const ended = once(child, 'exit');
  const accepted: number[] = [];
  const send = async (n: number): Promise<void> => {
    const message = letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: `new ${n}`, headers: { 'Message-ID': `<${100_000 + n}@new.test>` } });
    const reply = await sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: ['anna@us.test'], message }).catch(() => '');
    if (reply.startsWith('250')) accepted.push(n);
  };
  await eventually('the import has begun', () => child.exitCode !== null || counted(server) > 0);
  for (let n = 0; n < 5; n += 1) await send(n);
  await server.kill();
  await ended;
  await server.start();
  await send(5);
  await server.admin('import', 'anna@us.test', root);
  const numbers = (): number[] => stored(server).map((line) => Number(/ m(\d+) /.exec(line)![1]));
  const wanted = [...Array.from({ length: MESSAGES }, (_, n) => n), ...accepted.map((n) => 100_000 + n)];
  await eventually('all mail is there', () => numbers().length >= wanted.length);
  assert.deepEqual(
    numbers().sort((a, b) => a - b),
    wanted,
  );
  assert.match(await server.admin('store', 'check'), /All is well/);
});
