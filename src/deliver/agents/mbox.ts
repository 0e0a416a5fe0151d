/**
 * Appends messages to an mbox: dot-lock and fcntl lock, From_ line, ">From " quoting (mboxo, as Postfix and procmail write it), a blank line
 * at the end, fsync, and back to the old length when anything fails half way.
 */
import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, ftruncateSync, lstatSync, openSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { releaseDotLock, type Sleep, sleep, takeDotLock, waits } from './dot-lock.ts';
import type { KernelLocks } from './kernel-lock.ts';
import { errnoOf, notStored, type StoreResult, storeFailure, stored } from './result.ts';
import { bytesOf, syncParent, writeAll } from './write.ts';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_WRONLY } = constants;

export interface MboxOptions {
  readonly path: string;
  /** All of it, with From_ line, quoted and with its blank line (`mboxMessage`), or raw. */
  readonly pieces: readonly Uint8Array[];
  readonly mode: number;
  /** Of `path.lock`; false for a file that others do not read as a mailbox. */
  readonly isDotLocked: boolean;
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  /** A program in the guise of a mailbox: Postfix refuses to write to executable files named in aliases. */
  readonly refusesExecutable?: boolean;
  readonly lock?: Partial<LockPatience>;
}
/** Postfix: deliver_lock_attempts 20, deliver_lock_delay 1s, stale_lock_time 500s. The first tries come sooner (`waits`). */
export interface LockPatience {
  readonly attempts: number;
  readonly sleepMs: number;
  readonly staleSeconds: number;
  readonly sleep: Sleep;
}
export const LOCK_PATIENCE: LockPatience = { attempts: 20, sleepMs: 1000, staleSeconds: 500, sleep };

export async function appendMbox(options: MboxOptions): Promise<StoreResult> {
  const patience = { ...LOCK_PATIENCE, ...options.lock };
  const lockFile = `${options.path}.lock`;
  let isDotLocked = false;
  let isKernelLocked = false;
  let fd = -1;
  const busy = (what: string): StoreResult => notStored(451, '4.2.0', `the mailbox ${options.path} is locked by another program (${what})`);
  try {
    // A device or pipe has no lock file beside it.
    const before = lstatSync(options.path, { throwIfNoEntry: false });
    if (options.isDotLocked && (before === undefined || before.isFile() || before.isSymbolicLink())) {
      const outcome = await takeDotLock(lockFile, { ...patience, signal: options.signal });
      if (outcome === 'busy') return busy('lock file');
      isDotLocked = outcome === 'taken';
    }
    const opened = openMailbox(options.path, options.mode);
    if (typeof opened === 'string') return notStored(550, '5.2.0', opened);
    fd = opened.fd;
    const { stat } = opened;
    if (!stat.isFile()) {
      if (!isNullDevice(stat)) return notStored(550, '5.2.0', `destination ${options.path} is not a regular file`);
      return stored(options.path, bytesOf(options.pieces));
    }
    if (options.refusesExecutable === true && (stat.mode & 0o111) !== 0) return notStored(550, '5.7.0', `destination ${options.path} is an executable file`);
    if (stat.nlink > 1) return notStored(550, '5.2.0', `destination ${options.path} has several names`);
    const pauses = waits(patience.attempts, patience.sleepMs);
    for (;;) {
      const outcome = await options.kernelLocks.take(options.path);
      isKernelLocked = outcome === 'taken';
      if (outcome !== 'busy') break;
      const pause = pauses.next();
      if (pause.done === true || options.signal.aborted) return busy('fcntl lock');
      await patience.sleep(pause.value, options.signal);
    }
    return append(fd, options, opened.isNew);
  } catch (error) {
    return storeFailure(error, `cannot write to the mailbox ${options.path}`);
  } finally {
    if (fd >= 0) closeSync(fd);
    if (isKernelLocked) await options.kernelLocks.release(options.path);
    if (isDotLocked) releaseDotLock(lockFile);
  }
}

