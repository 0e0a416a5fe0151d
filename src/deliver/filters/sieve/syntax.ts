/**
 * Text to commands: the grammar of RFC 5228 section 8. Lexer and parser in one pass; a script that is wrong gives the first place
 * where it is. What the words mean is the compiler's business.
 */
import type { FilterProblem } from '../filter.ts';
import { NUMBER_MAX, type SieveLimits } from './limits.ts';

export interface StringLiteral {
  readonly value: string;
  readonly line: number;
}
export type Argument =
  | { readonly kind: 'string'; readonly value: string; readonly line: number }
  | { readonly kind: 'strings'; readonly items: readonly StringLiteral[]; readonly line: number }
  | { readonly kind: 'number'; readonly value: number; readonly line: number }
  /** In lower case, without the colon. */
  | { readonly kind: 'tag'; readonly name: string; readonly line: number };

/** A command or a test. */
export interface SyntaxNode {
  /** In lower case. */
  readonly name: string;
  readonly line: number;
  readonly arguments: readonly Argument[];
  readonly tests: readonly SyntaxNode[];
  /** The tests stand in parentheses. */
  readonly hasTestList: boolean;
  /** null: a semicolon ended the command. */
  readonly block: readonly SyntaxNode[] | null;
}

type TokenKind = 'identifier' | 'tag' | 'number' | 'string' | 'punctuation' | 'end';
interface Token {
  readonly kind: TokenKind;
  /** Text of a string, lower-case name of an identifier or tag, the character of a punctuation. */
  readonly text: string;
  readonly number: number;
  readonly line: number;
}

/** A script that does not follow the grammar. */
class SyntaxFault extends Error {
  readonly line: number;
  constructor(line: number, text: string) {
    super(text);
    this.line = line;
  }
}

/** Parses a whole script. */
export function parseSieve(text: string, file: string, limits: SieveLimits): { commands: readonly SyntaxNode[] } | { problem: FilterProblem } {
  try {
    return { commands: new Parser(text, limits).script() };
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    return { problem: { file, line: error.line, text: error.message } };
  }
}

