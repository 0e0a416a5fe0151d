/**
 * Parses POSIX regular expressions as the GNU C library reads them: extended ones, and basic ones for the `x` flag switched off.
 * Of GNU's additions: \w \W \s \S \b \B \< \> \` \' and back-references.
 */
import { PATTERN_LIMITS } from './limits.ts';
import { CLASSES, EVERY, foldCase, NEWLINE, negate, type Ranges, SPACE, single, union, WORD } from './ranges.ts';
import { alternation, type Assertion, type Node, PatternProblem, sequence, type Tree } from './tree.ts';

/** The option letters of a regexp table, as they are in force. */
export interface PosixFlags {
  /** i: case does not matter. */
  readonly ignoresCase: boolean;
  /** m: ^ and $ match at each line, dots and negated classes no newline (REG_NEWLINE). */
  readonly isMultiline: boolean;
  /** x: extended syntax; without it \( \) \{ \} and \| are the special forms. */
  readonly isExtended: boolean;
}

const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map<string, Assertion>([
  ['<', 'wordStart'],
  ['>', 'wordEnd'],
  ['b', 'wordBoundary'],
  ['B', 'notWordBoundary'],
  ['`', 'textStart'],
  ["'", 'textEnd'],
]);
const SHORTHANDS: ReadonlyMap<string, Ranges> = new Map<string, Ranges>([
  ['w', WORD],
  ['W', negate(WORD)],
  ['s', SPACE],
  ['S', negate(SPACE)],
]);

/** Throws PatternProblem. */
export function parsePosix(source: string, flags: PosixFlags): Tree {
  return new PosixParser(source, flags).parse();
}

class PosixParser {
  readonly #source: string;
  readonly #flags: PosixFlags;
  #at = 0;
  #depth = 0;
  #groupCount = 0;
  readonly #closedGroups = new Set<number>();

  constructor(source: string, flags: PosixFlags) {
    this.#source = source;
    this.#flags = flags;
  }

  parse(): Tree {
    const root = this.#alternation();
    if (this.#at < this.#source.length) throw new PatternProblem(this.#at, 'unmatched closing bracket');
    return { root, groupCount: this.#groupCount };
  }

  /** Whether the special form of `char` stands at the place: bare in extended syntax, with a backslash in basic. */
  #isAt(char: string): boolean {
    return this.#flags.isExtended ? this.#source[this.#at] === char : this.#source[this.#at] === '\\' && this.#source[this.#at + 1] === char;
  }
  #skip(): void {
    this.#at += this.#flags.isExtended ? 1 : 2;
  }

