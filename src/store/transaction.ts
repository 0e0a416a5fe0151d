/** What a writer operation is given: prepared SQL inside the current group commit. Runs in the writer thread only. */
import type { Announcement, JourneyEvent } from '../ports.ts';

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Transaction {
  /** Milliseconds; one value for the whole operation. */
  readonly now: number;
  /** First row as an array, or undefined. Statements are prepared once for each SQL text: never build SQL from values. */
  get(sql: string, ...parameters: SqlValue[]): any[] | undefined;
  all(sql: string, ...parameters: SqlValue[]): any[][];
  /** Number of changed rows. */
  run(sql: string, ...parameters: SqlValue[]): number;
  /** The next id of a kind: 'account', 'mailbox', 'email', 'blob', 'entry', 'credential', 'uidValidity', 'derived' (of stored envelopes: which state they are in). At least `least`; never reused. */
  nextId(kind: IdKind, least?: number): number;
  /** Sent to every loop after the commit, in order. */
  announce(announcement: Announcement): void;
  /** Handed to the journey after the commit. */
  journey(event: JourneyEvent): void;
  /** Called after the commit (to unlink files, for example); not called when the operation fails. */
  afterCommit(action: () => void): void;
}
export type IdKind = 'account' | 'mailbox' | 'email' | 'blob' | 'entry' | 'credential' | 'uidValidity' | 'derived';

/**
 * One named operation. It throws Failure before its first write when it cannot be done; an exception after a write
 * is undone by the writer (the whole batch is rolled back and every operation is run again on its own).
 * Input and output travel between threads: plain data and Uint8Array only.
 */
export type Operation<I, O> = (tx: Transaction, input: I) => O;
export type Operations = Readonly<Record<string, Operation<any, any>>>;
