/** Accounts of the store for addresses that tables and /etc/passwd name, in a thread. */
import { createSources } from '../directory/sources/sources.ts';
import type { AccountSources } from '../directory/sources/types.ts';
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

export function accountSources(thread: SourcesOfThread): AccountSources {
  const agent = userAgentOfThread();
  return createSources({
    settings: () => thread.settings(),
    now: () => thread.now(),
    log: thread.log,
    writer: thread.writer,
    directory: thread.directory,
    tables: thread.tables,
    systemUsers: createSystemUsers({ file: thread.settings()['local.passwdFile'], now: () => thread.now() }),
    checkSystemPassword: agent === null ? null : (user, password) => agent.checkPassword(user, password),
  });
}
