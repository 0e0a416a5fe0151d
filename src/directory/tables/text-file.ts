/** The text that `postmap` makes an indexed file from, and that texthash reads as it is: one key and value a line. Pure. */
import { isSpace, type LineWarning, logicalLines, skipSpace } from './lines.ts';

export interface TextFile {
  /** Keys in lower case. */
  readonly pairs: Map<string, string>;
  /** What postmap warns of: lines without a value, duplicates (the first wins), open quotes. */
  readonly warnings: readonly LineWarning[];
}

/** Quotes around a key keep its white space together and stay part of it, as in an address with a quoted local part. */
function keyEnd(text: string): number {
  let isQuoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x22) isQuoted = !isQuoted;
    else if (isQuoted && code === 0x5c) i += 1;
    else if (!isQuoted && isSpace(code)) return i;
  }
  return isQuoted ? -1 : text.length;
}

export function parseTextFile(text: string): TextFile {
  const { lines, warnings } = logicalLines(text);
  const pairs = new Map<string, string>();
  for (const { text: line, line: number } of lines) {
    const end = keyEnd(line);
    if (end === -1) {
      warnings.push({ line: number, sentence: 'a double quote does not end; the line is passed over' });
      continue;
    }
    const value = line.slice(skipSpace(line, end));
    if (value === '') {
      warnings.push({ line: number, sentence: 'a key needs white space and a value after it; the line is passed over' });
      continue;
    }
    if (line.includes('\ufffd')) {
      warnings.push({ line: number, sentence: 'the line is not UTF-8; it is passed over' });
      continue;
    }
    const key = line.slice(0, end).toLowerCase();
    if (key.endsWith(':')) warnings.push({ line: number, sentence: 'the key ends in a colon, as in a file of aliases; it is taken as it stands' });
    if (pairs.has(key)) warnings.push({ line: number, sentence: `the key "${key}" is there twice; the first one counts` });
    else pairs.set(key, value);
  }
  return { pairs, warnings };
}
