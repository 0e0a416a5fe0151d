/** mbsync and OfflineIMAP: two sides that change at once are the same again after a run, round by round, also when runs are cut. */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { keepRunning } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { within } from './harness/wait.ts';
import {
  localContents,
  localFiles,
  mbsyncRun,
  mbsyncWords,
  mustHaveRun,
  offlineImapRun,
  type SyncAccount,
  serverContents,
  writeLocal,
} from './peers/sync-clients.ts';
import { Wiretap } from './peers/wiretap.ts';

ownNetwork();
const MBSYNC_USER = 'anna@us.test';
const OFFLINEIMAP_USER = 'bert@us.test';
const PASSWORD = 'a password';
const note = (subject: string, body = 'Hello.'): string => letter({ from: 'rita@remote.test', to: MBSYNC_USER, subject, body });

async function uidValidity(imap: ImapClient, mailbox: string): Promise<string> {
  return /UIDVALIDITY (\d+)/.exec((await imap.ok(`STATUS "${mailbox}" (UIDVALIDITY)`)).untagged.join())![1]!;
}
const find = (maildir: string, subject: string): string => {
  const file = localFiles(maildir).find((path) => readFileSync(path, 'utf8').includes(`Subject: ${subject}\n`));
  assert.ok(file !== undefined, subject);
  return file;
};
/** As a mail reader does it. */
function flagLocally(maildir: string, subject: string, letters: string): void {
  const file = find(maildir, subject);
  const name = file.slice(file.lastIndexOf('/') + 1).replace(/:2,.*$/, '');
  renameSync(file, join(maildir, 'cur', `${name}:2,${letters}`));
}

