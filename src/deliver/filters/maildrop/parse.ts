/**
 * The grammar of `.mailfilter` (maildropfilter(7)), as maildrop 2.9 takes it: a line end ends a statement; behind the brackets of `if`,
 * `while` and `foreach` a new line begins; `exception`, `flock` and `dotlock` have their brace on their own line.
 */
import type { FilterProblem } from '../filter.ts';
import { MaildropSyntaxError } from './errors.ts';
import { type Token, tokens } from './lexer.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import { PatternCache } from './pattern.ts';
import type { Binary, Expression, FunctionName, MaildropScript, Pattern, Statement, TextPart } from './script.ts';
import { fromUnicode } from './values.ts';

/**
 * Parses a filter file. `text` is its Unicode text (the file is UTF-8); `file` names it in problems. maildrop defers the mail when a file
 * has a syntax error; so must whoever gets a problem here.
 */
export function parseMaildrop(text: string, file: string): { script: MaildropScript } | { problem: FilterProblem } {
  return parseMaildropBytes(fromUnicode(text), file);
}

/** The same with one character per byte. */
export function parseMaildropBytes(text: string, file: string): { script: MaildropScript } | { problem: FilterProblem } {
  try {
    if (text.length > MAILDROP_LIMITS.fileBytes) throw new MaildropSyntaxError(0, `the file is larger than ${MAILDROP_LIMITS.fileBytes} bytes`);
    return { script: { file, statements: new Parser(tokens(text)).file(), patterns: new PatternCache() } };
  } catch (error) {
    if (error instanceof MaildropSyntaxError) return { problem: { file, line: error.line, text: error.message } };
    throw error;
  }
}

const STATEMENTS = new Set(
  ['if', 'elsif', 'else', 'while', 'foreach', 'exception', 'flock', 'dotlock', 'to', 'cc', 'echo', 'log'].concat([
    'logfile',
    'include',
    'system',
    'xfilter',
    'import',
    'unset',
    'exit',
  ]),
);

