/**
 * Procmail's egrep (procmailrc(5), "Extended regular expressions") as a tree that can be turned into other words. Texts are one character
 * a byte. `../procmail/regex-parse.ts` reads the same language into instructions to be run.
 */
import { PROCMAIL_LIMITS } from '../procmail/limits.ts';

export type Node =
  | { readonly kind: 'literal'; readonly char: string }
  /** One of several characters, never a line end. `text` as POSIX writes it: "." or "[^a-z]". */
  | { readonly kind: 'set'; readonly text: string; readonly has: ReadonlySet<number> }
  /** `^` or `$`: a line end. */
  | { readonly kind: 'edge' }
  /** `\<` or `\>`: a character that is no word character, or a line end. */
  | { readonly kind: 'word' }
  /** `^^`: the very beginning or end of what is searched. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly (readonly Node[])[] }
  | { readonly kind: 'repeat'; readonly body: Node; readonly sign: '*' | '+' | '?' };

/** The tree, or null for what procmail itself does not understand, and for bytes and ranges that mean something else elsewhere. */
export function parsePattern(text: string): readonly Node[] | null {
  const reader = new Reader(text);
  const tree = reader.alternatives();
  return reader.isBad || reader.at < text.length ? null : tree;
}

export const isDot = (node: Node | undefined): boolean => node?.kind === 'set' && node.text === '.';
/** ".*" */
export const isAnything = (node: Node | undefined): boolean => node?.kind === 'repeat' && node.sign === '*' && isDot(node.body);
const WORD = /[A-Za-z0-9_]/;
/** Whether the character may stand where the node is. */
export function accepts(node: Node, char: string): boolean {
  if (node.kind === 'literal') return node.char === char;
  if (node.kind === 'set') return node.has.has(char.charCodeAt(0));
  return node.kind === 'word' && !WORD.test(char);
}

class Reader {
  readonly text: string;
  at = 0;
  isBad = false;
  #depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  alternatives(): readonly Node[] {
    const options: (readonly Node[])[] = [this.#sequence()];
    while (this.text[this.at] === '|') {
      this.at += 1;
      options.push(this.#sequence());
    }
    return options.length === 1 ? options[0]! : [{ kind: 'choice', options }];
  }

  #sequence(): readonly Node[] {
    const items: Node[] = [];
    while (this.at < this.text.length && this.text[this.at] !== '|' && this.text[this.at] !== ')') {
      const atom = this.#atom();
      const sign = this.text[this.at];
      if (sign === '*' || sign === '+' || sign === '?') {
        this.at += 1;
        items.push({ kind: 'repeat', body: atom ?? { kind: 'sequence', items: [] }, sign });
      } else if (atom?.kind === 'sequence') items.push(...atom.items);
      else if (atom !== null) items.push(atom);
    }
    return items;
  }

  /** null for `\/`, which says nothing of what matches. */
  #atom(): Node | null {
    const char = this.text[this.at]!;
    this.at += 1;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#bracket();
      case '.':
        return DOT;
      case '^':
        if (this.text[this.at] !== '^') return { kind: 'edge' };
        this.at += 1;
        return { kind: 'whole' };
      case '$':
        return { kind: 'edge' };
      case '\\': {
        const quoted = this.text[this.at];
        if (quoted === undefined) return { kind: 'literal', char };
        this.at += 1;
        if (quoted === '/') return null;
        return quoted === '<' || quoted === '>' ? { kind: 'word' } : { kind: 'literal', char: quoted };
      }
      default:
        return { kind: 'literal', char };
    }
  }

  #group(): Node {
    this.#depth += 1;
    if (this.#depth > PROCMAIL_LIMITS.nesting) {
      this.isBad = true;
      this.at = this.text.length;
    }
    const items = this.alternatives();
    this.#depth -= 1;
    if (this.text[this.at] === ')') this.at += 1;
    else this.isBad = true;
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  /** After `[`. Backslashes stand for themselves, as they do in POSIX. */
  #bracket(): Node {
    const from = this.at;
    const isNegated = this.text[this.at] === '^';
    if (isNegated) this.at += 1;
    const listed = new Set<number>();
    for (let isFirst = true; this.at < this.text.length && (isFirst || this.text[this.at] !== ']'); isFirst = false) {
      const low = this.text.charCodeAt(this.at);
      this.at += 1;
      let high = low;
      if (this.text[this.at] === '-' && this.at + 1 < this.text.length && this.text[this.at + 1] !== ']') {
        high = this.text.charCodeAt(this.at + 1);
        this.at += 2;
      }
      if (low > 0x7e || high > 0x7e || high < low) this.isBad = true;
      for (let code = low; code <= high; code += 1) listed.add(code);
    }
    const inner = this.text.slice(from, this.at);
    if (this.at >= this.text.length || /\[[:.=]/.test(inner)) this.isBad = true;
    this.at += 1;
    const has = isNegated ? new Set(ALL_BUT_NEWLINE.filter((code) => !listed.has(code))) : listed;
    return { kind: 'set', text: `[${inner}]`, has };
  }
}

