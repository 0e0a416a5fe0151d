/**
 * The words of a list of destinations: what stands between white space, commas and comments, joined where a dot, a colon or an at sign
 * stands between (RFC 822 section 3.1.4 lets white space stand around these). Pure, one pass.
 */

/** One address, command or path, unquoted. Offsets are into `text`. */
export interface Joined {
  readonly kind: 'word';
  readonly text: string;
  /** Just past the last "@" that stood outside of quotes; -1 when there was none. */
  readonly domainAt: number;
  /** The first ":" outside of quotes; -1. */
  readonly colonAt: number;
  /** A backslash stood before it. */
  readonly isEscaped: boolean;
  /** An angle bracket before it has no other half. */
  readonly isBroken: boolean;
}

export type Word =
  | Joined
  /** `<…>`; null: empty. */
  | { readonly kind: 'angle'; readonly inner: Joined | null }
  | { readonly kind: 'include'; readonly path: string }
  | { readonly kind: 'comma' }
  | { readonly kind: 'semicolon' };

const COMMA: Word = { kind: 'comma' };
const SEMICOLON: Word = { kind: 'semicolon' };
const INCLUDE = ':include:';

/** What ends a run of plain characters. */
const ENDS = new Uint8Array(128);
for (const c of '(),:;<>@."\\ \t\n\v\f\r') ENDS[c.charCodeAt(0)] = 1;
/** What ends the name of a program that stands without quotes; it may hold "." , ":" , "@" and "<". */
const COMMAND_ENDS = new Uint8Array(128);
for (const c of '(),;"\\ \t\n\v\f\r') COMMAND_ENDS[c.charCodeAt(0)] = 1;

const isBlank = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d);

