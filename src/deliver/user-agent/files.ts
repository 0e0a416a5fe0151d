/** Files of the user's: those that decide where mail goes are read only when nobody else can have written them; logs are appended to. */
import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { isNullDevice } from '../agents/mbox.ts';
import { errnoOf } from '../agents/result.ts';

const { O_APPEND, O_CREAT, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * null: not there (or not for us). 'unsafe': no regular file, writable by everyone, of another user's (root's is taken), or longer than `bytesMax`.
 * /dev/null is an empty file. Throws for a disk that fails: a file that may be there must not be taken for missing.
 */
export function readTrusted(path: string, uid: number, bytesMax: number): Buffer | null | 'unsafe' {
  let fd: number;
  try {
    // Most of these files are not there, for most messages: an error is dear.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY); // a fifo that nobody writes would hold us up
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'EPERM'].includes(errnoOf(error) ?? '') || path.includes('\0')) return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (isNullDevice(stat)) return Buffer.alloc(0);
    if (!stat.isFile() || (stat.mode & 0o002) !== 0 || (stat.uid !== uid && stat.uid !== 0) || stat.size > bytesMax) return 'unsafe';
    const bytes = Buffer.alloc(stat.size);
    let at = 0;
    while (at < bytes.length) {
      const got = readSync(fd, bytes, at, bytes.length - at, null);
      if (got === 0) break;
      at += got;
    }
    return bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}

/** May the user enter this directory? */
export function isDirectory(path: string): boolean {
  try {
    return !path.includes('\0') && statSync(`${path}/.`).isDirectory();
  } catch {
    return false;
  }
}

/** Procmail's mark of new mail, on a mailbox that was there before: it is executable for others. */
export function markNew(path: string): void {
  const fd = openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && (stat.mode & 0o001) === 0) fchmodSync(fd, (stat.mode & 0o777) | 0o001);
  } finally {
    closeSync(fd);
  }
}

/** Never waits and never writes to what is no file; null for /dev/null and the like, for that is how users silence a log. */
export function openLog(path: string): number | null {
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o600);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

export function appendLine(path: string, text: string): void {
  const fd = openLog(path);
  if (fd === null) return;
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
