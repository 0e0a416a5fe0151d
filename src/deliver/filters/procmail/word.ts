/**
 * Words as sh(1) and procmail write them: quotes, `$name`, `${name:-text}`, backquotes. Read once, expanded with each message.
 * Text is one character a byte throughout this folder.
 */
import { PROCMAIL_LIMITS } from './limits.ts';

export type Operator = '' | '-' | ':-' | '+' | ':+';

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'variable';
      readonly name: string;
      /** Not split into words. */
      readonly isQuoted: boolean;
      /** `$\name`: all that is magic in an expression is disarmed. */
      readonly isDisarmed: boolean;
      readonly operator: Operator;
      readonly alternative: Word;
    }
  /** Backquotes. */
  | { readonly kind: 'command'; readonly line: string; readonly words: readonly Word[]; readonly isQuoted: boolean }
  /** `"$@"`: each argument a word of its own. */
  | { readonly kind: 'arguments' };

export interface Word extends ReadonlyArray<Part> {}

/** How far a word goes: an assignment's value and one of several end at white space, a condition's remainder goes to its end. */
export type WordMode = 'assignment' | 'arguments' | 'condition';

const isNameStart = (c: string | undefined): boolean => c !== undefined && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_');
const isNameByte = (c: string | undefined): boolean => isNameStart(c) || (c !== undefined && c >= '0' && c <= '9');
export const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t';

/** Just past the name that starts at `at`, or `at`. */
export function scanName(text: string, at: number): number {
  if (!isNameStart(text[at])) return at;
  let end = at + 1;
  while (isNameByte(text[end])) end += 1;
  return end;
}

export interface WordsRead {
  readonly words: readonly Word[];
  readonly end: number;
  readonly problems: readonly string[];
}

/** One word from `at`; ends at unquoted white space or, in a condition, at the end. An unclosed quote takes all that follows. */
export function readWord(text: string, at: number, mode: WordMode): { readonly word: Word; readonly end: number; readonly problems: readonly string[] } {
  const reader = new WordReader(text, at, mode);
  const word = reader.word(null, mode === 'condition', 0);
  return { word, end: reader.at, problems: reader.problems };
}

/** Words up to the end of the line (which is not consumed) or a word that begins with `#`. */
export function readWords(text: string, at: number): WordsRead {
  const words: Word[] = [];
  const problems: string[] = [];
  let end = at;
  for (;;) {
    end = skipBlanks(text, end);
    if (end >= text.length || text[end] === '\n') break;
    if (text[end] === '#') {
      while (end < text.length && text[end] !== '\n') end += 1;
      break;
    }
    const read = readWord(text, end, 'arguments');
    words.push(read.word);
    problems.push(...read.problems);
    if (read.end === end) break;
    end = read.end;
  }
  return { words, end, problems };
}

/** Blanks and escaped line ends. */
export function skipBlanks(text: string, at: number): number {
  let end = at;
  for (;;) {
    if (isBlank(text[end])) end += 1;
    else if (text[end] === '\\' && text[end + 1] === '\n') end += 2;
    else return end;
  }
}

class WordReader {
  readonly text: string;
  readonly mode: WordMode;
  at: number;
  readonly problems: string[] = [];

  constructor(text: string, at: number, mode: WordMode) {
    this.text = text;
    this.at = at;
    this.mode = mode;
  }

