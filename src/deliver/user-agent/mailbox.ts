/** The mailbox of a system user and its folders, as `local.mailbox` says: in the store, a maildir or mbox in the home directory, or the mail spool. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deliverMaildir, makeMaildir, maildirFolder } from '../agents/maildir.ts';
import { appendMbox, fromLine, mboxMessage } from '../agents/mbox.ts';
import type { KernelLocks } from '../agents/kernel-lock.ts';
import { folderKind } from '../agents/mh.ts';
import { notStored, type StoreResult } from '../agents/result.ts';
import { makeDirectory } from '../agents/write.ts';
import { FLAG } from '../../ports.ts';
import type { FlagSet } from '../filters/filter.ts';
import type { LocalConfiguration } from './types.ts';

/** Writes to the user's file in the mail spool, whose directory only the group `mail` may change: another process does that. */
export type SpoolWriter = (path: string, pieces: readonly Uint8Array[]) => Promise<StoreResult>;

export interface MailboxHost {
  readonly configuration: LocalConfiguration;
  readonly home: string;
  readonly user: string;
  readonly at: number;
  readonly envelopeSender: string | null;
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  readonly spool: SpoolWriter;
}

/** Where mbox users have their folders, as Dovecot's mbox:~/mail has it. */
const MBOX_FOLDERS = 'mail';

export const isInStore = (configuration: LocalConfiguration): boolean => configuration.mailbox === 'store';

/** The mailbox itself (for $MAIL, $DEFAULT, $ORGMAIL); null when it is in the store. A trailing slash means a maildir. */
export function mailboxPath(host: Pick<MailboxHost, 'configuration' | 'home' | 'user'>): string | null {
  const { mailbox } = host.configuration;
  if (mailbox === 'store') return null;
  return mailbox.startsWith('/') ? join(mailbox, host.user) : join(host.home, mailbox);
}

/** Delivers to INBOX or a folder outside the store. `pieces` are the LF form with its trace lines. */
export async function deliverToMailbox(host: MailboxHost, mailbox: string, pieces: readonly Uint8Array[], flags: FlagSet | null = null): Promise<StoreResult> {
  const path = mailboxPath(host);
  if (path === null) return notStored(451, '4.3.5', 'the mailbox is in the store');
  const isInbox = mailbox.toUpperCase() === 'INBOX';
  if (path.endsWith('/')) {
    const { quotaBytes, quotaMessages } = host.configuration;
    const root = path.replace(/\/+$/, '');
    const folder = maildirFolder(root, mailbox);
    // Readers look for the folders of a maildir, and only there.
    if (folder !== root) makeMaildir(root, 0o700);
    return deliverMaildir({ path: folder, pieces, at: host.at, quota: { bytes: quotaBytes, messages: quotaMessages }, flags: maildirFlags(flags) });
  }
  if (isInbox) return deliverToMbox(host, path, pieces);
  const folder = folderPath(host, mailbox);
  if (folder === null) return deliverToMbox(host, path, pieces);
  makeDirectory(dirname(folder), 0o700);
  return deliverToMbox(host, folder, pieces);
}

/** In the order of the alphabet, as the name of a maildir file has them; keywords have no letters here. */
const LETTERS = [
  ['D', FLAG.draft],
  ['F', FLAG.flagged],
  ['R', FLAG.answered],
  ['S', FLAG.seen],
  ['T', FLAG.deleted],
] as const;

function maildirFlags(flags: FlagSet | null): string {
  return flags === null ? '' : LETTERS.map(([letter, bit]) => ((flags.flags & bit) === 0 ? '' : letter)).join('');
}

/** Where a folder outside the store is: a folder of the Maildir++, or a file below ~/mail. null: it is no name of a folder. */
function folderPath(host: Pick<MailboxHost, 'configuration' | 'home' | 'user'>, mailbox: string): string | null {
  const inbox = mailboxPath(host);
  if (inbox === null) return null;
  if (inbox.endsWith('/')) return maildirFolder(inbox.replace(/\/+$/, ''), mailbox);
  const levels = mailbox.split('/').filter((level) => level !== '' && level !== '.' && level !== '..' && !level.includes('\0'));
  return levels.length === 0 ? null : join(host.home, MBOX_FOLDERS, ...levels);
}

/** Whether a folder outside the store is there; INBOX always is. */
export function hasFolder(host: Pick<MailboxHost, 'configuration' | 'home' | 'user'>, mailbox: string): boolean {
  if (mailbox.toUpperCase() === 'INBOX') return true;
  const path = folderPath(host, mailbox);
  if (path === null) return false;
  const kind = folderKind(path);
  return mailboxPath(host)!.endsWith('/') ? kind === 'maildir' : kind === 'file';
}

/** An mbox anywhere, with From_ line, quoted, and a blank line at the end. */
export function deliverToMbox(host: MailboxHost, path: string, pieces: readonly Uint8Array[], how: MboxWriting = {}): Promise<StoreResult> {
  return writeMbox(host, path, mboxMessage(pieces, fromLine(host.envelopeSender, host.at)), how);
}

export interface MboxWriting {
  readonly mode?: number;
  readonly refusesExecutable?: boolean;
  /** The file's dot-lock is held already, or not wanted. */
  readonly hasLock?: boolean;
}

/** Appends bytes as they are; to the user's own file in the mail spool by the spool writer. */
export function writeMbox(host: MailboxHost, path: string, pieces: readonly Uint8Array[], how: MboxWriting = {}): Promise<StoreResult> {
  if (isInSpool(host, path)) return host.spool(path, pieces);
  const { kernelLocks, signal } = host;
  const { mode = 0o600, hasLock = false, refusesExecutable } = how;
  return appendMbox({ path, pieces, mode, isDotLocked: !hasLock, kernelLocks, signal, refusesExecutable });
}

export const SPOOL_DIRECTORIES: readonly string[] = ['/var/mail', '/var/spool/mail'];

/** The user's own file in a spool directory that the user may not change. */
export function isInSpool(host: Pick<MailboxHost, 'configuration' | 'user'>, path: string): boolean {
  for (const directory of spoolDirectories(host.configuration)) {
    if (path !== join(directory, host.user)) continue;
    const stat = statSync(directory, { throwIfNoEntry: false });
    return stat?.isDirectory() === true && (stat.mode & 0o002) === 0;
  }
  return false;
}

export function spoolDirectories(configuration: Pick<LocalConfiguration, 'mailbox'>): string[] {
  const own = configuration.mailbox.startsWith('/') ? [configuration.mailbox.replace(/\/+$/, '')] : [];
  return [...own, ...SPOOL_DIRECTORIES];
}

/** What a spool directory is when its links are followed; itself when it is not there. */
export function realSpool(directory: string): string {
  return existsSync(directory) ? realpathSync(directory) : directory;
}
