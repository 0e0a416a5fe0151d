/**
 * Accounts that come from elsewhere: virtual users whom tables name, and users of this machine. The store has a row for each who ever got mail
 * or logged in; whether somebody exists, and with which password, is asked anew every time, so that a row taken out of a table counts at once.
 */
import { statSync } from 'node:fs';
import type { Account, AccountId } from '../../ports.ts';
import { canonicalAddress, splitAddress } from '../address.ts';
import { BoundedMap } from '../bounded.ts';
import { parseStored } from '../password.ts';
import { TableError } from '../tables/errors.ts';
import { findFirst } from '../tables/search.ts';
import { BLIND_CACHE_MS, MAKING_MAX, QUOTA_ENTRIES_MAX, QUOTA_REFRESH_MS } from './limits.ts';
import { planKeeper, type SourcesPlan } from './plan.ts';
import { parseQuota, type Quota } from './quota.ts';
import type { AccountSources, PasswordTrial, SourceAnswer, SourcesParts, SourcesSettings, SystemUserEntry } from './types.ts';

const SHADOW_FILE = '/etc/shadow';
type Soon<T> = T | Promise<T>;

export function createSources(parts: SourcesParts): AccountSources {
  return new Sources(parts);
}

class Sources implements AccountSources {
  readonly #parts: SourcesParts;
  readonly #plan: () => SourcesPlan;
  /** Accounts being made, by login: fifty messages for a new one make it once. */
  readonly #making = new Map<string, Promise<AccountId>>();
  /** When quotas were last read. */
  readonly #quotaReadAt = new BoundedMap<string, number>();

  constructor(parts: SourcesParts) {
    this.#parts = parts;
    this.#plan = planKeeper(() => parts.settings(), parts);
    // Port methods travel alone (`accountForTable: sources.accountFor`).
    this.accountFor = this.accountFor.bind(this);
    this.systemAccount = this.systemAccount.bind(this);
  }

  isActive(): boolean {
    const settings = this.#parts.settings();
    return settings['auth.passwordMaps'].length > 0 || settings['auth.systemUsers'];
  }

  // ── Who is there ───────────────────────────────────────────────────────────────────────────────────

  accountFor(login: string): Soon<AccountId | null> {
    const known = this.#known(login);
    if (known !== null) {
      if (known.isDisabled) return null;
      this.#refreshQuota(known);
      return known.id;
    }
    return this.#newMailbox(login);
  }

