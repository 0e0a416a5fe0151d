/**
 * Dot-locks: `mailbox.lock` beside a mailbox, respected by mutt, Dovecot, procmail, maildrop and Postfix.
 * The lock is taken by link(2) of a file with a name of its own, which is atomic on NFS too; its age is told by the file system's clock.
 */
import { closeSync, fstatSync, linkSync, lstatSync, openSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { errnoOf } from './result.ts';
import { NEW_FILE } from './write.ts';

/** `denied`: this place takes no lock files (no right to write there); other locks have to do. */
export type LockOutcome = 'taken' | 'busy' | 'denied';

let counter = 0;

/** One try. A lock whose file was not touched for `staleSeconds` is taken over (0: never). Throws what the system says of a full disk and the like. */
export function tryDotLock(path: string, staleSeconds: number): LockOutcome {
  const own = join(dirname(path), `.lk${process.pid}.${++counter}.${Date.now().toString(36)}.${hostname().slice(0, 60).replaceAll('/', '_')}`);
  let fd: number;
  try {
    fd = openSync(own, NEW_FILE, 0o444);
  } catch (error) {
    if (isDenied(error)) return 'denied';
    throw error;
  }
  try {
    writeSync(fd, String(process.pid)); // procmail and Dovecot look whether this process still lives
    const now = fstatSync(fd).mtimeMs;
    if (link(own, path, fd)) return 'taken';
    if (staleSeconds > 0) {
      const held = lstatSync(path, { throwIfNoEntry: false });
      if (held !== undefined && now - Math.max(held.mtimeMs, held.ctimeMs) > staleSeconds * 1000) {
        removeQuietly(path);
        if (link(own, path, fd)) return 'taken';
      }
    }
    return 'busy';
  } catch (error) {
    if (isDenied(error)) return 'denied';
    throw error;
  } finally {
    closeSync(fd);
    removeQuietly(own);
  }
}

/** The answer of link(2) may be lost on NFS; the number of names tells. */
function link(own: string, path: string, fd: number): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ESTALE') return fstatSync(fd).nlink === 2;
    throw error;
  }
}

/** Most locks are held for a moment. */
const FIRST_WAIT_MS = 10;

/** Milliseconds between tries: short ones first, `sleepMs` later; in all as long as `attempts` tries at `sleepMs` take. */
export function* waits(attempts: number, sleepMs: number): Generator<number, void> {
  let left = (attempts - 1) * sleepMs;
  for (let ms = FIRST_WAIT_MS; left > 0; ms *= 2) {
    const next = Math.min(ms, sleepMs, left);
    left -= next;
    yield next;
  }
}

/** Tries until it is had, for as long as `attempts` tries take. */
export async function takeDotLock(
  path: string,
  options: { attempts: number; sleepMs: number; staleSeconds: number; signal: AbortSignal; sleep: Sleep },
): Promise<LockOutcome> {
  const pauses = waits(options.attempts, options.sleepMs);
  for (;;) {
    const outcome = tryDotLock(path, options.staleSeconds);
    if (outcome !== 'busy' || options.signal.aborted) return outcome;
    const pause = pauses.next();
    if (pause.done === true) return outcome;
    await options.sleep(pause.value, options.signal);
  }
}

/** Resolves early, without an error, when the signal fires. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

export const sleep: Sleep = (ms, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });

export function releaseDotLock(path: string): void {
  removeQuietly(path);
}

/** For work that outlasts the stale time of others. */
export function touchDotLock(path: string, at: Date): void {
  try {
    utimesSync(path, at, at);
  } catch {
    // Somebody took the lock for stale and removed it: nothing can be done that would help now.
  }
}

const isDenied = (error: unknown): boolean => ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '');

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or not ours to remove: the stale time of the others sees to it.
  }
}
