/** Tables made of others: unionmap joins their values, pipemap hands the value of one to the next as key. */
import type { Table } from '../../ports.ts';
import { insideBraces, splitList } from './braces.ts';
import { TableProblem } from './errors.ts';
import { TABLE_LIMITS } from './limits.ts';
import type { TableContext, TableOpener } from './types.ts';

function members(source: string, context: TableContext, type: string): Table[] {
  const specs = splitList(insideBraces(source, context.name) ?? '', context.name);
  if (specs.length === 0) throw new TableProblem(context.name, null, `write ${type}:{type:source, …}, with one table at least`);
  return specs.map((spec) => context.open(spec));
}

/** Only when all members want the whole string are they not asked for the parts of addresses. */
const kindOf = (tables: readonly Table[]): Table['kind'] => (tables.every((table) => table.kind === 'pattern') ? 'pattern' : 'fixed');

/** All values that the members have, joined by commas; each is asked with the same key. */
export const unionTable: TableOpener = (source, context) => {
  const tables = members(source, context, 'unionmap');
  const join = (values: readonly (string | null)[]): string | null => {
    const found = values.filter((value) => value !== null);
    return found.length === 0 ? null : found.join(',').slice(0, TABLE_LIMITS.valueChars);
  };
  return {
    name: context.name,
    kind: kindOf(tables),
    find: (key, signal) => {
      const answers: (string | null | Promise<string | null>)[] = [];
      try {
        for (const table of tables) answers.push(table.find(key, signal));
      } catch (error) {
        // One failure is told; those still on their way have nobody left to tell.
        for (const answer of answers) if (answer instanceof Promise) answer.catch(() => undefined);
        throw error;
      }
      return answers.some((answer) => answer instanceof Promise) ? Promise.all(answers).then(join) : join(answers as (string | null)[]);
    },
  };
};

/** The key goes to the first, its value to the second and so on; nothing found on the way is nothing found. */
export const pipeTable: TableOpener = (source, context) => {
  const tables = members(source, context, 'pipemap');
  const from = (index: number, key: string, signal: AbortSignal | undefined): string | null | Promise<string | null> => {
    let value = key;
    for (let i = index; i < tables.length; i += 1) {
      const answer = tables[i]!.find(value, signal);
      if (answer instanceof Promise) return answer.then((later) => (later === null ? null : from(i + 1, later, signal)));
      if (answer === null) return null;
      value = answer;
    }
    return value;
  };
  // What the later members are asked for is no part of the address, so the first alone decides.
  return { name: context.name, kind: tables[0]!.kind, find: (key, signal) => from(0, key, signal) };
};
