/** Cuts a `.mailfilter` into words, texts, patterns and operators. Line ends count in this language, so they are tokens too. */
import { MaildropSyntaxError } from './errors.ts';

export type TokenKind =
  /** Text without quotes; may be a keyword. */
  | 'word'
  | 'double'
  | 'single'
  | 'command'
  | 'pattern'
  /** Punctuation, in `text`. */
  | 'operator'
  /** Line end or semicolon. */
  | 'newline'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly line: number;
  /** Without quotes and slashes. */
  readonly text: string;
  /** Of patterns: what stands behind the second slash and its colon. */
  readonly options: string;
}

/** Characters that text without quotes may have (maildropfilter(7), "Unquoted text"). */
const WORD = flags('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/$'.concat('{}@'));
const OPTION = flags('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789,.+-');
/** Longest first. */
const OPERATORS = ['||', '&&', '<=', '>=', '==', '!=', '=~', '|', '&', '+', '-', '*', '<', '>', '=', '!', '~', '(', ')', ','];
const STRING_KINDS: Readonly<Record<string, TokenKind>> = { '"': 'double', "'": 'single', '`': 'command' };

function flags(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const letter of letters) table[letter.charCodeAt(0)] = 1;
  return table;
}
const isIn = (table: Uint8Array, text: string, at: number): boolean => table[text.charCodeAt(at)] === 1;

/** `text` has one character per byte. Throws MaildropSyntaxError. Linear in the text. */
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  let line = 1;
  let at = 0;
  const add = (kind: TokenKind, value: string, options = ''): void => {
    out.push({ kind, line, text: value, options });
  };
  while (at < text.length) {
    const c = text[at]!;
    if (c === '\n') {
      add('newline', '\n');
      line += 1;
      at += 1;
    } else if (c === ' ' || c === '\t' || c === '\r') {
      at += 1;
    } else if (c === '#') {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else if (c === ';') {
      add('newline', ';');
      at += 1;
    } else if (c === '\\') {
      const next = continuation(text, at);
      if (next === -1) throw new MaildropSyntaxError(line, 'a backslash outside quotes may only stand at the end of a line');
      line += 1;
      at = next;
    } else if (c === '"' || c === "'" || c === '`') {
      const string = readString(text, at, line);
      add(STRING_KINDS[c]!, string.value);
      line += string.lines;
      at = string.next;
    } else if (c === '/' && !follows(out, '=')) {
      const next = text[at + 1];
      if (next === ' ' || next === '\t' || next === '\r' || next === '\n' || next === undefined) {
        add('operator', '/');
        at += 1;
      } else {
        const end = patternEnd(text, at + 1);
        if (end === -1) throw new MaildropSyntaxError(line, 'the pattern that begins here has no closing slash on its line');
        const source = text.slice(at + 1, end);
        at = end + 1;
        let options = '';
        if (text[at] === ':') {
          const from = at + 1;
          at = from;
          while (isIn(OPTION, text, at)) at += 1;
          options = text.slice(from, at);
        }
        add('pattern', source, options);
      }
    } else if (c === '{' || c === '}') {
      add('operator', c);
      at += 1;
    } else if (isIn(WORD, text, at) && !(c === '-' && !isIn(WORD, text, at + 1))) {
      const from = at;
      while (isIn(WORD, text, at)) at += 1;
      add('word', text.slice(from, at));
    } else {
      const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
      if (operator === undefined) throw new MaildropSyntaxError(line, `"${printable(c)}" cannot stand here outside quotes`);
      add('operator', operator);
      at += operator.length;
    }
  }
  add('newline', '\n');
  add('end', '');
  return out;
}

function printable(c: string): string {
  return c >= ' ' && c <= '~' ? c : `byte ${c.charCodeAt(0)}`;
}

/** Behind "NAME=" a slash begins text, not a pattern. */
function follows(out: readonly Token[], operator: string): boolean {
  const last = out.at(-1);
  return last?.kind === 'operator' && last.text === operator;
}

/** Where the next line starts when the backslash at `at` ends its line, else -1. */
function continuation(text: string, at: number): number {
  let next = at + 1;
  while (text[next] === ' ' || text[next] === '\t' || text[next] === '\r') next += 1;
  return text[next] === '\n' ? next + 1 : -1;
}

/** A quoted text may go on behind a backslash that ends its line; the blanks before the next line's text are dropped. */
function readString(text: string, start: number, line: number): { value: string; next: number; lines: number } {
  const quote = text[start]!;
  let value = '';
  let lines = 0;
  let at = start + 1;
  let from = at;
  for (; at < text.length; at += 1) {
    const c = text[at]!;
    if (c === quote) return { value: value + text.slice(from, at), next: at + 1, lines };
    if (c === '\n') break;
    if (c !== '\\') continue;
    const next = text[at + 1];
    if (next === quote || next === '\\') {
      value += text.slice(from, at);
      at += 1;
      from = at;
    } else {
      let after = next === '\n' || next === '\r' ? continuation(text, at) : -1;
      if (after === -1) continue;
      value += text.slice(from, at);
      lines += 1;
      while (text[after] === ' ' || text[after] === '\t') after += 1;
      from = after;
      at = after - 1;
    }
  }
  throw new MaildropSyntaxError(line + lines, `the closing ${quote} is missing`);
}

function patternEnd(text: string, from: number): number {
  for (let at = from; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\' && text[at + 1] !== '\n') at += 1;
    else if (text[at] === '/') return at;
  }
  return -1;
}
