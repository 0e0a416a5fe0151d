/** Writer operations on aliases. An alias has one or more targets, here or elsewhere; a target equal to the address keeps a copy. */
import { Failure } from '../../system/failure.ts';
import type { Transaction } from '../../store/transaction.ts';
import { requireDomain } from './domain.ts';

/** Adds those targets the alias does not have yet. Throws 'exists' when it has all of them. */
export function aliasAdd(tx: Transaction, input: { address: string; targets: readonly string[] }): { added: number } {
  const { address, targets } = input;
  requireDomain(tx, address.slice(address.lastIndexOf('@') + 1));
  const fresh = [...new Set(targets)].filter((target) => tx.get('SELECT 1 FROM alias WHERE address=? AND target=?', address, target) === undefined);
  if (fresh.length === 0) throw new Failure('exists', `${address} leads there already`);
  for (const target of fresh) tx.run('INSERT INTO alias (address, target, created_at) VALUES (?, ?, ?)', address, target, tx.now);
  tx.announce({ kind: 'directory', accounts: [] });
  return { added: fresh.length };
}

/** Removes the given targets, or the whole alias when `targets` is null. */
export function aliasRemove(tx: Transaction, input: { address: string; targets: readonly string[] | null }): { removed: number } {
  const { address, targets } = input;
  const present = tx.all('SELECT target FROM alias WHERE address=?', address).map(([target]) => target as string);
  const doomed = targets === null ? present : present.filter((target) => targets.includes(target));
  if (doomed.length === 0)
    throw new Failure(
      'noSuchEntry',
      present.length === 0 ? `there is no alias ${address}` : `${address} does not lead there; it leads to ${present.join(', ')}`,
    );
  for (const target of doomed) tx.run('DELETE FROM alias WHERE address=? AND target=?', address, target);
  tx.announce({ kind: 'directory', accounts: [] });
  return { removed: doomed.length };
}
