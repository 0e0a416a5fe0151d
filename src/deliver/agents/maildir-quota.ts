/**
 * Maildir++ quota: the file `maildirsize` in the maildir's root says the limits in its first line ("1000000S,1000C") and then one line
 * "bytes messages" for each change. Courier, maildrop and Dovecot keep the same file. Messages marked T and those in .Trash do not count.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './result.ts';

/** 0 = no limit. */
export interface MaildirQuota {
  readonly bytes: number;
  readonly messages: number;
}

/** Longer than this, or over quota and older than 15 minutes: counted anew (the sizes that Maildir++ names). */
const FILE_BYTES_MAX = 5120;
const STALE_MS = 15 * 60 * 1000;
/** A maildir with more files is counted up to here: over any sensible quota already. */
const FILES_MAX = 1_000_000;

interface Usage {
  bytes: number;
  messages: number;
}
interface SizeFile extends Usage {
  readonly quota: MaildirQuota;
  readonly lines: number;
  readonly changedAt: number;
}

/** Is there room for one more message of `size` bytes? */
export function quotaRoom(root: string, quota: MaildirQuota | null, size: number, at: number): boolean {
  const found = current(root, quota);
  if (found === null) return true;
  if (fits(found, found.quota, size)) return true;
  // What the file says may be out of date: users delete mail with programs that do not keep it.
  if (found.lines > 2 || at - found.changedAt > STALE_MS) return fits(recount(root, found.quota), found.quota, size);
  return false;
}

export function chargeQuota(root: string, quota: MaildirQuota | null, size: number, _at: number): void {
  const found = current(root, quota);
  if (found === null) return;
  const fd = openSync(join(root, 'maildirsize'), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    writeSync(fd, `${String(size).padStart(12)} ${String(1).padStart(12)}\n`);
  } finally {
    closeSync(fd);
  }
}

const fits = (usage: Usage, quota: MaildirQuota, size: number): boolean =>
  (quota.bytes === 0 || usage.bytes + size <= quota.bytes) && (quota.messages === 0 || usage.messages + 1 <= quota.messages);

/** The file as it stands, made anew when it is missing, too long, damaged or of another quota; null when there is no quota at all. */
function current(root: string, quota: MaildirQuota | null): SizeFile | null {
  const wanted = quota !== null && (quota.bytes > 0 || quota.messages > 0) ? quota : null;
  const file = read(root);
  if (file === null || file === 'damaged') {
    if (wanted === null) return null;
    return { ...recount(root, wanted), quota: wanted, lines: 2, changedAt: Date.now() };
  }
  if (wanted !== null && (wanted.bytes !== file.quota.bytes || wanted.messages !== file.quota.messages))
    return { ...recount(root, wanted), quota: wanted, lines: 2, changedAt: Date.now() };
  return file.quota.bytes === 0 && file.quota.messages === 0 ? null : file;
}

function read(root: string): SizeFile | 'damaged' | null {
  const path = join(root, 'maildirsize');
  // Most maildirs have none: an error for each message is dear.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) return 'damaged';
    const buffer = Buffer.alloc(FILE_BYTES_MAX);
    const lines = buffer.toString('latin1', 0, readSync(fd, buffer)).split('\n');
    const quota = parseQuota(lines[0] ?? '');
    if (quota === null) return 'damaged';
    const usage = { bytes: 0, messages: 0 };
    let counted = 0;
    for (const line of lines.slice(1)) {
      const match = /^ *(-?\d{1,15}) +(-?\d{1,15}) *$/.exec(line);
      if (match === null) continue;
      usage.bytes += Number(match[1]);
      usage.messages += Number(match[2]);
      counted += 1;
    }
    return { ...usage, quota, lines: counted + 1, changedAt: stat.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

/** "1000000S,1000C": bytes and messages in either order. */
export function parseQuota(text: string): MaildirQuota | null {
  const quota = { bytes: 0, messages: 0 };
  for (const part of text.trim().split(',')) {
    const match = /^(\d{1,15})([SC])$/.exec(part);
    if (match === null) return null;
    quota[match[2] === 'S' ? 'bytes' : 'messages'] = Number(match[1]);
  }
  return quota;
}

function recount(root: string, quota: MaildirQuota): Usage {
  const usage = { bytes: 0, messages: 0 };
  const folders = [
    root,
    ...readdirSync(root)
      .filter((name) => name.startsWith('.') && name !== '.' && name !== '..' && name !== '.Trash')
      .map((name) => join(root, name)),
  ];
  let left = FILES_MAX;
  for (const folder of folders)
    for (const part of ['new', 'cur']) {
      for (const name of names(join(folder, part))) {
        if ((left -= 1) < 0) break;
        if (/:2,[A-S]*T/.test(name)) continue;
        const told = /,S=(\d{1,15})(?=[,:]|$)/.exec(name);
        usage.bytes += told !== null ? Number(told[1]) : (statSync(join(folder, part, name), { throwIfNoEntry: false })?.size ?? 0);
        usage.messages += 1;
      }
    }
  const head = [quota.bytes > 0 ? `${quota.bytes}S` : '', quota.messages > 0 ? `${quota.messages}C` : ''].filter((part) => part !== '').join(',');
  const temporary = join(root, 'tmp', `maildirsize.${process.pid}.${Date.now().toString(36)}`);
  writeFileSync(temporary, `${head}\n${String(usage.bytes).padStart(12)} ${String(usage.messages).padStart(12)}\n`, { flag: 'wx', mode: 0o600 });
  renameSync(temporary, join(root, 'maildirsize'));
  return usage;
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
