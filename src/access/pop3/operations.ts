/**
 * The exclusive lock on a maildrop (RFC 1939 section 4), across threads. The writer is the one thread that all sessions ask, so the
 * locks are a map in its memory; nothing is written. A lock is a lease: a thread that dies leaves none behind for long.
 * The same goes for the time between logins. What clients deleted without removing it is kept in the store.
 */
import type { Operations, Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';

interface Lock {
  readonly session: string;
  readonly until: number;
}
/** In the writer thread; at most one entry for each account. */
const locks = new Map<number, Lock>();
/** When accounts logged in last, oldest first; only where a time between logins is set. */
const logins = new Map<number, number>();
const LOGINS_KEPT_MAX = 100_000;

export interface LockInput {
  readonly accountId: number;
  readonly session: string;
  /** How long the lock holds unless renewed. */
  readonly leaseMs: number;
  /** At a login: least time since the one before; 0: none. */
  readonly loginDelayMs?: number;
}
export interface LockOutput {
  readonly isLocked: boolean;
  /** Above 0: the login came too early by so much. */
  readonly waitMs: number;
}

/** Takes or renews the lock. Repeating it for the same session is harmless. */
function lock(tx: Transaction, input: LockInput): LockOutput {
  const held = locks.get(input.accountId);
  if (held !== undefined && held.session !== input.session && held.until > tx.now) return { isLocked: false, waitMs: 0 };
  const delayMs = input.loginDelayMs ?? 0;
  if (delayMs > 0) {
    const waitMs = (logins.get(input.accountId) ?? Number.NEGATIVE_INFINITY) + delayMs - tx.now;
    if (waitMs > 0) return { isLocked: false, waitMs };
    logins.delete(input.accountId);
    logins.set(input.accountId, tx.now);
    if (logins.size > LOGINS_KEPT_MAX) logins.delete(logins.keys().next().value!);
  }
  locks.set(input.accountId, { session: input.session, until: tx.now + input.leaseMs });
  return { isLocked: true, waitMs: 0 };
}

/** Gives the lock back; another session's lock is left alone. */
function unlock(_tx: Transaction, input: { accountId: number; session: string }): void {
  if (locks.get(input.accountId)?.session === input.session) locks.delete(input.accountId);
}

/** POP3 does not show these messages any more. Throws 'noSuchMailbox'. */
function hide(tx: Transaction, input: { accountId: number; mailboxId: number; uids: readonly number[] }): void {
  if (tx.get('SELECT 1 FROM mailbox WHERE id=? AND account_id=?', input.mailboxId, input.accountId) === undefined) throw new Failure('noSuchMailbox');
  for (const uid of input.uids) tx.run('INSERT OR IGNORE INTO pop3_hidden (mailbox_id, uid) VALUES (?, ?)', input.mailboxId, uid);
}

/** What was kept about messages that are gone. */
function forget(tx: Transaction, input: { accountId: number; mailboxId: number; uids: readonly number[] }): void {
  for (const uid of input.uids) {
    // UIDs are never used again; but what is there must not be forgotten, whoever asks.
    if (tx.get('SELECT 1 FROM message WHERE account_id=? AND mailbox_id=? AND uid=?', input.accountId, input.mailboxId, uid) !== undefined) continue;
    tx.run('DELETE FROM pop3_hidden WHERE mailbox_id=? AND uid=?', input.mailboxId, uid);
    tx.run('DELETE FROM pop3_uidl WHERE mailbox_id=? AND uid=?', input.mailboxId, uid);
  }
}

export const POP3_OPERATIONS = { 'pop3.lock': lock, 'pop3.unlock': unlock, 'pop3.hide': hide, 'pop3.forget': forget } satisfies Operations;
