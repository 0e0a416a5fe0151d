/**
 * Postfix's search orders: which keys are tried, one after the other, for an address, a host name or an IP address. The keys are pure;
 * `findFirst` asks tables for them and answers at once when the tables do.
 *
 * The first key of each list is the whole name. Tables of kind 'pattern' are asked for that one only, as it is; the others for all.
 */
import { formatAddress } from '../../mail/address.ts';
import type { Address, Table } from '../../ports.ts';

export interface SearchOptions {
  /** Characters that begin the extension of a local part; '' for none. Postfix recipient_delimiter. */
  readonly delimiters: string;
  /**
   * True: "example.org" in a table is good for its subdomains too. False: that takes ".example.org".
   * Postfix parent_domain_matches_subdomains, for the feature at hand.
   */
  readonly parentMatchesSubdomains: boolean;
}

export interface Found {
  /** The key that was found. */
  readonly key: string;
  readonly value: string;
  readonly table: Table;
}

/** The key for the null reverse-path; Postfix smtpd_null_access_lookup_key. */
export const NULL_SENDER_KEY = '<>';

/** Local parts that are never split. */
const UNSPLIT: ReadonlySet<string> = new Set(['postmaster', 'mailer-daemon', 'double-bounce']);

/** Where the extension begins (at its delimiter), or -1. The rule for owner-list and list-request is of the delimiter "-" only. */
export function extensionAt(local: string, delimiters: string): number {
  if (delimiters === '') return -1;
  const lower = local.toLowerCase();
  if (UNSPLIT.has(lower)) return -1;
  let at = -1;
  for (let i = 1; i < local.length; i += 1)
    if (delimiters.includes(local[i]!)) {
      at = i;
      break;
    }
  if (at === -1 || (local[at] === '-' && (lower.startsWith('owner-') || lower.endsWith('-request')))) return -1;
  return at;
}

/** "a.b.c", then its parents: ".b.c", ".c", or "b.c", "c" where parents match their subdomains. */
export function domainKeys(domain: string, parentMatchesSubdomains: boolean): string[] {
  const name = domain.toLowerCase();
  const keys = [domain];
  if (name !== domain) keys.push(name);
  for (let dot = name.indexOf('.', 1); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const key = name.slice(parentMatchesSubdomains ? dot + 1 : dot);
    if (key !== '') keys.push(key);
  }
  return keys;
}

/** The address as it is, then without its last octet, and so on; groups instead of octets in IPv6. */
export function networkKeys(ip: string): string[] {
  const delimiter = ip.includes(':') ? ':' : '.';
  const keys = [ip];
  for (let at = ip.lastIndexOf(delimiter); at > 0; at = ip.lastIndexOf(delimiter, at - 1)) keys.push(ip.slice(0, at));
  return keys;
}

/** Mail addresses in access tables (access(5)): user+ext@domain, user@domain, domain and its parents, user+ext@, user@. Null: "<>". */
export function accessAddressKeys(address: Address | null, options: SearchOptions): string[] {
  if (address === null) return [NULL_SENDER_KEY];
  const keys = wholeAndLower(formatAddress(address));
  const { local, domain } = address;
  const at = extensionAt(local, options.delimiters);
  const bare = at === -1 ? null : local.slice(0, at);
  if (domain === '') return bare === null ? keys : [...keys, lowerLocal(bare)];
  if (bare !== null) keys.push(`${lowerLocal(bare)}@${domain.toLowerCase()}`);
  for (const key of domainKeys(domain.toLowerCase(), options.parentMatchesSubdomains)) keys.push(key);
  keys.push(`${lowerLocal(local)}@`);
  if (bare !== null) keys.push(`${lowerLocal(bare)}@`);
  return keys;
}

/**
 * Addresses in rewriting tables (virtual(5), canonical(5)): user+ext@domain, user@domain, user+ext and user when the domain is one of
 * this host's own, @domain.
 */
export function rewriteKeys(address: Address, options: Pick<SearchOptions, 'delimiters'> & { isOwnDomain(domain: string): boolean }): string[] {
  const keys = wholeAndLower(formatAddress(address));
  const { local } = address;
  const domain = address.domain.toLowerCase();
  const at = extensionAt(local, options.delimiters);
  const bare = at === -1 ? null : lowerLocal(local.slice(0, at));
  if (domain === '') return bare === null ? keys : [...keys, bare];
  if (bare !== null) keys.push(`${bare}@${domain}`);
  if (options.isOwnDomain(domain)) {
    keys.push(lowerLocal(local));
    if (bare !== null) keys.push(bare);
  }
  keys.push(`@${domain}`);
  return keys;
}

