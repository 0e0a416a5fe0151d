/** Opening search.db: as it is when it is ours and sound, else made anew. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Connection } from '../store/engines/sqlite.ts';
import type { SqlValue } from '../store/transaction.ts';
import { SEARCH_SCHEMA, SEARCH_VERSION, THREADS_VERSION } from './schema.ts';

/** SQLite's result codes for a file that is not, or no longer, a database. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

export function isDamage(error: unknown): boolean {
  const code = (error as { errcode?: number } | null)?.errcode;
  return code !== undefined && ((code & 0xff) === CORRUPT || (code & 0xff) === NOT_A_DATABASE);
}

/** Why an index was made anew; null: it is the one that was there. */
export type MadeAnew = 'missing' | 'version' | 'damaged' | 'foreign' | null;

/**
 * FTS5 leaves row numbers of its own, beyond 2^53, behind as "last inserted", and node:sqlite throws after the work is done when it should
 * answer such a one as a number, from whatever statement runs next.
 */
class SearchConnection extends Connection {
  override run(sql: string, ...parameters: SqlValue[]): number {
    this.statement(sql).setReadBigInts(true);
    return super.run(sql, ...parameters);
  }
}

export interface OpenedSearch {
  readonly connection: Connection;
  readonly madeAnew: MadeAnew;
}

/**
 * The indexer's connection. `isFit` looks at an index of the right version; false: it belongs to another store. Nobody may have the file
 * open that is replaced because of its version or store; readers of a damaged one open the new one when they are told.
 */
export function openSearchDatabase(path: string, isFit: (connection: Connection) => boolean): OpenedSearch {
  let why: Exclude<MadeAnew, null> = 'missing';
  if (existsSync(path)) {
    let connection: Connection | null = null;
    try {
      connection = connect(path);
      const version = Number(connection.get('PRAGMA user_version')![0]);
      if (version !== SEARCH_VERSION) why = 'version';
      else if (isFit(connection)) return { connection, madeAnew: null };
      else why = 'foreign';
    } catch (error) {
      if (!isDamage(error)) throw error;
      why = 'damaged';
    }
    connection?.close();
  }
  return { connection: makeSearchDatabase(path, why === 'version'), madeAnew: why };
}

/** An empty index in place of what is there; with `keepsThreads` the emails known so far stay in their threads. */
export function makeSearchDatabase(path: string, keepsThreads: boolean): Connection {
  const before = `${path}-before`;
  remove(before);
  if (keepsThreads) for (const ending of ENDINGS) if (existsSync(path + ending)) renameSync(path + ending, before + ending);
  remove(path);
  const connection = connect(path);
  connection.exec('BEGIN IMMEDIATE');
  connection.exec(SEARCH_SCHEMA);
  connection.exec('COMMIT');
  if (keepsThreads) {
    takeThreads(connection, before);
    remove(before);
  }
  return connection;
}

function takeThreads(connection: Connection, before: string): void {
  try {
    connection.exec(`ATTACH '${before.replaceAll("'", "''")}' AS before`);
    if (Number(connection.get("SELECT value FROM before.state WHERE name='threads'")?.[0]) !== THREADS_VERSION) return;
    connection.exec('BEGIN IMMEDIATE');
    connection.exec('INSERT INTO thread_key SELECT * FROM before.thread_key; INSERT INTO thread_before SELECT id, thread_id FROM before.email;');
    connection.exec('COMMIT');
  } catch {
    // What is there cannot be read: threads are found again from the messages, nearly always the same.
    if (connection.db.isTransaction) connection.exec('ROLLBACK');
  } finally {
    if (connection.all('PRAGMA database_list').some((row) => row[1] === 'before')) connection.exec('DETACH before');
  }
}

const ENDINGS = ['', '-wal', '-shm', '-journal'] as const;

function connect(path: string): Connection {
  const connection = new SearchConnection(new DatabaseSync(path, { timeout: 1000 }));
  try {
    connection.exec('PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;');
    connection.exec('PRAGMA journal_mode=WAL;');
    // A crash may lose the last transactions, which are made again from the cursor on.
    connection.exec(
      'PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;',
    );
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function remove(path: string): void {
  for (const ending of ENDINGS) rmSync(path + ending, { force: true });
}
