/**
 * A query template with its quoting understood once: every expansion is put inside the quotes around it, escaped for exactly these quotes.
 * An expansion outside of quotes becomes a quoted value, so a key cannot add SQL there either; inside a comment it is refused.
 */
import { type KeyParts, keySpot, parseTemplate, type Spot, type Template } from './expand.ts';

export type Dialect = 'mysql' | 'pgsql' | 'sqlite';

/** Text of the administrator, or one quoted value made of his text and parts of the key. */
export type SqlPiece = string | SqlValue;
export interface SqlValue {
  /** "'", '"', '`' as written around it; 'E' for PostgreSQL's E'…', 'N' for an expansion without quotes of its own. */
  readonly quote: "'" | '"' | '`' | 'E' | 'N';
  /** His text as he wrote it (already escaped by him), and spots. */
  readonly parts: readonly (string | { readonly spot: Spot })[];
}
export interface SqlTemplate {
  readonly pieces: readonly SqlPiece[];
  readonly template: Template;
}

/** A compiled query, or a sentence that says what is wrong with it. */
export function compileSql(text: string, dialect: Dialect): SqlTemplate | { readonly wrong: string } {
  const template = parseTemplate(text);
  if ('wrong' in template) return template;
  const scanner = new Scanner(dialect);
  for (const piece of template) {
    const wrong = typeof piece === 'string' ? scanner.text(piece) : scanner.spot(piece.spot);
    if (wrong !== null) return { wrong };
  }
  const wrong = scanner.end();
  return wrong === null ? { pieces: scanner.pieces, template } : { wrong };
}

type State = 'plain' | "'" | '"' | '`' | 'E' | '[' | 'line' | 'block' | 'dollar';

/** Goes through the template once and remembers between which quotes it is. */
class Scanner {
  readonly pieces: SqlPiece[] = [];
  readonly #dialect: Dialect;
  #state: State = 'plain';
  #plain = '';
  #parts: (string | { spot: Spot })[] = [];
  #inner = '';
  /** A backslash was the last character of a piece, and says something about the next one. */
  #isEscaped = false;
  #dollarTag = '';
  #isAfterValue = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  text(text: string): string | null {
    if (this.#isAfterValue && /^[\w$.'"`]/.test(text)) return 'an expansion outside of quotes must not touch a name; put it in quotes';
    this.#isAfterValue = false;
    for (let at = 0; at < text.length; at += 1) at = this.#step(text, at);
    return null;
  }

