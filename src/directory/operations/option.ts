/** Writer operation on the choices of single accounts. */
import { Failure } from '../../system/failure.ts';
import type { Transaction } from '../../store/transaction.ts';

/** Sets an option of ACCOUNT_OPTIONS, or takes it away (`value` null). Announced for that account. */
export function accountOption(tx: Transaction, input: { id: number; name: string; value: string | null }): { isChanged: boolean } {
  const { id, name, value } = input;
  if (tx.get('SELECT 1 FROM account WHERE id=?', id) === undefined) throw new Failure('noSuchAccount', 'there is no such user');
  const [before] = (tx.get('SELECT value FROM account_option WHERE account_id=? AND name=?', id, name) ?? [null]) as [string | null];
  if (before === value) return { isChanged: false };
  if (value === null) tx.run('DELETE FROM account_option WHERE account_id=? AND name=?', id, name);
  else tx.run('INSERT INTO account_option (account_id, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value=excluded.value', id, name, value);
  tx.announce({ kind: 'directory', accounts: [id] });
  return { isChanged: true };
}
