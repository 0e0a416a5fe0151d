/**
 * Power cut, simulated: the server is stopped (SIGSTOP) under load, its files are copied as the page cache has them,
 * and the copy's write-ahead log is cut at arbitrary bytes behind what was certainly synced. Every cut must open,
 * pass quick_check and hold all messages that were acknowledged before that point.
 *
 * Certainly synced: all frames present at a moment when every client had its answer; and all frames the checkpointer
 * has begun to copy into the database file (it syncs the log first). Both are read from the -shm file's header
 * (SQLite's walformat: WalIndexHdr and WalCkptInfo).
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import type { Posthorn } from '../harness/posthorn.ts';
import { type Owner, tempDir } from '../harness/temp.ts';
import { tortureServer } from './kills.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { seeded } from './random.ts';

export interface PowerOptions {
  readonly snapshots: number;
  readonly cutsEach: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}
export interface PowerResult {
  readonly cuts: number;
  /** Snapshots that could not be used: the log was started anew between the two looks. */
  readonly skipped: number;
  readonly faults: readonly string[];
}
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

interface LogState {
  readonly salt: string;
  readonly frameBytes: number;
  readonly frames: number;
  readonly framesBeingCopied: number;
}

export async function runPowerCuts(owner: Owner, options: PowerOptions): Promise<PowerResult> {
  const random = seeded(options.seed);
  const ledger = new Ledger();
  const server = await tortureServer(owner, null);
  const database = join(server.dataDir, 'store.db');
  const work = tempDir(owner, 'cuts');
  const load = new Load({ port: 25, clients: 8, random: seeded(options.seed + 1), ledger, localOnly: true });
  const result = { cuts: 0, skipped: 0, faults: [] as string[] };
  for (let snapshot = 1; snapshot <= options.snapshots; snapshot += 1) {
    await pause(random.between(100, 600));
    await load.quiesce();
    const synced = stopped(server, () => logState(database));
    const acknowledged = ledger.acknowledged;
    load.resume();
    await pause(random.between(1, 150));
    const copy = join(work, `snapshot-${snapshot}`);
    const later = stopped(server, () => {
      mkdirSync(copy);
      copyFileSync(database, join(copy, 'store.db'));
      copyFileSync(`${database}-wal`, join(copy, 'store.db-wal'));
      return logState(database);
    });
    if (later.salt !== synced.salt) result.skipped += 1;
    else {
      const frames = Math.max(synced.frames, later.framesBeingCopied);
      const least = frames === 0 ? 0 : WAL_HEADER_BYTES + frames * later.frameBytes;
      const most = statSync(join(copy, 'store.db-wal')).size;
      for (let cut = 0; cut < options.cutsEach; cut += 1) {
        const at = cut === 0 ? most : random.between(Math.min(least, most), most);
        result.faults.push(
          ...examine(copy, at, ledger, acknowledged, join(server.dataDir, 'blobs')).map((fault) => `snapshot ${snapshot} cut at ${at} of ${most}: ${fault}`),
        );
        result.cuts += 1;
      }
      options.say(`snapshot ${snapshot} of ${options.snapshots}: ${acknowledged} acknowledged, log of ${most} bytes cut behind ${least}`);
    }
    rmSync(copy, { recursive: true, force: true });
  }
  await load.stop();
  await server.stop();
  return result;
}

/** Runs `look` while every process of the server stands still. */
function stopped<T>(server: Posthorn, look: () => T): T {
  process.kill(-server.pid, 'SIGSTOP');
  try {
    waitUntilStopped(server.pid);
    return look();
  } finally {
    process.kill(-server.pid, 'SIGCONT');
  }
}
/** The signal is under way when kill() returns; all threads stand still when the process is in state T. */
function waitUntilStopped(pid: number): void {
  for (let tries = 0; tries < 100_000; tries += 1) if (/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))) return;
  throw new Error('the server did not stop for SIGSTOP');
}

function logState(database: string): LogState {
  const shm = readFileSync(`${database}-shm`);
  const pageBytes = shm.readUInt16LE(14);
  return {
    salt: shm.toString('hex', 32, 40),
    frameBytes: FRAME_HEADER_BYTES + (pageBytes === 1 ? 65_536 : pageBytes),
    frames: shm.readUInt32LE(16),
    framesBeingCopied: Math.max(shm.readUInt32LE(96), shm.readUInt32LE(128)),
  };
}

/** Opens the copy with its log cut at `at`; answers what is wrong with it. */
function examine(copy: string, at: number, ledger: Ledger, acknowledged: number, blobs: string): string[] {
  const dir = join(copy, 'cut');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const file = join(dir, 'store.db');
  copyFileSync(join(copy, 'store.db'), file);
  copyFileSync(join(copy, 'store.db-wal'), `${file}-wal`);
  truncateSync(`${file}-wal`, at);
  const faults: string[] = [];
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file);
  } catch (error) {
    return [`it does not open: ${String(error)}`];
  }
  try {
    const check = database
      .prepare('PRAGMA quick_check')
      .all()
      .map((row) => Object.values(row)[0]);
    if (check.length !== 1 || check[0] !== 'ok') faults.push(`quick_check says ${check.slice(0, 3).join('; ')}`);
    const copies = new Map<string, number>();
    const rows = database
      .prepare(
        'SELECT e.message_id AS id, a.login AS login, count(*) AS n FROM message m JOIN email e ON e.id = m.email_id JOIN account a ON a.id = m.account_id GROUP BY 1, 2',
      )
      .all();
    for (const row of rows) copies.set(`${String(row['id'])} ${String(row['login'])}`, Number(row['n']));
    for (const entry of ledger.entries.values()) {
      if (entry.order === 0 || entry.order > acknowledged) continue;
      for (const recipient of entry.recipients) {
        const count = copies.get(`<${entry.id}@torture.test> ${recipient}`) ?? 0;
        if (count !== 1) faults.push(`${entry.id} for ${recipient} is there ${count} times`);
      }
    }
    for (const row of database.prepare('SELECT file FROM blob WHERE file IS NOT NULL').all())
      if (!existsSync(join(blobs, String(row['file'])))) faults.push(`the file ${String(row['file'])} is missing`);
  } catch (error) {
    faults.push(`reading fails: ${String(error)}`);
  } finally {
    database.close();
  }
  return faults.slice(0, 5);
}
