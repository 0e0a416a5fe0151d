/** A context for the tests of one type of table, and files for it to read. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFields, Table } from '../../../ports.ts';
import { defaultsOf } from '../../../system/declare.ts';
import { TableProblem } from '../errors.ts';
import { TABLES_SETTINGS } from '../settings.ts';
import type { TableContext } from '../types.ts';
import { SERVER_TABLES_SETTINGS, type ServerTablesSettings } from './settings.ts';

export interface TestContext extends TableContext {
  /** Moved by the test. */
  time: number;
  readonly events: { readonly event: string; readonly fields: LogFields }[];
  /** Tables that `open` knows. */
  readonly others: Map<string, Table>;
}

export function testContext(name: string, changes: Partial<ServerTablesSettings> = {}): TestContext {
  const settings = { ...defaultsOf(TABLES_SETTINGS), ...defaultsOf(SERVER_TABLES_SETTINGS), ...changes };
  const events: TestContext['events'] = [];
  const note = (event: string, fields: LogFields = {}): void => void events.push({ event, fields });
  const context: TestContext = {
    name,
    time: 0,
    events,
    others: new Map(),
    log: { debug: note, info: note, warn: note, error: note },
    settings: () => settings,
    now: () => context.time,
    open: (spec) => {
      const table = context.others.get(spec);
      if (table === undefined) throw new TableProblem(spec, null, 'is not known');
      return table;
    },
  };
  return context;
}

/** A folder that is removed when the owner ends; answers the function that writes a file into it and gives its path. */
export function files(owner: { after(action: () => void): void }): (name: string, text: string, mode?: number) => string {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-servers-'));
  owner.after(() => rmSync(dir, { recursive: true, force: true }));
  return (name, text, mode = 0o600) => {
    const file = join(dir, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  };
}
