/** For tests only: the directory's tables in a real SQLite database in memory, with reader, writer and announcements over it. */
import { MIGRATIONS } from '../store/schema/migrate.ts';
import { DatabaseSync } from 'node:sqlite';
import type { Announcement, Announcements, StoreReader, StoreWriter } from '../ports.ts';
import type { IdKind, Operations, SqlValue, Transaction } from '../store/transaction.ts';
import { DIRECTORY_OPERATIONS } from './operations.ts';
import { DIRECTORY_SETTINGS, type DirectorySettings } from './settings.ts';
import { defaultsOf } from '../system/declare.ts';

export interface TestStore {
  readonly db: DatabaseSync;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly announcements: Announcements;
  /** Runs one operation at once. */
  run<T = any>(operation: string, input: unknown): T;
  /** Names of the operations run so far. */
  readonly log: string[];
  now: number;
}

/** An empty database. Only `rows` and `run` (and what `extra` brings) work; everything else is undefined. */
export function testStore(extra: Operations = {}): TestStore {
  const db = new DatabaseSync(':memory:');
  for (const schema of MIGRATIONS) db.exec(schema);
  db.exec('PRAGMA foreign_keys=ON');
  const operations = new Map<string, (tx: Transaction, input: any) => unknown>(Object.entries({ ...DIRECTORY_OPERATIONS, ...extra }));
  const listeners: { kind: string; listener: (a: Announcement) => void }[] = [];
  const counters = new Map<IdKind, number>();
  const statement = (sql: string): any => {
    const prepared = db.prepare(sql);
    prepared.setReturnArrays(true);
    return prepared;
  };
  const store: TestStore = {
    db,
    now: 1_700_000_000_000,
    log: [],
    reader: { rows: (sql: string, ...parameters: SqlValue[]) => statement(sql).all(...parameters) } as unknown as StoreReader,
    writer: { run: async (operation: string, input: unknown) => store.run(operation, input) } as unknown as StoreWriter,
    announcements: {
      on: (kind: string, listener: (a: Announcement) => void) => {
        const entry = { kind, listener };
        listeners.push(entry);
        return () => listeners.splice(listeners.indexOf(entry), 1);
      },
    } as unknown as Announcements,
    run(operation, input) {
      const announced: Announcement[] = [];
      const actions: (() => void)[] = [];
      const tx: Transaction = {
        now: store.now,
        get: (sql, ...parameters) => statement(sql).get(...parameters),
        all: (sql, ...parameters) => statement(sql).all(...parameters),
        run: (sql, ...parameters) => Number(statement(sql).run(...parameters).changes),
        nextId: (kind, least = 0) => {
          counters.set(kind, Math.max((counters.get(kind) ?? 0) + 1, least));
          return counters.get(kind)!;
        },
        announce: (announcement) => announced.push(announcement),
        journey: () => {},
        afterCommit: (action) => actions.push(action),
      };
      store.log.push(operation);
      db.exec('BEGIN');
      let value: any;
      try {
        value = operations.get(operation)!(tx, input);
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
      db.exec('COMMIT');
      for (const action of actions) action();
      for (const announcement of announced) for (const { kind, listener } of [...listeners]) if (kind === announcement.kind) listener(announcement);
      return value;
    },
  };
  return store;
}

/** Adds an account whose password is stored in the clear; answers its id. */
export function addTestAccount(store: TestStore, login: string, password = 'secret', scram: string | null = null): number {
  return store.run('account.add', {
    login,
    displayName: null,
    hash: `{PLAIN}${password}`,
    scram,
    quotaBytes: 0,
    quotaMessages: 0,
    withDomain: true,
  }).id;
}

/** The defaults with changes. */
export function testSettings(changes: Partial<DirectorySettings> = {}): DirectorySettings {
  return { ...defaultsOf(DIRECTORY_SETTINGS), ...changes };
}
