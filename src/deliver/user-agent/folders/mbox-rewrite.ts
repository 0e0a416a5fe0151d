/**
 * Replaces the end of an mbox in place, under its locks: the file keeps its inode, which spool and other programs count on. What is to be written is on
 * disk in a file beside first (the journal), so that a crash in the middle loses nothing: whoever opens the mbox next finishes the work.
 *
 * Steps: journal written and synced; the file made longer when it grows; new end written and synced; the file cut when it shrinks; journal
 * removed. A journal whose mbox shows no trace of step two is dropped. What others appended after a crash stays behind the new end.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../agents/result.ts';
import { syncParent, writeAll } from '../../agents/write.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const JOURNAL_BYTES_MAX = 1024 * 1024 * 1024 + 4096;

interface JournalHead {
  readonly identity: string;
  readonly offset: number;
  /** Length of the file before and after. */
  readonly before: number;
  readonly after: number;
  /** Digests: of the old end, of what of the old file stands behind the new length ("" when it grows), of the new end. */
  readonly oldEnd: string;
  readonly oldRest: string;
  readonly newEnd: string;
}

/** For the tests that stop in the middle. */
export type Step = 'journal' | 'grown' | 'written' | 'cut';

/** `fd` is open for reading and writing, the locks are held. `size`: of the file when it was read; what came behind it since stays behind. */
export function replaceEnd(fd: number, journal: string, offset: number, size: number, end: Uint8Array, reached: (step: Step) => void = () => {}): void {
  const late = readRange(fd, size, fstatSync(fd).size); // of a program that takes no locks
  const newEnd = late.length === 0 ? end : Buffer.concat([end, late]);
  const before = size + late.length;
  const after = offset + newEnd.length;
  const oldEnd = readRange(fd, offset, before);
  if (offset === before) {
    // Nothing is overwritten: an append needs no journal.
    try {
      writeAll(fd, [newEnd], offset);
      fsyncSync(fd);
    } catch (error) {
      ftruncateSync(fd, before);
      throw error;
    }
    return;
  }
  const head: JournalHead = {
    identity: identityOf(fd),
    offset,
    before,
    after,
    oldEnd: digest(oldEnd),
    oldRest: after < before ? digest(oldEnd.subarray(after - offset)) : '',
    newEnd: digest(newEnd),
  };
  writeJournal(journal, head, newEnd);
  reached('journal');
  try {
    // Room first: a full disk must be met before anything is overwritten.
    if (after > before) writeAll(fd, [Buffer.alloc(after - before)], before);
    if (after > before) fsyncSync(fd);
  } catch (error) {
    ftruncateSync(fd, before);
    unlinkSync(journal);
    throw error;
  }
  reached('grown');
  finish(fd, head, newEnd, reached);
  unlinkSync(journal);
}

function finish(fd: number, head: JournalHead, newEnd: Uint8Array, reached: (step: Step) => void): void {
  writeAll(fd, [newEnd], head.offset);
  fsyncSync(fd);
  reached('written');
  if (head.after < head.before) {
    ftruncateSync(fd, head.after);
    fsyncSync(fd);
  }
  reached('cut');
}

/** Finishes what a crash left; to be called under the locks, before the file is read. True when there was something. */
export function recover(fd: number, journal: string): boolean {
  const found = readJournal(journal);
  if (found === null) return false;
  const { head, newEnd } = found;
  const { size } = fstatSync(fd);
  const { offset, before, after } = head;
  if (head.identity === identityOf(fd) && digest(newEnd) === head.newEnd && size >= Math.min(before, after)) {
    const isOldEnd = size >= before && digest(readRange(fd, offset, before)) === head.oldEnd;
    if (after >= before) {
      const gap = size >= after ? readRange(fd, before, after) : Buffer.alloc(0);
      // Untouched, but perhaps made longer: the zeros tell.
      const isGrown = size >= after && (!isOldEnd || gap.every((byte) => byte === 0));
      if (isGrown && !(isOldEnd && after === before)) finish(fd, head, newEnd, () => {});
      else if (isOldEnd && after > before && size < after) dropZeros(fd, before, size);
    } else {
      const isCut = digest(readRange(fd, offset, after)) === head.newEnd && !(size >= before && digest(readRange(fd, after, before)) === head.oldRest);
      if (!isCut && !isOldEnd) {
        // What came behind the old end since the crash moves up with it.
        const late = readRange(fd, before, size);
        writeAll(fd, [newEnd, late], offset);
        fsyncSync(fd);
        ftruncateSync(fd, after + late.length);
        fsyncSync(fd);
      }
    }
  }
  unlinkSync(journal);
  return true;
}

/** The file was being made longer when the power went, and nothing else came: the zeros go. */
function dropZeros(fd: number, before: number, size: number): void {
  if (size > before && readRange(fd, before, size).every((byte) => byte === 0)) ftruncateSync(fd, before);
}

function writeJournal(path: string, head: JournalHead, newEnd: Uint8Array): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeAll(fd, [Buffer.from(`${JSON.stringify(head)}\n`), newEnd]);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncParent(path);
}

/** null: there is none. One that is not whole was being written when the crash came: nothing else had been done. */
function readJournal(path: string): { head: JournalHead; newEnd: Buffer } | null {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size > JOURNAL_BYTES_MAX) throw new Error('the journal of an mbox is too large');
    const bytes = readRange(fd, 0, size);
    const lf = bytes.indexOf(0x0a);
    const none = { head: { identity: '', offset: 0, before: 0, after: 0, oldEnd: '', oldRest: '', newEnd: '' }, newEnd: Buffer.alloc(0) };
    if (lf === -1) return none;
    try {
      return { head: JSON.parse(bytes.toString('utf8', 0, lf)) as JournalHead, newEnd: bytes.subarray(lf + 1) };
    } catch {
      return none; // not whole
    }
  } finally {
    closeSync(fd);
  }
}

export function readRange(fd: number, from: number, to: number): Buffer {
  if (to <= from) return Buffer.alloc(0);
  const bytes = Buffer.allocUnsafeSlow(to - from);
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(fd, bytes, filled, bytes.length - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function identityOf(fd: number): string {
  const stat = fstatSync(fd, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');
