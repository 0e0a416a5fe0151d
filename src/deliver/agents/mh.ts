/** MH folders (a file for each message, named by the next number) and plain directories (procmail: `msg.` and a name of its own). */
import { closeSync, fchmodSync, fsyncSync, linkSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { deliverMaildir, makeMaildir, maildirName } from './maildir.ts';
import { errnoOf, notStored, type StoreResult, storeFailure, stored } from './result.ts';
import { bytesOf, makeDirectory, NEW_FILE, syncDirectory, writeAll } from './write.ts';

export type FolderFormat = 'maildir' | 'mh' | 'directory';

export interface FolderOptions {
  readonly path: string;
  readonly format: FolderFormat;
  readonly pieces: readonly Uint8Array[];
  readonly at: number;
  /** Further folders that get a hard link of the same file. */
  readonly links: readonly { readonly path: string; readonly format: FolderFormat }[];
  readonly mode: number;
  /** Of folders that are made. */
  readonly directoryMode: number;
  /** Of a maildir. */
  readonly flags?: string;
}

/** A number beyond this is no message of MH's. */
const NUMBER_MAX = 99_999_999;
const RACES_MAX = 100;

/** Writes the message into the first folder and links it into the others; all of them, or it is a failure and nothing stays. */
export function deliverFolder(options: FolderOptions): StoreResult {
  const made: string[] = [];
  const { path, format, pieces, at, mode, directoryMode, flags } = options;
  try {
    const first =
      format === 'maildir'
        ? deliverMaildir({ path, pieces, at, quota: null, fileMode: mode, directoryMode, flags })
        : writeInto(path, format, pieces, mode, directoryMode);
    if (first.kind === 'failed') return first;
    made.push(first.path);
    for (const link of options.links) made.push(linkInto(first.path, link.path, link.format, directoryMode));
    return { ...first, links: made.slice(1) };
  } catch (error) {
    for (const path of made) remove(path);
    return storeFailure(error, `cannot write to the folder ${options.path}`);
  }
}

function writeInto(folder: string, format: 'mh' | 'directory', pieces: readonly Uint8Array[], mode: number, directoryMode: number): StoreResult {
  makeDirectory(folder, directoryMode);
  const temporary = join(folder, `.tmp.${process.pid}.${uniqueName()}`);
  const fd = openSync(temporary, NEW_FILE, mode);
  try {
    fchmodSync(fd, mode);
    writeAll(fd, pieces);
    fsyncSync(fd);
    const path = linkFree(temporary, folder, format);
    if (path === null) return notStored(451, '4.3.0', `no free name in the folder ${folder}`);
    syncDirectory(folder);
    return stored(path, bytesOf(pieces));
  } finally {
    closeSync(fd);
    remove(temporary);
  }
}

function linkInto(from: string, folder: string, format: FolderFormat, directoryMode: number): string {
  if (format === 'maildir') {
    makeMaildir(folder, directoryMode);
    const to = join(folder, 'new', maildirName());
    linkSync(from, to);
    syncDirectory(join(folder, 'new'));
    return to;
  }
  makeDirectory(folder, directoryMode);
  const path = linkFree(from, folder, format);
  if (path === null) throw new Error(`no free name in the folder ${folder}`);
  syncDirectory(folder);
  return path;
}

/** link(2) fails where the name is taken: two deliveries at once get two numbers. */
function linkFree(from: string, folder: string, format: 'mh' | 'directory'): string | null {
  let number = format === 'mh' ? nextNumber(folder) : 0;
  for (let race = 0; race < RACES_MAX; race += 1) {
    const path = join(folder, format === 'mh' ? String(number) : `msg.${uniqueName()}`);
    try {
      linkSync(from, path);
      return path;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      number += 1;
    }
  }
  return null;
}

export function nextNumber(folder: string): number {
  let most = 0;
  for (const name of readdirSync(folder)) {
    const number = /^[1-9]\d{0,7}$/.test(name) ? Number(name) : 0;
    if (number > most && number < NUMBER_MAX) most = number;
  }
  return most + 1;
}

let names = 0;
const uniqueName = (): string => `${process.pid.toString(36)}${(++names).toString(36)}${Date.now().toString(36)}.${hostname().replaceAll('/', '_')}`;

/** What a folder given by path is: procmail and others tell them by the end of the name or by what is there. */
export function folderKind(path: string): 'maildir' | 'directory' | 'file' | 'other' | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.isFile()) return 'file';
  if (!stat.isDirectory()) return 'other';
  const has = (name: string): boolean => statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory() === true;
  return has('new') && has('cur') && has('tmp') ? 'maildir' : 'directory';
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Not there: that is what was wanted.
  }
}
