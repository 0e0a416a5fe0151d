/** Programs that keep a Maildir and an account the same: mbsync and OfflineIMAP; and what both sides then have. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImapClient } from '../harness/imap-client.ts';
import { need, type RunResult, run } from '../harness/run.ts';

export interface SyncAccount {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Subject and flags of each message, sorted: "subject FRS" with Maildir's letters (D, F, R, S, T). */
export type Contents = readonly string[];

const FLAGS: readonly (readonly [string, string])[] = [
  ['\\Draft', 'D'],
  ['\\Flagged', 'F'],
  ['\\Answered', 'R'],
  ['\\Seen', 'S'],
  ['\\Deleted', 'T'],
];

/** Every mailbox of the account. */
export async function serverContents(imap: ImapClient): Promise<Map<string, Contents>> {
  const found = new Map<string, Contents>();
  for (const line of (await imap.ok('LIST "" "*"')).untagged) {
    const name = /^LIST \([^)]*\) "\/" "?(.+?)"?$/.exec(line)?.[1];
    if (name === undefined) continue; // The news of another mailbox that was selected.
    const { untagged } = await imap.ok(`EXAMINE "${name}"`);
    if (untagged.includes('0 EXISTS')) {
      found.set(name, []);
      continue;
    }
    const fetched = (await imap.ok('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).untagged;
    found.set(
      name,
      fetched
        .map((text) => {
          const flags = /FLAGS \(([^)]*)\)/.exec(text)![1]!.split(' ');
          const letters = FLAGS.filter(([flag]) => flags.includes(flag)).map(([, letter]) => letter);
          return `${/Subject: (.*)\r\n/.exec(text)![1]} ${letters.join('')}`.trimEnd();
        })
        .sort(),
    );
  }
  return found;
}

/** Every Maildir below `dir`, by its path there. */
export function localContents(dir: string): Map<string, Contents> {
  const found = new Map<string, Contents>();
  const walk = (name: string): void => {
    const path = join(dir, name);
    if (existsSync(join(path, 'cur'))) found.set(name, localFiles(path).map(described).sort());
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory() && !['cur', 'new', 'tmp'].includes(entry.name)) walk(join(name, entry.name));
  };
  if (existsSync(dir)) walk('');
  return found;
}

export function localFiles(maildir: string): string[] {
  return ['new', 'cur'].flatMap((part) => readdirSync(join(maildir, part)).map((name) => join(maildir, part, name)));
}

function described(file: string): string {
  const letters = /:2,([A-Z]*)/.exec(file)?.[1] ?? '';
  return `${/^Subject: (.*?)\r?$/m.exec(readFileSync(file, 'utf8'))![1]} ${[...letters].sort().join('')}`.trimEnd();
}

/** Makes the Maildir when it is not there. */
export function writeLocal(maildir: string, name: string, message: string): void {
  for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, part), { recursive: true });
  writeFileSync(join(maildir, 'new', name), message.replaceAll('\r\n', '\n'));
}

/** One Maildir for each mailbox at `dir`/mail, the state of each in the file .mbsyncstate in it. Never rejects for an exit code. */
export function mbsyncRun(dir: string, account: SyncAccount): Promise<RunResult> {
  return run('mbsync', mbsyncWords(dir, account), { env: { HOME: dir } });
}

/** The words behind "mbsync", for who wants to end it before its time. */
export function mbsyncWords(dir: string, account: SyncAccount): string[] {
  need('mbsync');
  const mail = join(dir, 'mail');
  mkdirSync(mail, { recursive: true });
  const rc = join(dir, 'mbsyncrc');
  writeFileSync(
    rc,
    `IMAPStore remote
Host 127.0.0.1
Port ${account.port}
User ${account.user}
Pass "${account.password}"
SSLType None
AuthMechs LOGIN

MaildirStore local
Path ${mail}/
Inbox ${mail}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
`,
    { mode: 0o600 },
  );
  return ['-c', rc, '-V', '-a'];
}

/** One Maildir for each mailbox at `dir`/mail, OfflineIMAP's own state beside it. Never rejects for an exit code. */
export async function offlineImapRun(dir: string, account: SyncAccount): Promise<RunResult> {
  need('offlineimap');
  const rc = join(dir, 'offlineimaprc');
  writeFileSync(
    rc,
    `[general]
accounts = main
metadata = ${join(dir, 'metadata')}
ui = basic
maxsyncaccounts = 1

[Account main]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = ${join(dir, 'mail')}
sep = /
sync_deletes = yes

[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = ${account.port}
remoteuser = ${account.user}
remotepass = ${account.password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
createfolders = True
maxconnections = 2
`,
    { mode: 0o600 },
  );
  return run('offlineimap', ['-c', rc, '-o'], { env: { HOME: dir } });
}

/** The output belongs into the message: an exit code alone tells nothing. */
export function mustHaveRun(result: RunResult): void {
  assert.equal(result.code, 0, `${result.stdout.slice(-4000)}\n${result.stderr.slice(-4000)}`);
}
