/** Challenges in the writer: asking, answering, releasing what waited. */
import type { AccountId } from '../../ports.ts';
import { targetMailbox } from '../../store/operations/accept.ts';
import { MESSAGE_OPERATIONS } from '../../store/operations/message.ts';
import type { Transaction } from '../../store/transaction.ts';
import type { StoreTransaction } from '../../store/writer/group-commit.ts';
import { addToListIn } from '../sorting/operations.ts';
import { WROTE } from './read.ts';
import { waitingKeyword } from './token.ts';

/** Messages released at once. */
const RELEASED_MAX = 1000;

export interface ChallengeRow {
  readonly accountId: AccountId;
  readonly tokenHash: string;
  /** Key of the author. */
  readonly sender: string;
  readonly until: number;
}

/** Notes that an author is asked, inside the current transaction. False when another message of theirs was first: nothing is sent then. */
export function challengeIn(tx: Transaction, row: ChallengeRow): boolean {
  if (tx.get('SELECT 1 FROM challenge WHERE account_id=? AND sender=? AND until>? LIMIT 1', row.accountId, row.sender, tx.now) !== undefined) return false;
  tx.run(
    'INSERT OR IGNORE INTO challenge (token_hash, account_id, sender, created_at, until) VALUES (?, ?, ?, ?, ?)',
    row.tokenHash,
    row.accountId,
    row.sender,
    tx.now,
    row.until,
  );
  return true;
}

export interface ReleaseInput {
  readonly accountId: AccountId;
  /** `challenge.mailbox`. */
  readonly mailbox: string;
}
export interface Released {
  readonly sender: string;
  /** Messages that moved to the inbox. */
  readonly moved: number;
  /** More of them wait: call again. */
  readonly isPartial: boolean;
}

/** The author becomes known and what waits of theirs goes to the inbox, inside the current transaction. */
export function releaseIn(transaction: Transaction, { accountId, mailbox }: ReleaseInput, sender: string): Released {
  const tx = transaction as StoreTransaction;
  addToListIn(tx, accountId, 'allow', sender);
  tx.run('DELETE FROM challenge WHERE account_id=? AND sender=?', accountId, sender);
  // Messages of this batch may not be in their rows' counters yet; the rows themselves are.
  const row = tx.get('SELECT id FROM mailbox WHERE account_id=? AND name=? AND is_selectable=1', accountId, mailbox);
  if (row === undefined) return { sender, moved: 0, isPartial: false };
  const from = Number(row[0]);
  const keyword = waitingKeyword(sender);
  const uids = tx
    .all(
      "SELECT uid FROM message WHERE account_id=? AND mailbox_id=? AND keywords IS NOT NULL AND instr(' ' || keywords || ' ', ?)>0 ORDER BY uid LIMIT ?",
      accountId,
      from,
      ` ${keyword} `,
      RELEASED_MAX + 1,
    )
    .map(([uid]) => Number(uid));
  const moving = uids.slice(0, RELEASED_MAX);
  if (moving.length > 0) {
    const to = targetMailbox(tx, { accountId, mailbox: { role: 'inbox' } } as Parameters<typeof targetMailbox>[1]);
    MESSAGE_OPERATIONS['message.flags'](tx, { accountId, mailboxId: from, uids: moving, mode: 'remove', flags: 0, keywords: [keyword] });
    MESSAGE_OPERATIONS['message.copy'](tx, { accountId, from, uids: moving, to, move: true });
  }
  return { sender, moved: moving.length, isPartial: uids.length > moving.length };
}

/** An answer with this token, inside the current transaction. Null when it is not, or no longer, one of the account's. */
export function answerIn(tx: Transaction, input: ReleaseInput & { readonly tokenHash: string }): Released | null {
  const row = tx.get('SELECT sender FROM challenge WHERE token_hash=? AND account_id=? AND until>?', input.tokenHash, input.accountId, tx.now);
  return row === undefined ? null : releaseIn(tx, input, String(row[0]));
}

/** They move messages through the counters in memory: among the heavy operations (`ROOM_OPERATIONS`) as well as among the light ones. */
export const CHALLENGE_OPERATIONS = {
  'challenge.ask': (tx: Transaction, row: ChallengeRow): boolean => challengeIn(tx, row),
  'challenge.answer': (tx: Transaction, input: ReleaseInput & { readonly tokenHash: string }): Released | null => answerIn(tx, input),
  /** By the owner's or administrator's word: a challenge need not exist. */
  'challenge.release': (tx: Transaction, input: ReleaseInput & { readonly sender: string }): Released => releaseIn(tx, input, input.sender),
  /** The account wrote to these (keys): they are known until `until`. */
  'challenge.wrote': (tx: Transaction, input: { accountId: AccountId; to: readonly string[]; until: number }): void => {
    for (const key of input.to) {
      tx.run(
        'INSERT INTO filter_memory (account_id, kind, key, until) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until=max(until, excluded.until)',
        input.accountId,
        WROTE,
        key,
        input.until,
      );
      // Whoever is written to need not answer any more.
      tx.run('DELETE FROM challenge WHERE account_id=? AND sender=?', input.accountId, key);
    }
  },
  /** Removes what can no longer be answered; answers how many: call again while it is `rowsMax`. */
  'challenge.prune': (tx: Transaction, input: { rowsMax: number }): number =>
    tx.run('DELETE FROM challenge WHERE token_hash IN (SELECT token_hash FROM challenge WHERE until<=? LIMIT ?)', tx.now, input.rowsMax),
};
