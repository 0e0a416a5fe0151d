/** Writer operations on domains. */
import { Failure } from '../../system/failure.ts';
import type { Transaction } from '../../store/transaction.ts';

/** Throws Failure 'noSuchEntry' unless the domain is one of ours. */
export function requireDomain(tx: Transaction, name: string): void {
  if (tx.get('SELECT 1 FROM domain WHERE name=?', name) === undefined)
    throw new Failure('noSuchEntry', `${name} is not a domain of this server; add it with "posthorn domain add ${name}"`);
}

export function domainAdd(tx: Transaction, input: { name: string }): void {
  if (tx.get('SELECT 1 FROM domain WHERE name=?', input.name) !== undefined) throw new Failure('exists', `${input.name} is a domain of this server already`);
  tx.run('INSERT INTO domain (name, created_at) VALUES (?, ?)', input.name, tx.now);
  tx.announce({ kind: 'directory', accounts: [] });
}

/** Removes a domain without accounts, and its aliases. */
export function domainRemove(tx: Transaction, input: { name: string }): { aliases: number } {
  requireDomain(tx, input.name);
  const ending = '@' + input.name;
  const [accounts] = tx.get('SELECT count(*) FROM account WHERE substr(login, ?)=?', -ending.length, ending) as [number];
  if (accounts > 0)
    throw new Failure('cannot', `${input.name} still has ${accounts === 1 ? 'a user' : `${accounts} users`}; remove ${accounts === 1 ? 'it' : 'them'} first`);
  const aliases = tx.run('DELETE FROM alias WHERE substr(address, ?)=?', -ending.length, ending);
  tx.run('DELETE FROM filter_script WHERE scope=?', `domain:${input.name}`);
  tx.run('DELETE FROM domain WHERE name=?', input.name);
  tx.announce({ kind: 'directory' });
  return { aliases };
}

/** `target` null ends the catch-all. */
export function domainCatchAll(tx: Transaction, input: { name: string; target: string | null }): void {
  requireDomain(tx, input.name);
  tx.run('UPDATE domain SET catch_all=? WHERE name=?', input.target, input.name);
  tx.announce({ kind: 'directory', accounts: [] });
}

export function domainDisable(tx: Transaction, input: { name: string; isDisabled: boolean }): void {
  requireDomain(tx, input.name);
  tx.run('UPDATE domain SET is_disabled=? WHERE name=?', input.isDisabled ? 1 : 0, input.name);
  tx.announce({ kind: 'directory' });
}
