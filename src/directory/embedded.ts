/**
 * The directory kept in the store's own tables. Reads are synchronous and answered from a small cache per thread,
 * which every change of the directory empties.
 */
import type { Account, AccountId, Address, Announcements, Directory, LocalTarget, Resolution, StoreReader } from '../ports.ts';
import { BoundedMap } from './bounded.ts';
import { canonicalDomain, foldLocal, splitAddress } from './address.ts';
import type { DirectorySettings } from './settings.ts';

const UNKNOWN: Resolution = { kind: 'unknown' };
const DISABLED: Resolution = { kind: 'disabled' };
const LOOP: Resolution = { kind: 'loop' };
const FOREIGN: Resolution = { kind: 'foreign' };

interface Domain {
  readonly catchAll: string | null;
  readonly isDisabled: boolean;
}
const ACCOUNT_ROW = 'SELECT id, login, is_disabled, quota_bytes, quota_messages, source, system_user FROM account';
type AccountRow = [
  id: number,
  login: string,
  isDisabled: number,
  quotaBytes: number,
  quotaMessages: number,
  source: NonNullable<Account['source']>,
  systemUser: string | null,
];
interface AccountEntry extends Account {
  readonly local: string;
  readonly domain: string;
}
/** What stands in the tables for one address, before aliases are followed. */
type Entry = { kind: 'account'; account: AccountEntry; detail: string | null } | { kind: 'alias'; targets: readonly string[]; detail: string | null };

/** RFC 5321 section 4.5.1 and RFC 2142: every domain must hear these. */
const ROLE_ADDRESSES: ReadonlySet<string> = new Set(['postmaster', 'abuse']);

class EmbeddedDirectory implements Directory {
  readonly #reader: StoreReader;
  readonly #settings: () => DirectorySettings;
  #domains: Map<string, Domain> | null = null;
  #oldestDomain: string | null = null;
  /** Settings the cached answers were made under: a reload empties the cache too. */
  #cachedFor: DirectorySettings | null = null;
  readonly #resolutions = new BoundedMap<string, Resolution>();
  readonly #accounts = new BoundedMap<string, AccountEntry | null>();
  readonly #senders = new BoundedMap<string, boolean>();

  constructor(reader: StoreReader, settings: () => DirectorySettings) {
    this.#reader = reader;
    this.#settings = settings;
  }

  forget(): void {
    this.#domains = null;
    this.#resolutions.clear();
    this.#accounts.clear();
    this.#senders.clear();
  }

