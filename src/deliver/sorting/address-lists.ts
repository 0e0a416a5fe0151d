/** Allow and block lists of an account (table address_list): which entry speaks about an address. */
import { addressKey, parseMailbox } from '../../mail/address.ts';
import { parseDomain } from '../../mail/address.ts';
import type { AccountId, Address, StoreReader } from '../../ports.ts';

export type ListKind = 'allow' | 'block';
export interface ListHit {
  readonly kind: ListKind;
  readonly pattern: string;
}

/** Labels of a domain that are looked at; longer names are cut from the left. */
const LABELS_MAX = 12;

/** "user@domain", "@domain" or "@.domain" in its stored form; null when the text is none of them. */
export function listPattern(text: string): string | null {
  const entry = text.trim();
  if (entry.startsWith('@')) {
    const isWide = entry[1] === '.';
    const domain = parseDomain(entry.slice(isWide ? 2 : 1), { utf8: true });
    return domain === null ? null : `${isWide ? '@.' : '@'}${domain}`;
  }
  const address = parseMailbox(entry, { utf8: true });
  return address === null ? null : addressKey(address);
}

/** What could stand in a list about this address, the most exact first: itself, its domain, its domain and all above with subdomains. */
export function patternsFor(key: string): string[] {
  const at = key.lastIndexOf('@');
  if (at < 0) return [key];
  const domain = key.slice(at + 1);
  const patterns = [key, `@${domain}`];
  const labels = domain.split('.').slice(-LABELS_MAX);
  for (let i = 0; i < labels.length; i += 1) patterns.push(`@.${labels.slice(i).join('.')}`);
  return patterns;
}

/** The entry that decides: the most exact one; of two alike, the block list. */
export function bestHit(key: string, hits: readonly ListHit[]): ListHit | null {
  for (const pattern of patternsFor(key)) {
    const block = hits.find((hit) => hit.pattern === pattern && hit.kind === 'block');
    if (block !== undefined) return block;
    const allow = hits.find((hit) => hit.pattern === pattern);
    if (allow !== undefined) return allow;
  }
  return null;
}

/** All entries that speak about any of these addresses: one question to the store. */
export function findListed(reader: Pick<StoreReader, 'rows'>, accountId: AccountId, keys: readonly string[]): ListHit[] {
  const patterns = [...new Set(keys.flatMap(patternsFor))];
  if (patterns.length === 0) return [];
  return reader
    .rows(
      "SELECT kind, pattern FROM address_list WHERE account_id=? AND kind IN ('allow', 'block') AND pattern IN (SELECT value FROM json_each(?))",
      accountId,
      JSON.stringify(patterns),
    )
    .map(([kind, pattern]) => ({ kind: kind as ListKind, pattern: String(pattern) }));
}

/** The keys to be looked up for a message: its envelope sender and its author. */
export function listKeys(sender: Address | null, author: string | null): string[] {
  return [...(author === null ? [] : [author]), ...(sender === null ? [] : [addressKey(sender)])];
}
