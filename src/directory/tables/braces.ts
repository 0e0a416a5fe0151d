/** Lists in braces, as in `inline:{ {key = value}, a=b }` and `unionmap:{hash:/a, inline:{b=c}}`. Pure. */
import { TableProblem } from './errors.ts';
import { isSpace, skipSpace, trimmedEnd } from './lines.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;

/** The text between the outermost braces without white space around it; null when `source` does not begin with one. Throws TableProblem. */
export function insideBraces(source: string, name: string): string | null {
  const start = skipSpace(source, 0);
  if (source.charCodeAt(start) !== OPEN) return null;
  const end = closingBrace(source, start);
  if (end === -1) throw new TableProblem(name, null, 'a closing brace is missing');
  if (skipSpace(source, end + 1) !== source.length) throw new TableProblem(name, null, 'there is text after the closing brace');
  const from = skipSpace(source, start + 1);
  const inside = source.slice(from, end);
  return inside.slice(0, trimmedEnd(inside));
}

/** Index of the brace that closes the one at `start`, or -1. */
function closingBrace(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === OPEN) depth += 1;
    else if (code === CLOSE) {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return -1;
}

/** Words between commas and white space; those within braces stay together, braces included. Throws TableProblem. */
export function splitList(text: string, name: string): string[] {
  const words: string[] = [];
  let start = -1;
  let depth = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const code = i === text.length ? COMMA : text.charCodeAt(i);
    if (i < text.length && code === OPEN) depth += 1;
    else if (i < text.length && code === CLOSE) depth -= 1;
    if (depth < 0) throw new TableProblem(name, null, 'a closing brace has no opening one');
    const isSeparator = (code === COMMA || isSpace(code)) && (depth === 0 || i === text.length);
    if (isSeparator && start !== -1) {
      words.push(text.slice(start, i));
      start = -1;
    } else if (!isSeparator && start === -1) start = i;
  }
  if (depth !== 0) throw new TableProblem(name, null, 'a closing brace is missing');
  return words;
}

/** The rules of `pcre:{ {rule}, {rule} }` as the text of a file, a line each. Throws TableProblem; null when `source` has no braces. */
export function inlineFile(source: string, name: string): string | null {
  const inside = insideBraces(source, name);
  if (inside === null) return null;
  return splitList(inside, name)
    .map((word) => {
      const rule = insideBraces(word, name);
      if (rule === null) throw new TableProblem(name, null, `each rule stands in braces of its own, but "${word}" does not`);
      return `${rule}\n`;
    })
    .join('');
}
