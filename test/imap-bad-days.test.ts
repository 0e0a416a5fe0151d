/** Days on which the store is not what it should be: IMAP says NO with a response code, and the session goes on. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { run, succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';

ownNetwork();

const ANNA = 'anna@us.test';
const PASSWORD = 'a-long-password';
const USERS = { [ANNA]: PASSWORD };
const MiB = 1024 * 1024;

const login = (server: Posthorn): Promise<ImapClient> => ImapClient.login(server.port('imap'), ANNA, PASSWORD);

/** Letters in no order that compression finds; the same for the same name. */
function incompressible(name: string, bytes: number): string {
  let state = [...name].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) >>> 0, 1);
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += 78) {
    let line = '';
    for (let index = 0; index < 76; index += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      line += String.fromCharCode(65 + ((state >>> 26) % 58));
    }
    lines.push(line);
  }
  return lines.join('\r\n');
}
const message = (subject: string, bytes: number): string => `From: a@remote.test\r\nSubject: ${subject}\r\n\r\n${incompressible(subject, bytes)}\r\n`;

function blobFiles(server: Posthorn): string[] {
  return readdirSync(join(server.dataDir, 'blobs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
}

/** The mail database of a server that does not run, or runs and shares it. */
function database(server: Posthorn): DatabaseSync {
  return new DatabaseSync(join(server.dataDir, 'store.db'), { timeout: 5000 });
}

test('blobs that are missing, cut or damaged: NO, and the session goes on', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  const first = await login(server);
  const subjects = ['whole', 'file gone', 'file cut', 'row gone', 'row damaged', 'whole too'];
  for (const subject of subjects) await first.append('INBOX', message(subject, subject.startsWith('file') ? 2 * MiB : 3000));
  await first.logout();
  await server.stop();
  const [gone, cut] = blobFiles(server);
  rmSync(gone!);
  truncateSync(cut!, Math.floor(statSync(cut!).size / 2));
  const store = database(server);
  const blobOf = (uid: number): number =>
    Number(store.prepare('SELECT blob_id FROM email WHERE id=(SELECT email_id FROM message WHERE uid=?)').get(uid)!['blob_id']);
  const [missing, damaged] = [blobOf(4), blobOf(5)];
  store.prepare('DELETE FROM blob WHERE id=?').run(missing);
  store.prepare("UPDATE blob SET data=x'28b52ffd00' WHERE id=?").run(damaged);
  store.close();
  rmSync(join(server.dataDir, 'search.db'), { force: true });
  await server.start();

  const client = await login(server);
  await client.ok('SELECT INBOX');
  for (const number of [2, 4, 5]) {
    for (const item of ['BODY.PEEK[]', 'BODY.PEEK[TEXT]', 'BODY.PEEK[HEADER]', 'BINARY.PEEK[1]', 'BINARY.SIZE[1]', 'PREVIEW', 'RFC822'])
      await t.test(`${subjects[number - 1]}: FETCH ${item}`, async () => {
        assert.match((await client.command(`FETCH ${number} ${item}`)).status, /^NO \[[A-Z-]+\]/);
        assert.match((await client.command('NOOP')).status, /^OK/);
      });
  }
  await t.test('all of them: the whole ones are sent', async () => {
    const answer = await client.command('FETCH 1:6 BODY.PEEK[TEXT]<0.10>');
    assert.match(answer.status, /^NO \[[A-Z-]+\]/);
    const sent = answer.untagged.map((line) => Number(/^(\d+) FETCH/.exec(line)?.[1]));
    assert.ok(sent.includes(1) && sent.includes(6), sent.join());
  });
  await t.test('what is in rows is there', async () => {
    const { untagged } = await client.ok('FETCH 1:6 (UID FLAGS ENVELOPE RFC822.SIZE BODYSTRUCTURE)');
    assert.equal(untagged.length, 6);
  });
  const REFUSED = /^(?:OK|NO \[[A-Z-]+\])/;
  for (const command of [
    'SEARCH BODY nowhere',
    'SEARCH TEXT "zzz zzz"',
    'SEARCH HEADER X-None y',
    'SEARCH SUBJECT whole',
    'SORT (SUBJECT) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'STORE 1:6 +FLAGS (\\Flagged)',
    'COPY 1:6 Trash',
    'APPEND INBOX CATENATE (URL "/INBOX/;UID=2")',
    'APPEND INBOX CATENATE (URL "/INBOX/;UID=4/;SECTION=TEXT")',
  ])
    await t.test(command, async () => {
      assert.match((await client.command(command)).status, REFUSED);
      assert.match((await client.command('NOOP')).status, /^OK/);
    });
  await t.test('they can be removed', async () => {
    await client.ok('STORE 2:5 +FLAGS (\\Deleted)');
    await client.ok('EXPUNGE');
    const { literals } = await client.ok('FETCH 1:2 BODY.PEEK[]');
    assert.deepEqual(literals, [message('whole', 3000), message('whole too', 3000)]);
  });
  await t.test('the log names the messages and holds no bug', () => {
    assert.deepEqual(
      server.log.lines.filter(({ event }) => event === 'imap.bug' || event === 'thread.exception'),
      [],
    );
  });
  await client.logout();
});

test('a database that is locked: writes are refused, reads go on, and it recovers', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  const client = await login(server);
  await client.append('INBOX', message('one', 100));
  await client.ok('SELECT INBOX');
  const other = database(server);
  other.exec('BEGIN IMMEDIATE');
  for (const command of [
    'STORE 1 +FLAGS (\\Flagged)',
    'COPY 1 Trash',
    'MOVE 1 Trash',
    'CREATE Work',
    'SETMETADATA INBOX (/private/comment "x")',
    'SETACL INBOX anyone lr',
    'EXPUNGE',
    'SUBSCRIBE Trash',
  ])
    await t.test(`${command} while it is locked`, async () => {
      assert.match((await client.command(command)).status, command === 'EXPUNGE' || command === 'SUBSCRIBE Trash' ? /^(?:OK|NO \[[A-Z]+\])/ : /^NO \[[A-Z]+\]/);
      assert.equal((await client.ok('FETCH 1 BODY.PEEK[]')).literals.length, 1);
    });
  await t.test('APPEND while it is locked', async () => {
    assert.match((await client.append('INBOX', message('two', 100))).status, /^NO \[[A-Z]+\]/);
    await client.ok('NOOP');
  });
  await t.test('reading marks nothing as seen, and is answered', async () => {
    assert.equal((await client.ok('FETCH 1 BODY[]')).literals.length, 1);
  });
  other.exec('ROLLBACK');
  other.close();
  await eventually('writes work again', async () => (await client.command('STORE 1 +FLAGS (\\Flagged)')).status.startsWith('OK'));
  await client.append('INBOX', message('three', 100));
  assert.equal(await client.count(), 2);
  await client.logout();
});

