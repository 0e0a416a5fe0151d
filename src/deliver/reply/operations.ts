/** The rows of filter_memory in the writer, and the same within another operation's transaction. */
import type { AccountId } from '../../ports.ts';
import type { Transaction } from '../../store/transaction.ts';
import type { Memory } from './plan.types.ts';

/**
 * Writes one row inside the current transaction. False when it was there and is still valid: two messages of one sender may have been
 * looked at in the same moment, and only the first is answered.
 */
export function rememberIn(tx: Transaction, accountId: AccountId, { kind, key, until }: Memory): boolean {
  return (
    tx.run(
      'INSERT INTO filter_memory (account_id, kind, key, until) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until=excluded.until WHERE until<=?',
      accountId,
      kind,
      key,
      until,
      tx.now,
    ) > 0
  );
}

export interface RememberInput {
  readonly accountId: AccountId;
  readonly memories: readonly Memory[];
}
export interface PruneInput {
  readonly rowsMax: number;
}

/** 'memory.remember' answers for each row whether it is new; 'memory.prune' how many rows went: call again while it is `rowsMax`. */
export const REPLY_OPERATIONS = {
  'memory.remember': (tx: Transaction, input: RememberInput): boolean[] => input.memories.map((memory) => rememberIn(tx, input.accountId, memory)),
  'memory.prune': (tx: Transaction, input: PruneInput): number =>
    tx.run(
      'DELETE FROM filter_memory WHERE (account_id, kind, key) IN (SELECT account_id, kind, key FROM filter_memory WHERE until<=? ORDER BY until LIMIT ?)',
      tx.now,
      input.rowsMax,
    ),
  /** All that one kind of filter remembers of an account: a changed vacation text may start anew. */
  'memory.forget': (tx: Transaction, input: { accountId: AccountId; kind: string }): number =>
    tx.run('DELETE FROM filter_memory WHERE account_id=? AND kind=?', input.accountId, input.kind),
};