const QUANTIFIERS: ReadonlyMap<string, number> = new Map([
  ['k', 2 ** 10],
  ['m', 2 ** 20],
  ['g', 2 ** 30],
]);
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /([0-9]+)([KkMmGg]?)/y;
/** "text:" and what may follow on its line (multi-line in the grammar). */
const MULTI_LINE = /text:[ \t]*(#[^\r\n]*)?\r?\n/iy;
const PUNCTUATION = ';,[](){}';

class Lexer {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }

  next(): Token {
    this.#skipSpace();
    const text = this.#text;
    const line = this.#line;
    const c = text[this.#at];
    if (c === undefined) return { kind: 'end', text: '', number: 0, line };
    if (PUNCTUATION.includes(c)) {
      this.#at += 1;
      return { kind: 'punctuation', text: c, number: 0, line };
    }
    if (c === '"') return { kind: 'string', text: this.#quoted(), number: 0, line };
    if (c === ':') {
      this.#at += 1;
      const name = this.#take(IDENTIFIER);
      if (name === null) throw new SyntaxFault(line, 'a tag needs a name after its colon');
      return { kind: 'tag', text: name.toLowerCase(), number: 0, line };
    }
    if (c >= '0' && c <= '9') return { kind: 'number', text: '', number: this.#number(), line };
    MULTI_LINE.lastIndex = this.#at;
    const opening = MULTI_LINE.exec(text);
    if (opening !== null) {
      this.#at += opening[0].length;
      this.#line += 1;
      return { kind: 'string', text: this.#multiLine(line), number: 0, line };
    }
    const name = this.#take(IDENTIFIER);
    if (name === null) throw new SyntaxFault(line, `unexpected character ${describeCharacter(text.codePointAt(this.#at)!)}`);
    return { kind: 'identifier', text: name.toLowerCase(), number: 0, line };
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at += found[0].length;
    return found[0];
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const [all, digits, unit] = NUMBER.exec(this.#text)!;
    this.#at += all.length;
    const after = this.#text[this.#at];
    if (after !== undefined && /[A-Za-z0-9_]/.test(after)) throw new SyntaxFault(this.#line, 'a number is followed directly by a letter');
    const value = Number(digits) * (QUANTIFIERS.get(unit!.toLowerCase()) ?? 1);
    if (value > NUMBER_MAX) throw new SyntaxFault(this.#line, 'the number is too large');
    return value;
  }

  /** White space, "# …" and bracketed comments, which do not nest. */
  #skipSpace(): void {
    const text = this.#text;
    for (;;) {
      const c = text.charCodeAt(this.#at);
      if (c === 0x0a) {
        this.#line += 1;
        this.#at += 1;
      } else if (c === 0x20 || c === 0x09 || c === 0x0d) this.#at += 1;
      else if (c === 0x23) {
        const end = text.indexOf('\n', this.#at);
        this.#at = end === -1 ? text.length : end;
      } else if (c === 0x2f && text[this.#at + 1] === '*') {
        const end = text.indexOf('*/', this.#at + 2);
        if (end === -1) throw new SyntaxFault(this.#line, 'the comment that starts here has no end');
        this.#countLines(this.#at, end);
        this.#at = end + 2;
      } else return;
    }
  }

  #countLines(from: number, to: number): void {
    // By characters: indexOf would search the rest of the script for each short text that holds no line end.
    for (let at = from; at < to; at += 1) if (this.#text.charCodeAt(at) === 0x0a) this.#line += 1;
  }

  #quoted(): string {
    const text = this.#text;
    const start = this.#at;
    const line = this.#line;
    let at = start + 1;
    let hasEscape = false;
    for (;;) {
      const c = text.charCodeAt(at);
      if (Number.isNaN(c)) throw new SyntaxFault(line, 'the text that starts here has no closing quote');
      if (c === 0) throw new SyntaxFault(line, 'a text holds a NUL character');
      if (c === 0x22) break;
      if (c === 0x5c) {
        hasEscape = true;
        at += 1;
        if (at >= text.length) throw new SyntaxFault(line, 'the text that starts here has no closing quote');
      }
      at += 1;
    }
    this.#countLines(start, at);
    this.#at = at + 1;
    const raw = text.slice(start + 1, at);
    // A bare LF of the file is a line end of the text (RFC 5228 section 2.1).
    const plain = hasEscape ? raw.replace(/\\(.)/gs, '$1') : raw;
    return crlf(plain);
  }

  #multiLine(line: number): string {
    const text = this.#text;
    const lines: string[] = [];
    for (;;) {
      const lf = text.indexOf('\n', this.#at);
      const end = lf === -1 ? text.length : lf;
      const raw = text.slice(this.#at, end > this.#at && text[end - 1] === '\r' ? end - 1 : end);
      if (raw === '.') {
        this.#at = lf === -1 ? end : lf + 1;
        if (lf !== -1) this.#line += 1;
        return lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`;
      }
      if (lf === -1) throw new SyntaxFault(line, 'the text that starts here has no line with a single dot at its end');
      if (raw.includes('\0')) throw new SyntaxFault(line, 'a text holds a NUL character');
      // Dot-stuffing: the first of two dots goes; a single one before text is a lenient writer's.
      lines.push(raw.startsWith('..') ? raw.slice(1) : raw);
      this.#at = lf + 1;
      this.#line += 1;
    }
  }
}

function crlf(text: string): string {
  return text.includes('\n') ? text.replace(/\r?\n/g, '\r\n') : text;
}

function describeCharacter(code: number): string {
  return code > 0x20 && code < 0x7f ? `"${String.fromCharCode(code)}"` : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

class Parser {
  readonly #lexer: Lexer;
  readonly #limits: SieveLimits;
  #token: Token;
  #depth = 0;

  constructor(text: string, limits: SieveLimits) {
    this.#lexer = new Lexer(text);
    this.#limits = limits;
    this.#token = this.#lexer.next();
  }

  script(): readonly SyntaxNode[] {
    const commands = this.#commands();
    if (this.#token.kind !== 'end') throw this.#unexpected('a command');
    return commands;
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#lexer.next();
    return token;
  }

  #is(character: string): boolean {
    return this.#token.kind === 'punctuation' && this.#token.text === character;
  }

  #unexpected(wanted: string): SyntaxFault {
    const { kind, text, line } = this.#token;
    const found = kind === 'end' ? 'the end of the script' : kind === 'string' || kind === 'number' ? `a ${kind}` : `"${kind === 'tag' ? ':' : ''}${text}"`;
    return new SyntaxFault(line, `expected ${wanted} but found ${found}`);
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > this.#limits.nesting) throw new SyntaxFault(this.#token.line, `blocks and tests are nested more than ${this.#limits.nesting} deep`);
  }

  #commands(): SyntaxNode[] {
    const commands: SyntaxNode[] = [];
    while (this.#token.kind === 'identifier') commands.push(this.#command());
    return commands;
  }

  #command(): SyntaxNode {
    const { text: name, line } = this.#advance();
    const rest = this.#argumentsAndTests();
    if (this.#is(';')) {
      this.#advance();
      return { name, line, ...rest, block: null };
    }
    if (!this.#is('{')) throw this.#unexpected('";" or a block');
    this.#advance();
    this.#enter();
    const block = this.#commands();
    if (!this.#is('}')) throw this.#unexpected('"}"');
    this.#depth -= 1;
    this.#advance();
    return { name, line, ...rest, block };
  }

  #test(): SyntaxNode {
    if (this.#token.kind !== 'identifier') throw this.#unexpected('a test');
    this.#enter();
    const { text: name, line } = this.#advance();
    const rest = this.#argumentsAndTests();
    this.#depth -= 1;
    return { name, line, ...rest, block: null };
  }

  #argumentsAndTests(): Pick<SyntaxNode, 'arguments' | 'tests' | 'hasTestList'> {
    const list: Argument[] = [];
    for (let argument = this.#argument(); argument !== null; argument = this.#argument()) list.push(argument);
    if (this.#token.kind === 'identifier') return { arguments: list, tests: [this.#test()], hasTestList: false };
    if (!this.#is('(')) return { arguments: list, tests: [], hasTestList: false };
    this.#advance();
    const tests = [this.#test()];
    while (this.#is(',')) {
      this.#advance();
      tests.push(this.#test());
    }
    if (!this.#is(')')) throw this.#unexpected('"," or ")"');
    this.#advance();
    return { arguments: list, tests, hasTestList: true };
  }

  #argument(): Argument | null {
    const token = this.#token;
    switch (token.kind) {
      case 'string':
        this.#advance();
        return { kind: 'string', value: token.text, line: token.line };
      case 'number':
        this.#advance();
        return { kind: 'number', value: token.number, line: token.line };
      case 'tag':
        this.#advance();
        return { kind: 'tag', name: token.text, line: token.line };
      default:
        return this.#is('[') ? this.#strings() : null;
    }
  }

  #strings(): Argument {
    const line = this.#advance().line;
    const items: StringLiteral[] = [];
    while (!this.#is(']') || items.length === 0) {
      if (items.length > 0) {
        if (!this.#is(',')) throw this.#unexpected('"," or "]"');
        this.#advance();
      }
      if (this.#token.kind !== 'string') throw this.#unexpected('a text');
      const token = this.#advance();
      items.push({ value: token.text, line: token.line });
    }
    this.#advance();
    return { kind: 'strings', items, line };
  }
}
