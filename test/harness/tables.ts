/** Lookup tables for the tests of the end to end kind: opened as the server does, asked beside Postfix's postmap. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { TableError } from '../../src/directory/tables/errors.ts';
import { createTables } from '../../src/directory/tables/open.ts';
import { SERVER_TABLES } from '../../src/directory/tables/servers/index.ts';
import { SERVER_TABLES_SETTINGS } from '../../src/directory/tables/servers/settings.ts';
import { TABLES_SETTINGS } from '../../src/directory/tables/settings.ts';
import type { LogFields, Table } from '../../src/ports.ts';
import { defaultsOf } from '../../src/system/declare.ts';
import type { Answer, postmap } from '../peers/postmap.ts';
import { atEnd, type Owner } from './temp.ts';

export interface Logged {
  readonly event: string;
  readonly fields: LogFields;
}

export interface OpenedTables {
  open(spec: string): Table;
  readonly logged: readonly Logged[];
}

/** The tables of a thread, without a cache and without a cool-down unless told otherwise, and what they log. */
export function openTables(owner: Owner, changes: Partial<Record<keyof typeof SERVER_TABLES_SETTINGS, number>> = {}, now = Date.now): OpenedTables {
  const settings = { ...defaultsOf(TABLES_SETTINGS), ...defaultsOf(SERVER_TABLES_SETTINGS), 'tables.cacheTtl': 0, 'tables.serverCooldown': 0, ...changes };
  const logged: Logged[] = [];
  const note = (event: string, fields: LogFields = {}): void => void logged.push({ event, fields });
  const tables = createTables({ log: { debug: note, info: note, warn: note, error: note }, settings: () => settings, now, servers: SERVER_TABLES });
  atEnd(owner, () => tables.close());
  return { open: (spec) => tables.open(spec), logged };
}

/** Our answer, in the words of postmap's. */
export async function ourAnswer(table: Table, key: string): Promise<Answer> {
  try {
    const value = await table.find(key);
    return value === null ? { kind: 'none' } : { kind: 'found', value };
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return { kind: 'error', text: error.message };
  }
}

export type Rows = readonly (readonly [spec: string, keys: readonly string[]])[];

/** Asks both for every key of every table, and fails with those that differ. */
export async function compareTables(t: TestContext, ask: ReturnType<typeof postmap>, open: (spec: string) => Table, rows: Rows): Promise<void> {
  const differences: unknown[] = [];
  let pairs = 0;
  let found = 0;
  for (const [spec, keys] of rows)
    for (const key of keys) {
      pairs += 1;
      const [theirs, mine] = [await ask(spec, key), await ourAnswer(open(spec), key)];
      if (theirs.kind === 'found') found += 1;
      if (theirs.kind !== mine.kind || (theirs.kind === 'found' && mine.kind === 'found' && theirs.value !== mine.value))
        differences.push({ spec, key, theirs, mine });
    }
  assert.deepEqual(differences, []);
  t.diagnostic(`${pairs} pairs of table and key, ${found} found`);
}

/** Writes `name = value` files that only their owner may read, and answers their paths. */
export function cfWriter(dir: string): (name: string, lines: Readonly<Record<string, string>>) => string {
  return (name, lines) => {
    const file = join(dir, name);
    const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(file, text.join(''));
    chmodSync(file, 0o640);
    return file;
  };
}