/** Functions with the number of arguments they take in brackets; null: one operand, brackets or not. */
const FUNCTIONS: ReadonlyMap<string, readonly [number, number] | null> = new Map<string, readonly [number, number] | null>([
  ['escape', null],
  ['length', null],
  ['tolower', null],
  ['toupper', null],
  ['hasaddr', null],
  ['getaddr', null],
  ['substr', [2, 3]],
  ['lookup', [2, 3]],
  ['time', [0, 0]],
  ['gdbmclose', [0, 0]],
  ['gdbmopen', [1, 2]],
  ['gdbmfetch', [1, 3]],
  ['gdbmstore', [2, 2]],
]);
const COMPARISONS: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!=']);
const WORD_COMPARISONS: ReadonlySet<string> = new Set(['lt', 'le', 'gt', 'ge', 'eq', 'ne']);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Of the statement being read: a chain of them becomes a tree as deep as the chain is long. */
  #operators = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  file(): Statement[] {
    const out = this.#statements();
    if (this.#next.kind !== 'end') throw this.#unexpected();
    return out;
  }

  // ── Tokens ─────────────────────────────────────────────────────────────────────────────────────────

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #isOperator(text: string): boolean {
    return this.#next.kind === 'operator' && this.#next.text === text;
  }

  #isWord(text: string): boolean {
    return this.#next.kind === 'word' && this.#next.text === text;
  }

  #expect(operator: string): void {
    if (!this.#isOperator(operator)) throw this.#unexpected(`"${operator}" is missing`);
    this.#at += 1;
  }

  #unexpected(sentence?: string): MaildropSyntaxError {
    const { kind, text, line } = this.#next;
    const found = kind === 'newline' || kind === 'end' ? 'the end of the statement' : kind === 'pattern' ? 'a pattern' : `"${text.slice(0, 40)}"`;
    return new MaildropSyntaxError(line, sentence === undefined ? `${found} does not belong here` : `${sentence} before ${found}`);
  }

  #nested<T>(parse: () => T): T {
    if (this.#depth >= MAILDROP_LIMITS.depth) throw new MaildropSyntaxError(this.#next.line, `nested more than ${MAILDROP_LIMITS.depth} deep`);
    this.#depth += 1;
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  /** Passes an operator that goes on with an expression. */
  #operator(): void {
    this.#operators += 1;
    if (this.#operators > MAILDROP_LIMITS.operators)
      throw new MaildropSyntaxError(this.#next.line, `a statement has more than ${MAILDROP_LIMITS.operators} operators`);
    this.#at += 1;
  }

  #skipNewlines(): void {
    while (this.#next.kind === 'newline') this.#at += 1;
  }

  #endOfStatement(): void {
    if (this.#next.kind !== 'newline') throw this.#unexpected();
    this.#at += 1;
  }

  // ── Statements ─────────────────────────────────────────────────────────────────────────────────────

  #statements(): Statement[] {
    const out: Statement[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#next.kind === 'end' || this.#isOperator('}')) return out;
      out.push(this.#nested(() => this.#statement()));
    }
  }

  #statement(): Statement {
    const { line, kind, text } = this.#next;
    this.#operators = 0;
    if (kind === 'operator' && text === '{') {
      const body = this.#block();
      this.#endOfStatement();
      return { kind: 'block', line, body };
    }
    if (kind !== 'word' || !STATEMENTS.has(text)) {
      const value = this.#assignment();
      this.#endOfStatement();
      return { kind: 'evaluate', line, value };
    }
    this.#at += 1;
    switch (text) {
      case 'if':
        return this.#if(line);
      case 'while': {
        const test = this.#bracketed();
        return { kind: 'while', line, test, body: this.#body() };
      }
      case 'foreach': {
        const match = this.#match();
        if (match.kind !== 'match') throw this.#unexpected('"foreach" needs a pattern');
        this.#endOfStatement();
        return { kind: 'foreach', line, subject: match.subject, pattern: match.pattern, body: this.#body() };
      }
      case 'exception': {
        const body = this.#block();
        this.#endOfStatement();
        return { kind: 'exception', line, body };
      }
      case 'flock':
      case 'dotlock': {
        const path = this.#expression();
        const body = this.#block();
        this.#endOfStatement();
        return { kind: 'locked', line, style: text === 'flock' ? 'flock' : 'dot', path, body };
      }
      case 'to':
      case 'cc': {
        const target = this.#assignment();
        this.#endOfStatement();
        return { kind: 'deliver', line, isFinal: text === 'to', target };
      }
      case 'echo':
      case 'log':
      case 'logfile':
      case 'include':
      case 'system':
      case 'xfilter': {
        const value = this.#assignment();
        this.#endOfStatement();
        return { kind: 'simple', line, word: text, value };
      }
      case 'import':
      case 'unset': {
        const name = this.#name();
        this.#endOfStatement();
        return { kind: text, line, name };
      }
      case 'exit':
        this.#endOfStatement();
        return { kind: 'exit', line };
      default:
        throw new MaildropSyntaxError(line, `"${text}" has no "if" before it`);
    }
  }

  #name(): string {
    const { kind, text } = this.#next;
    if (kind !== 'word' && kind !== 'double') throw this.#unexpected('the name of a variable is missing');
    this.#at += 1;
    return text;
  }

  #bracketed(): Expression {
    if (!this.#isOperator('(')) throw this.#unexpected('"(" is missing');
    this.#at += 1;
    const test = this.#assignment();
    this.#expect(')');
    this.#endOfStatement();
    return test;
  }

  /** One statement, or several in braces; blank lines may come first. */
  #body(): Statement {
    this.#skipNewlines();
    return this.#nested(() => this.#statement());
  }

  #block(): Statement[] {
    this.#expect('{');
    const body = this.#statements();
    this.#expect('}');
    return body;
  }

  /** A long chain of `elsif` is not nested, so it is read in a loop and put together from its end. */
  #if(line: number): Statement {
    const arms: { readonly line: number; readonly test: Expression; readonly body: Statement }[] = [];
    let otherwise: Statement | null = null;
    for (let at = line; ; ) {
      if (arms.length >= MAILDROP_LIMITS.arms) throw new MaildropSyntaxError(at, `more than ${MAILDROP_LIMITS.arms} arms of one "if"`);
      this.#operators = 0;
      arms.push({ line: at, test: this.#bracketed(), body: this.#body() });
      at = this.#next.line;
      if (this.#isWord('elsif')) {
        this.#at += 1;
        continue;
      }
      if (this.#isWord('else')) {
        this.#at += 1;
        this.#endOfStatement();
        otherwise = this.#body();
      }
      break;
    }
    for (const arm of arms.reverse()) otherwise = { kind: 'if', ...arm, otherwise };
    return otherwise!;
  }

  // ── Expressions, from the loosest operator to the tightest ──────────────────────────────────────────

  #assignment(): Expression {
    const { kind, text } = this.#next;
    const following = this.#tokens[this.#at + 1];
    if ((kind === 'word' || kind === 'double') && following?.kind === 'operator' && following.text === '=') {
      if (kind === 'word' && (STATEMENTS.has(text) || FUNCTIONS.has(text) || WORD_COMPARISONS.has(text))) throw this.#unexpected();
      this.#at += 2;
      const value = this.#expression();
      return { kind: 'assign', name: text, value, needs: value.needs };
    }
    return this.#expression();
  }

  #expression(): Expression {
    return this.#nested(() => this.#or());
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#isOperator('||')) {
      this.#operator();
      const right = this.#and();
      left = { kind: 'or', left, right, needs: left.needs || right.needs };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#comparison();
    while (this.#isOperator('&&')) {
      this.#operator();
      const right = this.#comparison();
      left = { kind: 'and', left, right, needs: left.needs || right.needs };
    }
    return left;
  }

  /** Not associative: "a < b < c" is an error. */
  #comparison(): Expression {
    const left = this.#binaries(['|']);
    const { kind, text } = this.#next;
    const isComparison = kind === 'operator' ? COMPARISONS.has(text) : kind === 'word' && WORD_COMPARISONS.has(text);
    if (!isComparison) return left;
    this.#at += 1;
    return binary(text as Binary, left, this.#binaries(['|']));
  }

  #binaries(operators: readonly string[]): Expression {
    const tighter = TIGHTER.get(operators[0]!);
    const operand = (): Expression => (tighter === undefined ? this.#match() : this.#binaries(tighter));
    let left = operand();
    while (this.#next.kind === 'operator' && operators.includes(this.#next.text)) {
      const operator = this.#next.text as Binary;
      this.#operator();
      left = binary(operator, left, operand());
    }
    return left;
  }

  #match(): Expression {
    let left = this.#unary();
    while (this.#isOperator('=~')) {
      this.#operator();
      if (this.#next.kind !== 'pattern') throw this.#unexpected('the pattern behind "=~" is missing');
      left = { kind: 'match', subject: left, pattern: this.#pattern(), needs: left.needs };
    }
    return left;
  }

  #unary(): Expression {
    const { kind, text } = this.#next;
    if (kind === 'pattern') return { kind: 'match', subject: null, pattern: this.#pattern(), needs: false };
    if (kind === 'operator' && (text === '!' || text === '~')) {
      this.#at += 1;
      const value = this.#nested(() => this.#unary());
      return { kind: text === '!' ? 'not' : 'complement', value, needs: value.needs };
    }
    if (kind === 'operator' && text === '(') {
      this.#at += 1;
      const value = this.#nested(() => this.#assignment());
      this.#expect(')');
      return value;
    }
    if (kind === 'word' && FUNCTIONS.has(text)) return this.#call(text as FunctionName);
    return this.#text();
  }

  #call(name: FunctionName): Expression {
    const { line } = this.#next;
    this.#at += 1;
    const counts = FUNCTIONS.get(name)!;
    const args: Expression[] = [];
    if (counts === null) args.push(this.#nested(() => this.#unary()));
    else if (counts[1] > 0) {
      this.#expect('(');
      args.push(this.#expression());
      while (this.#isOperator(',')) {
        this.#at += 1;
        args.push(this.#expression());
      }
      this.#expect(')');
      if (args.length < counts[0] || args.length > counts[1]) throw new MaildropSyntaxError(line, `"${name}" takes ${counts.join(' to ')} arguments`);
    }
    return { kind: 'call', name, args, needs: name === 'lookup' || name.startsWith('gdbm') || args.some(({ needs }) => needs) };
  }

  /** Texts side by side are one. */
  #text(): Expression {
    const parts: TextPart[] = [];
    for (;;) {
      const { kind, text } = this.#next;
      if (kind === 'word' ? STATEMENTS.has(text) || FUNCTIONS.has(text) || WORD_COMPARISONS.has(text) : !TEXT_KINDS.has(kind)) break;
      parts.push({ kind: kind === 'single' ? 'literal' : kind === 'command' ? 'command' : text.includes('$') ? 'substituted' : 'literal', text });
      this.#at += 1;
    }
    if (parts.length === 0) throw this.#unexpected();
    return { kind: 'text', parts, needs: parts.some(({ kind }) => kind === 'command') };
  }

  #pattern(): Pattern {
    const { line, text, options } = this.#next;
    this.#at += 1;
    const [, first, factor] = options.split(',');
    // Letters count wherever they stand; others mean nothing.
    const has = (letter: string): boolean => options.includes(letter);
    const weights = first === undefined ? null : { first: numberOr1(first), factor: factor === undefined ? 1 : numberOr1(factor) };
    const inBody = has('b');
    return { line, source: text, inHeader: has('h') || !inBody, inBody, isCaseSensitive: has('D'), weights };
  }
}

const TEXT_KINDS: ReadonlySet<Token['kind']> = new Set<Token['kind']>(['double', 'single', 'command']);
const TIGHTER: ReadonlyMap<string, readonly string[]> = new Map([
  ['|', ['&']],
  ['&', ['+', '-']],
  ['+', ['*', '/']],
]);

function binary(operator: Binary, left: Expression, right: Expression): Expression {
  return { kind: 'binary', operator, left, right, needs: left.needs || right.needs };
}

function numberOr1(text: string): number {
  const number = Number.parseFloat(text);
  return Number.isFinite(number) ? number : 1;
}
