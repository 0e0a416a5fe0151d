/** What must hold before the server starts: each problem is one sentence that says what to do. */
import { accessSync, chmodSync, constants, existsSync, lstatSync, mkdirSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** SQLite 3.51.3 mends the WAL reset bug, which may lose commits when one connection checkpoints while another writes. */
export const SQLITE_LEAST = '3.51.3';

/** Kernel's numbers of file systems on which SQLite's locks or shared memory cannot be relied on (statfs(2)). */
const REMOTE_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x47504653, 'GPFS'],
  [0x0bd00bd0, 'Lustre'],
]);

/** True when version `have` is at least `least`; both "major.minor.patch". */
export function isVersionAtLeast(have: string, least: string): boolean {
  const a = have.split('.').map(Number);
  const b = least.split('.').map(Number);
  for (let i = 0; i < b.length; i += 1) if ((a[i] ?? 0) !== b[i]!) return (a[i] ?? 0) > b[i]!;
  return true;
}

/** Throws when the runtime's SQLite is too old. */
export function checkRuntime(sqliteVersion: string | undefined = process.versions.sqlite): void {
  if (sqliteVersion === undefined || !isVersionAtLeast(sqliteVersion, SQLITE_LEAST))
    throw new Error(
      `This Node.js (${process.version}) brings SQLite ${sqliteVersion ?? 'none'}, but ${SQLITE_LEAST} or newer is needed to keep mail safe. Start the server with bin/posthorn.mjs, which brings the right one.`,
    );
}

/** Name of a file system that must not hold the data folder, or null when it may. `type` is statfs's f_type. */
export function remoteFileSystem(type: number | bigint): string | null {
  return REMOTE_FILE_SYSTEMS.get(Number(BigInt.asUintN(32, BigInt(type)))) ?? null;
}

/**
 * Makes the data folder (0711) when it is missing and checks the one that is there: a folder, ours to write, on a local file
 * system, closed to others (tightened when it is ours). Throws with a sentence.
 */
export function prepareDataDir(dataDir: string): void {
  let nearest = dataDir;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if (process.platform === 'linux') {
    const name = remoteFileSystem(statfsSync(nearest).type);
    if (name !== null)
      throw new Error(`The data folder ${dataDir} is on a ${name} file system, whose locks cannot be relied on: set dataDir to a folder on a local disk.`);
  }
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw new Error(`The data folder ${dataDir} cannot be made: ${(error as Error).message}`, { cause: error });
  }
  const stat = statSync(dataDir);
  if (!stat.isDirectory()) throw new Error(`dataDir is ${dataDir}, but that is not a folder.`);
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`This user may not write to the data folder ${dataDir}: give it to the user the server runs as (chown), or set dataDir.`, { cause: error });
  }
  closeFiles(dataDir);
  // Others may pass through (to the pickup directory of the sendmail command), but neither list nor write.
  if ((stat.mode & 0o077) === 0o011) return;
  try {
    chmodSync(dataDir, 0o711);
  } catch (error) {
    throw new Error(`The data folder ${dataDir} is open to other users and cannot be closed to them: chmod 711 ${dataDir}`, { cause: error });
  }
}

/**
 * Files whose names everybody knows (store.db, keys) must be closed themselves; one made under another umask is closed here. The sendmail command of
 * other users reads the configuration, which may be beside them. */
function closeFiles(dataDir: string): void {
  for (const entry of readdirSync(dataDir, { withFileTypes: true })) {
    const path = join(dataDir, entry.name);
    if (!entry.isFile() || entry.name === 'posthorn.toml' || (lstatSync(path).mode & 0o077) === 0) continue;
    try {
      chmodSync(path, 0o600);
    } catch (error) {
      throw new Error(`${path} is open to other users and cannot be closed to them: chmod 600 ${path}`, { cause: error });
    }
  }
}
