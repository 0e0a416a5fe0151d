/** What is wrong with the judge's options, found by making everything of them once: before the start, and before a reload counts. */
import { createTables } from '../directory/tables/open.ts';
import { TableProblem } from '../directory/tables/errors.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { createDns } from '../net/dns.ts';
import type { Directory, StoreReader, StoreWriter } from '../ports.ts';
import { SILENT_LOG } from '../system/log.ts';
import type { AllJudgeSettings } from './all-settings.ts';
import { compileParts } from './compile.ts';
import { PolicyProblem } from './policy/problem.ts';
import { POLICY_SETTINGS } from './policy/settings.ts';
import { PATTERNS_SETTINGS } from './patterns/settings.ts';

/** Nobody is asked anything while things are only made. */
const NOBODY = new Proxy({}, { get: (_, name) => () => fail(String(name)) });
function fail(name: string): never {
  throw new Error(`${name} is not to be asked while the configuration is checked`);
}

/** By option; empty when all is well. */
export function judgeRules(settings: AllJudgeSettings): { key: string; message: string }[] {
  const now = () => Date.now();
  const dns = createDns(() => settings, now);
  const tables = createTables({ log: SILENT_LOG, settings: () => settings, now, servers: SERVER_TABLES });
  try {
    const parts = compileParts(settings, {
      log: SILENT_LOG,
      metrics: { count: () => {}, gauge: () => {} },
      directory: NOBODY as Directory,
      reader: NOBODY as StoreReader,
      writer: NOBODY as StoreWriter,
      dns,
      tables,
      policyService: { ask: async () => '' },
      callout: async () => ({ code: 450, enhanced: '4.0.0', text: '' }),
      dataDir: settings.dataDir,
      now,
    });
    parts.milters.close();
    return [];
  } catch (error) {
    if (error instanceof PolicyProblem)
      return [
        { key: error.setting, message: `${error.sentence}${error.file === null ? '' : ` (${error.file}${error.line === null ? '' : `:${error.line}`})`}` },
      ];
    if (error instanceof TableProblem) return [{ key: keyNaming(settings, error), message: error.message }];
    throw error;
  } finally {
    tables.close();
    dns.close();
  }
}

/** The option that names the table at fault. */
function keyNaming(settings: AllJudgeSettings, problem: TableProblem): string {
  for (const key of Object.keys({ ...PATTERNS_SETTINGS, ...POLICY_SETTINGS })) {
    const value = (settings as Readonly<Record<string, unknown>>)[key];
    const texts = Array.isArray(value) ? (value as string[]) : typeof value === 'string' ? [value] : [];
    if (texts.some((text) => text.includes(problem.file))) return key;
  }
  return 'policy.clientRestrictions';
}
