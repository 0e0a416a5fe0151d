/**
 * Opening SQLite, in one place: the order of pragmas matters and some have no effect later.
 * No code of ours opens a live database file except through here (a stray close() of another handle drops SQLite's locks).
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SqlValue } from '../transaction.ts';

export type Row = any[];

/** A connection with its prepared statements; statements live as long as the connection. */
export class Connection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.db = db;
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // SQLite plans a statement anew at every call whose LIMIT is a bare parameter, in case its value matters: 4 of 7 µs.
      statement = this.db.prepare(sql.replaceAll('LIMIT ?', 'LIMIT +?'));
      statement.setReturnArrays(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get(sql: string, ...parameters: SqlValue[]): Row | undefined {
    return this.statement(sql).get(...(parameters as never[])) as unknown as Row | undefined;
  }

  all(sql: string, ...parameters: SqlValue[]): Row[] {
    return this.statement(sql).all(...(parameters as never[])) as unknown as Row[];
  }

  run(sql: string, ...parameters: SqlValue[]): number {
    return Number(this.statement(sql).run(...(parameters as never[])).changes);
  }

  exec(sql: string): void {
    this.db.exec(sql);
  }

  close(): void {
    this.#statements.clear();
    this.db.close();
  }
}

/** The one writable connection. */
export function openWriter(path: string): Connection {
  const db = new DatabaseSync(path, { timeout: 1000 });
  // page_size and auto_vacuum count only before journal_mode=WAL and the first table.
  db.exec('PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;');
  db.exec('PRAGMA journal_mode=WAL;');
  db.exec(
    'PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON;',
  );
  return new Connection(db);
}

/** A read-only connection: never waits for a lock, keeps little. */
export function openReader(path: string, cacheKiB = 2000): Connection {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  db.exec(`PRAGMA query_only=ON; PRAGMA cache_size=-${cacheKiB}; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;`);
  return new Connection(db);
}

/** A connection for checkpoints only. */
export function openCheckpointer(path: string): Connection {
  const db = new DatabaseSync(path, { timeout: 0 });
  db.exec('PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-200;');
  return new Connection(db);
}
