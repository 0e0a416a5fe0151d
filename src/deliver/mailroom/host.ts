/** What a script of an account of the store may ask, answered from the store; what it wants remembered is gathered. */
import type { Account, Log, MessageReader, StoreReader } from '../../ports.ts';
import { readAnnotation } from '../../store/annotations.ts';
import type { FilterMemory } from '../../store/operations/accept.types.ts';
import { isRemembered, memoryKey } from '../reply/memory.ts';
import type { StoreHost } from './drive.ts';
import { inboxName } from './names.ts';

export interface HostParts {
  readonly context: { readonly reader: StoreReader; now(): number };
  readonly log: Log;
  /** The text that `include` names, for an account and its domain. */
  included(accountId: number, domain: string, location: 'personal' | 'global', name: string): string | null;
  /** Programs of the administrator; undefined where they are switched off. */
  readonly program: StoreHost['run'] | undefined;
}

/** `id`: of the message, for the log. `settle` gives what is to be remembered once the run's actions are carried out. */
export function storeHost(parts: HostParts, account: Account, id: string, message: MessageReader): { host: StoreHost; settle(): readonly FilterMemory[] } {
  const { context, log, included } = parts;
  const { reader } = context;
  const domain = account.login.slice(account.login.lastIndexOf('@') + 1);
  const seen: FilterMemory[] = [];
  const host: StoreHost = {
    accountId: account.id,
    reader,
    message: () => message,
    script: (location, name) => included(account.id, domain, location, name),
    duplicate: (handle, value, seconds, isLast) => {
      const now = context.now();
      const key = memoryKey(handle, value);
      const isKnown = isRemembered(reader, account.id, 'duplicate', key, now);
      // RFC 7352 section 3.3: without :last the time counts from the first sight.
      if (!isKnown || isLast) seen.push({ kind: 'duplicate', key, until: now + seconds * 1000 });
      return isKnown;
    },
    metadata: (mailbox, annotation) => {
      const row = mailbox === null ? null : reader.mailboxByName(account.id, inboxName(mailbox));
      if (mailbox !== null && row === null) return null;
      const value = readAnnotation(reader, account.id, row, annotation.toLowerCase());
      return value === null ? null : Buffer.from(value).toString('utf8');
    },
    run: parts.program ?? (() => Promise.reject(new Error('programs are switched off (sieve.programs)'))),
    listed: () => false,
    log: (text) => log.info('filter.log', { id, account: account.login, text: text.slice(0, 1000) }),
  };
  return { host, settle: () => seen };
}
