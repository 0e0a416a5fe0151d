/** Writer operations on credentials: app passwords, and what logins leave behind. */
import { Failure } from '../../system/failure.ts';
import type { Transaction } from '../../store/transaction.ts';

/** An app password. `scopes` is '*' or protocol groups separated by spaces. */
export function credentialAdd(
  tx: Transaction,
  input: { accountId: number; label: string; hash: string; scram: string | null; scopes: string },
): { id: number } {
  if (tx.get('SELECT 1 FROM account WHERE id=?', input.accountId) === undefined) throw new Failure('noSuchAccount', 'there is no such user');
  if (tx.get("SELECT 1 FROM credential WHERE account_id=? AND kind='app' AND label=?", input.accountId, input.label) !== undefined)
    throw new Failure('exists', `there is an app password "${input.label}" already`);
  const id = tx.nextId('credential');
  tx.run(
    "INSERT INTO credential (id, account_id, kind, label, hash, scram, scopes, created_at) VALUES (?, ?, 'app', ?, ?, ?, ?, ?)",
    id,
    input.accountId,
    input.label,
    input.hash,
    input.scram,
    input.scopes,
    tx.now,
  );
  tx.announce({ kind: 'directory', accounts: [] });
  return { id };
}

/** Revokes an app password by id or label; the account's own password cannot be removed this way. */
export function credentialRemove(tx: Transaction, input: { accountId: number; id: number | null; label: string | null }): void {
  const removed = tx.run("DELETE FROM credential WHERE account_id=? AND kind='app' AND (id=? OR label=?)", input.accountId, input.id ?? -1, input.label);
  if (removed === 0) throw new Failure('noSuchEntry', 'there is no such app password');
  tx.announce({ kind: 'directory', accounts: [input.accountId] });
}

/** Notes the last login. Not announced: nobody caches it, and it happens all the time. */
export function credentialUsed(tx: Transaction, input: { id: number; at: number; from: string }): void {
  tx.run('UPDATE credential SET used_at=?, used_from=? WHERE id=?', input.at, input.from, input.id);
}

/** Puts a better form of the same password in place of `oldHash`; does nothing when the password was changed meanwhile. */
export function credentialRehash(tx: Transaction, input: { id: number; oldHash: string; hash: string; scram: string | null }): { isChanged: boolean } {
  const changed = tx.run('UPDATE credential SET hash=?, scram=? WHERE id=? AND hash=?', input.hash, input.scram, input.id, input.oldHash);
  if (changed > 0) tx.announce({ kind: 'directory', accounts: [] });
  return { isChanged: changed > 0 };
}
