/** The first value that tables have for keys; the search orders themselves are the directory's (`directory/tables/search.ts`). */
import { findFirst } from '../../directory/tables/search.ts';
import type { Table } from '../../ports.ts';
import type { Soon } from './status.ts';

/** Throws or rejects with TableError when a table cannot answer. */
export function firstValue(tables: Table | readonly Table[], keys: readonly string[], signal?: AbortSignal): Soon<string | null> {
  const found = findFirst(tables, keys, signal);
  return found instanceof Promise ? found.then((late) => late?.value ?? null) : (found?.value ?? null);
}
