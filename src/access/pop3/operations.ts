/**
 * The exclusive lock on a maildrop (RFC 1939 section 4), across threads. The writer is the one thread that all sessions ask, so the
 * locks are a map in its memory; nothing is written. A lock is a lease: a thread that dies leaves none behind for long.
 */
import type { Operations, Transaction } from '../../store/transaction.ts';

interface Lock {
  readonly session: string;
  readonly until: number;
}
/** In the writer thread; at most one entry for each account. */
const locks = new Map<number, Lock>();

export interface LockInput {
  readonly accountId: number;
  readonly session: string;
  /** How long the lock holds unless renewed. */
  readonly leaseMs: number;
}

/** Takes or renews the lock. Repeating it for the same session is harmless. */
function lock(tx: Transaction, input: LockInput): { isLocked: boolean } {
  const held = locks.get(input.accountId);
  if (held !== undefined && held.session !== input.session && held.until > tx.now) return { isLocked: false };
  locks.set(input.accountId, { session: input.session, until: tx.now + input.leaseMs });
  return { isLocked: true };
}

/** Gives the lock back; another session's lock is left alone. */
function unlock(_tx: Transaction, input: { accountId: number; session: string }): void {
  if (locks.get(input.accountId)?.session === input.session) locks.delete(input.accountId);
}

export const POP3_OPERATIONS = { 'pop3.lock': lock, 'pop3.unlock': unlock } satisfies Operations;
