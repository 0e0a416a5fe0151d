/** In which line of a table's file a key stands, for `posthorn route`: found by reading the file once more, so for explanations only. */
import { readFileSync } from 'node:fs';
import { logicalLines } from '../directory/tables/lines.ts';
import type { Found } from '../directory/tables/search.ts';

const TEXT_TABLE = /^(?:proxy:)?(?:texthash|hash|btree|lmdb|cdb|dbm|sdbm):(\/.*)$/i;

/** "hash:/etc/posthorn/canonical:12", or the table's name where lines mean nothing. */
export function whereFound({ table, key }: Found): string {
  const file = TEXT_TABLE.exec(table.name)?.[1];
  if (file === undefined) return table.name;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // The file was there when the table was opened; the name of the table is said all the same.
    return table.name;
  }
  const wanted = key.toLowerCase();
  const line = logicalLines(text).lines.find((one) => {
    const lower = one.text.toLowerCase();
    return lower.startsWith(wanted) && /^\s/.test(lower.slice(wanted.length, wanted.length + 1));
  });
  return line === undefined ? table.name : `${table.name}:${line.line}`;
}
