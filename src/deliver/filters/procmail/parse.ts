/** Reads an rc file. Procmail never refuses one: what it does not understand it skips and tells in its log. */
import type { FilterProblem } from '../filter.ts';
import { parseCondition } from './condition.ts';
import { PROCMAIL_LIMITS } from './limits.ts';
import type { Condition, ProcmailScript, Recipe, RecipeAction, Statement } from './script.ts';
import { isBlank, readWord, readWords, scanName, skipBlanks, type Word } from './word.ts';

const FLAGS = 'HBDAaEehbfcwWir';

/** `text`: Unicode, or the file's bytes. `file`: as the owner would name it. Files over the limit are cut there, with a problem. */
export function parseProcmail(text: string | Uint8Array, file: string): ProcmailScript {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  return new Parser(bytes.toString('latin1', 0, PROCMAIL_LIMITS.fileBytes), file, bytes.length > PROCMAIL_LIMITS.fileBytes).parse();
}

class Parser {
  readonly text: string;
  readonly file: string;
  readonly statements: Statement[] = [];
  readonly problems: FilterProblem[] = [];
  /** Statements that open a block which is not closed yet. */
  readonly open: number[] = [];
  at = 0;
  /** Lines are counted as far as here. */
  private counted = 0;
  private lines = 1;

  constructor(text: string, file: string, isCut: boolean) {
    this.text = text;
    this.file = file;
    if (isCut) this.complain(`The file is larger than ${PROCMAIL_LIMITS.fileBytes} bytes`);
  }

  parse(): ProcmailScript {
    while (this.at < this.text.length) this.statement();
    while (this.open.length > 0) {
      this.complain('Missing closing brace');
      this.close();
    }
    return { file: this.file, statements: this.statements, problems: this.problems };
  }

  private lineNumber(): number {
    for (; this.counted < this.at; this.counted += 1) if (this.text[this.counted] === '\n') this.lines += 1;
    return this.lines;
  }

  private complain(text: string): void {
    const line = this.lineNumber();
    this.problems.push({ file: this.file, line, text });
    this.statements.push({ kind: 'complaint', line, text });
  }

  private statement(): void {
    this.skipSpace();
    const c = this.text[this.at];
    if (c === undefined) return;
    if (c === '#') this.skipLine();
    else if (c === ':') this.recipe();
    else if (c === '}') {
      this.at += 1;
      if (this.open.length === 0) this.complain('Closing brace unexpected');
      else this.close();
    } else this.assignment();
  }

  private close(): void {
    const opener = this.open.pop()!;
    this.statements.push({ kind: 'end' });
    const recipe = this.statements[opener] as Recipe;
    this.statements[opener] = { ...recipe, action: { kind: 'block', end: this.statements.length } };
  }

  private skipSpace(): void {
    while (this.at < this.text.length && (isBlank(this.text[this.at]) || this.text[this.at] === '\n')) this.at += 1;
  }

  private skipLine(): void {
    const end = this.text.indexOf('\n', this.at);
    this.at = end === -1 ? this.text.length : end;
  }

  private assignment(): void {
    const { text } = this;
    const line = this.lineNumber();
    const end = scanName(text, this.at);
    let after = skipBlanks(text, end);
    const next = text[after];
    if (end === this.at || !(next === undefined || next === '\n' || next === '=' || after > end || next === '#' || next === ':' || next === '}')) {
      this.skipJunk(end === this.at ? this.at : end);
      return;
    }
    const name = text.slice(this.at, end);
    if (next !== '=') {
      this.statements.push({ kind: 'assign', line, name, value: null });
      this.at = end;
      return;
    }
    after = skipBlanks(text, after + 1);
    if (text[after] === '#') {
      this.statements.push({ kind: 'assign', line, name, value: [] });
      this.at = after;
      return;
    }
    const read = readWord(text, after, 'assignment');
    this.at = read.end;
    for (const problem of read.problems) this.complain(problem);
    this.statements.push({ kind: 'assign', line, name, value: read.word });
  }

  /** `until`: a name that turned out to be none is skipped by itself. */
  private skipJunk(until: number): void {
    const from = this.at;
    if (until > from) this.at = until;
    else this.skipLine();
    this.complain(`Skipped "${this.text.slice(from, this.at).trimEnd()}"`);
  }

