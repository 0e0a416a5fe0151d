/** Accounts of the store for addresses that tables and /etc/passwd name, in a thread. */
import { withoutAnswersKept } from '../directory/sources/plan.ts';
import { createSources } from '../directory/sources/sources.ts';
import type { AccountSources } from '../directory/sources/types.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import type { Directory, Log, StoreWriter, Tables } from '../ports.ts';
import { createSystemUsers } from '../route/system-users.ts';
import type { AllSettings } from '../settings.ts';
import { userAgentOfThread } from './user-agent.ts';

export interface SourcesOfThread {
  settings(): AllSettings;
  now(): number;
  readonly log: Log;
  readonly writer: StoreWriter;
  readonly directory: Directory;
  readonly tables: Tables;
}

export function accountSources(thread: SourcesOfThread): { readonly sources: AccountSources; close(): void } {
  const agent = userAgentOfThread();
  const passwordTables = createTables({
    log: thread.log,
    settings: withoutAnswersKept(() => thread.settings()),
    now: () => thread.now(),
    servers: SERVER_TABLES,
  });
  const sources = createSources({
    passwordTables,
    settings: () => thread.settings(),
    now: () => thread.now(),
    log: thread.log,
    writer: thread.writer,
    directory: thread.directory,
    tables: thread.tables,
    systemUsers: createSystemUsers({ file: thread.settings()['local.passwdFile'], now: () => thread.now() }),
    checkSystemPassword: agent === null ? null : (user, password) => agent.checkPassword(user, password),
  });
  return { sources, close: () => passwordTables.close() };
}
