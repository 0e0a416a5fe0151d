/**
 * Where each key stands in a TOML text. The text has been parsed already and is valid, so this scanner only follows
 * the outline (tables, keys, strings, brackets, comments) and need not judge it (toml.io, version 1.0.0).
 */

/** Counted from 1, as editors do; columns count characters (UTF-16 code units). */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Positions by dotted path: "smtp.messageBytesMax", also of tables ("smtp"); the first mention counts. */
export function keyPositions(text: string): Map<string, Position> {
  return new Outline(text).scan();
}

const isBare = (character: string | undefined): boolean => character !== undefined && /[A-Za-z0-9_-]/.test(character);

class Outline {
  readonly text: string;
  readonly found = new Map<string, Position>();
  at = 0;
  line = 1;
  lineStart = 0;

  constructor(text: string) {
    this.text = text;
  }

  scan(): Map<string, Position> {
    let table: string[] = [];
    for (;;) {
      this.skipBlank(true);
      const character = this.text[this.at];
      if (character === undefined) return this.found;
      if (character === '[') {
        const isArray = this.text[this.at + 1] === '[';
        this.at += isArray ? 2 : 1;
        this.skipBlank(false);
        table = this.key([]);
        while (this.text[this.at] === ']') this.at += 1;
        continue;
      }
      const before = this.at;
      const path = this.key(table);
      this.skipBlank(false);
      if (this.text[this.at] === '=') {
        this.at += 1;
        this.value(path);
      }
      if (this.at === before) this.at += 1; // not valid TOML after all: never stand still
    }
  }

  /** Reads a dotted key, notes where it and its parents stand, and answers the whole path. */
  key(prefix: readonly string[]): string[] {
    const start: Position = { line: this.line, column: this.at - this.lineStart + 1 };
    const path = [...prefix];
    for (;;) {
      this.skipBlank(false);
      const quote = this.text[this.at];
      let part = '';
      if (quote === '"' || quote === "'") {
        const from = this.at + 1;
        this.string();
        part = this.text.slice(from, this.at - 1);
      } else {
        const from = this.at;
        while (isBare(this.text[this.at])) this.at += 1;
        part = this.text.slice(from, this.at);
      }
      path.push(part);
      const name = path.join('.');
      if (!this.found.has(name)) this.found.set(name, start);
      this.skipBlank(false);
      if (this.text[this.at] !== '.') return path;
      this.at += 1;
    }
  }

  value(path: readonly string[]): void {
    this.skipBlank(false);
    const character = this.text[this.at];
    if (character === '"' || character === "'") this.string();
    else if (character === '[' || character === '{') this.brackets(path);
    else while (this.at < this.text.length && !'\n,]}#'.includes(this.text[this.at]!)) this.at += 1;
  }

  /** An array or inline table, with all that is inside. A stack, not recursion: depth is the writer's choice. */
  brackets(path: readonly string[]): void {
    const stack: { close: string; path: readonly string[] }[] = [];
    let current = path;
    do {
      this.skipBlank(true);
      const character = this.text[this.at];
      if (character === undefined) return;
      const top = stack.at(-1);
      if (character === '[' || character === '{') {
        stack.push({ close: character === '[' ? ']' : '}', path: current });
        this.at += 1;
      } else if (top !== undefined && character === top.close) {
        stack.pop();
        this.at += 1;
        current = stack.at(-1)?.path ?? path;
      } else if (character === ',') {
        this.at += 1;
        current = top?.path ?? path;
      } else if (top?.close === '}' && current === top.path) {
        const before = this.at;
        current = this.key(top.path);
        this.skipBlank(false);
        if (this.text[this.at] === '=') this.at += 1;
        if (this.at === before) this.at += 1;
      } else if (character === '"' || character === "'") this.string();
      else this.at += 1;
    } while (stack.length > 0);
  }

  /** A string of any of the four kinds; stands behind its closing quote afterwards. */
  string(): void {
    const quote = this.text[this.at]!;
    const isLong = this.text.startsWith(quote.repeat(3), this.at);
    const close = isLong ? quote.repeat(3) : quote;
    this.at += close.length;
    while (this.at < this.text.length && !this.text.startsWith(close, this.at)) {
      if (quote === '"' && this.text[this.at] === '\\') this.at += 1;
      this.step();
    }
    this.at += close.length;
    while (isLong && this.text[this.at] === quote) this.at += 1; // up to two quotes may end the content itself
  }

  skipBlank(acrossLines: boolean): void {
    for (;;) {
      const character = this.text[this.at];
      if (character === ' ' || character === '\t' || (acrossLines && (character === '\n' || character === '\r'))) this.step();
      else if (character === '#' && acrossLines) while (this.at < this.text.length && this.text[this.at] !== '\n') this.at += 1;
      else return;
    }
  }

  step(): void {
    if (this.text[this.at] === '\n') {
      this.line += 1;
      this.lineStart = this.at + 1;
    }
    this.at += 1;
  }
}
