/**
 * The secrets of the Sender Rewriting Scheme: one line each in `srs/keys` of the data directory, newest first, made at first use. Threads
 * read it; a file made by root belongs to the owner of the directory.
 */
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SrsKeys } from './srs.ts';

const KEY_BYTES = 32;
/** With one rotation a month, keys of more than half a year. */
const KEYS_MAX = 8;
const FILE_BYTES_MAX = 64 * 1024;

export function srsKeyFile(dataDir: string): string {
  return join(dataDir, 'srs', 'keys');
}

/** The keys of the options (`srs.secrets`) before those of the file; makes the file when it is missing. Throws when it cannot be read or written. */
export function ensureSrsKeys(dataDir: string, secrets: readonly string[] = []): SrsKeys {
  const given = secrets.map((secret) => Buffer.from(secret));
  const found = read(dataDir);
  if (found.length > 0) return [...given, ...found];
  // Two processes may start at once: the first file stands.
  const draft = write(dataDir, [randomBytes(KEY_BYTES)]);
  try {
    linkSync(draft, srsKeyFile(dataDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return [...given, ...read(dataDir)];
}

/** A new key for new addresses; those made with the last ones are still accepted. Answers how many there are. */
export function rotateSrsKeys(dataDir: string): number {
  const keys = [randomBytes(KEY_BYTES), ...read(dataDir)].slice(0, KEYS_MAX);
  renameSync(write(dataDir, keys), srsKeyFile(dataDir));
  return keys.length;
}

function read(dataDir: string): Uint8Array[] {
  const file = srsKeyFile(dataDir);
  let text: string;
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new Error(`${file} is too large to be a list of keys`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Buffer.from(line, 'base64url'))
    .filter((key) => key.length >= 16);
  if (keys.length === 0) throw new Error(`${file} holds no key`);
  return keys.slice(0, KEYS_MAX);
}

/** Writes beside the file; answers the draft's name. */
function write(dataDir: string, keys: SrsKeys): string {
  const owner = statSync(dataDir);
  const directory = join(dataDir, 'srs');
  const giveTo = (path: string): void => {
    if (process.getuid?.() === 0 && owner.uid !== 0) chownSync(path, owner.uid, owner.gid);
  };
  if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) giveTo(directory);
  const draft = `${srsKeyFile(dataDir)}.${randomBytes(6).toString('hex')}.new`;
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeSync(handle, `${keys.map((key) => Buffer.from(key).toString('base64url')).join('\n')}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  giveTo(draft);
  return draft;
}
