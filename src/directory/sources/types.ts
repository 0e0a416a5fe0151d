/** Accounts that are not made by an administrator: what the router, the authenticator and the courier ask of them. */
import type { Account, AccountId, Log, Directory, StoreWriter, Tables } from '../../ports.ts';
import type { DirectorySettings } from '../settings.ts';
import type { TablesSettings } from '../tables/settings.ts';

/** Options of other rooms that say whose addresses are ours. */
export type SourcesSettings = DirectorySettings &
  TablesSettings & {
    readonly domain: string;
    readonly 'policy.localDomains': readonly string[];
    readonly 'policy.virtualMailboxDomains': readonly string[];
    readonly 'policy.virtualMailboxMaps': readonly string[];
    readonly 'local.uidMin': number;
    readonly 'local.usersAllowed': readonly string[];
  };

/** What somebody typed, as the authenticator holds it: with its memory of right passwords and its limits. */
export interface PasswordTrial {
  /** Whether it fits a stored form. Under `key` the right one is remembered for as long as that form stays. Rejects when too many wait. */
  fits(key: string, stored: string): Promise<boolean>;
  /** Asks somebody who alone can tell. Under `key` the right one is remembered for as long as `stamp` stays. Rejects when too many wait, and with what `ask` rejects. */
  asks(key: string, stamp: string, ask: (password: string) => Promise<boolean>): Promise<boolean>;
}

export type SourceAnswer =
  | { readonly kind: 'ok'; readonly accountId: AccountId }
  | { readonly kind: 'wrong' }
  /** `isTabled`: the name is in a domain of the tables, so that others there cost the check of a form like theirs. */
  | { readonly kind: 'unknown'; readonly isTabled: boolean }
  | { readonly kind: 'unavailable'; readonly cause: unknown };

export interface AccountSources {
  /** Somebody other than the directory knows passwords. */
  isActive(): boolean;
  /**
   * The account of a virtual mailbox that tables name, made when it is missing; null when there is none, or it is switched off. The router
   * has found `login` in policy.virtualMailboxMaps; without such tables the password tables tell who is there. Answers at once for accounts
   * that are there already. Rejects with TableError.
   */
  accountFor(login: string): AccountId | null | Promise<AccountId | null>;
  /** The account of a system user, made when it is missing; null: there is no such user. */
  systemAccount(user: string): Promise<Account | null>;
  /** Never rejects. The account of whoever is right is made when it is missing. */
  check(login: string, trial: PasswordTrial): Promise<SourceAnswer>;
  /**
   * The account of somebody who is known by other means than a password (a token, a certificate), made when it is missing; null: nobody of
   * that name is in the tables or on this machine. Rejects with TableError.
   */
  find(login: string): Promise<Account | null>;
  /** Whether whoever an account came from still has it (for app passwords). Throws or rejects with TableError. */
  vouches(account: Account): boolean | Promise<boolean>;
  /** One name for all the names of a user, for counting failures. */
  nameOf(login: string): string;
}

export interface SystemUserEntry {
  readonly name: string;
  readonly uid: number;
}

export interface SourcesParts {
  readonly tables: Tables;
  /** For passwords: tables that keep no answers (`withoutAnswersKept`), so that a password changed a second ago counts. */
  readonly passwordTables: Tables;
  /** The values now in force; the same object until they change. */
  settings(): SourcesSettings;
  readonly directory: Directory;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  /** Milliseconds; does not step back. */
  now(): number;
  /** Users of this machine, by exact name; null when there is none. Throws or rejects when they cannot be read. */
  readonly systemUsers: { find(name: string): SystemUserEntry | null | Promise<SystemUserEntry | null> };
  /** null: there is no helper that may read their passwords. */
  readonly checkSystemPassword: ((user: string, password: string) => Promise<'ok' | 'refused' | 'unavailable'>) | null;
  /** Changes whenever a password of a system user may have changed; that of /etc/shadow when left out. */
  passwordStamp?(): string;
}
