/**
 * The group commit: everything that has queued up runs in one transaction and is made durable by one fsync.
 *
 * Expected failures (Failure, thrown before the operation wrote anything) concern only their operation. Anything else
 * rolls the whole batch back, and each operation is then run again in a transaction of its own, so that one that
 * fails does not harm the others. That is as safe as a savepoint for each operation, and costs nothing when all goes well.
 */
import type { Announcement, JourneyEvent } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { Connection } from '../engines/sqlite.ts';
import type { IdKind, Operation, Operations, SqlValue, Transaction } from '../transaction.ts';
import { WriterState } from './state.ts';

export interface Request {
  readonly operation: string;
  readonly input: unknown;
}
export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly failure: Failure };
export interface Committed {
  /** In the order of the requests. */
  readonly answers: Answer[];
  readonly announcements: Announcement[];
  readonly journey: JourneyEvent[];
}

/** The transaction as the store's own operations see it: with the counters kept in memory. */
export interface StoreTransaction extends Transaction {
  readonly state: WriterState;
  /** Another operation inside this one's transaction. Throws what it throws. */
  perform(operation: string, input: unknown): unknown;
  /** Says that something was changed that is not yet in SQL (counters): a later exception must roll back. */
  markWritten(): void;
}

class GroupTransaction implements StoreTransaction {
  readonly connection: Connection;
  readonly state: WriterState;
  now = 0;
  hasWritten = false;
  announcements: Announcement[] = [];
  events: JourneyEvent[] = [];
  actions: (() => void)[] = [];

  readonly #perform: (operation: string, input: unknown) => unknown;

  constructor(connection: Connection, perform: (operation: string, input: unknown) => unknown) {
    this.connection = connection;
    this.state = new WriterState(connection);
    this.#perform = perform;
  }
  perform(operation: string, input: unknown): unknown {
    return this.#perform(operation, input);
  }
  get(sql: string, ...parameters: SqlValue[]): any[] | undefined {
    return this.connection.get(sql, ...parameters);
  }
  all(sql: string, ...parameters: SqlValue[]): any[][] {
    return this.connection.all(sql, ...parameters);
  }
  run(sql: string, ...parameters: SqlValue[]): number {
    this.hasWritten = true;
    return this.connection.run(sql, ...parameters);
  }
  nextId(kind: IdKind, least = 0): number {
    this.hasWritten = true;
    return this.state.nextId(kind, least);
  }
  markWritten(): void {
    this.hasWritten = true;
  }
  announce(announcement: Announcement): void {
    this.announcements.push(announcement);
  }
  journey(event: JourneyEvent): void {
    this.events.push(event);
  }
  afterCommit(action: () => void): void {
    this.actions.push(action);
  }
}

function isDiskFull(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  // SQLITE_FULL; SQLITE_IOERR_WRITE, _FSYNC, _TRUNCATE and _SHMSIZE are what a full disk gives while the log grows.
  return code === 13 || code === 778 || code === 1034 || code === 1546 || code === 4874;
}

/** What an unexpected exception means to whoever asked. */
function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (isDiskFull(error)) return new Failure('diskFull', 'the disk is full', { cause: error });
  return new Failure('storeBusy', error instanceof Error ? error.message : String(error), { cause: error });
}

export class GroupCommit {
  readonly #connection: Connection;
  readonly #operations: ReadonlyMap<string, { run: Operation<any, any>; isOwn: boolean }>;
  readonly #tx: GroupTransaction;
  readonly #clock: () => number;
  commits = 0;
  operationsDone = 0;
  /** Unexpected exceptions since the start, with the last one for the log. */
  lastError: unknown = null;

  /**
   * `own` operations keep to the counters in memory; `others` change rows by SQL, so counters are
   * written before them and forgotten after.
   */
  constructor(connection: Connection, own: Readonly<Record<string, (tx: StoreTransaction, input: any) => unknown>>, others: Operations, clock: () => number) {
    this.#connection = connection;
    const table = new Map<string, { run: Operation<any, any>; isOwn: boolean }>();
    for (const [name, run] of Object.entries(others)) table.set(name, { run, isOwn: false });
    for (const [name, run] of Object.entries(own)) table.set(name, { run: run as Operation<any, any>, isOwn: true });
    this.#operations = table;
    this.#tx = new GroupTransaction(connection, (operation, input) => this.#runOne({ operation, input }));
    this.#clock = clock;
  }

  /** For an orderly end: nothing may be committed after. */
  close(): void {
    this.#connection.exec('BEGIN IMMEDIATE');
    this.#tx.state.saveIds();
    this.#connection.exec('COMMIT');
  }

  /** Runs and commits all of `requests`; never throws. */
  commit(requests: readonly Request[]): Committed {
    try {
      return this.#attempt(requests);
    } catch (error) {
      this.#rollback(error);
      if (requests.length > 1) {
        const parts = requests.map((request) => this.commit([request]));
        return { answers: parts.flatMap((p) => p.answers), announcements: parts.flatMap((p) => p.announcements), journey: parts.flatMap((p) => p.journey) };
      }
      return { answers: [{ ok: false, failure: failureOf(error) }], announcements: [], journey: [] };
    }
  }

  #attempt(requests: readonly Request[]): Committed {
    const tx = this.#tx;
    const answers: Answer[] = [];
    tx.announcements = [];
    tx.events = [];
    tx.actions = [];
    let hasWritten = false;
    // Prepared, as everything here: exec() would parse it for each commit.
    this.#connection.run('BEGIN IMMEDIATE');
    for (const request of requests) {
      tx.hasWritten = false;
      tx.now = this.#clock();
      try {
        answers.push({ ok: true, value: this.#runOne(request) });
      } catch (error) {
        if (!(error instanceof Failure) || tx.hasWritten) throw error;
        answers.push({ ok: false, failure: error });
      }
      hasWritten ||= tx.hasWritten;
    }
    if (hasWritten) {
      tx.state.flush((announcement) => tx.announcements.push(announcement));
      this.#connection.run('COMMIT');
      this.commits += 1;
    } else this.#connection.run('ROLLBACK');
    this.operationsDone += requests.length;
    this.#runActions(tx.actions);
    return { answers, announcements: tx.announcements, journey: tx.events };
  }

  /** The commit is done: what goes wrong now must not look like a failed batch, which would be run a second time. */
  #runActions(actions: readonly (() => void)[]): void {
    for (const action of actions) {
      try {
        action();
      } catch (error) {
        this.lastError = error;
      }
    }
  }

  #runOne(request: Request): unknown {
    const operation = this.#operations.get(request.operation);
    if (operation === undefined) throw new Failure('cannot', `no operation ${request.operation}`);
    if (operation.isOwn) return operation.run(this.#tx, request.input);
    const tx = this.#tx;
    tx.state.flush((announcement) => tx.announcements.push(announcement));
    // When it throws nothing may be written any more: SQLite may have ended the transaction (disk full), and the counters of what is
    // undone would be kept. A Failure before the first write leaves nothing to write; anything else is followed by `reset`.
    const output = operation.run(tx, request.input);
    // Their nested calls of our operations count in memory too: write, then forget.
    tx.state.flush((announcement) => tx.announcements.push(announcement));
    tx.state.forget();
    return output;
  }

  #rollback(error: unknown): void {
    if (!(error instanceof Failure)) this.lastError = error;
    // SQLite rolls back by itself after some errors (disk full); then there is no transaction left to end.
    if (this.#connection.db.isTransaction) this.#connection.exec('ROLLBACK');
    this.#tx.state.reset();
  }
}
