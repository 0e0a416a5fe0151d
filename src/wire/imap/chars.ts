/** Character classes of RFC 9051 section 9, one flag per byte value, and the few bytes with names. */
export const SP = 0x20;
export const CR = 0x0d;
export const LF = 0x0a;
export const DQUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const OPEN = 0x28;
export const CLOSE = 0x29;
export const BRACE = 0x7b;
export const TILDE = 0x7e;

function characters(without: string): Uint8Array {
  const table = new Uint8Array(256).fill(1, 0x21, 0x7f);
  for (const special of without) table[special.charCodeAt(0)] = 0;
  return table;
}

/** ATOM-CHAR */
export const ATOM_CHAR = characters('(){%*"\\]');
/** ASTRING-CHAR */
export const ASTRING_CHAR = characters('(){%*"\\');
/** tag: ASTRING-CHAR except "+" */
export const TAG_CHAR = characters('(){%*"\\+');
/** list-char */
export const LIST_CHAR = characters('(){"\\');

/** Returns the offset just past the run of characters of `table` that starts at `at`. */
export function scan(table: Uint8Array, input: Uint8Array, at: number): number {
  let end = at;
  while (end < input.length && table[input[end]!] === 1) end += 1;
  return end;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