  spot(spot: Spot): string | null {
    if (this.#isEscaped) return 'a backslash stands before an expansion';
    switch (this.#state) {
      case 'plain':
        if (/[\w$.@"'`\]]$/.test(this.#plain) || (this.#plain === '' && this.pieces.length > 0))
          return 'an expansion outside of quotes must not touch a name or a quoted text; put it in quotes';
        this.#flush();
        this.pieces.push({ quote: 'N', parts: [{ spot }] });
        this.#isAfterValue = true;
        return null;
      case "'":
      case '"':
      case '`':
      case 'E':
        if (this.#inner !== '') this.#parts.push(this.#inner);
        this.#inner = '';
        this.#parts.push({ spot });
        return null;
      case '[':
        return 'an expansion inside [ ] cannot be quoted';
      case 'dollar':
        return 'an expansion inside $$ quotes cannot be quoted; use single quotes';
      default:
        return 'an expansion inside a comment cannot be quoted';
    }
  }

  end(): string | null {
    if (this.#state !== 'plain' && this.#state !== 'line') return this.#state === 'block' ? 'a comment is not closed' : 'a quote is not closed';
    this.#flush();
    return null;
  }

  #step(text: string, at: number): number {
    const char = text[at]!;
    switch (this.#state) {
      case 'plain':
        return this.#plainStep(text, at);
      case 'line':
        this.#plain += char;
        if (char === '\n') this.#state = 'plain';
        return at;
      case 'block':
        this.#plain += char;
        if (char === '/' && this.#plain.endsWith('*/')) this.#state = 'plain';
        return at;
      case '[':
        this.#plain += char;
        if (char === ']') this.#state = 'plain';
        return at;
      case 'dollar':
        this.#plain += char;
        if (char === '$' && this.#plain.endsWith(this.#dollarTag)) this.#state = 'plain';
        return at;
      default:
        return this.#quotedStep(text, at, this.#state);
    }
  }

  #plainStep(text: string, at: number): number {
    const char = text[at]!;
    const next = text[at + 1];
    if (char === "'" || char === '"' || (char === '`' && this.#dialect !== 'pgsql')) {
      const isE = char === "'" && this.#dialect === 'pgsql' && /(?:^|[^\w$])e$/i.test(this.#plain);
      if (isE) this.#plain = this.#plain.slice(0, -1);
      this.#state = isE ? 'E' : char;
      this.#inner = '';
      this.#parts = [];
      return at;
    }
    this.#plain += char;
    if (char === '-' && next === '-') this.#state = 'line';
    else if (char === '#' && this.#dialect === 'mysql') this.#state = 'line';
    // MySQL runs what is inside "/*! … */"; for expansions that is a comment all the same.
    else if (char === '/' && next === '*') {
      this.#state = 'block';
      this.#plain += '*';
      return at + 1;
    } else if (char === '[' && this.#dialect === 'sqlite') this.#state = '[';
    else if (char === '$' && this.#dialect === 'pgsql') {
      const tag = /^\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$/.exec(text.slice(at, at + 64));
      if (tag !== null && !/[\w$]$/.test(this.#plain.slice(0, -1))) {
        this.#dollarTag = tag[0];
        this.#plain += tag[0].slice(1);
        this.#state = 'dollar';
        return at + tag[0].length - 1;
      }
    }
    return at;
  }

  #quotedStep(text: string, at: number, quote: "'" | '"' | '`' | 'E'): number {
    const char = text[at]!;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      this.#inner += char;
      return at;
    }
    if (char === '\\' && hasBackslash(this.#dialect, quote)) {
      this.#isEscaped = true;
      this.#inner += char;
      return at;
    }
    const mark = quote === 'E' ? "'" : quote;
    if (char !== mark) {
      this.#inner += char;
      return at;
    }
    if (text[at + 1] === mark) {
      this.#inner += mark + mark;
      return at + 1;
    }
    this.#close(quote, mark);
    return at;
  }

  #close(quote: "'" | '"' | '`' | 'E', mark: string): void {
    if (this.#inner !== '') this.#parts.push(this.#inner);
    this.#state = 'plain';
    if (this.#parts.every((part) => typeof part === 'string')) this.#plain += `${quote === 'E' ? 'E' : ''}${mark}${this.#parts.join('')}${mark}`;
    else {
      this.#flush();
      this.pieces.push({ quote, parts: this.#parts });
    }
    this.#inner = '';
    this.#parts = [];
  }

  #flush(): void {
    if (this.#plain !== '') this.pieces.push(this.#plain);
    this.#plain = '';
  }
}

/** Where a backslash escapes the next character: MySQL in texts (not names), PostgreSQL in E'…'. */
function hasBackslash(dialect: Dialect, quote: SqlValue['quote']): boolean {
  return quote === 'E' || (dialect === 'mysql' && quote !== '`');
}

/**
 * The query as text for MySQL and PostgreSQL. Quotes are doubled, never escaped with a backslash: that holds in every SQL mode.
 * The connection speaks UTF-8, where no byte of another character can be taken for a quote.
 */
export function renderSql(sql: SqlTemplate, dialect: 'mysql' | 'pgsql', parts: KeyParts): string {
  let out = '';
  for (const piece of sql.pieces) {
    if (typeof piece === 'string') {
      out += piece;
      continue;
    }
    const quote = piece.quote === 'N' ? "'" : piece.quote;
    const mark = quote === 'E' ? "'" : quote;
    out += quote === 'E' ? "E'" : mark;
    for (const part of piece.parts) out += typeof part === 'string' ? part : escapeInside(keySpot(part.spot, parts), mark, hasBackslash(dialect, quote));
    out += mark;
  }
  return out;
}

function escapeInside(text: string, mark: string, isBackslashDoubled: boolean): string {
  let out = isBackslashDoubled && text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
  if (out.includes(mark)) out = out.replaceAll(mark, mark + mark);
  return out;
}

/** The query for SQLite with "?" for each quoted value, or a sentence when a value stands where no parameter can. */
export function sqliteStatement(sql: SqlTemplate): { readonly sql: string; readonly values: readonly SqlValue[] } | { readonly wrong: string } {
  let out = '';
  const values: SqlValue[] = [];
  for (const piece of sql.pieces) {
    if (typeof piece === 'string') {
      out += piece;
      continue;
    }
    if (piece.quote === '`' || /[\w$]$/.test(out)) return { wrong: 'an expansion can stand in a quoted text, not in a name' };
    out += '?';
    values.push(piece);
  }
  return { sql: out, values };
}

/** The text of one value, its own doubled quotes undone. */
export function sqliteValue(value: SqlValue, parts: KeyParts): string {
  let out = '';
  for (const part of value.parts) out += typeof part === 'string' ? part.replaceAll(value.quote + value.quote, value.quote) : keySpot(part.spot, parts);
  return out;
}