  private recipe(): void {
    const { text } = this;
    const line = this.lineNumber();
    this.at += 1;
    let digits = '';
    while (text[this.at] !== undefined && text[this.at]! >= '0' && text[this.at]! <= '9') digits += text[this.at++]!;
    // `:n` counts the conditions, which then need no `*`; none given means one. `:0` finds out by itself.
    const counted = digits === '' ? 1 : Number(digits);
    const flags = this.flags();
    let lock: Word | null | undefined;
    if (text[this.at] === ':') {
      this.at = skipBlanks(text, this.at + 1);
      lock = null;
      if (this.at < text.length && text[this.at] !== '\n' && text[this.at] !== '#') {
        const read = readWord(text, this.at, 'arguments');
        this.at = read.end;
        lock = read.word;
      }
    }
    this.restOfLine();
    const conditions = this.conditions(counted, flags.has('D'));
    this.skipSpaceAndComments();
    const actionLine = this.lineNumber();
    if (this.at >= text.length) {
      this.complain('Incomplete recipe');
      return;
    }
    if (text[this.at] === ':' || text[this.at] === '}') {
      this.complain('Missing action');
      return;
    }
    const action = this.action();
    this.statements.push({ kind: 'recipe', line, actionLine, flags, lock, conditions, action });
    if (action.kind === 'block') this.open.push(this.statements.length - 1);
  }

  private flags(): Set<string> {
    const flags = new Set<string>();
    const { text } = this;
    let strange = '';
    while (this.at < text.length && text[this.at] !== '\n' && text[this.at] !== ':' && text[this.at] !== '#') {
      const c = text[this.at]!;
      if (FLAGS.includes(c)) flags.add(c);
      else if (!isBlank(c)) strange += c;
      this.at += 1;
    }
    if (strange !== '') this.complain(`Skipped "${strange}"`);
    if (flags.has('e') && flags.delete('E')) this.complain('Conflicting else-if-flag suppressed');
    return flags;
  }

  private restOfLine(): void {
    this.at = skipBlanks(this.text, this.at);
    const from = this.at;
    this.skipLine();
    const rest = this.text.slice(from, this.at).trim();
    if (rest !== '' && !rest.startsWith('#')) this.complain(`Skipped "${rest}"`);
  }

  private skipSpaceAndComments(): void {
    for (;;) {
      this.skipSpace();
      if (this.text[this.at] !== '#') return;
      this.skipLine();
    }
  }

  private conditions(counted: number, isCaseSensitive: boolean): Condition[] {
    const conditions: Condition[] = [];
    for (let left = counted; ; left -= 1) {
      this.skipSpaceAndComments();
      const hasStar = this.text[this.at] === '*';
      if (counted === 0 ? !hasStar : left === 0) return conditions;
      if (this.at >= this.text.length) return conditions;
      if (hasStar) this.at += 1;
      conditions.push(parseCondition(this.conditionLine(), isCaseSensitive));
    }
  }

  /** The line without blanks at its ends; an escaped line end goes, with the blanks after it. */
  private conditionLine(): string {
    const { text } = this;
    let line = '';
    while (this.at < text.length && text[this.at] !== '\n') {
      if (text[this.at] === '\\' && text[this.at + 1] === '\n') {
        this.at += 2;
        while (isBlank(text[this.at])) this.at += 1;
      } else {
        if (text[this.at] === '\\' && text[this.at + 1] === '\\') line += text[this.at++]!;
        line += text[this.at++]!;
      }
    }
    return line.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
  }

  private action(): RecipeAction {
    const { text } = this;
    const c = text[this.at]!;
    if (c === '{' && (text[this.at + 1] === undefined || isBlank(text[this.at + 1]) || text[this.at + 1] === '\n')) {
      this.at += 1;
      if (this.open.length >= PROCMAIL_LIMITS.nesting) this.complain('Too many blocks within each other');
      return { kind: 'block', end: this.statements.length + 1 };
    }
    if (c === '|') {
      this.at += 1;
      return { kind: 'pipe', program: this.program() };
    }
    if (c === '!') {
      this.at += 1;
      return { kind: 'forward', words: this.words() };
    }
    const nameEnd = scanName(text, this.at);
    const equals = skipBlanks(text, nameEnd);
    if (nameEnd > this.at && text[equals] === '=') {
      const pipe = skipBlanks(text, equals + 1);
      if (text[pipe] === '|') {
        const variable = text.slice(this.at, nameEnd);
        this.at = pipe + 1;
        return { kind: 'capture', variable, program: this.program() };
      }
    }
    return { kind: 'folder', words: this.words() };
  }

  private words(): readonly Word[] {
    const read = readWords(this.text, this.at);
    this.at = read.end;
    for (const problem of read.problems) this.complain(problem);
    return read.words;
  }

  /** To the end of the line. A backslash alone on its line is a line end for the shell; other escaped line ends are left to it. */
  private program(): { readonly line: string; readonly words: readonly Word[] } {
    const { text } = this;
    let line = '';
    let isLineStart = false;
    while (this.at < text.length && text[this.at] !== '\n') {
      if (text[this.at] === '\\' && text[this.at + 1] === '\n') {
        line += isLineStart ? '\n' : '\\\n';
        isLineStart = true;
        this.at += 2;
      } else {
        line += text[this.at];
        if (text[this.at] === '\\' && this.at + 1 < text.length) line += text[++this.at];
        isLineStart = false;
        this.at += 1;
      }
    }
    return { line, words: readWords(line, 0).words };
  }
}