test('programs that keep both sides the same', async (t) => {
  const server = await startPosthorn(t, { users: { [MBSYNC_USER]: PASSWORD, [OFFLINEIMAP_USER]: PASSWORD } });
  const tap = await Wiretap.open(t, server.port('imap'));

  await t.test('mbsync: several rounds with changes on both sides', async (part) => {
    const dir = tempDir(part, 'mbsync');
    const account: SyncAccount = { port: tap.port, user: MBSYNC_USER, password: PASSWORD };
    const imap = await ImapClient.login(server.port('imap'), MBSYNC_USER, PASSWORD);
    const mail = join(dir, 'mail');
    const round = async (): Promise<void> => {
      mustHaveRun(await mbsyncRun(dir, account));
      assert.deepEqual([...localContents(mail)].sort(), [...(await serverContents(imap))].sort());
    };
    for (let n = 1; n <= 20; n += 1) await imap.append('INBOX', note(`Letter ${n}`), n % 4 === 0 ? '\\Seen' : '');
    await imap.ok('CREATE Work/2026');
    await imap.append('Work/2026', note('Plan'), '\\Flagged \\Seen');
    await round();
    const validity = await uidValidity(imap, 'INBOX');

    // Flags, removals and new mail on both sides, also of the same message.
    await imap.ok('SELECT INBOX');
    await imap.ok('STORE 1:3 +FLAGS (\\Flagged)');
    await imap.ok('STORE 5,7 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await imap.append('INBOX', note('New there'));
    flagLocally(join(mail, 'INBOX'), 'Letter 1', 'RS');
    flagLocally(join(mail, 'INBOX'), 'Letter 9', 'F');
    unlinkSync(find(join(mail, 'INBOX'), 'Letter 10'));
    unlinkSync(find(join(mail, 'INBOX'), 'Letter 7'));
    writeLocal(join(mail, 'INBOX'), '1000.1.here', note('New here'));
    await round();
    const contents = (await serverContents(imap)).get('INBOX')!;
    // Both sides' flags: \Answered and \Seen from here, \Flagged from there (mbsync adds both).
    assert.ok(contents.includes('Letter 1 FRS') && contents.includes('Letter 9 F') && contents.includes('New here') && contents.includes('New there'));
    assert.equal(contents.length, 20 - 3 + 2);

    // Mailboxes: made here, made there, renamed there, removed there, removed here.
    writeLocal(join(mail, 'Made here'), '1001.1.here', note('In a new one'));
    await imap.ok('CREATE "Made there"');
    await imap.append('Made there', note('In another'));
    await imap.ok('RENAME Work/2026 Work/2027');
    mustHaveRun(await mbsyncRun(dir, account));
    const names = [...localContents(mail).keys()];
    // It removes no mailbox with mail in it: the old name stays here until somebody empties it.
    for (const name of ['Made here', 'Made there', 'Work/2026', 'Work/2027']) assert.ok(names.includes(name), name);
    rmSync(join(mail, 'Work/2026'), { recursive: true });
    await imap.ok('SELECT "Made there"');
    await imap.ok('STORE 1 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    for (const file of localFiles(join(mail, 'Made here'))) unlinkSync(file);
    await round();
    await imap.ok('SELECT INBOX');
    await imap.ok('DELETE "Made there"');
    for (const part of ['new', 'cur', 'tmp']) rmSync(join(mail, 'Made here', part), { recursive: true });
    mustHaveRun(await mbsyncRun(dir, account));
    const left = await serverContents(imap);
    for (const name of ['Made here', 'Made there']) assert.ok(!left.has(name) && !localContents(mail).has(name), name);

    // Nothing to do.
    const mark = tap.mark();
    mustHaveRun(await mbsyncRun(dir, account));
    assert.doesNotMatch(tap.sent(mark).join('\n'), /APPEND|STORE|EXPUNGE|CREATE|DELETE/, tap.story(mark));
    assert.equal(await uidValidity(imap, 'INBOX'), validity);
    assert.match(readFileSync(join(mail, 'INBOX', '.mbsyncstate'), 'utf8'), new RegExp(`^FarUidValidity ${validity}$`, 'm'));
    await imap.logout();
  });

  await t.test('mbsync: cut in the middle, killed, and run again: each message once on each side', async (part) => {
    const dir = tempDir(part, 'mbsync-cut');
    const account: SyncAccount = { port: tap.port, user: MBSYNC_USER, password: PASSWORD };
    const imap = await ImapClient.login(server.port('imap'), MBSYNC_USER, PASSWORD);
    const mail = join(dir, 'mail');
    await imap.ok('CREATE Cut');
    const body = `${'x'.repeat(900)}\n`.repeat(3);
    // The network fails on the way there and on the way here, then the program is killed on both.
    let count = 0;
    const there = /^C: \d+ APPEND "?Cut"?.*\{/;
    const here = /^S: \* \d+ FETCH .*BODY\[\]/;
    for (const [pattern, isKill] of [
      [there, false],
      [here, false],
      [there, true],
      [here, true],
    ] as const) {
      const last = count + 60;
      for (count += 1; count <= last; count += 1) {
        await imap.append('Cut', note(`There ${count}`, body));
        writeLocal(join(mail, 'Cut'), `2000.${count}.here`, note(`Here ${count}`, body));
      }
      count = last;
      const { child, output } = keepRunning('mbsync', mbsyncWords(dir, account), { env: { HOME: dir } });
      atEnd(part, () => child.kill('SIGKILL'));
      const ended = new Promise<unknown[]>((resolve) => child.once('exit', (...how) => resolve(how)));
      tap.when(pattern, 20, () => {
        if (isKill) child.kill('SIGKILL');
        tap.cut();
      });
      assert.notDeepEqual(await within('mbsync to end', ended), [0, null], output());
    }
    mustHaveRun(await mbsyncRun(dir, account));
    const contents = (await serverContents(imap)).get('Cut')!;
    assert.deepEqual(localContents(mail).get('Cut'), contents);
    const numbers = Array.from({ length: count }, (_, n) => n + 1);
    assert.deepEqual(contents, numbers.flatMap((n) => [`Here ${n}`, `There ${n}`]).sort());
    await imap.logout();
  });

  await t.test('OfflineIMAP: the first run, changes on both sides, again', async (part) => {
    const dir = tempDir(part, 'offlineimap');
    const account: SyncAccount = { port: tap.port, user: OFFLINEIMAP_USER, password: PASSWORD };
    const imap = await ImapClient.login(server.port('imap'), OFFLINEIMAP_USER, PASSWORD);
    const mail = join(dir, 'mail');
    const round = async (): Promise<void> => {
      mustHaveRun(await offlineImapRun(dir, account));
      assert.deepEqual([...localContents(mail)].sort(), [...(await serverContents(imap))].sort());
    };
    for (let n = 1; n <= 12; n += 1) await imap.append('INBOX', note(`Letter ${n}`), n % 3 === 0 ? '\\Seen' : '');
    await imap.ok('CREATE Projects/Cellar');
    await imap.append('Projects/Cellar', note('Shelf'), '\\Answered');
    await round();

    await imap.ok('SELECT INBOX');
    await imap.ok('STORE 1 +FLAGS (\\Flagged)');
    await imap.ok('STORE 2 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await imap.append('INBOX', note('New there'));
    flagLocally(join(mail, 'INBOX'), 'Letter 4', 'FS');
    unlinkSync(find(join(mail, 'INBOX'), 'Letter 5'));
    writeLocal(join(mail, 'INBOX'), '3000.1.here', note('New here'));
    writeLocal(join(mail, 'Made here'), '3001.1.here', note('In a new one'));
    await round();
    const contents = await serverContents(imap);
    assert.equal(contents.get('INBOX')!.length, 12 - 2 + 2);
    assert.ok(contents.get('INBOX')!.includes('Letter 4 FS'));
    assert.deepEqual(contents.get('Made here'), ['In a new one']);

    const mark = tap.mark();
    await round();
    assert.doesNotMatch(tap.sent(mark).join('\n'), /APPEND|STORE|EXPUNGE|CREATE|BODY/, tap.story(mark));
    await imap.logout();
  });
});
