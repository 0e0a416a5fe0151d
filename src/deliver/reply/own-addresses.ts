/** Which addresses are an account's own: its login and the aliases that lead to it alone. */
import type { Account, StoreReader } from '../../ports.ts';

/** An account with more aliases than this is a role of its own. */
const ALIASES_MAX = 1000;

/** Keys, the login first. */
export function ownAddressesOf(reader: Pick<StoreReader, 'rows'>, account: Pick<Account, 'login'>): string[] {
  const rows = reader.rows(
    'SELECT a.address FROM alias a WHERE a.target=? AND NOT EXISTS (SELECT 1 FROM alias b WHERE b.address=a.address AND b.target<>a.target) LIMIT ?',
    account.login,
    ALIASES_MAX,
  );
  return [account.login, ...rows.map(([address]) => String(address))];
}
