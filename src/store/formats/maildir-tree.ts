/** The folders of a Maildir: Maildir++ (".Work.Old" beside INBOX) and plain trees ("Work/Old", Dovecot's LAYOUT=fs), told apart by their names. */
import { opendirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeUtf7 } from '../../wire/imap/utf7.ts';
import { mailboxName } from './maildir.ts';

/** Folders of one account, and how deep they nest. */
const FOLDERS_MAX = 10_000;
const DEPTH_MAX = 50;
const SUBSCRIPTION_BYTES_MAX = 4 * 1024 * 1024;
/** What a folder itself is made of, and what Dovecot puts beside it. */
const NO_FOLDERS = new Set(['cur', 'new', 'tmp', 'dbox-Mails', 'mailboxes', 'sieve']);

export interface MaildirFolder {
  readonly mailbox: string;
  readonly directory: string;
}

/** INBOX first, then by name. Throws with a sentence when `root` is no Maildir. */
export function maildirTree(root: string): MaildirFolder[] {
  const found: MaildirFolder[] = [];
  let names: string[];
  try {
    names = directoriesIn(root);
  } catch (error) {
    throw new Error(`${root} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (isMaildir(root)) found.push({ mailbox: 'INBOX', directory: root });
  for (const name of names) {
    const directory = join(root, name);
    if (name.startsWith('.')) {
      if (name.length > 1 && isMaildir(directory)) found.push({ mailbox: mailboxName(name), directory });
    } else if (!NO_FOLDERS.has(name)) walk(directory, levelName(name), 1, found);
  }
  if (found.length === 0) throw new Error(`${root} is no Maildir: it has neither cur nor new, nor folders that have`);
  // "INBOX" may also be a folder of a plain tree; two ways to one name would be read into one mailbox, one after the other.
  const isInbox = ({ mailbox }: MaildirFolder): boolean => mailbox.toUpperCase() === 'INBOX';
  return found
    .map((folder) => (isInbox(folder) ? { ...folder, mailbox: 'INBOX' } : folder))
    .sort((a, b) => Number(isInbox(b)) - Number(isInbox(a)) || (a.mailbox < b.mailbox ? -1 : 1));
}

function walk(directory: string, mailbox: string, depth: number, found: MaildirFolder[]): void {
  if (depth > DEPTH_MAX) return;
  if (found.length >= FOLDERS_MAX) throw new Error(`There are more than ${FOLDERS_MAX} folders.`);
  if (isMaildir(directory)) found.push({ mailbox, directory });
  for (const name of directoriesIn(directory))
    if (!name.startsWith('.') && !NO_FOLDERS.has(name)) walk(join(directory, name), `${mailbox}/${levelName(name)}`, depth + 1, found);
}

function isMaildir(directory: string): boolean {
  return ['cur', 'new'].some((part) => statSync(join(directory, part), { throwIfNoEntry: false })?.isDirectory() === true);
}

/** Directories, not links to them: they may lead anywhere, also in circles. */
function directoriesIn(directory: string): string[] {
  const names: string[] = [];
  const open = opendirSync(directory);
  try {
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) if (entry.isDirectory()) names.push(entry.name);
  } finally {
    open.closeSync();
  }
  return names.sort();
}

/** Modified UTF-7, or what it is. */
function levelName(name: string): string {
  return decodeUtf7(name) ?? name;
}

/** Mailboxes that the account had subscribed to, from Dovecot's or Courier's file; null when there is none. */
export function maildirSubscriptions(root: string): ReadonlySet<string> | null {
  for (const file of ['subscriptions', 'courierimapsubscribed']) {
    const path = join(root, file);
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isFile() !== true || info.size > SUBSCRIPTION_BYTES_MAX) continue;
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    if (/^V\t\d+$/.test(lines[0] ?? '')) return new Set(lines.slice(1).map((line) => line.split('\t').map(levelName).join('/')));
    return new Set(lines.map((line) => (line === 'INBOX' ? line : plainName(line.replace(/^INBOX\./, '')))));
  }
  return null;
}

/** Older files have the separator of their server between levels. */
function plainName(line: string): string {
  return line
    .split(line.includes('/') ? '/' : '.')
    .map(levelName)
    .join('/');
}
