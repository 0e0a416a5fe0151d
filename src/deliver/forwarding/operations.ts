/** Counting what an account sends on (table forward_count). */
import type { AccountId, StoreReader } from '../../ports.ts';
import type { Transaction } from '../../store/transaction.ts';
import { DAY } from '../../system/declare.ts';

/** Sent on to other hosts since midnight (UTC). */
export function forwardsToday(reader: Pick<StoreReader, 'rows'>, accountId: AccountId, now: number): number {
  return Number(reader.rows('SELECT messages FROM forward_count WHERE account_id=? AND day=?', accountId, Math.floor(now / DAY))[0]?.[0] ?? 0);
}

/** One more inside the current transaction. False when `most` (0: no limit) is reached; nothing is counted then. */
export function countForwardIn(tx: Transaction, accountId: AccountId, most: number): boolean {
  const day = Math.floor(tx.now / DAY);
  return (
    tx.run(
      'INSERT INTO forward_count (account_id, day, messages) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET messages=messages+1 WHERE ?3=0 OR messages<?3',
      accountId,
      day,
      most,
    ) > 0
  );
}

export const FORWARDING_OPERATIONS = {
  'forward.count': (tx: Transaction, input: { accountId: AccountId; most: number }): boolean => countForwardIn(tx, input.accountId, input.most),
  /** Days before `days` ago are nobody's concern any more; answers the rows removed. */
  'forward.prune': (tx: Transaction, input: { days: number }): number => tx.run('DELETE FROM forward_count WHERE day<?', Math.floor(tx.now / DAY) - input.days),
};
