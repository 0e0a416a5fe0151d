/** Small files that Dovecot and this server both change: the new content is written into the lock file "x.lock", which then becomes the file. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../agents/result.ts';
import { NEW_FILE, syncParent, writeAll } from '../../agents/write.ts';
import { LOCK_STALE_MS } from './limits.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** null: it is not there, is no plain file, or is larger than that. Throws other errors of the system. */
export function readSmall(path: string, bytesMax: number): Buffer | null {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ELOOP' || errno === 'EACCES' || errno === 'ENOTDIR') return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > bytesMax) return null;
    const bytes = Buffer.allocUnsafeSlow(stat.size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(fd);
  }
}

/** Answers the new content, '' taken for a file that was not there before; null when somebody else holds the lock or the file is none of ours. */
export function replaceLocked(path: string, bytesMax: number, change: (before: string) => string): string | null {
  const lock = `${path}.lock`;
  const fd = openLock(lock);
  if (fd === null) return null;
  let isOurs = true;
  try {
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
    const before = readSmall(path, bytesMax);
    if (isThere && before === null) return null;
    const after = change(before?.toString('utf8') ?? '');
    writeAll(fd, [Buffer.from(after)]);
    fsyncSync(fd);
    renameSync(lock, path);
    isOurs = false;
    syncParent(path);
    return after;
  } finally {
    closeSync(fd);
    if (isOurs) unlinkSync(lock);
  }
}

function openLock(lock: string): number | null {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      return openSync(lock, NEW_FILE, 0o600);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      const held = statSync(lock, { throwIfNoEntry: false });
      if (held !== undefined && Date.now() - held.mtimeMs < LOCK_STALE_MS) return null;
      try {
        unlinkSync(lock);
      } catch (gone) {
        if (errnoOf(gone) !== 'ENOENT') throw gone;
      }
    }
  }
  return null;
}
