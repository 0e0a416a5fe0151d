/** mbox files as the mirror sees them: the inbox and the files below ~/mail. Everything is done under dot-lock and fcntl lock. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { releaseDotLock, sleep, takeDotLock } from '../../agents/dot-lock.ts';
import type { KernelLocks } from '../../agents/kernel-lock.ts';
import { errnoOf } from '../../agents/result.ts';
import { makeDirectory, syncParent } from '../../agents/write.ts';
import type { Clocks } from './clock.ts';
import { FOLDERS_MAX, MESSAGE_BYTES_MAX, READ_BYTES } from './limits.ts';
import { differenceOf } from './listings.ts';
import { contentOf, factsOf, freeName, newMessage, oneMessage, timeOf, withMarks } from './mbox-format.ts';
import type { MboxLook } from './mbox-memory.ts';
import { readRange, recover, replaceEnd } from './mbox-rewrite.ts';
import type { FolderMemory } from './memory.ts';
import { changeSubscriptions, readSubscriptions, type SubscriptionsPlace, subscriptionsState } from './subscriptions.ts';
import type { ChangeResult, FolderAdd, FolderAnswer, FolderChange, FolderFile, FolderPath, FolderScan, FolderState, ReadResult } from './types.ts';

const LOCK = { attempts: 30, sleepMs: 100, staleSeconds: 500, sleep };
const DEPTH_MAX = 10;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

export interface MboxesPlace {
  readonly inbox: string;
  /** Directory of all others. */
  readonly folders: string;
  readonly home: string;
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  readonly memory: FolderMemory;
  busy(text: string): Error;
}

export class Mboxes {
  readonly #o: MboxesPlace;

  constructor(place: MboxesPlace) {
    this.#o = place;
  }

  #file(path: FolderPath): string {
    if (path === '') return this.#o.inbox;
    const levels = path.split('/');
    if (levels.length > DEPTH_MAX || levels.some((level) => level === '' || level.startsWith('.') || /[\0\n\t]/.test(level)))
      throw new Error('not the path of a folder');
    return join(this.#o.folders, ...levels);
  }

  /** In the home directory, for every mbox one. */
  #journal(path: FolderPath): string {
    return join(this.#o.home, `.posthorn-mbox-${createHash('sha256').update(this.#file(path)).digest('hex').slice(0, 24)}`);
  }

