/** Logical lines as all of Postfix's table files have them. Pure. */

export interface LogicalLine {
  /** Without white space at the end; continuation lines are joined as they stand, with the white space they begin with. */
  readonly text: string;
  /** Number of its first physical line, from 1. */
  readonly line: number;
}

/** A line that is not as it should be but does no harm: it is told and passed over. */
export interface LineWarning {
  readonly line: number;
  readonly sentence: string;
}

export const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d);

/** Index of the first character from `at` that is no white space; the length when there is none. */
export function skipSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length && isSpace(text.charCodeAt(i))) i += 1;
  return i;
}

/** Index of the first white space from `at`; the length when there is none. */
export function skipWord(text: string, at: number): number {
  let i = at;
  while (i < text.length && !isSpace(text.charCodeAt(i))) i += 1;
  return i;
}

/** End of the text without white space at its end. */
export function trimmedEnd(text: string, from = 0): number {
  let end = text.length;
  while (end > from && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return end;
}

/**
 * Empty lines and lines whose first non-white character is "#" are skipped, also between a line and its continuation; a line that
 * starts with white space continues the one before. The first logical line may not begin with white space: it is passed over.
 */
export function logicalLines(text: string): { lines: LogicalLine[]; warnings: LineWarning[] } {
  const lines: LogicalLine[] = [];
  const warnings: LineWarning[] = [];
  let parts: string[] = [];
  let first = 0;
  const finish = (): void => {
    if (parts.length === 0) return;
    const joined = parts.length === 1 ? parts[0]! : parts.join('');
    lines.push({ text: joined.slice(0, trimmedEnd(joined)), line: first });
    parts = [];
  };
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    const start = at;
    at = end + 1;
    number += 1;
    let head = start;
    while (head < end && isSpace(text.charCodeAt(head))) head += 1;
    if (head === end || text.charCodeAt(head) === 0x23) continue;
    const physical = text.slice(start, end);
    if (head === start) {
      finish();
      first = number;
      parts.push(physical);
    } else if (parts.length > 0) parts.push(physical);
    else warnings.push({ line: number, sentence: 'the first line must not start with white space; it is passed over' });
  }
  finish();
  return { lines, warnings };
}
