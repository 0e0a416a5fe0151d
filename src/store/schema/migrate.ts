/** The schema's version is SQLite's user_version; migrations run forward at start, each in one transaction. */
import type { Connection } from '../engines/sqlite.ts';
import { SCHEMA_0001 } from './0001.ts';
import { SCHEMA_0002 } from './0002.ts';
import { SCHEMA_0003 } from './0003.ts';
import { SCHEMA_0004 } from './0004.ts';
import { SCHEMA_0005 } from './0005.ts';
import { SCHEMA_0006 } from './0006.ts';
import { SCHEMA_0007 } from './0007.ts';
import { SCHEMA_0008 } from './0008.ts';
import { SCHEMA_0009 } from './0009.ts';
import { SCHEMA_0010 } from './0010.ts';

/** In order; the index + 1 is the version it leads to. A released entry is never edited. */
export const MIGRATIONS: readonly string[] = [
  SCHEMA_0001,
  SCHEMA_0002,
  SCHEMA_0003,
  SCHEMA_0004,
  SCHEMA_0005,
  SCHEMA_0006,
  SCHEMA_0007,
  SCHEMA_0008,
  SCHEMA_0009,
  SCHEMA_0010,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings the database to the current version; answers the version found. Throws when it was written by a newer program. */
export function migrate(connection: Connection): number {
  const found = Number(connection.db.prepare('PRAGMA user_version').get()!['user_version']);
  if (found > SCHEMA_VERSION) throw new Error(`the store has schema version ${found}, this program knows up to ${SCHEMA_VERSION}: use the newer program`);
  for (let version = found; version < SCHEMA_VERSION; version += 1) {
    connection.exec('BEGIN IMMEDIATE');
    try {
      connection.exec(MIGRATIONS[version]!);
      connection.exec(`PRAGMA user_version=${version + 1}`);
      connection.exec('COMMIT');
    } catch (error) {
      connection.exec('ROLLBACK');
      throw new Error(`migration of the store to version ${version + 1} failed, nothing was changed: ${(error as Error).message}`, { cause: error });
    }
  }
  return found;
}
