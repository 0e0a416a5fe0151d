/** The mailbox of a system user and its folders, as `local.mailbox` says: in the store, a maildir or mbox in the home directory, or the mail spool. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deliverMaildir, maildirFolder } from '../agents/maildir.ts';
import { appendMbox, fromLine, mboxMessage } from '../agents/mbox.ts';
import type { KernelLocks } from '../agents/kernel-lock.ts';
import { notStored, type StoreResult } from '../agents/result.ts';
import { makeDirectory } from '../agents/write.ts';
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
export async function deliverToMailbox(host: MailboxHost, mailbox: string, pieces: readonly Uint8Array[]): Promise<StoreResult> {
  const path = mailboxPath(host);
  if (path === null) return notStored(451, '4.3.5', 'the mailbox is in the store');
  const isInbox = mailbox.toUpperCase() === 'INBOX';
  if (path.endsWith('/')) {
    const { quotaBytes, quotaMessages } = host.configuration;
    const folder = maildirFolder(path.replace(/\/+$/, ''), mailbox);
    return deliverMaildir({ path: folder, pieces, at: host.at, quota: { bytes: quotaBytes, messages: quotaMessages } });
  }
  if (isInbox) return deliverToMbox(host, path, pieces);
  const levels = mailbox.split('/').filter((level) => level !== '' && level !== '.' && level !== '..' && !level.includes('\0'));
  const folders = join(host.home, MBOX_FOLDERS);
  if (levels.length === 0) return deliverToMbox(host, path, pieces);
  makeDirectory(join(folders, ...levels.slice(0, -1)), 0o700);
  return deliverToMbox(host, join(folders, ...levels), pieces);
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