  #alternation(): Node {
    this.#depth += 1;
    if (this.#depth > PATTERN_LIMITS.depth) throw new PatternProblem(this.#at, `brackets are nested more than ${PATTERN_LIMITS.depth} deep`);
    const options: Node[] = [];
    let items: Node[] = [];
    while (this.#at < this.#source.length) {
      if (this.#isAt('|')) {
        this.#skip();
        options.push(sequence(items));
        items = [];
      } else if (this.#isAt(')') && (this.#depth > 1 || !this.#flags.isExtended)) break;
      else items.push(this.#quantified(this.#atom(this.#isStart(items))));
    }
    options.push(sequence(items));
    this.#depth -= 1;
    return alternation(options);
  }

  /** Where basic syntax takes a star for itself: first, or after the anchor that is first. */
  #isStart(items: readonly Node[]): boolean {
    return items.length === 0 || (!this.#flags.isExtended && items.length === 1 && items[0]!.kind === 'assertion' && this.#source[this.#at - 1] === '^');
  }

  #set(ranges: Ranges): Node {
    return { kind: 'set', ranges: this.#flags.ignoresCase ? foldCase(ranges) : ranges };
  }

  #atom(isFirst: boolean): Node {
    const start = this.#at;
    const source = this.#source;
    const { isExtended, isMultiline } = this.#flags;
    const char = source[start]!;
    if (this.#isAt('(')) return this.#group();
    if (this.#isQuantifier() && (isExtended || char !== '*' || !isFirst)) {
      // Basic syntax takes a star that stands first for itself.
      throw new PatternProblem(start, 'a quantifier does not follow anything that can be repeated');
    }
    if (char === '[') return this.#bracket();
    if (char === '\\') return this.#escape();
    this.#at += 1;
    if (char === '.') return { kind: 'set', ranges: isMultiline ? negate(NEWLINE) : EVERY };
    if (char === '^' && (isExtended || (isFirst && this.#source[start - 1] !== '^')))
      return { kind: 'assertion', what: isMultiline ? 'lineStart' : 'textStart' };
    if (char === '$' && (isExtended || this.#isEndOfBranch())) return { kind: 'assertion', what: isMultiline ? 'lineEnd' : 'textEnd' };
    return this.#set(single(char.charCodeAt(0)));
  }

  #isEndOfBranch(): boolean {
    return this.#at >= this.#source.length || this.#isAt(')') || this.#isAt('|');
  }

  #isQuantifier(): boolean {
    return this.#source[this.#at] === '*' || this.#isAt('+') || this.#isAt('?') || this.#isAt('{');
  }

  #group(): Node {
    const start = this.#at;
    this.#skip();
    this.#groupCount += 1;
    const index = this.#groupCount;
    if (index > PATTERN_LIMITS.groups) throw new PatternProblem(start, `there are more than ${PATTERN_LIMITS.groups} groups`);
    const body = this.#alternation();
    if (!this.#isAt(')')) throw new PatternProblem(start, 'a closing bracket is missing');
    this.#skip();
    this.#closedGroups.add(index);
    return { kind: 'group', index, body };
  }

  #escape(): Node {
    const start = this.#at;
    const char = this.#source[start + 1];
    if (char === undefined) throw new PatternProblem(start, 'a backslash stands at the end');
    this.#at += 2;
    const assertion = ASSERTIONS.get(char);
    if (assertion !== undefined) return { kind: 'assertion', what: assertion };
    const shorthand = SHORTHANDS.get(char);
    if (shorthand !== undefined) return { kind: 'set', ranges: shorthand };
    if (char >= '1' && char <= '9') {
      const index = Number(char);
      if (!this.#closedGroups.has(index)) throw new PatternProblem(start, `there is no group ${index} to refer to`);
      return { kind: 'backReference', index, ignoresCase: this.#flags.ignoresCase };
    }
    // With Postfix on Linux such a pattern silently never matches: whoever wrote it meant Perl's.
    if (/[A-Za-z0]/.test(char)) throw new PatternProblem(start, `"\\${char}" means nothing in a POSIX expression; a pcre table may be what is wanted`);
    return this.#set(single(char.charCodeAt(0)));
  }

  /** Quantifiers may follow one another: a+* is (a+)*. */
  #quantified(atom: Node): Node {
    let node = atom;
    let count = 0;
    while (this.#at < this.#source.length && this.#isQuantifier()) {
      const start = this.#at;
      if (node.kind === 'assertion') {
        if (!this.#flags.isExtended && this.#source[start] === '*') return node; // a star of itself, see #isStart
        throw new PatternProblem(start, 'a quantifier does not follow anything that can be repeated');
      }
      count += 1;
      if (count > PATTERN_LIMITS.depth) throw new PatternProblem(start, 'too many quantifiers follow one another');
      let least = 0;
      let most = Number.POSITIVE_INFINITY;
      if (this.#source[start] === '*') this.#at += 1;
      else if (this.#isAt('+')) {
        least = 1;
        this.#skip();
      } else if (this.#isAt('?')) {
        most = 1;
        this.#skip();
      } else ({ least, most } = this.#braces());
      node = { kind: 'repeat', body: node, least, most, mode: 'greedy' };
    }
    return node;
  }

  #braces(): { least: number; most: number } {
    const start = this.#at;
    const form = this.#flags.isExtended ? /^\{(\d{0,6})(,(\d{0,6}))?\}/ : /^\\\{(\d{0,6})(,(\d{0,6}))?\\\}/;
    const match = form.exec(this.#source.slice(start, start + 24));
    if (match === null || (match[1] === '' && match[2] === undefined)) throw new PatternProblem(start, 'a "{" is not followed by numbers and "}"');
    const least = Number(match[1]); // "{,3}" is "{0,3}"
    const most = match[2] === undefined ? least : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (most < least) throw new PatternProblem(start, 'the numbers of a quantifier are out of order');
    if (least > PATTERN_LIMITS.repeat || (most !== Number.POSITIVE_INFINITY && most > PATTERN_LIMITS.repeat))
      throw new PatternProblem(start, `a quantifier may count to ${PATTERN_LIMITS.repeat} at most`);
    this.#at += match[0].length;
    return { least, most };
  }

  #bracket(): Node {
    const start = this.#at;
    const source = this.#source;
    let at = start + 1;
    const isNegated = source[at] === '^';
    if (isNegated) at += 1;
    const parts: number[] = [];
    for (let isFirst = true; ; isFirst = false) {
      if (at >= source.length) throw new PatternProblem(start, 'the class "[" does not end');
      if (source[at] === ']' && !isFirst) break;
      const from = this.#member(at);
      at = from.end;
      if (source[at] === '-' && source[at + 1] !== ']' && at + 1 < source.length) {
        const to = this.#member(at + 1);
        if (from.code === null || to.code === null || to.code < from.code) throw new PatternProblem(at, 'a range in a class is out of order');
        parts.push(from.code, to.code);
        at = to.end;
      } else parts.push(...from.ranges);
    }
    this.#at = at + 1;
    const folded = this.#flags.ignoresCase ? foldCase(union(parts)) : union(parts);
    const ranges = !isNegated ? folded : negate(this.#flags.isMultiline ? union(folded, NEWLINE) : folded);
    return { kind: 'set', ranges };
  }

  #member(at: number): { ranges: Ranges; code: number | null; end: number } {
    const source = this.#source;
    const kind = source[at] === '[' ? source[at + 1] : undefined;
    if (kind === ':' || kind === '.' || kind === '=') {
      const end = source.indexOf(`${kind}]`, at + 2);
      if (end === -1) throw new PatternProblem(at, `"[${kind}" does not end`);
      const name = source.slice(at + 2, end);
      if (kind === ':') {
        const ranges = CLASSES.get(name);
        if (ranges === undefined) throw new PatternProblem(at, `there is no class [:${name}:]`);
        return { ranges, code: null, end: end + 2 };
      }
      if (name.length !== 1) throw new PatternProblem(at, `there is no collating element "${name}"`);
      return { ranges: single(name.charCodeAt(0)), code: name.charCodeAt(0), end: end + 2 };
    }
    const code = source.charCodeAt(at);
    return { ranges: single(code), code, end: at + 1 };
  }
}
