/** Tables that stand in the configuration itself: inline, static, fail, environ, randmap. */
import { insideBraces, splitList } from './braces.ts';
import { TableError, TableProblem } from './errors.ts';
import { skipSpace, trimmedEnd } from './lines.ts';
import type { TableOpener } from './types.ts';

const trim = (text: string): string => text.slice(skipSpace(text, 0), Math.max(skipSpace(text, 0), trimmedEnd(text)));

/** `inline:{ key=value, {key = value with spaces} }`; of equal keys the last counts, as Postfix has it. */
export const inlineTable: TableOpener = (source, { name }) => {
  const words = splitList(insideBraces(source, name) ?? '', name);
  if (words.length === 0) throw new TableProblem(name, null, 'write inline:{key=value, …}, with one pair at least');
  const pairs = new Map<string, string>();
  for (const word of words) {
    const pair = insideBraces(word, name) ?? word;
    const equals = pair.indexOf('=');
    const key = trim(pair.slice(0, Math.max(0, equals)));
    if (key === '') throw new TableProblem(name, null, `"${word}" is no pair of the form key=value`);
    pairs.set(key.toLowerCase(), trim(pair.slice(equals + 1)));
  }
  return { name, kind: 'fixed', find: (key) => pairs.get(key.toLowerCase()) ?? null, entries: () => pairs };
};

/** One value for every key. */
export const staticTable: TableOpener = (source, { name }) => {
  const value = insideBraces(source, name) ?? source;
  if (value === '') throw new TableProblem(name, null, 'write static:value or static:{value with spaces}');
  return { name, kind: 'fixed', find: () => value };
};

/** Fails for every key; for trying out what happens then. */
export const failTable: TableOpener = (_source, { name }) => ({
  name,
  kind: 'fixed',
  find: () => {
    throw new TableError(name, 'this table always fails');
  },
});

/** The environment of the process; the name after the colon means nothing. */
export const environTable: TableOpener = (_source, { name }) => ({
  name,
  kind: 'fixed',
  find: (key) => (key.includes('\0') || key === '' ? null : (process.env[key] ?? null)),
});

/** `randmap:{a, b}`: one of the values for every key, all equally likely. `random` gives numbers from 0 to below 1. */
export function randomTable(random: () => number): TableOpener {
  return (source, { name }) => {
    const values = splitList(insideBraces(source, name) ?? '', name);
    if (values.length === 0) throw new TableProblem(name, null, 'write randmap:{value, …}, with one value at least');
    return { name, kind: 'fixed', find: () => values[Math.floor(random() * values.length)]! };
  };
}