  /** `closing`: `}` inside `${…}`, left unconsumed. `isInQuotes`: from the start, as in a condition. */
  word(closing: '}' | null, isInQuotes: boolean, depth: number): Part[] {
    const parts: Part[] = [];
    const { text } = this;
    let plain = '';
    let isQuoted = isInQuotes;
    let hadQuotes = false;
    const flush = (): void => {
      if (plain !== '' || hadQuotes) parts.push({ kind: 'text', text: plain });
      plain = '';
      hadQuotes = false;
    };
    while (this.at < text.length) {
      const c = text[this.at]!;
      if (c === closing) break;
      if (c === '\\') {
        const next = text[this.at + 1];
        if (next === undefined) {
          plain += c;
          this.at += 1;
        } else if (next === '\n') this.at += 2;
        else if (isQuoted && next !== '"' && next !== '\\' && next !== '$' && next !== '`') {
          plain += c;
          this.at += 1;
        } else {
          plain += next;
          this.at += 2;
          hadQuotes = true;
        }
      } else if (c === '"') {
        this.at += 1;
        if (this.mode !== 'condition') {
          if (isInQuotes) break; // the quotes around `${…}` close before it does
          isQuoted = !isQuoted;
          hadQuotes = true;
        }
      } else if (c === "'" && !isQuoted) {
        const end = text.indexOf("'", this.at + 1);
        plain += text.slice(this.at + 1, end === -1 ? text.length : end);
        this.at = end === -1 ? text.length : end + 1;
        hadQuotes = true;
      } else if (c === '`') {
        flush();
        parts.push(this.command(isQuoted));
      } else if (c === '$') {
        const part = this.variable(isQuoted, depth);
        if (part === null) plain += '$';
        else {
          flush();
          parts.push(part);
        }
      } else if (!isQuoted && (isBlank(c) || c === '\n')) break;
      else {
        plain += c;
        this.at += 1;
      }
    }
    flush();
    return parts;
  }

  private command(isQuoted: boolean): Part {
    let line = '';
    this.at += 1;
    while (this.at < this.text.length && this.text[this.at] !== '`') {
      if (this.text[this.at] === '\\' && this.text[this.at + 1] === '`') this.at += 1;
      line += this.text[this.at]!;
      this.at += 1;
    }
    this.at += 1;
    return { kind: 'command', line, words: readWords(line, 0).words, isQuoted };
  }

  /** After `$`. Null: a dollar sign and no more; it is consumed. */
  private variable(isQuoted: boolean, depth: number): Part | null {
    const { text } = this;
    this.at += 1;
    const plain = { kind: 'variable', isQuoted, isDisarmed: false, operator: '', alternative: [] } as const;
    const c = text[this.at];
    if (c === '\\' && scanName(text, this.at + 1) > this.at + 1) {
      const end = scanName(text, this.at + 1);
      const name = text.slice(this.at + 1, end);
      this.at = end;
      return { ...plain, name, isDisarmed: true, isQuoted: true };
    }
    if (c === '@') {
      this.at += 1;
      return isQuoted ? { kind: 'arguments' } : null;
    }
    if (c !== undefined && (('0' <= c && c <= '9') || '$?#-_='.includes(c))) {
      // Even before a letter: `$_A` is the file's name and an A.
      this.at += 1;
      return { ...plain, name: c };
    }
    if (c === '{') return this.braced(isQuoted, depth);
    const end = scanName(text, this.at);
    if (end === this.at) return null;
    const name = text.slice(this.at, end);
    this.at = end;
    return { ...plain, name };
  }

  private braced(isQuoted: boolean, depth: number): Part {
    const { text } = this;
    let end = this.at + 1;
    while (isNameByte(text[end])) end += 1;
    const name = text.slice(this.at + 1, end);
    const at = end;
    let operator: Operator = '';
    if (text[end] === '-' || text[end] === '+') operator = text[end] as Operator;
    else if (text[end] === ':' && (text[end + 1] === '-' || text[end + 1] === '+')) operator = `:${text[end + 1]}` as Operator;
    this.at = at + operator.length;
    const plain = { kind: 'variable', name, isQuoted, isDisarmed: false, operator } as const;
    if (name === '' || (operator === '' && text[at] !== '}') || depth >= PROCMAIL_LIMITS.nesting) {
      this.problems.push(`Bad substitution of "${name}"`);
      return { ...plain, alternative: [] };
    }
    const alternative = operator === '' ? [] : this.word('}', isQuoted, depth + 1);
    if (text[this.at] === '}') this.at += 1;
    return { ...plain, alternative };
  }
}

/** The text of a word that needs no message to be known; null otherwise. */
export function staticText(word: Word): string | null {
  let text = '';
  for (const part of word) {
    if (part.kind !== 'text') return null;
    text += part.text;
  }
  return text;
}
