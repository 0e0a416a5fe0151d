/** Accounts of the store for addresses that tables and /etc/passwd name. */
import type { Account, AccountId, Directory, Log, StoreReader, StoreWriter, Tables } from '../ports.ts';
import type { AllSettings } from '../settings.ts';

export interface SourcesParts {
  settings(): AllSettings;
  readonly log: Log;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly directory: Directory;
  readonly tables: Tables;
}

export interface Sources {
  accountForTable(login: string): AccountId | null | Promise<AccountId | null>;
  systemAccount(user: string): Promise<Account | null>;
}

export function accountSources({ directory, settings }: SourcesParts): Sources {
  return {
    accountForTable: (login) => directory.accountByLogin(login)?.id ?? null,
    systemAccount: async (user) => directory.accountByLogin(`${user}@${settings().domain}`),
  };
}