const ALL_BUT_NEWLINE = Array.from({ length: 256 }, (_, code) => code).filter((code) => code !== 10);
const DOT: Node = { kind: 'set', text: '.', has: new Set(ALL_BUT_NEWLINE) };
/** ".*" */
export const ANYTHING: Node = { kind: 'repeat', body: DOT, sign: '*' };

/**
 * What must follow when the text begins with a blank and the pattern has to match from there: several sequences, any of which will do
 * (Brzozowski's derivative). Header fields have a blank behind the colon that the values seen by Sieve are without.
 */
export function afterBlank(items: readonly Node[]): (readonly Node[])[] {
  const [first, ...rest] = items;
  if (first === undefined) return [];
  const out = derivative(first).map((start) => [...start, ...rest]);
  return isNullable(first) ? [...out, ...afterBlank(rest)] : out;
}

function derivative(node: Node): (readonly Node[])[] {
  switch (node.kind) {
    case 'literal':
    case 'set':
    case 'word':
      return accepts(node, ' ') ? [[]] : [];
    case 'edge':
    case 'whole':
      return [];
    case 'sequence':
      return afterBlank(node.items);
    case 'choice':
      return node.options.flatMap(afterBlank);
    case 'repeat': {
      const again: Node[] = node.sign === '?' ? [] : [{ ...node, sign: '*' }];
      return derivative(node.body).map((start) => [...start, ...again]);
    }
  }
}

function isNullable(node: Node): boolean {
  if (node.kind === 'repeat') return node.sign !== '+' || isNullable(node.body);
  if (node.kind === 'sequence') return node.items.every(isNullable);
  return node.kind === 'choice' && node.options.some((option) => option.every(isNullable));
}

/** Only blanks can stand here, or nothing. */
export function isBlanks(node: Node | undefined): boolean {
  if (node?.kind !== 'repeat' || node.sign === '+') return false;
  const { body } = node;
  return (body.kind === 'literal' && /[ \t]/.test(body.char)) || (body.kind === 'set' && [...body.has].every((code) => code === 0x20 || code === 0x09));
}

/** As POSIX and so Sieve's :regex write it; null where line ends stand in the middle. `isLast`: nothing of the line need follow. */
export function writePosix(items: readonly Node[], isLast: boolean): string | null {
  let out = '';
  for (const [index, node] of items.entries()) {
    const piece = writeNode(node, isLast && index === items.length - 1);
    if (piece === null) return null;
    out += piece;
  }
  return out;
}

function writeNode(node: Node, isLast: boolean): string | null {
  switch (node.kind) {
    case 'literal':
      return /[\\^$.|?*+()[\]{}]/.test(node.char) ? `\\${node.char}` : node.char;
    case 'set':
      return node.text;
    case 'word':
      return isLast ? '([^A-Za-z0-9_]|$)' : '[^A-Za-z0-9_]';
    case 'edge':
      return isLast ? '$' : null;
    case 'whole':
      return null;
    case 'sequence':
      return writePosix(node.items, isLast);
    case 'choice':
      return writeChoice(node.options, isLast);
    case 'repeat': {
      const { body, sign } = node;
      if (body.kind === 'sequence' && body.items.length === 0) return '';
      const inner = writeNode(body, false);
      if (inner === null) return null;
      return body.kind === 'literal' || body.kind === 'set' || body.kind === 'choice' ? `${inner}${sign}` : `(${inner})${sign}`;
    }
  }
}

function writeChoice(options: readonly (readonly Node[])[], isLast: boolean): string | null {
  const written: string[] = [];
  for (const option of options) {
    const one = writePosix(option, isLast);
    if (one === null) return null;
    if (one !== '') written.push(one);
  }
  if (written.length === 0) return '';
  return `(${written.join('|')})${written.length < options.length ? '?' : ''}`;
}