  scan(only: readonly FolderPath[] | null): FolderScan {
    const { clocks } = this.#o.memory;
    const folders: FolderState[] = [];
    const inbox = stateOf(this.#o.inbox, clocks);
    for (const path of only ?? ['', ...this.#paths()]) {
      const state = path === '' ? inbox : stateOf(this.#file(path), clocks);
      if (state !== null) folders.push({ path, ...state });
    }
    const answer: FolderScan = { op: 'scan', folders, isThere: inbox !== null };
    return only === null ? { ...answer, subscriptions: subscriptionsState(this.#subscriptions) } : answer;
  }

  get #subscriptions(): SubscriptionsPlace {
    return { file: join(this.#o.folders, '.subscriptions'), courier: null, kind: 'mbox' };
  }

  /** Where there is no directory for folders there is no place for the list either. */
  subscriptions(add: readonly FolderPath[], remove: readonly FolderPath[]): FolderAnswer {
    const place = this.#subscriptions;
    const isThere = statSync(this.#o.folders, { throwIfNoEntry: false })?.isDirectory() === true;
    const isDone = add.length + remove.length === 0 || (isThere && changeSubscriptions(place, add, remove));
    const state = subscriptionsState(place); // before reading: what changes meanwhile makes the next look differ
    return { op: 'subscriptions', state, paths: readSubscriptions(place), isDone };
  }

  #paths(): FolderPath[] {
    const found: FolderPath[] = [];
    const walk = (directory: string, prefix: string, depth: number): void => {
      let entries: import('node:fs').Dirent[] = [];
      try {
        entries = readdirSync(directory, { withFileTypes: true });
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
      }
      for (const entry of entries) {
        if (found.length >= FOLDERS_MAX) return;
        if (entry.name.startsWith('.') || entry.name.endsWith('.lock') || /[\n\t\ufffd]/.test(entry.name)) continue;
        const path = `${prefix}${entry.name}`;
        const file = join(directory, entry.name);
        if (file === this.#o.inbox) continue;
        if (entry.isDirectory() && depth < DEPTH_MAX) walk(file, `${path}/`, depth + 1);
        else if (entry.isFile() && beginsAsMbox(file)) found.push(path);
      }
    };
    walk(this.#o.folders, '', 1);
    return found.sort();
  }

  async list(path: FolderPath, since: string | null, names: readonly string[]): Promise<{ answer: FolderAnswer; files: FolderFile[] }> {
    const { memory } = this.#o;
    const head = { op: 'list' as const, keywords: null, keywordsFree: 0 };
    return (
      (await this.#locked(path, false, (fd) => {
        const state = stateOf(this.#file(path), memory.clocks)?.state ?? null;
        const { messages } = memory.mboxes.look(fd, this.#file(path));
        // A message that another has moved in the file is told of as well: it is read by its offset.
        const now = new Map(messages.map(({ name, marks, file }) => [name, `${file}\t${marks}`]));
        const before = since === null ? null : memory.mboxLists.find(path, since, '');
        const token = memory.mboxLists.keep(path, now, now.size, '');
        if (before === null) return { answer: { ...head, state, token, isDifference: false }, files: messages.map(plainFile) };
        const { present, gone } = differenceOf(before, now, names);
        const changed = new Set(present);
        const files = messages.filter(({ name }) => changed.has(name)).map(plainFile);
        return { answer: { ...head, state, token, isDifference: true }, files: [...files, ...gone.map((name) => ({ name, marks: '', file: '' }))] };
      })) ?? { answer: { ...head, state: null, token: null, isDifference: false }, files: [] }
    );
  }

  /** Without locks: the digest tells whether what stands there is still the message. */
  read(path: FolderPath, files: readonly FolderFile[]): { answer: FolderAnswer; pieces: Uint8Array[] } {
    const results: ReadResult[] = [];
    const pieces: Uint8Array[] = [];
    let total = 0;
    const fd = openSync(this.#file(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      for (const file of files) {
        const [start, length] = file.file.split(':').map(Number) as [number, number];
        if (length > MESSAGE_BYTES_MAX) {
          results.push({ tooLarge: length });
          continue;
        }
        if (pieces.length > 0 && total + length > READ_BYTES) break;
        const bytes = readRange(fd, start, start + length);
        const message = oneMessage(bytes, 0, bytes.length);
        if (bytes.length !== length || factsOf(bytes, message).digest !== digestIn(file.name)) results.push(null);
        else {
          const content = contentOf(bytes, message);
          results.push({ bytes: content.length, at: timeOf(bytes, message) ?? Math.floor(fstatSync(fd).mtimeMs) });
          pieces.push(content);
          total += content.length;
        }
      }
    } finally {
      closeSync(fd);
    }
    return { answer: { op: 'read', results }, pieces };
  }

  async change(path: FolderPath, changes: readonly FolderChange[]): Promise<FolderAnswer> {
    const wishes = new Map(changes.map((change) => [change.name, change]));
    const results = await this.#locked(path, false, (fd) => {
      const { size, messages } = this.#look(fd, path);
      const first = messages.find((message) => wishes.has(message.name));
      if (first === undefined) return new Map<string, ChangeResult>();
      const offset = first.message.start;
      const bytes = readRange(fd, offset, size);
      const pieces: Uint8Array[] = [];
      let from = 0;
      const done = new Map<string, ChangeResult>();
      for (const known of messages) {
        const wish = wishes.get(known.name);
        if (wish === undefined) continue;
        const [start, next] = [known.message.start - offset, known.message.next - offset];
        pieces.push(bytes.subarray(from, start));
        if (wish.wanted !== null) pieces.push(withMarks(bytes, oneMessage(bytes, start, next), wish.wanted));
        from = next;
        done.set(known.name, wish.wanted === null ? 'removed' : { file: '', marks: wish.wanted });
      }
      pieces.push(bytes.subarray(from));
      replaceEnd(fd, this.#journal(path), offset, size, Buffer.concat(pieces));
      return done;
    });
    return { op: 'change', results: changes.map((change) => results?.get(change.name) ?? null) };
  }

  async add(path: FolderPath, messages: readonly FolderAdd[], body: Uint8Array): Promise<FolderAnswer> {
    this.make(path);
    const results = await this.#locked(path, true, (fd) => {
      const { size, messages: present } = this.#look(fd, path);
      const names = new Set(present.map((message) => message.name));
      const pieces: Uint8Array[] = separator(fd, size);
      const out: ChangeResult[] = [];
      let at = 0;
      for (const { name, marks, bytes: length, at: date } of messages) {
        const content = body.subarray(at, at + length);
        at += length;
        if (names.has(name)) {
          out.push({ file: '', marks: present.find((message) => message.name === name)!.marks }); // appended before a crash
          continue;
        }
        const whole = newMessage(content, date, marks);
        const facts = factsOf(whole, oneMessage(whole, 0, whole.length));
        const own = freeName(facts.digest, names);
        names.add(own);
        pieces.push(whole);
        out.push({ name: own, file: '', marks: facts.marks });
      }
      replaceEnd(fd, this.#journal(path), size, size, Buffer.concat(pieces));
      return out;
    });
    return { op: 'add', results: results ?? [] };
  }

  make(path: FolderPath): FolderAnswer {
    const file = this.#file(path);
    if (path !== '') makeDirectory(dirname(file), 0o700);
    try {
      closeSync(openSync(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
      syncParent(file);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    return { op: 'make', isDone: lstatSync(file).isFile() };
  }

  rename(path: FolderPath, to: FolderPath): FolderAnswer {
    if (path === '' || to === '') throw new Error('the inbox is not renamed');
    const [from, target] = [this.#file(path), this.#file(to)];
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined || lstatSync(from, { throwIfNoEntry: false })?.isFile() !== true)
      return { op: 'rename', isDone: false };
    makeDirectory(dirname(target), 0o700);
    renameSync(from, target);
    syncParent(target);
    return { op: 'rename', isDone: true };
  }

  async remove(path: FolderPath): Promise<FolderAnswer> {
    if (path === '') return { op: 'remove', isDone: false };
    const isDone = await this.#locked(path, false, (fd) => {
      if (this.#look(fd, path).messages.length > 0) return false;
      unlinkSync(this.#file(path));
      return true;
    });
    return { op: 'remove', isDone: isDone ?? true };
  }

  /** Into the other file first; what is there already (a crash came between) is only taken away here. */
  async move(path: FolderPath, to: FolderPath, files: readonly FolderFile[]): Promise<FolderAnswer> {
    this.make(to);
    const wanted = new Set(files.map((file) => file.name));
    const moving =
      (await this.#locked(path, false, (fd) => {
        const { messages } = this.#look(fd, path);
        return messages
          .filter(({ name }) => wanted.has(name))
          .map(({ name, marks, message }) => ({ name, marks, raw: readRange(fd, message.start, message.next) }));
      })) ?? [];
    const there = await this.#locked(to, true, (fd) => {
      const { size, messages } = this.#look(fd, to);
      const names = new Set(messages.map((message) => message.name));
      const missing = moving.filter(({ name }) => !names.has(name));
      replaceEnd(fd, this.#journal(to), size, size, Buffer.concat([...separator(fd, size), ...missing.map(({ raw }) => raw)]));
      return new Map([...messages, ...missing].map(({ name, marks }) => [name, marks]));
    });
    await this.change(
      path,
      files.map((file) => ({ ...file, wanted: null })),
    );
    return {
      op: 'move',
      results: files.map((file) => {
        const marks = there?.get(file.name);
        return marks === undefined ? null : { file: '', marks };
      }),
    };
  }

  /** The file's directory: some programs put another file in its place. */
  places(path: FolderPath): string[] {
    return [dirname(this.#file(path))];
  }

  namesPlaces(): string[] {
    return [this.#o.folders];
  }

  /** UIDs in X-UID belong to the file's X-IMAPbase, which other programs rewrite: they are not taken over. */
  uids(): null {
    return null;
  }

  /** Of what changed in a watched place. */
  concerns(place: string, name: string | null, paths: readonly FolderPath[]): 'messages' | 'names' | null {
    if (name !== null && paths.some((path) => this.#file(path) === join(place, name))) return 'messages';
    return place.startsWith(this.#o.folders) && (name === '.subscriptions' || name?.endsWith('.lock') !== true) ? 'names' : null;
  }

  #look(fd: number, path: FolderPath): MboxLook {
    return this.#o.memory.mboxes.look(fd, this.#file(path));
  }

  /** null: there is no such file (and it is not to be made). Throws what `busy` makes when the locks cannot be had. */
  async #locked<T>(path: FolderPath, isMade: boolean, act: (fd: number) => T): Promise<T | null> {
    const { kernelLocks, signal, busy } = this.#o;
    const file = this.#file(path);
    const lockFile = `${file}.lock`;
    if (!isMade && lstatSync(file, { throwIfNoEntry: false }) === undefined) return null;
    const outcome = await takeDotLock(lockFile, { ...LOCK, signal });
    if (outcome === 'busy') throw busy(`${file} is locked by another program`);
    let isKernelLocked = false;
    let fd = -1;
    try {
      fd = openSync(file, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.nlink > 1) throw new Error('not a file of one name');
      for (let attempt = 1; !isKernelLocked; attempt += 1) {
        const taken = await kernelLocks.take(file);
        isKernelLocked = taken === 'taken';
        if (taken !== 'busy') break;
        if (attempt >= LOCK.attempts || signal.aborted) throw busy(`${file} is locked by another program`);
        await sleep(LOCK.sleepMs, signal);
      }
      recover(fd, this.#journal(path));
      return act(fd);
    } finally {
      if (fd >= 0) closeSync(fd);
      if (isKernelLocked) await kernelLocks.release(file);
      if (outcome === 'taken') releaseDotLock(lockFile);
    }
  }
}

/** An mbox whose last message does not end in a blank line gets one. */
function separator(fd: number, size: number): Uint8Array[] {
  const end = readRange(fd, Math.max(0, size - 2), size);
  if (size === 0 || (end.length === 2 && end[0] === 0x0a && end[1] === 0x0a)) return [];
  return [Buffer.from(end.at(-1) === 0x0a ? '\n' : '\n\n')];
}

const plainFile = ({ name, marks, file }: FolderFile): FolderFile => ({ name, marks, file });
const digestIn = (name: string): string => name.slice(0, name.lastIndexOf('.'));

/** By ctime: mutt sets mtime back to what it was. */
function stateOf(file: string, clocks: Clocks): { identity: string; state: string | null } | null {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  if (stat === undefined || !stat.isFile()) return null;
  return { identity: `${stat.dev}:${stat.ino}`, state: clocks.isPast(stat.ctimeNs, stat.dev, file) ? `${stat.ctimeNs}.${stat.ino}.${stat.size}` : null };
}

function beginsAsMbox(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return false; // not for us
  }
  try {
    const start = Buffer.alloc(5);
    const count = readSync(fd, start, 0, 5, 0);
    return count === 0 || start.toString('latin1') === 'From ';
  } finally {
    closeSync(fd);
  }
}
