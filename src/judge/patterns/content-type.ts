/**
 * What a Content-Type field says about where further headers are, read exactly as Postfix reads it: every boundary parameter counts,
 * RFC 2231 forms do not, and words are taken as they come. A reader that is cleverer than the one whose rules are written for would look
 * at other lines than the administrator tried them with. Linear, never throws.
 */

export interface ContentKind {
  /** In lower case; '' when there is none. */
  readonly type: string;
  readonly subtype: string;
  readonly boundaries: readonly string[];
}

/** Words of one stretch up to a semicolon that are looked at. */
const WORDS_MAX = 3;
const SPECIALS = '()<>@,;:\\"/[]?=';

interface Stretch {
  /** Words and specials; a quoted string is one word. */
  readonly words: readonly string[];
  readonly end: number;
}

/** `value` is what stands behind the colon, lines joined by LF. */
export function contentKind(value: string): ContentKind {
  const first = stretch(value, 0);
  const [type = '', slash, subtype = ''] = first.words;
  const kind = type.toLowerCase();
  const boundaries: string[] = [];
  if (kind === 'multipart') {
    for (let at = first.end; at < value.length; ) {
      const { words, end } = stretch(value, at);
      if (words.length === WORDS_MAX && words[1] === '=' && words[0]!.toLowerCase() === 'boundary') boundaries.push(words[2]!);
      at = end;
    }
  }
  return { type: kind, subtype: slash === '/' ? subtype.toLowerCase() : '', boundaries };
}

/** The words from `at` to the next semicolon, and where the next stretch begins. */
function stretch(text: string, at: number): Stretch {
  const words: string[] = [];
  const add = (word: string): void => {
    if (words.length < WORDS_MAX) words.push(word);
  };
  while (at < text.length) {
    const char = text[at]!;
    if (char === ';') return { words, end: at + 1 };
    if (isBlank(char)) at += 1;
    else if (char === '(') at = afterComment(text, at);
    else if (char === '"') {
      const end = afterQuoted(text, at);
      add(unquoted(text.slice(at + 1, end)));
      at = end;
    } else if (isSpecial(char)) {
      add(char);
      at += 1;
    } else {
      let end = at + 1;
      while (end < text.length && !isBlank(text[end]!) && !isSpecial(text[end]!)) end += 1;
      add(text.slice(at, end));
      at = end;
    }
  }
  return { words, end: at };
}

const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\n' || char === '\r';
const isSpecial = (char: string): boolean => SPECIALS.includes(char) || char < ' ' || char === '\x7f';

function afterComment(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '(') depth += 1;
    else if (char === ')') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return text.length;
}

/** Past the closing quote, or the end of the text. */
function afterQuoted(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** What the quotes hold: the closing one, quoted pairs and folds are taken away (blanks before a fold, too; not those behind it). */
function unquoted(quoted: string): string {
  const isPlain = !quoted.includes('\\') && !quoted.includes('\n');
  if (isPlain) return quoted.endsWith('"') ? quoted.slice(0, -1) : quoted;
  let result = '';
  for (let i = 0; i < quoted.length; i += 1) {
    const char = quoted[i]!;
    if (char === '"') break;
    if (char === '\n') result = result.trimEnd();
    else if (char === '\\') {
      i += 1;
      result += quoted[i] ?? '';
    } else result += char;
  }
  return result;
}