/** Next hops (transport(5)): user+ext@domain, user@domain, domain, its parents, "*". */
export function transportKeys(address: Address, options: SearchOptions): string[] {
  const keys = wholeAndLower(formatAddress(address));
  const domain = address.domain.toLowerCase();
  const at = extensionAt(address.local, options.delimiters);
  if (at !== -1) keys.push(`${lowerLocal(address.local.slice(0, at))}@${domain}`);
  if (domain !== '') keys.push(...domainKeys(domain, options.parentMatchesSubdomains));
  keys.push('*');
  return keys;
}

const lowerLocal = (local: string): string => formatAddress({ local, domain: '' }).toLowerCase();
function wholeAndLower(whole: string): string[] {
  const lower = whole.toLowerCase();
  return lower === whole ? [whole] : [whole, lower];
}

/**
 * The first key that a table has; with several tables each key is put to all of them before the next. Rejects or throws with TableError
 * when a table cannot answer before anything is found.
 */
export function findFirst(tables: Table | readonly Table[], keys: readonly string[], signal?: AbortSignal): Found | null | Promise<Found | null> {
  return search(isOne(tables) ? [tables] : tables, keys, 0, signal);
}
const isOne = (tables: Table | readonly Table[]): tables is Table => !Array.isArray(tables);

/** Client access: the host name with its parents, when it has one, then the address with its networks. */
export function findClient(
  tables: Table | readonly Table[],
  name: string | null,
  ip: string,
  options: Pick<SearchOptions, 'parentMatchesSubdomains'>,
  signal?: AbortSignal,
): Found | null | Promise<Found | null> {
  const byAddress = (): Found | null | Promise<Found | null> => findFirst(tables, networkKeys(ip), signal);
  const byName = name === null ? null : findFirst(tables, domainKeys(name, options.parentMatchesSubdomains), signal);
  if (byName instanceof Promise) return byName.then((found) => found ?? byAddress());
  return byName ?? byAddress();
}

/** `from` counts all pairs of key and table. */
function search(tables: readonly Table[], keys: readonly string[], from: number, signal: AbortSignal | undefined): Found | null | Promise<Found | null> {
  const total = keys.length * tables.length;
  for (let i = from; i < total; i += 1) {
    const table = tables[i % tables.length]!;
    const isWhole = i < tables.length;
    const key = keys[(i - (i % tables.length)) / tables.length]!;
    // The whole name as written is for patterns; its lower-case form follows when it differs, and is what the others get.
    if (table.kind === 'pattern' ? !isWhole : isWhole && keys.length > 1 && keys[1] === key.toLowerCase()) continue;
    const answer = table.find(key, signal);
    if (answer instanceof Promise) return answer.then((value) => (value !== null ? { key, value, table } : search(tables, keys, i + 1, signal)));
    if (answer !== null) return { key, value: answer, table };
  }
  return null;
}

/**
 * The addresses that a rewriting table's value leads to: comma-separated, "@other" keeps the user, and an extension that was not part of
 * the found key is put to each when `propagates` (Postfix propagate_unmatched_extensions). Texts that are no address stay as they are.
 */
export function rewritten(found: Pick<Found, 'key' | 'value'>, address: Address, delimiters: string, propagates: boolean): string[] {
  const at = extensionAt(address.local, delimiters);
  const extension = at === -1 ? '' : address.local.slice(at);
  const hasExtension = at !== -1 && (found.key.startsWith('@') || !localOfKey(found.key).includes(extension.toLowerCase()));
  return splitAddresses(found.value).map((target) => {
    if (target.startsWith('@')) return formatAddress({ local: address.local, domain: target.slice(1) });
    return propagates && hasExtension ? withExtension(target, extension) : target;
  });
}

const localOfKey = (key: string): string => key.slice(0, key.includes('@') ? key.lastIndexOf('@') : key.length).toLowerCase();

function withExtension(target: string, extension: string): string {
  const at = target.lastIndexOf('@');
  const local = at === -1 ? target : target.slice(0, at);
  const domain = at === -1 ? '' : target.slice(at);
  return local.endsWith('"') ? `${local.slice(0, -1)}${extension}"${domain}` : `${local}${extension}${domain}`;
}

/** At commas and white space outside of quotes. */
function splitAddresses(value: string): string[] {
  const found: string[] = [];
  let start = -1;
  let isQuoted = false;
  for (let i = 0; i <= value.length; i += 1) {
    const char = value[i];
    if (isQuoted && char === '\\') {
      i += 1;
      continue;
    }
    if (char === '"') isQuoted = !isQuoted;
    const isSeparator = char === undefined || (!isQuoted && (char === ',' || char === ' ' || char === '\t'));
    if (isSeparator && start !== -1) {
      found.push(value.slice(start, i));
      start = -1;
    } else if (!isSeparator && start === -1) start = i;
  }
  return found;
}
