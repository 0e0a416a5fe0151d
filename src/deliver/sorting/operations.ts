/** Preferences and lists in the writer. */
import type { AccountId } from '../../ports.ts';
import type { Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';
import type { ListKind } from './address-lists.ts';

/** Entries of one account, both lists together. */
export const LIST_ENTRIES_MAX = 10_000;

export interface PreferenceInput {
  readonly accountId: AccountId;
  /** A null value: as the server has it. */
  readonly values: readonly (readonly [name: string, value: string | null])[];
}
export interface ListInput {
  readonly accountId: AccountId;
  readonly kind: ListKind;
  /** Stored form (`listPattern`). */
  readonly patterns: readonly string[];
}

/** One entry inside the current transaction; an address is in one of the two lists only. False when it was there, or there is no room. */
export function addToListIn(tx: Transaction, accountId: AccountId, kind: ListKind, pattern: string): boolean {
  if (Number(tx.get('SELECT count(*) FROM address_list WHERE account_id=?', accountId)![0]) >= LIST_ENTRIES_MAX) return false;
  tx.run('DELETE FROM address_list WHERE account_id=? AND kind=? AND pattern=?', accountId, kind === 'allow' ? 'block' : 'allow', pattern);
  return tx.run('INSERT OR IGNORE INTO address_list (account_id, kind, pattern, added_at) VALUES (?, ?, ?, ?)', accountId, kind, pattern, tx.now) > 0;
}

/** What an account leaves behind in the tables of this stage, inside the transaction that removes it. */
export function forgetAccountIn(tx: Transaction, accountId: AccountId): void {
  tx.run('DELETE FROM account_preference WHERE account_id=?', accountId);
  tx.run('DELETE FROM address_list WHERE account_id=?', accountId);
  tx.run('DELETE FROM filter_memory WHERE account_id=?', accountId);
  tx.run('DELETE FROM forward_count WHERE account_id=?', accountId);
  tx.run('DELETE FROM challenge WHERE account_id=?', accountId);
}

export const SORTING_OPERATIONS = {
  'preference.forgetAccount': (tx: Transaction, input: { accountId: AccountId }): void => forgetAccountIn(tx, input.accountId),
  'preference.set': (tx: Transaction, input: PreferenceInput): void => {
    for (const [name, value] of input.values)
      if (value === null) tx.run('DELETE FROM account_preference WHERE account_id=? AND name=?', input.accountId, name);
      else tx.run('INSERT OR REPLACE INTO account_preference (account_id, name, value) VALUES (?, ?, ?)', input.accountId, name, value);
    // Every thread remembers what an account wishes.
    tx.announce({ kind: 'directory', accounts: [input.accountId] });
  },
  'list.add': (tx: Transaction, input: ListInput): number => {
    const present = Number(tx.get('SELECT count(*) FROM address_list WHERE account_id=?', input.accountId)![0]);
    if (present + input.patterns.length > LIST_ENTRIES_MAX) throw new Failure('limit', `An account may have ${LIST_ENTRIES_MAX} entries in its lists.`);
    tx.announce({ kind: 'directory', accounts: [input.accountId] });
    return input.patterns.filter((pattern) => addToListIn(tx, input.accountId, input.kind, pattern)).length;
  },
  'list.remove': (tx: Transaction, input: ListInput): number => {
    tx.announce({ kind: 'directory', accounts: [input.accountId] });
    return input.patterns.reduce(
      (removed, pattern) => removed + tx.run('DELETE FROM address_list WHERE account_id=? AND kind=? AND pattern=?', input.accountId, input.kind, pattern),
      0,
    );
  },
};
