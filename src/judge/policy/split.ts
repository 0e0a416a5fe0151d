/** Restrictions as Postfix parts them: by commas and white space, except within braces. */

/** The words of one entry, or a sentence when its braces do not match. */
export function splitWords(entry: string): string[] | string {
  const words: string[] = [];
  let depth = 0;
  let start = -1;
  for (let at = 0; at <= entry.length; at += 1) {
    const c = at === entry.length ? ',' : entry[at]!;
    if (c === '{') depth += 1;
    else if (c === '}') depth -= 1;
    if (depth < 0) return 'a "}" without its "{"';
    const isSeparator = depth === 0 && (c === ',' || c === ' ' || c === '\t' || c === '\r' || c === '\n');
    if (isSeparator) {
      if (start !== -1) words.push(entry.slice(start, at));
      start = -1;
    } else if (start === -1) start = at;
  }
  // The last character counted as a separator only outside braces.
  return depth > 0 ? 'a "{" without its "}"' : words;
}

/** What is within braces around the whole word, parted by commas and white space; null when there are no braces. */
export function bracedParts(word: string): string[] | null {
  if (!word.startsWith('{') || !word.endsWith('}')) return null;
  const parts = splitWords(word.slice(1, -1));
  return typeof parts === 'string' ? null : parts;
}