export function scanWords(text: string): Word[] {
  return new Scanner(text).words();
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  words(): Word[] {
    const text = this.#text;
    const found: Word[] = [];
    for (this.#skip(); this.#at < text.length; this.#skip()) {
      const c = text[this.#at]!;
      if (c === ',') found.push(COMMA);
      else if (c === ';') found.push(SEMICOLON);
      else if (c === '<') {
        found.push(this.#angle());
        continue;
      } else if (c !== '>') {
        found.push(this.#word());
        continue;
      }
      this.#at += 1;
    }
    return found;
  }

  /** White space and comments, which are separators like it. */
  #skip(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at);
      if (isBlank(c)) this.#at += 1;
      else if (c === 0x28) this.#comment();
      else return;
    }
  }

  #comment(): void {
    const text = this.#text;
    let depth = 0;
    let at = this.#at;
    for (; at < text.length; at += 1) {
      const c = text.charCodeAt(at);
      if (c === 0x5c) at += 1;
      else if (c === 0x28) depth += 1;
      else if (c === 0x29 && (depth -= 1) === 0) break;
    }
    this.#at = Math.min(at + 1, text.length);
  }

  /** `<…>`: all words in it are one. A missing ">" leaves the "<" part of the word, which then is no address. */
  #angle(): Word {
    const start = this.#at;
    const close = this.#closing(start + 1);
    if (close === -1) {
      this.#at = start + 1;
      this.#skip();
      const rest = this.#at < this.#text.length && !',;<>'.includes(this.#text[this.#at]!) ? this.#word() : null;
      const tail = rest?.kind === 'word' ? rest.text : '';
      return { kind: 'word', text: `<${tail}`, domainAt: -1, colonAt: -1, isEscaped: false, isBroken: true };
    }
    const inner = new Scanner(this.#text.slice(start + 1, close)).#all();
    this.#at = close + 1;
    return { kind: 'angle', inner };
  }

  /** Where the ">" is that ends what begins at `from`; a comma outside of a route ends the search. */
  #closing(from: number): number {
    const text = this.#text;
    const isRoute = text[from] === '@';
    let depth = 0;
    for (let at = from; at < text.length; at += 1) {
      const c = text[at]!;
      if (c === '\\') at += 1;
      else if (c === '"') {
        at = this.#quoteEnd(at) - 1;
      } else if (c === '(') depth += 1;
      else if (c === ')') depth = Math.max(0, depth - 1);
      else if (depth === 0 && c === '>') return at;
      else if (depth === 0 && (c === '<' || c === ';' || (c === ',' && !isRoute))) return -1;
    }
    return -1;
  }

  /** Every word of the text as one, without what separates them; source routes are dropped (RFC 5321 appendix C). */
  #all(): Joined | null {
    const text = this.#text;
    let all: Joined | null = null;
    for (this.#skip(); this.#at < text.length; this.#skip()) {
      if (',;<>'.includes(text[this.#at]!)) {
        // "@a,@b:user@host": a hop of a source route ends here.
        if (all?.text.startsWith('@') === true) all = null;
        this.#at += 1;
        continue;
      }
      const word = this.#word();
      if (word.kind === 'include') return { kind: 'word', text: `${INCLUDE}${word.path}`, domainAt: -1, colonAt: -1, isEscaped: false, isBroken: false };
      if (word.kind !== 'word') continue;
      if (all === null) all = word;
      else
        all = {
          kind: 'word',
          text: all.text + word.text,
          domainAt: word.domainAt === -1 ? all.domainAt : all.text.length + word.domainAt,
          colonAt: all.colonAt,
          isEscaped: all.isEscaped,
          isBroken: false,
        };
    }
    return all === null ? null : all.text.startsWith('@') ? withoutRoute(all) : all;
  }

  /** One word that begins at the current place. */
  #word(): Word {
    const text = this.#text;
    if (text.charCodeAt(this.#at) === 0x7c) return this.#command();
    if (text.charCodeAt(this.#at) === 0x3a && text.slice(this.#at, this.#at + INCLUDE.length).toLowerCase() === INCLUDE) return this.#include();
    let out = '';
    let domainAt = -1;
    let colonAt = -1;
    const isEscaped = text[this.#at] === '\\' && this.#at + 1 < text.length && !ends(text.charCodeAt(this.#at + 1));
    if (isEscaped) this.#at += 1;
    for (;;) {
      const before = this.#at;
      const c = text[this.#at];
      if (c === '"') out += this.#quoted();
      else if (c === '[') out += this.#literal();
      else if (c === '.' || c === ':' || c === '@') {
        this.#at += 1;
        if (c === '@') domainAt = out.length + 1;
        else if (c === ':' && colonAt === -1) colonAt = out.length;
        out += c;
      } else out += this.#plain();
      if (this.#at === before) this.#at += 1;
      // Blanks and comments count for nothing beside a dot, a colon or an at sign; elsewhere they end the word.
      const joins = c === '.' || c === ':' || c === '@';
      const here = this.#at;
      this.#skip();
      const next = text[this.#at];
      if (next === undefined || next === ',' || next === ';' || next === '<' || next === '>') break;
      if (next === '@' || next === ':' || next === '.') {
        if (this.#at !== here && next === ':' && text.slice(this.#at, this.#at + INCLUDE.length).toLowerCase() === INCLUDE) break;
      } else if (!joins) break;
    }
    const joined: Joined = { kind: 'word', text: out, domainAt, colonAt, isEscaped, isBroken: false };
    return out.startsWith('@') ? withoutRoute(joined) : joined;
  }

  /** Characters up to the next special one, with quoted pairs taken as what they stand for. */
  #plain(): string {
    const text = this.#text;
    let out = '';
    let start = this.#at;
    let at = start;
    while (at < text.length) {
      const c = text.charCodeAt(at);
      if (c === 0x5c && at + 1 < text.length) {
        out += text.slice(start, at);
        start = at + 1;
        at += 2;
      } else if (c === 0x5c) {
        out += text.slice(start, at);
        start = at += 1;
      } else if (ends(c)) break;
      else at += 1;
    }
    this.#at = at;
    return out + text.slice(start, at);
  }

  #quoteEnd(from: number): number {
    const text = this.#text;
    let at = from + 1;
    for (; at < text.length; at += 1) {
      const c = text.charCodeAt(at);
      if (c === 0x5c) at += 1;
      else if (c === 0x22) return at + 1;
    }
    return text.length;
  }

  /** Content of a quoted string; a missing end quote ends it with the text. */
  #quoted(): string {
    const text = this.#text;
    const from = this.#at;
    const end = this.#quoteEnd(from);
    this.#at = end;
    const isClosed = end - 1 > from && text.charCodeAt(end - 1) === 0x22 && !isEscapedAt(text, end - 1, from + 1);
    const inner = text.slice(from + 1, isClosed ? end - 1 : end);
    if (!inner.includes('\\')) return inner;
    let out = '';
    let start = 0;
    for (let at = inner.indexOf('\\'); at !== -1; at = inner.indexOf('\\', at + 2)) {
      out += inner.slice(start, at);
      start = at + 1;
    }
    return out + inner.slice(start);
  }

  /** `[…]` as it stands; without its end it goes to the end of the word. */
  #literal(): string {
    const text = this.#text;
    const start = this.#at;
    let at = start + 1;
    while (at < text.length && !isBlank(text.charCodeAt(at)) && text[at] !== ',' && text[at] !== ']' && text[at] !== '>') at += 1;
    this.#at = text[at] === ']' ? at + 1 : at;
    return text.slice(start, this.#at);
  }

  /** `|program`, `|"program with arguments"`, `| program`. */
  #command(): Word {
    const text = this.#text;
    this.#at += 1;
    while (this.#at < text.length && isBlank(text.charCodeAt(this.#at))) this.#at += 1;
    let out = '|';
    if (text[this.#at] === '"') out += this.#quoted();
    else {
      let start = this.#at;
      let at = start;
      while (at < text.length) {
        const c = text.charCodeAt(at);
        if (c === 0x5c && at + 1 < text.length) {
          out += text.slice(start, at);
          start = at + 1;
          at += 2;
        } else if (c < 128 && COMMAND_ENDS[c] === 1) break;
        else at += 1;
      }
      out += text.slice(start, at);
      this.#at = Math.max(at, this.#at);
    }
    return { kind: 'word', text: out, domainAt: -1, colonAt: -1, isEscaped: false, isBroken: false };
  }

  #include(): Word {
    const text = this.#text;
    this.#at += INCLUDE.length;
    this.#skip();
    if (text[this.#at] === '"') return { kind: 'include', path: this.#quoted() };
    const start = this.#at;
    let at = start;
    while (at < text.length && !isBlank(text.charCodeAt(at)) && !',;<>("'.includes(text[at]!)) at += 1;
    this.#at = at;
    return { kind: 'include', path: text.slice(start, at) };
  }
}

const ends = (code: number): boolean => code < 128 && ENDS[code] === 1 && code !== 0x5c;

/** Whether an odd number of backslashes stands before `at`. */
function isEscapedAt(text: string, at: number, from: number): boolean {
  let count = 0;
  while (at - 1 - count >= from && text.charCodeAt(at - 1 - count) === 0x5c) count += 1;
  return count % 2 === 1;
}

/** "@a,@b:user@host" is user@host (obs-route). */
function withoutRoute(word: Joined): Joined {
  const colon = word.text.indexOf(':');
  if (colon === -1) return word;
  const text = word.text.slice(colon + 1);
  const at = text.lastIndexOf('@');
  return { kind: 'word', text, domainAt: at > 0 ? at + 1 : -1, colonAt: -1, isEscaped: word.isEscaped, isBroken: false };
}
