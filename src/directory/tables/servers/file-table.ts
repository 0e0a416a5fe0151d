/** What all tables that ask a server have in common: the key is checked, the domains are, and the file behind the table is read again when it changes. */
import { statSync } from 'node:fs';
import { TableError, TableProblem } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import type { DomainGate } from './domains.ts';
import type { KeyNeeds, KeyParts } from './expand.ts';
import { keyParts } from './expand.ts';
import { FILE_CHECK_EVERY_MS, KEY_CHARACTERS_MAX } from './limits.ts';

export type Found = string | null | Promise<string | null>;

/** A table of which the file has been read. */
export interface Asker {
  find(key: string, signal: AbortSignal | undefined): Found;
  close(): void;
}

/** What a key must be for a question to be made of it at all. */
export interface KeyRules {
  readonly needs: KeyNeeds;
  readonly gate: DomainGate | null;
}

/**
 * Null for a key that no query is made of: one that lacks what the query needs, or whose domain is not among `domain`'s. The rest goes to
 * `ask`, in lower case: keys of these tables have no case.
 */
export function askWithin(rules: KeyRules, context: TableContext, key: string, signal: AbortSignal | undefined, ask: (parts: KeyParts) => Found): Found {
  if (!isKey(key, context)) return null;
  const parts = keyParts(key.toLowerCase(), rules.needs);
  if (parts === null) return null;
  const { gate } = rules;
  if (gate === null) return ask(parts);
  const at = parts.key.lastIndexOf('@');
  // Only whole addresses: neither "user", nor a bare domain, nor "@domain".
  if (at <= 0 || at === parts.key.length - 1) return null;
  const isWanted = gate(parts.key.slice(at + 1), signal);
  if (typeof isWanted === 'boolean') return isWanted ? ask(parts) : null;
  return isWanted.then((yes) => (yes ? ask(parts) : null));
}

/** False for a key with a NUL, which is in no table. Throws TableError for one that is too long to be sent anywhere. */
export function isKey(key: string, context: TableContext): boolean {
  if (key.length > KEY_CHARACTERS_MAX) throw new TableError(context.name, `the key has more than ${KEY_CHARACTERS_MAX} characters`);
  return !key.includes('\0');
}

/** Checks that `source` names a file, as Postfix wants it: a path that begins with "/" or ".". */
export function parameterFile(source: string, context: TableContext): string {
  if (source.startsWith('/') || source.startsWith('.')) return source;
  throw new TableProblem(context.name, null, 'needs the path of a file with its parameters, beginning with "/"; parameters in main.cf are not read');
}

/** The table of `file`, made anew by `make` when the file has changed. A file that has become wrong is logged and the old table stays. */
export function reloadingTable(file: string, context: TableContext, make: () => Asker): ClosableTable {
  let asker = make();
  let mark = fileMark(file);
  let checkedAt = context.now();
  const reload = (): void => {
    const now = fileMark(file);
    if (now === mark) return;
    mark = now;
    try {
      const fresh = make();
      asker.close();
      asker = fresh;
      context.log.info('table.reloaded', { table: context.name, file });
    } catch (cause) {
      if (!(cause instanceof TableProblem)) throw cause;
      context.log.error('table.reload.failed', { table: context.name, file, cause: cause.message });
    }
  };
  return {
    name: context.name,
    kind: 'fixed',
    find(key, signal) {
      const now = context.now();
      if (now - checkedAt >= FILE_CHECK_EVERY_MS) {
        checkedAt = now;
        reload();
      }
      return asker.find(key, signal);
    },
    close: () => asker.close(),
  };
}

/** Changes with the file; '' when there is none. */
export function fileMark(file: string): string {
  try {
    const stat = statSync(file);
    return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}`;
  } catch {
    return ''; // Gone, or not to be reached: that is a change, too, and the reader says what is wrong.
  }
}
