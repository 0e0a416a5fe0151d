/**
 * Delivery to a maildir: written and synced in tmp/, then linked into new/, whose entry is synced too. No locks.
 * Folders of Maildir++ are subdirectories ".Name" with an empty file `maildirfolder`.
 */
import { closeSync, fchmodSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { chargeQuota, type MaildirQuota, quotaRoom } from './maildir-quota.ts';
import { errnoOf, notStored, type StoreResult, storeFailure, stored } from './result.ts';
import { bytesOf, makeDirectory, NEW_FILE, syncDirectory, writeAll } from './write.ts';

export interface MaildirOptions {
  /** The maildir itself; made when it is missing. */
  readonly path: string;
  readonly pieces: readonly Uint8Array[];
  /** Unix milliseconds. */
  readonly at: number;
  /** Of the whole Maildir++; null: as its own maildirsize says, if there is one. */
  readonly quota: MaildirQuota | null;
  /** Letters after ":2,": the message is put into cur/ with them. */
  readonly flags?: string;
  readonly fileMode?: number;
  readonly directoryMode?: number;
}

let deliveries = 0;
let lastMicros = 0;

/**
 * time.MusecPpidQcount.host: unique among machines, processes and deliveries of one process. Readers sort by the seconds and microseconds,
 * so both are of the moment of the delivery (`now`, Unix milliseconds), not of the message's arrival; what falls into one millisecond counts up.
 */
export function maildirName(now: number = Date.now(), host: string = hostname()): string {
  deliveries += 1;
  lastMicros = Math.floor(lastMicros / 1000) === now ? lastMicros + 1 : now * 1000;
  return `${Math.floor(lastMicros / 1_000_000)}.M${lastMicros % 1_000_000}P${process.pid}Q${deliveries}.${host.replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054')}`;
}

export function deliverMaildir(options: MaildirOptions): StoreResult {
  const size = bytesOf(options.pieces);
  const name = `${maildirName()},S=${size}`;
  const temporary = join(options.path, 'tmp', name);
  let isThere = false;
  try {
    makeMaildir(options.path, options.directoryMode ?? 0o700);
    const root = maildirRoot(options.path);
    if (!quotaRoom(root, options.quota, size, options.at)) return notStored(452, '4.2.2', `the maildir ${root} is over its quota`);
    writeNew(temporary, options.pieces, options.fileMode ?? 0o600);
    isThere = true;
    const folder = options.flags ? 'cur' : 'new';
    const final = join(options.path, folder, options.flags ? `${name}:2,${options.flags.replace(/[^A-Za-z]/g, '')}` : name);
    moveNew(temporary, final);
    isThere = false;
    syncDirectory(join(options.path, folder));
    charge(root, options.quota, size, options.at);
    return stored(final, size);
  } catch (error) {
    return storeFailure(error, `cannot deliver to the maildir ${options.path}`);
  } finally {
    if (isThere) remove(temporary);
  }
}

/** The message is there: said not to be, it would come again with each try. */
function charge(root: string, quota: MaildirQuota | null, size: number, at: number): void {
  try {
    chargeQuota(root, quota, size, at);
  } catch {
    // The file is of others, or the disk is full: it is counted anew when it is found to be out of date.
  }
}

function writeNew(path: string, pieces: readonly Uint8Array[], mode: number): void {
  const fd = openSync(path, NEW_FILE, mode);
  try {
    fchmodSync(fd, mode);
    writeAll(fd, pieces);
    fsyncSync(fd);
  } catch (error) {
    remove(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** link(2) never overwrites; file systems without hard links get rename(2). */
function moveNew(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EXDEV', 'EOPNOTSUPP', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
    renameSync(from, to);
    return;
  }
  remove(from);
}

/** tmp/, new/ and cur/, and for a folder the file that says so. */
export function makeMaildir(path: string, mode: number): void {
  if (lstatSync(join(path, 'new'), { throwIfNoEntry: false }) !== undefined && lstatSync(join(path, 'tmp'), { throwIfNoEntry: false }) !== undefined) return;
  const isNew = makeDirectory(path, mode);
  for (const part of ['tmp', 'new', 'cur']) makeDirectory(join(path, part), mode);
  if (isNew && maildirRoot(path) !== path) writeFileSync(join(path, 'maildirfolder'), '', { flag: 'a', mode: 0o600 });
  syncDirectory(path);
  if (isNew) syncDirectory(dirname(path));
}

/** The Maildir++ that a folder belongs to; itself when it is none. */
export function maildirRoot(path: string): string {
  const clean = path.replace(/\/+$/, '');
  const parent = dirname(clean);
  return basename(clean).startsWith('.') && statSync(join(parent, 'cur'), { throwIfNoEntry: false })?.isDirectory() === true ? parent : clean;
}

/** "Lists/Cars" is `.Lists.Cars`. A dot inside a level would make another level, a slash another directory: both become "_". null for INBOX. */
export function maildirFolder(root: string, mailbox: string): string {
  if (mailbox === '' || mailbox.toUpperCase() === 'INBOX') return root;
  const levels = mailbox
    .replace(/^INBOX\//i, '')
    .split('/')
    .filter((level) => level !== '');
  return join(root, `.${levels.map((level) => modifiedUtf7(level).replaceAll('.', '_').replaceAll('\0', '_')).join('.')}`);
}

/** RFC 3501 section 5.1.3: folder names on disk, as Courier and Dovecot write them. */
export function modifiedUtf7(text: string): string {
  return text.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-';
    const bytes = Buffer.alloc(run.length * 2);
    for (let i = 0; i < run.length; i += 1) bytes.writeUInt16BE(run.charCodeAt(i), i * 2);
    return `&${bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`;
  });
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // What stays in tmp/ is swept by every reader of maildirs after 36 hours.
  }
}
