/** A table of field names, found by their bytes without making a string of each. */
import type { HeaderField } from './header.ts';

/** Rows of a name table by the length of their names. */
export function byLength<K>(rows: readonly (readonly [string, K])[]): ReadonlyArray<readonly [string, K][]> {
  const table: [string, K][][] = [];
  for (const [name, key] of rows) {
    while (table.length <= name.length) table.push([]);
    table[name.length]!.push([name, key]);
  }
  return table;
}

/** The row of a field's name, or null. */
export function lookUp<K>(table: ReadonlyArray<readonly (readonly [string, K])[]>, bytes: Uint8Array, field: HeaderField): K | null {
  const length = field.nameEnd - field.nameStart;
  if (length === 0 || length >= table.length) return null;
  rows: for (const [name, key] of table[length]!) {
    for (let i = 0; i < length; i += 1) {
      let c = bytes[field.nameStart + i]!;
      if (c >= 0x41 && c <= 0x5a) c += 0x20;
      if (c !== name.charCodeAt(i)) continue rows;
    }
    return key;
  }
  return null;
}
