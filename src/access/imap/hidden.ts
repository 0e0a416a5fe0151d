/** Capabilities that are kept from a client: for all by `imap.capabilitiesHidden`, for one account by its option `imap.hide`. */
import { accountOptions } from '../../directory/options.ts';
import type { AccountId, StoreReader } from '../../ports.ts';

export const NOTHING_HIDDEN: ReadonlySet<string> = new Set();

/** Names in upper case. `accountId` null: before login. */
export function hiddenFor(reader: StoreReader, accountId: AccountId | null, hiddenForAll: readonly string[]): ReadonlySet<string> {
  const own = accountId === null ? undefined : accountOptions(reader, accountId).get('imap.hide');
  if (hiddenForAll.length === 0 && own === undefined) return NOTHING_HIDDEN;
  return new Set([...hiddenForAll, ...(own?.split(' ') ?? [])].map((name) => name.toUpperCase()));
}