  /** The settings in force, after dropping what was cached under others. */
  #current(): DirectorySettings {
    const settings = this.#settings();
    if (settings !== this.#cachedFor) {
      this.#cachedFor = settings;
      this.forget();
    }
    return settings;
  }

  #domain(name: string): Domain | undefined {
    if (this.#domains === null) {
      this.#domains = new Map();
      this.#oldestDomain = null;
      for (const [domain, catchAll, isDisabled] of this.#reader.rows('SELECT name, catch_all, is_disabled FROM domain ORDER BY created_at, name')) {
        this.#oldestDomain ??= domain as string;
        this.#domains.set(domain as string, { catchAll: catchAll as string | null, isDisabled: isDisabled === 1 });
      }
    }
    return this.#domains.get(name);
  }

  isLocalDomain(domain: string): boolean {
    if (domain.startsWith('[')) return this.#isOwnLiteral(domain);
    if (this.#domain(domain) !== undefined) return true;
    const canonical = canonicalDomain(domain);
    return canonical !== null && canonical !== domain && this.#domain(canonical) !== undefined;
  }

  #isOwnLiteral(domain: string): boolean {
    const lower = domain.toLowerCase();
    return this.#current()['directory.addressLiterals'].some((literal) => literal.toLowerCase() === lower);
  }

  #accountRow(row: unknown[] | undefined): AccountEntry | null {
    if (row === undefined) return null;
    const [id, login, isDisabled, quotaBytes, quotaMessages, source, systemUser] = row as AccountRow;
    const [local, domain] = splitAddress(login) ?? [login, ''];
    const isOff = isDisabled === 1 || this.#domain(domain)?.isDisabled === true;
    return { id, login, local, domain, isDisabled: isOff, quotaBytes, quotaMessages, source, systemUser };
  }

  /** The account whose primary address this is. */
  #accountAt(address: string): AccountEntry | null {
    const known = this.#accounts.get(address);
    if (known !== undefined) return known;
    const [row] = this.#reader.rows(`${ACCOUNT_ROW} WHERE login=?`, address);
    return this.#accounts.set(address, this.#accountRow(row), this.#current()['directory.cacheEntries']);
  }

  account(id: AccountId): Account | null {
    const entriesMax = this.#current()['directory.cacheEntries'];
    const key = `#${id}`; // no login begins with "#" and lacks an "@"
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const [row] = this.#reader.rows(`${ACCOUNT_ROW} WHERE id=?`, id);
    return this.#accounts.set(key, this.#accountRow(row), entriesMax);
  }

  accountByLogin(login: string): Account | null {
    const settings = this.#current();
    const parts = splitAddress(login);
    const domain = canonicalDomain(parts === null ? settings['auth.defaultDomain'] || (settings.domain ?? '') : parts[1]);
    if (domain === null) return null;
    const local = foldLocal(parts === null ? login : parts[0]);
    const own = this.#accountAt(`${local}@${domain}`);
    if (own !== null) return own;
    if (this.#targets(`${local}@${domain}`).length === 0) return null;
    const resolution = this.resolve({ local, domain });
    if (resolution.kind !== 'deliver' || resolution.local.length !== 1 || resolution.remote.length !== 0) return null;
    return this.account(resolution.local[0]!.accountId);
  }

  #targets(address: string): string[] {
    return this.#reader.rows('SELECT target FROM alias WHERE address=? ORDER BY target', address).map(([target]) => target as string);
  }

  /** Offset of the delimiter that begins the detail, or -1. "+x@" has no user name before it and "x+@" an empty detail. */
  #detailAt(local: string, from = 1): number {
    const delimiters = this.#current()['directory.recipientDelimiters'];
    for (let at = from; at < local.length; at += 1) if (delimiters.includes(local[at]!)) return at;
    return -1;
  }

  /** The account or alias for an address at one of our domains: exact, then without detail, then role address, then catch-all. */
  #find(local: string, domain: string): Entry | null {
    const exact = this.#findExact(`${local}@${domain}`, null);
    if (exact !== null) return exact;
    const at = this.#detailAt(local);
    const base = at < 0 ? local : local.slice(0, at);
    if (at >= 0) {
      const found = this.#findExact(`${base}@${domain}`, local.slice(at + 1));
      if (found !== null) return found;
    }
    if (ROLE_ADDRESSES.has(base)) {
      const found = this.#findPostmaster(local, domain);
      if (found !== null) return found;
    }
    const catchAll = this.#domain(domain)?.catchAll ?? null;
    return catchAll === null ? null : { kind: 'alias', targets: [catchAll], detail: null };
  }

  /** Aliases come first: an alias with an account's own address forwards its mail, and a target equal to the address keeps a copy. */
  #findExact(address: string, detail: string | null): Entry | null {
    const targets = this.#targets(address);
    if (targets.length > 0) return { kind: 'alias', targets, detail };
    const account = this.#accountAt(address);
    return account === null ? null : { kind: 'account', account, detail };
  }

  #findPostmaster(local: string, domain: string): Entry | null {
    const configured = this.#current()['directory.postmaster'];
    const target = configured === '' ? null : configured.toLowerCase();
    if (target !== null && target !== `${local}@${domain}`) return { kind: 'alias', targets: [target], detail: null };
    // Of those made here: no customer of a table is the postmaster by chance.
    const columns = `${ACCOUNT_ROW} WHERE is_disabled=0 AND source='own'`;
    const ending = '@' + domain;
    const [row] = [
      ...this.#reader.rows(`${columns} AND substr(login, ?)=? ORDER BY id LIMIT 1`, -ending.length, ending),
      ...this.#reader.rows(`${columns} ORDER BY id LIMIT 1`),
    ];
    const account = this.#accountRow(row);
    return account === null ? null : { kind: 'account', account, detail: null };
  }

  resolve(address: Address): Resolution {
    const settings = this.#current();
    const key = `${foldLocal(address.local)}@${address.domain}`;
    const known = this.#resolutions.get(key);
    if (known !== undefined) return known;
    return this.#resolutions.set(key, this.#expand(address, settings), settings['directory.cacheEntries']);
  }

  /** The domain of the option `domain`, or the oldest. */
  #firstDomain(): string | null {
    const named = this.#current().domain ?? '';
    return this.#domain(named) === undefined ? this.#oldestDomain : named;
  }

  /** The domain as our tables know it, or null when it is foreign. "<postmaster>" comes without one (RFC 5321 section 4.1.1.3). */
  #localDomain(local: string, domain: string): string | null {
    if (this.#domain(domain) !== undefined) return domain;
    if (domain === '') return local === 'postmaster' ? this.#firstDomain() : null;
    if (domain.startsWith('[')) return this.#isOwnLiteral(domain) ? this.#firstDomain() : null;
    const canonical = canonicalDomain(domain);
    return canonical !== null && this.#domain(canonical) !== undefined ? canonical : null;
  }

  /** Follows aliases, each address once, breadth first. */
  #expand(address: Address, settings: DirectorySettings): Resolution {
    const firstLocal = foldLocal(address.local);
    const firstDomain = this.#localDomain(firstLocal, address.domain);
    if (firstDomain === null) return FOREIGN;

    const local: LocalTarget[] = [];
    const remote: Address[] = [];
    const accounts = new Set<AccountId>();
    const visited = new Set<string>([`${firstLocal}@${firstDomain}`]);
    let isDisabled = false;
    let hasCycle = false;
    let level: { local: string; domain: string; detail: string | null; isFinal: boolean }[] = [
      { local: firstLocal, domain: firstDomain, detail: null, isFinal: false },
    ];

    for (let depth = 0; level.length > 0; depth += 1) {
      if (depth > settings['directory.aliasDepthMax']) return LOOP;
      const next: typeof level = [];
      for (const step of level) {
        if (this.#domain(step.domain)!.isDisabled) {
          isDisabled = true;
          continue;
        }
        const entry = step.isFinal ? this.#findOwn(step.local, step.domain) : this.#find(step.local, step.domain);
        if (entry === null) continue;
        if (entry.kind === 'account') {
          if (entry.account.isDisabled) isDisabled = true;
          else if (!accounts.has(entry.account.id)) {
            accounts.add(entry.account.id);
            const { id, local: name, domain } = entry.account;
            local.push({ accountId: id, address: { local: name, domain }, detail: entry.detail ?? step.detail });
          }
          continue;
        }
        const source = `${entry.detail === null ? step.local : step.local.slice(0, -entry.detail.length - 1)}@${step.domain}`;
        for (const target of entry.targets) {
          const parts = splitAddress(target);
          if (parts === null) continue;
          const targetLocal = foldLocal(parts[0]);
          const targetDomain = this.#localDomain(targetLocal, parts[1]);
          const name = targetDomain === null ? target : `${targetLocal}@${targetDomain}`;
          // An alias that names itself keeps a copy: the account of that name, no alias any more.
          const isFinal = name === source;
          if (!isFinal && visited.has(name)) {
            hasCycle = true;
            continue;
          }
          visited.add(name);
          if (targetDomain === null) remote.push({ local: parts[0], domain: parts[1] });
          else next.push({ local: targetLocal, domain: targetDomain, detail: entry.detail ?? step.detail, isFinal });
          if (local.length + remote.length + next.length > settings['directory.aliasTargetsMax']) return LOOP;
        }
      }
      level = next;
    }
    if (local.length + remote.length > 0) return { kind: 'deliver', local, remote };
    if (hasCycle) return LOOP;
    return isDisabled ? DISABLED : UNKNOWN;
  }

  #findOwn(local: string, domain: string): Entry | null {
    const account = this.#accountAt(`${local}@${domain}`);
    return account === null ? null : { kind: 'account', account, detail: null };
  }

  maySendAs(accountId: AccountId, address: Address): boolean {
    const settings = this.#current();
    const key = `${accountId}/${foldLocal(address.local)}@${address.domain}`;
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    return this.#senders.set(key, this.#maySendAs(accountId, address), settings['directory.cacheEntries']);
  }

  #maySendAs(accountId: AccountId, address: Address): boolean {
    const local = foldLocal(address.local);
    const domain = this.#localDomain(local, address.domain);
    if (domain === null) return this.#isOwnElsewhere(accountId, local, address.domain);
    // An address with an account is that account's alone, even while its mail is forwarded to others.
    const at = this.#detailAt(local);
    const owner = this.#accountAt(`${local}@${domain}`) ?? (at < 0 ? null : this.#accountAt(`${local.slice(0, at)}@${domain}`));
    if (owner !== null && this.#targets(`${local}@${domain}`).length === 0) return owner.id === accountId && !owner.isDisabled;
    if (owner !== null && owner.local === local) return owner.id === accountId && !owner.isDisabled;
    const resolution = this.resolve({ local, domain });
    return resolution.kind === 'deliver' && resolution.local.some((target) => target.accountId === accountId);
  }

  /**
   * Addresses at domains that tables name: the account's login, with or without detail, and for a system user his name at every domain that
   * policy.localDomains names. Aliases in tables are the business of policy.senderLoginMaps.
   */
  #isOwnElsewhere(accountId: AccountId, local: string, given: string): boolean {
    const domain = canonicalDomain(given);
    const account = this.account(accountId);
    if (domain === null || account === null || account.isDisabled) return false;
    const at = this.#detailAt(local);
    const name = splitAddress(account.login)?.[0];
    if (local !== name && (at < 0 || local.slice(0, at) !== name)) return false;
    if (account.login === `${name}@${domain}`) return true;
    return account.source === 'system' && (this.#current()['policy.localDomains'] ?? []).some((entry) => entry.toLowerCase() === domain);
  }
}

/** The directory over the store's tables. `settings` answers the values now in force. */
export function createDirectory(reader: StoreReader, announcements: Announcements, settings: () => DirectorySettings): Directory {
  const directory = new EmbeddedDirectory(reader, settings);
  announcements.on('directory', () => directory.forget());
  return directory;
}
