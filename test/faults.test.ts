/** What goes wrong on real machines: a full disk, a damaged file, a backup in the middle of the day. */
import assert from 'node:assert/strict';
import { mkdirSync, openSync, readdirSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { Posthorn, startPosthorn } from './harness/posthorn.ts';
import { run, succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually, within } from './harness/wait.ts';

ownNetwork();
const USERS = { 'anna@us.test': 'anna-password' };
const MiB = 1024 * 1024;
const big = (subject: string, bytes: number): string => letter({ from: 'rita@remote.test', to: 'anna@us.test', subject, body: incompressible(subject, bytes) });
const send = (server: Posthorn, message: string): Promise<string> =>
  sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: ['anna@us.test'], message });

/** Lines of letters that zstd cannot make much smaller; the same for the same name. */
function incompressible(name: string, bytes: number): string {
  let state = 0;
  for (const character of name) state = (Math.imul(state, 31) + character.codePointAt(0)!) >>> 0;
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += 78) {
    let line = '';
    for (let index = 0; index < 76; index += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      line += String.fromCharCode(65 + ((state >>> 26) % 58));
    }
    lines.push(line);
  }
  return lines.join('\n');
}

test('a full disk: 452 4.3.1, nothing acknowledged is lost, mail can be read, and it recovers by itself', async (t) => {
  const dataDir = join(tempDir(t, 'small-disk'), 'data');
  mkdirSync(dataDir);
  await succeed('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir]);
  atEnd(t, () => run('umount', ['-l', dataDir]));
  const server = await startPosthorn(t, { dataDir, users: USERS, config: { store: { freeBytesMin: '4MiB' } } });
  writeFileSync(join(dataDir, 'ballast'), Buffer.alloc(36 * MiB));
  const acknowledged: string[] = [];
  let refusal = '';
  for (let index = 0; index < 60 && refusal === ''; index += 1) {
    const reply = await send(server, big(`number ${index}`, MiB)).catch((error: unknown) =>
      /452|451/.test(String(error)) ? String(error) : Promise.reject(error),
    );
    if (reply.startsWith('250')) acknowledged.push(`Subject: number ${index}\r\n`);
    else refusal = reply;
  }
  assert.match(refusal, /452[ -]4\.3\.1/);
  assert.ok(acknowledged.length > 3, `${acknowledged.length} were taken`);
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  const kept = async (): Promise<void> => {
    const messages = await imap.messages();
    assert.equal(messages.length, acknowledged.length);
    for (const subject of acknowledged) assert.equal(messages.filter((message) => message.includes(subject)).length, 1, subject);
  };
  await kept();
  rmSync(join(dataDir, 'ballast'));
  await eventually('mail is taken again', async () => (await send(server, big('after', MiB))).startsWith('250'));
  acknowledged.push('Subject: after\r\n');
  await kept();
  await imap.logout();
  await server.stop();
  await server.admin('store', 'check');
});

test('a damaged file: that message says so, the others can be read, and the check names it', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  await send(server, big('whole', 2000));
  await send(server, big('damaged', 2 * MiB));
  await send(server, big('whole too', 2 * MiB));
  const blobs = join(server.dataDir, 'blobs');
  const files = readdirSync(blobs, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  assert.equal(files.length, 2);
  damage(files[0]!);
  await server.restart(); // Nothing of it is in a cache.
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  await imap.ok('SELECT INBOX');
  // NO when nothing has been sent yet; within a literal only the end of the connection can say it. Never silence.
  const fetched = imap.command('FETCH 2 BODY.PEEK[]').then(
    (answer) => answer.status,
    (error: unknown) => String(error),
  );
  assert.match(await within('an answer about the damaged message', fetched, 15_000), /^NO|the (IMAP )?connection ended/);
  const again = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  await again.ok('SELECT INBOX');
  assert.match((await again.ok('FETCH 1 BODY.PEEK[]')).literals[0]!, /Subject: whole\r\n/);
  assert.match((await again.ok('FETCH 3 BODY.PEEK[]')).literals[0]!, /Subject: whole too\r\n/);
  assert.match((await again.ok('FETCH 1:3 (ENVELOPE)')).untagged.join('\n'), /damaged/);
  const check = await server.cli(['store', 'check']);
  assert.notEqual(check.code, 0);
  assert.match(check.stdout + check.stderr, /damaged|corrupt|digest|cannot be read/i);
  await again.logout();
});

/** Changes some bytes in the middle. */
function damage(file: string): void {
  const fd = openSync(file, 'r+');
  const middle = Math.floor(statSync(file).size / 2);
  const bytes = Buffer.alloc(64);
  readSync(fd, bytes, 0, bytes.length, middle);
  writeSync(
    fd,
    bytes.map((byte) => byte ^ 0xff),
    0,
    bytes.length,
    middle,
  );
}

test('a backup under load holds everything acknowledged before it began, and can be restored', async (t) => {
  const server = await startPosthorn(t, { users: USERS });
  const acknowledged: number[] = [];
  let next = 0;
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const number = next++;
      const reply = await send(server, big(`load ${number}.`, number % 10 === 0 ? 200_000 : 3000));
      assert.match(reply, /^250/);
      acknowledged.push(number);
    }
  };
  const load = Promise.all([client(), client(), client()]);
  await eventually('some mail is in', () => acknowledged.length > 30);
  const before = [...acknowledged];
  const backup = join(tempDir(t, 'backup'), 'copy');
  await server.admin('backup', backup);
  const during = acknowledged.length - before.length;
  isOver = true;
  await load;
  assert.ok(during > 0, 'mail came in during the backup');

  const restored = new Posthorn(tempDir(t, 'restored'), {});
  atEnd(t, () => restored.kill());
  rmSync(restored.dataDir, { recursive: true });
  await restored.admin('restore', backup);
  await restored.admin('store', 'check');
  await restored.start();
  const imap = await ImapClient.login(restored.port('imap'), 'anna@us.test', 'anna-password');
  const messages = await imap.messages();
  for (const number of before) assert.equal(messages.filter((message) => message.includes(`Subject: load ${number}.\r\n`)).length, 1, `load ${number}`);
  assert.match(await send(restored, big('goes on', 3000)), /^250/);
  await imap.logout();
});
