/** Opens tables by their `type:source`. One row a type; those that ask a server come from `servers/`. */
import type { Log, Table, Tables } from '../../ports.ts';
import { pipeTable, unionTable } from './combined-tables.ts';
import { TableProblem } from './errors.ts';
import { cidrTable, patternTable, textTable } from './file-tables.ts';
import { TABLE_LIMITS } from './limits.ts';
import type { TablesSettings } from './settings.ts';
import { environTable, failTable, inlineTable, randomTable, staticTable } from './simple-tables.ts';
import type { ClosableTable, ServerTableOpeners, TableContext, TableOpener } from './types.ts';

export { TableError, TableProblem } from './errors.ts';
export type { ServerTableOpeners, TableContext } from './types.ts';

export interface TablesOptions {
  readonly log: Log;
  settings(): TablesSettings;
  /** Unix time in milliseconds; does not step back. */
  now(): number;
  /** SERVER_TABLES of `servers/index.ts`. */
  readonly servers?: ServerTableOpeners;
  /** For randmap: from 0 to below 1. Math.random when left out. */
  random?(): number;
}

function registry(options: TablesOptions): ReadonlyMap<string, TableOpener> {
  const texts = ['texthash', 'hash', 'btree', 'lmdb', 'cdb', 'dbm', 'sdbm'].map((type) => [type, textTable(type)] as const);
  return new Map<string, TableOpener>([
    ...texts,
    ['regexp', patternTable('regexp')],
    ['pcre', patternTable('pcre')],
    ['cidr', cidrTable],
    ['inline', inlineTable],
    ['static', staticTable],
    ['fail', failTable],
    ['environ', environTable],
    ['randmap', randomTable(options.random ?? Math.random)],
    ['unionmap', unionTable],
    ['pipemap', pipeTable],
    ...Object.entries(options.servers ?? {}),
  ]);
}

/** Whether a text is written as `type:source`; addresses of IPv6 and patterns with a colon are not. */
export const isTableSpec = (text: string): boolean => /^[a-z][a-z0-9]*:[^:\s]/.test(text) && !/^[0-9a-f:]+(?:\/\d+)?$/i.test(text);

export function createTables(options: TablesOptions): Tables {
  const types = registry(options);
  const opened = new Map<string, ClosableTable>();
  let isClosed = false;

  const open = (spec: string, depth: number): Table => {
    if (isClosed) throw new TableProblem(spec, null, 'the tables are closed already');
    if (spec.length > TABLE_LIMITS.specChars)
      throw new TableProblem(`${spec.slice(0, 60)}…`, null, `a table is written in ${TABLE_LIMITS.specChars} characters at most`);
    if (depth > TABLE_LIMITS.depth) throw new TableProblem(spec, null, `tables are nested more than ${TABLE_LIMITS.depth} deep`);
    const known = opened.get(spec);
    if (known !== undefined) return known;
    const table = make(spec, depth);
    opened.set(spec, table);
    return table;
  };

  const make = (spec: string, depth: number): ClosableTable => {
    const colon = spec.indexOf(':');
    const type = spec.slice(0, Math.max(0, colon)).toLowerCase();
    const source = spec.slice(colon + 1);
    if (colon <= 0 || source === '') throw new TableProblem(spec, null, 'a table is written as type:source, such as hash:/etc/posthorn/access');
    // Postfix shares a table between processes in that way; here it is shared already.
    if (type === 'proxy') return open(source, depth + 1) as ClosableTable;
    const opener = types.get(type);
    if (opener === undefined) throw new TableProblem(spec, null, `there is no table type "${type}"; there are ${[...types.keys(), 'proxy'].join(', ')}`);
    const context: TableContext = {
      name: spec,
      log: options.log,
      settings: () => options.settings(),
      now: () => options.now(),
      open: (inner) => open(inner, depth + 1),
    };
    return opener(source, context);
  };

  return {
    open: (spec) => open(spec, 0),
    close: () => {
      isClosed = true;
      // A table may stand under two names (proxy:).
      for (const table of new Set(opened.values())) table.close?.();
      opened.clear();
    },
  };
}
