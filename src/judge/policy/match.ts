/** Lists of networks and domains, as options hold them. */
import { type MatchList, matchList } from '../../directory/tables/match-list.ts';
import type { PolicyContext } from './ports.ts';

/** Throws TableProblem. `setting` names the list in problems. */
export function openMatchList(
  context: Pick<PolicyContext, 'tables' | 'tablesSettings' | 'log' | 'now'>,
  setting: string,
  entries: readonly string[],
  parentMatchesSubdomains = false,
): MatchList {
  return matchList(entries, {
    name: setting,
    parentMatchesSubdomains,
    tables: context.tables,
    context: { log: context.log, now: () => context.now(), settings: () => context.tablesSettings() },
  });
}
