/** What is wrong with the options of accounts from elsewhere, found by opening their tables once. Nobody is asked anything. */
import { SILENT_LOG } from '../../system/log.ts';
import { TableProblem } from '../tables/errors.ts';
import { createTables } from '../tables/open.ts';
import { SERVER_TABLES } from '../tables/servers/index.ts';
import { compileSources } from './plan.ts';
import type { SourcesSettings } from './types.ts';

const OWN_KEYS = ['auth.passwordMaps', 'auth.quotaMaps'] as const;

/** By option; empty when all is well. */
export function sourcesRules(settings: SourcesSettings): { key: string; message: string }[] {
  const now = (): number => Date.now();
  const tables = createTables({ log: SILENT_LOG, settings: () => settings, now, servers: SERVER_TABLES });
  try {
    compileSources(settings, { tables, passwordTables: tables, log: SILENT_LOG, now });
  } catch (error) {
    if (!(error instanceof TableProblem)) throw error;
    const { file, message } = error;
    return [{ key: OWN_KEYS.find((key) => settings[key].some((spec) => spec.includes(file))) ?? 'policy.virtualMailboxDomains', message }];
  } finally {
    tables.close();
  }
  if (settings['auth.passwordMaps'].length > 0 && settings['policy.virtualMailboxDomains'].length === 0)
    return [{ key: 'auth.passwordMaps', message: 'nobody can use these passwords: policy.virtualMailboxDomains names no domain' }];
  return [];
}