test('a full disk: APPEND and COPY are refused, reading and removing go on, and it recovers', async (t) => {
  const dataDir = join(tempDir(t, 'small-disk'), 'data');
  mkdirSync(dataDir);
  await succeed('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir]);
  atEnd(t, () => run('umount', ['-l', dataDir]));
  const server = await startPosthorn(t, { dataDir, users: USERS, config: { store: { freeBytesMin: '4MiB' } } });
  const client = await login(server);
  await client.append('INBOX', message('before', MiB));
  await client.ok('SELECT INBOX');
  writeFileSync(join(dataDir, 'ballast'), Buffer.alloc(36 * MiB));
  let taken = 1;
  let refusal = '';
  for (let i = 0; i < 60 && refusal === ''; i += 1) {
    const { status } = await client.append('INBOX', message(`number ${i}`, MiB));
    if (status.startsWith('OK')) taken += 1;
    else refusal = status;
  }
  assert.match(refusal, /^NO \[UNAVAILABLE\]/);
  assert.equal((await client.ok('FETCH 1 BODY[]')).literals.length, 1);
  assert.match((await client.command('SETMETADATA INBOX (/private/comment "x")')).status, /^(?:OK|NO \[[A-Z]+\])/);
  assert.equal((await client.ok(`FETCH 1:${taken} BODY.PEEK[TEXT]<0.10>`)).literals.length, taken);
  await client.ok('STORE 1 +FLAGS (\\Deleted)');
  await client.ok('EXPUNGE');
  rmSync(join(dataDir, 'ballast'));
  await eventually('messages are taken again', async () => (await client.append('INBOX', message('after', 1000))).status.startsWith('OK'));
  assert.equal(await client.count(), taken);
  assert.deepEqual(
    server.log.lines.filter(({ event }) => event === 'imap.bug' || event === 'thread.exception'),
    [],
  );
  await client.logout();
  await server.stop();
  await server.admin('store', 'check');
});
