/** The options made ready: tables opened, lists of domains compiled. Throws TableProblem. */
import type { Log, Table, Tables } from '../../ports.ts';
import { TableError, TableProblem } from '../tables/errors.ts';
import { type MatchList, matchList } from '../tables/match-list.ts';
import type { SourcesSettings } from './types.ts';

export interface SourcesPlan {
  readonly settings: SourcesSettings;
  readonly passwords: readonly Table[];
  readonly quotas: readonly Table[];
  readonly mailboxes: readonly Table[];
  readonly mailboxDomains: MatchList;
  readonly localDomains: MatchList;
}

export interface PlanParts {
  readonly tables: Tables;
  readonly passwordTables: Tables;
  readonly log: Log;
  now(): number;
}

export function compileSources(settings: SourcesSettings, parts: PlanParts): SourcesPlan {
  const open = (key: 'auth.passwordMaps' | 'auth.quotaMaps' | 'policy.virtualMailboxMaps', tables: Tables): Table[] =>
    settings[key].map((spec) => tables.open(spec));
  const list = (key: 'policy.localDomains' | 'policy.virtualMailboxDomains'): MatchList =>
    matchList(settings[key], {
      name: key,
      parentMatchesSubdomains: false,
      tables: parts.tables,
      context: { log: parts.log, now: () => parts.now(), settings: () => settings },
    });
  return {
    settings,
    passwords: open('auth.passwordMaps', parts.passwordTables),
    quotas: open('auth.quotaMaps', parts.tables),
    mailboxes: open('policy.virtualMailboxMaps', parts.tables),
    mailboxDomains: list('policy.virtualMailboxDomains'),
    localDomains: list('policy.localDomains'),
  };
}

/** Settings under which tables that ask servers keep no answers; the same object while the given one is the same. */
export function withoutAnswersKept<S extends object>(settings: () => S): () => S {
  let from: S | null = null;
  let fresh: S | null = null;
  return () => {
    const now = settings();
    if (now !== from || fresh === null) {
      from = now;
      fresh = { ...now, 'tables.cacheTtl': 0 };
    }
    return fresh;
  };
}

/**
 * The plan of the settings now in force: made anew when they change. While theirs cannot be made the one before counts, and the log says so;
 * when there never was one, it throws TableError.
 */
export function planKeeper(settings: () => SourcesSettings, parts: PlanParts): () => SourcesPlan {
  let plan: SourcesPlan | null = null;
  let tried: SourcesSettings | null = null;
  return () => {
    const now = settings();
    if (now !== tried) {
      tried = now;
      try {
        plan = compileSources(now, parts);
      } catch (cause) {
        parts.log.error('auth.sources.failed', { cause: cause instanceof TableProblem ? cause.message : String(cause) });
      }
    }
    if (plan === null) throw new TableError('auth.passwordMaps', 'the tables of accounts could not be opened; the log says why');
    return plan;
  };
}