  async #newMailbox(given: string): Promise<AccountId | null> {
    const login = canonicalAddress(given);
    if (login === null) return null;
    const plan = this.#plan();
    if (plan.mailboxes.length === 0 && (await this.#storedPassword(plan, login)) === null) return null;
    return this.#make(login, 'table', null);
  }

  async systemAccount(user: string): Promise<Account | null> {
    const login = this.#systemLogin(user);
    if (login === null) return null;
    const known = this.#known(login);
    if (known !== null && isOf(known, user)) return known;
    if ((await this.#parts.systemUsers.find(user)) === null) return null;
    return this.#parts.directory.account(await this.#make(login, 'system', user));
  }

  async find(given: string): Promise<Account | null> {
    const plan = this.#plan();
    const login = this.#withDomain(plan.settings, given);
    if (login === null) return null;
    const [local, domain] = splitAddress(login)!;
    if (!plan.mailboxDomains.isEmpty && (await plan.mailboxDomains.domain(domain)))
      return (await this.#isInTables(login)) ? this.#parts.directory.account(await this.#ensure(login, 'table', null)) : null;
    if (!plan.settings['auth.systemUsers'] || !(await this.#isOfMachine(plan, given, domain))) return null;
    const user = await this.#systemUser(local);
    const account = user === null ? null : this.#systemLogin(user.name);
    return user === null || account === null ? null : this.#parts.directory.account(await this.#ensure(account, 'system', user.name));
  }

  vouches(account: Account): Soon<boolean> {
    if (account.source === 'table') return this.#isInTables(account.login);
    if (account.source !== 'system') return true;
    if (!this.#parts.settings()['auth.systemUsers']) return false;
    const user = account.systemUser ?? null;
    return user === null ? false : this.#systemUser(user).then((found) => found !== null);
  }

  async #isInTables(login: string): Promise<boolean> {
    const plan = this.#plan();
    const domain = splitAddress(login)?.[1] ?? '';
    if (plan.mailboxDomains.isEmpty || !(await plan.mailboxDomains.domain(domain))) return false;
    if (plan.passwords.length === 0) return plan.mailboxes.length > 0 && (await findFirst(plan.mailboxes, [login])) !== null;
    const stored = await this.#storedPassword(plan, login);
    // "!" and the like in place of a password: somebody locked it.
    return stored !== null && parseStored(stored) !== null;
  }

  // ── Passwords ──────────────────────────────────────────────────────────────────────────────────────

  async check(given: string, trial: PasswordTrial): Promise<SourceAnswer> {
    try {
      if (!this.isActive()) return { kind: 'unknown', isTabled: false };
      const plan = this.#plan();
      const login = this.#withDomain(plan.settings, given);
      if (login === null) return { kind: 'unknown', isTabled: false };
      const [local, domain] = splitAddress(login)!;
      if (plan.passwords.length > 0 && !plan.mailboxDomains.isEmpty && (await plan.mailboxDomains.domain(domain)))
        return await this.#checkTabled(plan, login, trial);
      if (plan.settings['auth.systemUsers'] && (await this.#isOfMachine(plan, given, domain)))
        return await this.#checkSystem(given.includes('@') ? given.slice(0, given.lastIndexOf('@')) : given, local, trial);
      return { kind: 'unknown', isTabled: false };
    } catch (cause) {
      return { kind: 'unavailable', cause };
    }
  }

  async #checkTabled(plan: SourcesPlan, login: string, trial: PasswordTrial): Promise<SourceAnswer> {
    const stored = await this.#storedPassword(plan, login);
    if (stored === null) return { kind: 'unknown', isTabled: true };
    if (parseStored(stored) === null) {
      this.#parts.log.warn('auth.form.unknown', { account: login });
      return { kind: 'unknown', isTabled: true };
    }
    if (!(await trial.fits(`table ${login}`, stored))) return { kind: 'wrong' };
    return { kind: 'ok', accountId: await this.#ensure(login, 'table', null) };
  }

  /** `typed` as it was given: names of system users may have capitals. */
  async #checkSystem(typed: string, folded: string, trial: PasswordTrial): Promise<SourceAnswer> {
    const ask = this.#parts.checkSystemPassword;
    if (ask === null) throw new Error('passwords of system users cannot be checked: the server was not started by root');
    const user = (await this.#systemUser(typed)) ?? (typed === folded ? null : await this.#systemUser(folded));
    const login = user === null ? null : this.#systemLogin(user.name);
    if (user === null || login === null) return { kind: 'unknown', isTabled: false };
    const isRight = await trial.asks(`system ${user.name}`, this.#stamp(), async (password) => {
      const answer = await ask(user.name, password);
      if (answer === 'unavailable') throw new Error(`the password of the system user ${user.name} cannot be checked now`);
      return answer === 'ok';
    });
    return isRight ? { kind: 'ok', accountId: await this.#ensure(login, 'system', user.name) } : { kind: 'wrong' };
  }

  async #storedPassword(plan: SourcesPlan, login: string): Promise<string | null> {
    if (plan.passwords.length === 0) return null;
    return (await findFirst(plan.passwords, [login]))?.value.trim() ?? null;
  }

  #stamp(): string {
    const { passwordStamp, now } = this.#parts;
    if (passwordStamp !== undefined) return passwordStamp();
    try {
      // Whoever changes a password writes this file anew. We need not be able to read it.
      const { mtimeMs, ctimeMs, ino, size } = statSync(SHADOW_FILE);
      return `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
    } catch {
      // Nothing tells of a change then: what was right is asked again soon.
      return `${Math.floor(now() / BLIND_CACHE_MS)}`;
    }
  }

  /** Root and the machine's own users have no mail account. */
  async #systemUser(name: string): Promise<SystemUserEntry | null> {
    const user = await this.#parts.systemUsers.find(name);
    if (user === null || user.uid === 0) return null;
    const settings = this.#parts.settings();
    return user.uid >= settings['local.uidMin'] || settings['local.usersAllowed'].includes(user.name) ? user : null;
  }

  // ── Names ──────────────────────────────────────────────────────────────────────────────────────────

  nameOf(given: string): string {
    const settings = this.#parts.settings();
    const login = this.#withDomain(settings, given);
    if (login === null || !settings['auth.systemUsers']) return login ?? given;
    const [local, domain] = splitAddress(login)!;
    return !given.includes('@') || settings['policy.localDomains'].some((entry) => entry.toLowerCase() === domain) ? `${local}@${settings.domain}` : login;
  }

  #withDomain(settings: SourcesSettings, given: string): string | null {
    return canonicalAddress(given.includes('@') ? given : `${given}@${defaultDomain(settings)}`);
  }

  /** Whether a name, given with `domain` or without any, may be that of a user of this machine. */
  #isOfMachine(plan: SourcesPlan, given: string, domain: string): Soon<boolean> {
    return !given.includes('@') || domain === plan.settings.domain || plan.localDomains.domain(domain);
  }

  #systemLogin(user: string): string | null {
    return canonicalAddress(`${user}@${this.#parts.settings().domain}`);
  }

  /** The account whose login this is, not one that an alias leads to. */
  #known(login: string): Account | null {
    const account = this.#parts.directory.accountByLogin(login);
    return account === null || (account.login !== login && account.login !== canonicalAddress(login)) ? null : account;
  }

  // ── Rows of the store ──────────────────────────────────────────────────────────────────────────────

  #ensure(login: string, source: 'table' | 'system', systemUser: string | null): Soon<AccountId> {
    const known = this.#known(login);
    if (known === null || !isOf(known, systemUser)) return this.#make(login, source, systemUser);
    this.#refreshQuota(known);
    return known.id;
  }

  #make(login: string, source: 'table' | 'system', systemUser: string | null): Promise<AccountId> {
    const running = this.#making.get(login);
    if (running !== undefined) return running;
    if (this.#making.size >= MAKING_MAX) return Promise.reject(new TableError('account.ensure', 'too many accounts are being made'));
    const making = this.#makeOne(login, source, systemUser).finally(() => this.#making.delete(login));
    this.#making.set(login, making);
    return making;
  }

  async #makeOne(login: string, source: 'table' | 'system', systemUser: string | null): Promise<AccountId> {
    const quota = await this.#quota(this.#plan(), login);
    const made = await this.#write(login, source, systemUser, quota);
    if (made.isNew) this.#parts.log.info('user.made', { account: login, source });
    return made.id;
  }

  #write(login: string, source: string, systemUser: string | null, quota: Quota | null): Promise<{ id: AccountId; isNew: boolean }> {
    this.#quotaReadAt.set(login, this.#parts.now(), QUOTA_ENTRIES_MAX);
    const [quotaBytes, quotaMessages] = quota === null ? [null, null] : [quota.bytes, quota.messages];
    return this.#parts.writer.run('account.ensure', { login, source, systemUser, quotaBytes, quotaMessages });
  }

  /** Null: no table has one, and what the account has stays. Throws TableError for a value that is none: a slip must not lift all limits. */
  async #quota(plan: SourcesPlan, login: string): Promise<Quota | null> {
    if (plan.quotas.length === 0) return null;
    const found = await findFirst(plan.quotas, [login]);
    if (found === null) return null;
    const quota = parseQuota(found.value);
    if (quota === null) throw new TableError(found.table.name, `the value of ${found.key}, "${found.value.slice(0, 60)}", is no quota`);
    return quota;
  }

  /** Reads the quota again when that was long ago. Nobody waits for it. */
  #refreshQuota(account: Account): void {
    const { login, source } = account;
    if ((source !== 'table' && source !== 'system') || this.#parts.settings()['auth.quotaMaps'].length === 0) return;
    const now = this.#parts.now();
    if (now - (this.#quotaReadAt.get(login) ?? Number.NEGATIVE_INFINITY) < QUOTA_REFRESH_MS) return;
    this.#quotaReadAt.set(login, now, QUOTA_ENTRIES_MAX);
    const refresh = async (): Promise<void> => {
      const quota = await this.#quota(this.#plan(), login);
      if (quota !== null && (quota.bytes !== account.quotaBytes || quota.messages !== account.quotaMessages))
        await this.#write(login, source, account.systemUser ?? null, quota);
    };
    refresh().catch((cause) => this.#parts.log.warn('auth.quota.failed', { account: login, cause: cause instanceof Error ? cause.message : String(cause) }));
  }
}

/** Users whose names differ in case only have one login: the writer lets the first have it, and says so to the second. */
const isOf = (account: Account, systemUser: string | null): boolean => account.source !== 'system' || account.systemUser === systemUser;
const defaultDomain = (settings: SourcesSettings): string => settings['auth.defaultDomain'] || settings.domain;