/** The length is taken under the locks: what others wrote before us stays, what we wrote in part goes. */
function append(fd: number, options: MboxOptions, isNew: boolean): StoreResult {
  const { size } = fstatSync(fd);
  try {
    writeAll(fd, options.pieces);
    fsyncSync(fd);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
  if (isNew) syncParent(options.path);
  return stored(options.path, bytesOf(options.pieces));
}

/**
 * A mailbox is a file of one name. A symbolic link is followed only where root made it in a directory that only root can change
 * (a spool that was moved), since anyone else could aim it at a file of someone whose rights are held here.
 */
function openMailbox(path: string, mode: number): { fd: number; stat: Stats; isNew: boolean } | string {
  const flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY;
  for (let turn = 0; turn < 3; turn += 1) {
    try {
      const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
      if (isLink && !isTrustedLink(path)) return `destination ${path} is a symbolic link`;
      const fd = openSync(path, isLink ? flags : flags | O_NOFOLLOW);
      return { fd, stat: fstatSync(fd), isNew: false };
    } catch (error) {
      if (errnoOf(error) === 'ENXIO') return `destination ${path} is not a regular file`; // a pipe that nobody reads
      if (errnoOf(error) === 'ELOOP') return `destination ${path} is a symbolic link`;
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    try {
      const fd = openSync(path, flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
      fchmodSync(fd, mode); // whatever this process's umask is
      return { fd, stat: fstatSync(fd), isNew: true };
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error; // somebody made it this moment: open it then
    }
  }
  return `destination ${path} comes and goes`;
}

function isTrustedLink(path: string): boolean {
  const parent = lstatSync(dirname(path));
  return lstatSync(path).uid === 0 && parent.uid === 0 && (parent.mode & 0o022) === 0;
}

/** /dev/null. */
export const isNullDevice = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0x103;

// ── The format ───────────────────────────────────────────────────────────────────────────────────────

const LF = 0x0a;
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** "From sender  Thu Nov 20 11:42:00 2026\n" in local time, as asctime(3) writes it. A sender with blanks or control characters would break the line. */
export function fromLine(sender: string | null, at: number): Buffer {
  const date = new Date(at);
  const two = (n: number, pad: string): string => String(n).padStart(2, pad);
  const time = `${two(date.getHours(), '0')}:${two(date.getMinutes(), '0')}:${two(date.getSeconds(), '0')}`;
  const name = sender === null || sender === '' ? 'MAILER-DAEMON' : sender.replace(/[\0-\x20\x7f]/g, '_');
  return Buffer.from(`From ${name}  ${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${two(date.getDate(), ' ')} ${time} ${date.getFullYear()}\n`);
}

const FROM_ = Buffer.from('From ');
const QUOTE = Buffer.from('>');
const NEWLINE = Buffer.from('\n');

/**
 * One message (LF line ends) as it stands in an mbox: From_ line (`from`, unless the message brings its own), lines that begin with
 * "From " quoted, an LF at the end of the last line and a blank one (unless whoever calls has seen to that).
 */
export function mboxMessage(pieces: readonly Uint8Array[], from: Uint8Array, addsBlankLine = true): Uint8Array[] {
  const hasOwn = startsWithFrom(pieces);
  const out: Uint8Array[] = hasOwn ? [] : [from];
  const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  const text = Buffer.from(whole.buffer, whole.byteOffset, whole.length);
  let start = 0;
  let line = hasOwn ? text.indexOf(LF) + 1 : 0;
  if (hasOwn && line === 0) line = text.length;
  for (let at = line; at < text.length; ) {
    const found = text.indexOf(FROM_, at);
    if (found === -1) break;
    if (found === 0 || text[found - 1] === LF) {
      out.push(text.subarray(start, found), QUOTE);
      start = found;
    }
    at = found + FROM_.length;
  }
  out.push(text.subarray(start));
  if (text.length > 0 && text[text.length - 1] !== LF) out.push(NEWLINE);
  // An empty body still has the blank line that ends the header; one more ends the message.
  if (addsBlankLine) out.push(NEWLINE);
  return out;
}

export function startsWithFrom(pieces: readonly Uint8Array[]): boolean {
  const first = pieces.find((piece) => piece.length > 0);
  return first !== undefined && first.length >= 5 && FROM_.compare(first, 0, 5) === 0;
}
