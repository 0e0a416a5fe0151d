/** A Maildir++ as the mirror sees it: what is where, and the changes it asks for. Runs with the user's rights; every path is made from checked names. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { makeMaildir } from '../../agents/maildir.ts';
import { errnoOf } from '../../agents/result.ts';
import { NEW_FILE, syncDirectory, writeAll } from '../../agents/write.ts';
import type { Clocks } from './clock.ts';
import { FOLDERS_MAX, MESSAGE_BYTES_MAX, READ_BYTES } from './limits.ts';
import { MaildirNames, nameOf } from './maildir-listing.ts';
import { freeLetters, keywordsWith, lettersFor, type LetterWords, marksOf, readKeywords } from './maildir-marks.ts';
import type { FolderMemory } from './memory.ts';
import { changeSubscriptions, readSubscriptions, type SubscriptionsPlace, subscriptionsState } from './subscriptions.ts';
import type { ChangeResult, FolderAdd, FolderAnswer, FolderChange, FolderFile, FolderPath, FolderScan, FolderState, ReadResult } from './types.ts';
import { type KnownUids, readUids } from './uids.ts';

const PARTS = ['new', 'cur'] as const;

export class Maildir {
  readonly #root: string;
  readonly #memory: FolderMemory;

  constructor(root: string, memory: FolderMemory) {
    this.#root = root.replace(/\/+$/, '');
    this.#memory = memory;
  }

  #folder(path: FolderPath): string {
    if (path === '') return this.#root;
    if (!/^\.[^/\0\n\t]{1,250}$/.test(path) || path === '..') throw new Error('not the path of a folder');
    return join(this.#root, path);
  }

  scan(only: readonly FolderPath[] | null): FolderScan {
    const { clocks } = this.#memory;
    const folders: FolderState[] = [];
    const root = stateOf(this.#root, clocks);
    for (const path of only ?? this.#paths()) {
      const state = path === '' ? root : stateOf(this.#folder(path), clocks);
      if (state !== null) folders.push({ path, ...state });
    }
    const answer: FolderScan = { op: 'scan', folders, isThere: root !== null };
    return only === null ? { ...answer, subscriptions: subscriptionsState(this.#subscriptions) } : answer;
  }

  get #subscriptions(): SubscriptionsPlace {
    return { file: join(this.#root, 'subscriptions'), courier: join(this.#root, 'courierimapsubscribed'), kind: 'maildir' };
  }

  subscriptions(add: readonly FolderPath[], remove: readonly FolderPath[]): FolderAnswer {
    const place = this.#subscriptions;
    const isDone = add.length + remove.length === 0 || (stateOf(this.#root, this.#memory.clocks) !== null && changeSubscriptions(place, add, remove));
    const state = subscriptionsState(place); // before reading: what changes meanwhile makes the next look differ
    return { op: 'subscriptions', state, paths: readSubscriptions(place), isDone };
  }

  uids(path: FolderPath): KnownUids | null {
    return readUids(this.#folder(path));
  }

  #paths(): FolderPath[] {
    let names: string[] = [];
    try {
      names = readdirSync(this.#root);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    const folders = names.filter((name) => /^\.[^\0\n\t]{1,250}$/.test(name) && name !== '..');
    return ['', ...folders.slice(0, FOLDERS_MAX).sort()];
  }

  /**
   * In the order of delivery. The state is taken first: what changes while the names are read makes the next look differ. `since` and `names` as in
   * the request.
   */
  list(path: FolderPath, since: string | null, names: readonly string[]): { answer: FolderAnswer; files: FolderFile[] } {
    const folder = this.#folder(path);
    const { clocks, maildirs } = this.#memory;
    const found = stateOf(folder, clocks);
    const words = readKeywords(folder);
    const head = { op: 'list' as const, keywords: [...words.words.values()], keywordsFree: freeLetters(words).length };
    if (found === null) return { answer: { ...head, state: null, token: null, isDifference: false }, files: [] };
    // new/ first: a message on its way to cur/ is then seen twice rather than never.
    const parts = PARTS.map((part) => readdirSync(join(folder, part)));
    const where = path === '' ? 'the inbox' : path;
    const key = [...words.words].map(([letter, word]) => `${letter} ${word}`).join('\n');
    const before = since === null ? null : maildirs.find(path, since, key);
    if (before !== null) maildirs.forget(path); // it is changed in place
    const { names: now, difference } = before === null ? { names: new MaildirNames(parts, where), difference: null } : before.advance(parts, names, where);
    const { files } = now;
    const token = maildirs.keep(path, now, files.size, key);
    const marks = markReader(words);
    const present = inOrder(difference?.present ?? files.keys()).map((name) => ({ name, marks: marks(files.get(name)!), file: files.get(name)! }));
    const gone = (difference?.gone ?? []).map((name) => ({ name, marks: '', file: '' }));
    return { answer: { ...head, state: found.state, token, isDifference: difference !== null }, files: [...present, ...gone] };
  }

  read(path: FolderPath, files: readonly FolderFile[]): { answer: FolderAnswer; pieces: Uint8Array[] } {
    const finder = new Finder(this.#folder(path));
    const results: ReadResult[] = [];
    const pieces: Uint8Array[] = [];
    let total = 0;
    for (const file of files) {
      const got = finder.with(file, (name) => readMessage(name, pieces.length === 0 ? MESSAGE_BYTES_MAX : READ_BYTES - total));
      if (got !== null && 'tooLarge' in got && pieces.length > 0 && got.tooLarge <= MESSAGE_BYTES_MAX) break; // next time, alone
      if (got === null || 'tooLarge' in got) results.push(got);
      else {
        results.push({ bytes: got.bytes.length, at: got.at });
        pieces.push(got.bytes);
        total += got.bytes.length;
      }
      if (total >= READ_BYTES) break;
    }
    return { answer: { op: 'read', results }, pieces };
  }

  change(path: FolderPath, changes: readonly FolderChange[]): FolderAnswer {
    const folder = this.#folder(path);
    const finder = new Finder(folder);
    const words = keywordsWith(
      folder,
      readKeywords(folder),
      changes.map(({ wanted }) => wanted ?? ''),
    );
    const results = changes.map((change): ChangeResult => {
      const { wanted } = change;
      if (wanted === null)
        return finder.with(change, (present): ChangeResult => {
          unlinkSync(present);
          return 'removed';
        });
      return finder.with(change, (present) => {
        const letters = lettersFor(wanted, lettersOf(basename(present)), words);
        const file = `cur/${change.name}:2,${letters}`;
        const target = join(folder, file);
        if (target !== present) renameSync(present, target);
        return { file, marks: marksOf(letters, words) };
      });
    });
    for (const part of PARTS) if (isDirectory(join(folder, part))) syncDirectory(join(folder, part));
    return { op: 'change', results };
  }

  add(path: FolderPath, messages: readonly FolderAdd[], body: Uint8Array): FolderAnswer {
    const folder = this.#folder(path);
    makeMaildir(folder, 0o700);
    const words = keywordsWith(
      folder,
      readKeywords(folder),
      messages.map(({ marks }) => marks),
    );
    const results: ChangeResult[] = [];
    let at = 0;
    for (const message of messages) {
      const bytes = body.subarray(at, at + message.bytes);
      at += message.bytes;
      if (!isPlainName(message.name) || bytes.length !== message.bytes) throw new Error('not the name of a message');
      const letters = lettersFor(message.marks, '', words);
      const file = `cur/${message.name}:2,${letters}`;
      const temporary = join(folder, 'tmp', message.name);
      writeMessage(temporary, bytes, message.at);
      try {
        linkSync(temporary, join(folder, file));
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error; // written before a crash: it is the same message
      } finally {
        unlinkSync(temporary);
      }
      results.push({ file, marks: marksOf(letters, words) });
    }
    syncDirectory(join(folder, 'cur'));
    return { op: 'add', results };
  }

  make(path: FolderPath): FolderAnswer {
    makeMaildir(this.#root, 0o700);
    makeMaildir(this.#folder(path), 0o700);
    return { op: 'make', isDone: true };
  }

  rename(path: FolderPath, to: FolderPath): FolderAnswer {
    const [from, target] = [this.#folder(path), this.#folder(to)];
    if (path === '' || to === '') throw new Error('the inbox is not renamed');
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined || !isDirectory(from)) return { op: 'rename', isDone: false };
    renameSync(from, target);
    syncDirectory(this.#root);
    return { op: 'rename', isDone: true };
  }

  /** new/ and cur/ go first, and only when they are empty; what readers of maildirs leave beside them goes with them. */
  remove(path: FolderPath): FolderAnswer {
    const folder = this.#folder(path);
    if (path === '' || !isDirectory(folder)) return { op: 'remove', isDone: path !== '' };
    if (PARTS.some((part) => isDirectory(join(folder, part)) && readdirSync(join(folder, part)).length > 0)) return { op: 'remove', isDone: false };
    try {
      for (const part of PARTS) if (isDirectory(join(folder, part))) rmdirSync(join(folder, part));
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY') throw error;
      makeMaildir(folder, 0o700); // a message came this moment: the folder stays
      return { op: 'remove', isDone: false };
    }
    for (const name of readdirSync(folder)) if (name !== 'tmp' && lstatSync(join(folder, name)).isFile()) unlinkSync(join(folder, name));
    if (isDirectory(join(folder, 'tmp'))) {
      for (const name of readdirSync(join(folder, 'tmp'))) unlinkSync(join(folder, 'tmp', name));
      rmdirSync(join(folder, 'tmp'));
    }
    rmdirSync(folder);
    syncDirectory(this.#root);
    return { op: 'remove', isDone: true };
  }

  move(path: FolderPath, to: FolderPath, files: readonly FolderFile[]): FolderAnswer {
    const [from, target] = [this.#folder(path), this.#folder(to)];
    makeMaildir(target, 0o700);
    const finder = new Finder(from);
    const moved = new Finder(target);
    const results = files.map(
      (file): ChangeResult =>
        finder.with(file, (present) => {
          const name = `cur/${basename(present)}${basename(present).includes(':2,') ? '' : ':2,'}`;
          renameSync(present, join(target, name));
          return { file: name, marks: file.marks };
        }) ?? moved.with(file, (present) => ({ file: present.slice(target.length + 1), marks: file.marks })),
    );
    syncDirectory(join(target, 'cur'));
    return { op: 'move', results };
  }

  /** Directories whose changes are to be watched: beside new/ and cur/ the folder itself, where both are replaced and keywords named. */
  places(path: FolderPath): string[] {
    const folder = this.#folder(path);
    return [folder, ...PARTS.map((part) => join(folder, part))].filter(isDirectory);
  }

  /** Where folders come and go. */
  namesPlaces(): string[] {
    return [this.#root].filter(isDirectory);
  }

  /** Of what changed in a watched place. */
  concerns(place: string, name: string | null, _paths: readonly FolderPath[]): 'messages' | 'names' | null {
    if (PARTS.some((part) => place.endsWith(`/${part}`))) return 'messages';
    if (name === null) return 'names';
    if (PARTS.some((part) => part === name) || name === 'dovecot-keywords') return 'messages';
    return place === this.#root && (name.startsWith('.') || name === 'subscriptions') ? 'names' : null;
  }
}

/** Another program may rename a file between the look for it and what is done with it; not so often in a row. */
const LOOKS_MAX = 5;

/** Finds a message by where it was seen last, else by its name: other programs rename files when flags change. */
class Finder {
  readonly #folder: string;
  #byName: Map<string, string> | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  with<T>(file: FolderFile, act: (path: string) => T): T | null {
    if (!isPlainName(file.name) || !/^(?:new|cur)\/[^/\0]+$/.test(file.file)) {
      if (file.file !== '') throw new Error('not the path of a message');
    } else {
      try {
        return act(join(this.#folder, file.file));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
    for (let turn = 0; turn < LOOKS_MAX; turn += 1) {
      if (this.#byName === null || turn > 0) this.#look();
      const found = this.#byName?.get(file.name);
      if (found === undefined) continue;
      try {
        return act(found);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
    return null;
  }

  #look(): void {
    this.#byName = new Map();
    for (const part of PARTS) {
      if (!isDirectory(join(this.#folder, part))) continue;
      for (const file of readdirSync(join(this.#folder, part))) this.#byName.set(nameOf(file), join(this.#folder, part, file));
    }
  }
}

function readMessage(path: string, most: number): { bytes: Uint8Array; at: number } | { tooLarge: number } | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP' || errnoOf(error) === 'EACCES') return { tooLarge: Number.MAX_SAFE_INTEGER }; // no message of the user's
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { tooLarge: Number.MAX_SAFE_INTEGER };
    if (stat.size > most) return { tooLarge: stat.size };
    const bytes = Buffer.allocUnsafeSlow(stat.size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return { bytes: bytes.subarray(0, filled), at: Math.floor(stat.mtimeMs) };
  } finally {
    closeSync(fd);
  }
}

function writeMessage(path: string, bytes: Uint8Array, at: number): void {
  try {
    unlinkSync(path); // left by a crash
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const fd = openSync(path, NEW_FILE, 0o600);
  try {
    writeAll(fd, [bytes]);
    fsyncSync(fd);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  // The time of arrival is the file's, as Dovecot and Courier have it.
  utimesSync(path, new Date(at), new Date(at));
}

/** null: there is no maildir. By ctime, which nobody can set back (rsync and tar set mtime), and which changes whenever mtime does. */
function stateOf(folder: string, clocks: Clocks): { identity: string; state: string | null } | null {
  const own = statSync(folder, { throwIfNoEntry: false, bigint: true });
  const fresh = statSync(join(folder, 'new'), { throwIfNoEntry: false, bigint: true });
  const seen = statSync(join(folder, 'cur'), { throwIfNoEntry: false, bigint: true });
  if (own === undefined || fresh === undefined || seen === undefined) return null;
  const keywords = statSync(join(folder, 'dovecot-keywords'), { throwIfNoEntry: false, bigint: true })?.ctimeNs ?? 0n;
  const youngest = [seen.ctimeNs, keywords].reduce((a, b) => (a > b ? a : b), fresh.ctimeNs);
  const isSettled = clocks.isPast(youngest, seen.dev, folder);
  // The inodes too: another directory in the same place is another folder, however old it looks.
  return { identity: `${own.dev}:${own.ino}`, state: isSettled ? `${fresh.ctimeNs}.${fresh.ino}.${seen.ctimeNs}.${seen.ino}.${keywords}` : null };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What stands after ":2,". */
function lettersOf(file: string): string {
  const at = file.indexOf(':2,');
  return at === -1 ? '' : file.slice(at + 3);
}

/** In the order of delivery, as the seconds and microseconds tell with which names begin. */
function inOrder(names: Iterable<string>): string[] {
  const keyed = [...names].map((name) => {
    const match = /^(\d{1,12})\.(?:.{0,80}?M(\d{1,6}))?/.exec(name);
    return match === null ? { name, seconds: Number.MAX_SAFE_INTEGER, micros: 0 } : { name, seconds: Number(match[1]), micros: Number(match[2] ?? 0) };
  });
  keyed.sort((a, b) => a.seconds - b.seconds || a.micros - b.micros || (a.name < b.name ? -1 : 1));
  return keyed.map(({ name }) => name);
}

/** Most messages have one of a few sets of letters. */
function markReader(words: LetterWords): (file: string) => string {
  const known = new Map<string, string>();
  return (file) => {
    const letters = lettersOf(file);
    let marks = known.get(letters);
    if (marks === undefined) {
      marks = marksOf(letters, words);
      if (known.size < 10_000) known.set(letters, marks);
    }
    return marks;
  };
}

const isPlainName = (name: string): boolean => name !== '' && name.length <= 255 && !name.startsWith('.') && !/[/\0\n\t:]/.test(name);
