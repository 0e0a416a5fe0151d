/** What each mail client does with a mailbox, told once: run against Debian's Dovecot to prove the story, and against Posthorn. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImapClient } from '../harness/imap-client.ts';
import { letter } from '../harness/letter.ts';
import { eventually } from '../harness/wait.ts';
import { fetchmail, type MailAccount, mbsync, muttKeys } from './mail-clients.ts';

export interface Stage {
  /** An empty directory. */
  readonly dir: string;
  readonly account: MailAccount;
  /** Logged in to the same account, whose inbox is empty. */
  readonly imap: ImapClient;
}
const note = (subject: string, body = 'Hello.'): string => letter({ from: 'rita@remote.test', to: 'anna@us.test', subject, body });

async function fill(stage: Stage, subjects: readonly string[]): Promise<void> {
  await empty(stage); // A story that failed before this one may have left something.
  for (const subject of subjects) assert.match((await stage.imap.append('INBOX', note(subject))).status, /^OK/);
}
async function empty(stage: Stage): Promise<void> {
  await stage.imap.ok('SELECT INBOX');
  await stage.imap.command('STORE 1:* +FLAGS.SILENT (\\Deleted)');
  await stage.imap.ok('EXPUNGE');
}

/** mutt opens the inbox, pipes a message out, flags the next, moves one to Trash and expunges. */
export async function muttStory(stage: Stage): Promise<void> {
  await fill(stage, ['first', 'second', 'third']);
  const out = join(stage.dir, 'piped');
  const keys = `<first-entry><pipe-message>cat > ${out}<enter><display-message><exit><next-entry><flag-message><next-entry><save-message>=Trash<enter><sync-mailbox><exit>`;
  await muttKeys(stage.dir, stage.account, 'INBOX', keys, { confirmappend: 'no', confirmcreate: 'no', sort: 'mailbox-order', resolve: 'no', quit: 'yes' });
  assert.match(readFileSync(out, 'utf8'), /Subject: first/);
  await eventually('mutt has expunged', async () => (await stage.imap.count()) === 2);
  assert.match((await stage.imap.messages('Trash'))[0] ?? '', /Subject: third/);
  await stage.imap.ok('EXAMINE INBOX');
  const flags = (await stage.imap.ok('FETCH 1:* (FLAGS)')).untagged.join('\n');
  assert.match(flags, /1 FETCH \(.*\\Seen/);
  assert.match(flags, /2 FETCH \(.*\\Flagged/);
  await empty(stage);
}

/** mbsync there and back: new mail both ways, flags both ways, expunge both ways, a folder made, renamed and removed. */
export async function mbsyncStory(stage: Stage): Promise<void> {
  const maildir = (folder: string, part: string): string => join(stage.dir, 'mail', folder, part);
  const files = (folder: string): string[] =>
    ['new', 'cur'].flatMap((part) => readdirSync(maildir(folder, part)).map((name) => join(maildir(folder, part), name)));
  const find = (folder: string, text: string): string | undefined => files(folder).find((file) => readFileSync(file, 'utf8').includes(text));
  await fill(stage, ['kept', 'deleted at the server', 'deleted here']);
  await stage.imap.ok('CREATE "Projekte"');
  await mbsync(stage.dir, stage.account);
  assert.equal(files('INBOX').length, 3);

  // Here: one new message, one gone, one read. There: one gone, one flagged.
  writeFileSync(join(maildir('Projekte', 'new'), `${Date.now()}.1.local`), note('written here').replaceAll('\r\n', '\n'));
  unlinkSync(find('INBOX', 'Subject: deleted here')!);
  await stage.imap.ok('SELECT INBOX');
  await stage.imap.ok('STORE 2 +FLAGS (\\Deleted)');
  await stage.imap.ok('EXPUNGE');
  await stage.imap.ok('STORE 1 +FLAGS (\\Flagged)');
  await mbsync(stage.dir, stage.account);
  assert.equal(find('INBOX', 'Subject: deleted at the server'), undefined);
  assert.match(find('INBOX', 'Subject: kept')!, /:2,.*F/);
  assert.equal(await stage.imap.count('INBOX'), 1);
  assert.match((await stage.imap.messages('Projekte'))[0]!, /Subject: written here/);

  // A rename is a new folder and a gone one. (Dovecot ends a session whose selected mailbox is renamed.)
  await stage.imap.ok('SELECT INBOX');
  await stage.imap.ok('RENAME "Projekte" "Projekte 2027"');
  await mbsync(stage.dir, stage.account);
  assert.ok(find('Projekte 2027', 'Subject: written here') !== undefined);

  // Nothing to do: a further run changes nothing, on either side.
  const before = [...files('INBOX'), ...files('Projekte 2027')].sort();
  await mbsync(stage.dir, stage.account);
  assert.deepEqual([...files('INBOX'), ...files('Projekte 2027')].sort(), before);
  assert.equal(await stage.imap.count('INBOX'), 1);
  await stage.imap.ok('DELETE "Projekte 2027"');
  await empty(stage);
}

/** fetchmail collects everything and leaves the inbox empty; lines that begin with dots come through. */
export async function fetchmailStory(stage: Stage, protocol: 'IMAP' | 'POP3', port: number): Promise<void> {
  await fill(stage, ['one', 'two']);
  await stage.imap.append('INBOX', note('three', '.dot\n..two\nlast'));
  const dir = join(stage.dir, protocol);
  mkdirSync(dir);
  const log = await fetchmail(dir, stage.account, protocol, port);
  const fetched = readFileSync(join(dir, 'fetched'), 'utf8');
  for (const subject of ['one', 'two', 'three']) assert.ok(fetched.includes(`Subject: ${subject}\n`), fetched);
  assert.ok(fetched.includes('\n.dot\n..two\nlast\n'), fetched);
  assert.equal(await stage.imap.count(), 0, log);
}
