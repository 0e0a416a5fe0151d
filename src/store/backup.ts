/**
 * A consistent copy of a live store: the database from a pinned snapshot, then the blob files that snapshot names, then
 * keys, configuration and whatever else the data directory keeps. Blobs are immutable, so copying them after the
 * snapshot is safe as long as none is unlinked meanwhile: while a server runs, its writer holds removals back until the end.
 */
import { backup, DatabaseSync } from 'node:sqlite';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdir, open, lstat, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { frameOffsets } from './blobs/codec.ts';
import { storePaths } from './paths.ts';

export interface BackupResult {
  readonly directory: string;
  readonly databaseBytes: number;
  readonly files: number;
  readonly fileBytes: number;
}

/** Names in the data directory that a backup leaves out: live databases (copied through SQLite), the search index (made again), locks, sockets. */
const LEFT_OUT = /^(store\.db|journey\.db|search\.db|lock\.db|blobs|control\.sock|.*-(wal|shm|journal))/;

/** Copies the store into the new directory `target`. Throws with a sentence; a failed backup leaves only `target.partial`. */
export async function backupStore(dataDir: string, target: string, signal: AbortSignal, configFile: string | null = null): Promise<BackupResult> {
  const paths = storePaths(dataDir);
  const directory = resolve(target);
  if (existsSync(directory) && (await readdir(directory)).length > 0) throw new Error(`${directory} exists and is not empty`);
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  await checkSpace(partial, (await stat(paths.database)).size * 1.1, 'the database');
  const databaseBytes = await copyDatabase(paths.database, join(partial, 'store.db'));
  if (existsSync(paths.journey)) await copyDatabase(paths.journey, join(partial, 'journey.db'));
  await checkSpace(partial, blobFileBytes(join(partial, 'store.db')), 'the large messages');
  const { files, fileBytes } = await copyBlobs(join(partial, 'store.db'), paths.blobs, join(partial, 'blobs'), signal);
  await copyRest(dataDir, partial);
  if (configFile !== null) await copyFile(configFile, join(partial, 'posthorn.toml'));
  await writeFile(join(partial, 'BACKUP'), `${JSON.stringify({ format: 1, at: new Date().toISOString(), databaseBytes, files, fileBytes })}\n`, {
    mode: 0o600,
  });
  await syncPath(partial);
  if (existsSync(directory)) await rm(directory, { recursive: true });
  await rename(partial, directory);
  await syncPath(dirname(directory));
  return { directory, databaseBytes, files, fileBytes };
}

async function checkSpace(target: string, need: number, what: string): Promise<void> {
  const space = await statfs(target);
  if (space.bavail * space.bsize < need) throw new Error(`not enough room in ${target}: ${what} need ${Math.ceil(need / 1e6)} MB more`);
}

/** Bytes of all blob files that a copied database names, from the lengths of their frames. */
function blobFileBytes(database: string): number {
  const copy = new DatabaseSync(database, { readOnly: true });
  try {
    const page = copy.prepare('SELECT file, frames FROM blob WHERE file > ? ORDER BY file LIMIT 1000');
    let bytes = 0;
    let last = '';
    for (;;) {
      const rows = page.all(last) as { file: string; frames: Uint8Array }[];
      if (rows.length === 0) return bytes;
      for (const { frames } of rows) bytes += frameOffsets(frames).at(-1)!;
      last = rows.at(-1)!.file;
    }
  } finally {
    copy.close();
  }
}

/** Copies a live database: the read transaction pins the snapshot, so that commits meanwhile do not make the copy start again. */
async function copyDatabase(from: string, to: string): Promise<number> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 1000 });
  try {
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_schema').get();
    await backup(source, to, { rate: 2000 });
    source.exec('COMMIT');
  } finally {
    source.close();
  }
  const copy = new DatabaseSync(to);
  try {
    const answer = copy.prepare('PRAGMA quick_check(1)').get() as Record<string, unknown>;
    if (Object.values(answer)[0] !== 'ok') throw new Error(`the copy of ${from} is damaged: ${Object.values(answer)[0]}`);
    copy.exec('PRAGMA journal_mode=DELETE');
  } finally {
    copy.close();
  }
  await syncPath(to);
  return (await stat(to)).size;
}

async function copyBlobs(database: string, from: string, to: string, signal: AbortSignal): Promise<{ files: number; fileBytes: number }> {
  const copy = new DatabaseSync(database, { readOnly: true });
  let files = 0;
  let fileBytes = 0;
  try {
    const page = copy.prepare('SELECT file FROM blob WHERE file > ? ORDER BY file LIMIT 1000');
    let last = '';
    for (;;) {
      const rows = page.all(last) as { file: string }[];
      if (rows.length === 0) break;
      for (const { file } of rows) {
        await mkdir(dirname(join(to, file)), { recursive: true, mode: 0o700 });
        try {
          await pipeline(createReadStream(join(from, file)), createWriteStream(join(to, file), { mode: 0o600, flush: true }), { signal });
        } catch (error) {
          // Removed since the snapshot: the message was expunged while we copied. The restored store says so for this one message.
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
          throw error;
        }
        files += 1;
        fileBytes += (await stat(join(to, file))).size;
      }
      last = rows.at(-1)!.file;
    }
  } finally {
    copy.close();
  }
  return { files, fileBytes };
}

async function copyRest(dataDir: string, target: string): Promise<void> {
  for (const entry of await readdir(dataDir, { withFileTypes: true })) {
    if (LEFT_OUT.test(entry.name)) continue;
    await copyTree(join(dataDir, entry.name), join(target, entry.name), true);
  }
}

/** `isLive`: what vanishes meanwhile, or belongs to somebody else (both in the pickup directory), is passed over. */
async function copyTree(from: string, to: string, isLive = false): Promise<void> {
  try {
    // Links are not followed: the pickup directory is written by everybody.
    const info = await lstat(from);
    if (info.isDirectory()) {
      await mkdir(to, { recursive: true, mode: info.mode & 0o777 });
      for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name), isLive);
      await syncPath(to);
    } else if (info.isFile()) {
      await copyFile(from, to);
      await syncPath(to);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!isLive || (code !== 'ENOENT' && code !== 'EACCES')) throw error;
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts a backup into an empty (or absent) data directory. The server must be stopped; the caller holds no lock yet. */
export async function restoreStore(source: string, dataDir: string): Promise<void> {
  if (!existsSync(join(source, 'BACKUP')) || !existsSync(join(source, 'store.db'))) throw new Error(`${source} is not a finished backup (no BACKUP file)`);
  if (existsSync(dataDir)) {
    const present = (await readdir(dataDir)).filter((name) => name !== 'lock.db');
    if (present.length > 0) throw new Error(`${dataDir} is not empty: move it away first, nothing was changed`);
  }
  process.umask(0o077);
  const partial = `${resolve(dataDir)}.restoring`;
  await rm(partial, { recursive: true, force: true });
  await copyTree(source, partial);
  await rm(join(partial, 'BACKUP'));
  await rm(join(partial, 'posthorn.toml'), { force: true });
  const database = new DatabaseSync(join(partial, 'store.db'));
  try {
    database.exec('PRAGMA journal_mode=WAL');
  } finally {
    database.close();
  }
  if (existsSync(dataDir)) await rm(dataDir, { recursive: true });
  await rename(partial, resolve(dataDir));
  await syncPath(dirname(resolve(dataDir)));
}
