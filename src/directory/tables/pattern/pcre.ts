/** Parses Perl-compatible expressions as PCRE2 10.42 reads them. What JavaScript has no means for is a PatternProblem. */
import { PcreClassReader } from './pcre-class.ts';
import { PATTERN_LIMITS } from './limits.ts';
import { EVERY, foldCase, NEWLINE, negate, type Ranges, single, VERTICAL } from './ranges.ts';
import { alternation, type Assertion, EMPTY, type Node, PatternProblem, sequence, type Tree } from './tree.ts';

/** The option letters of a pcre table, as they are in force (not toggled). */
export interface PcreFlags {
  /** i: case does not matter. */
  ignoresCase: boolean;
  /** m: ^ and $ match at each line. */
  isMultiline: boolean;
  /** s: the dot matches newlines. */
  dotMatchesAll: boolean;
  /** x: white space and #comments in the pattern mean nothing. */
  isExtended: boolean;
  /** A: matches at the start of the text only. */
  isAnchored: boolean;
  /** E: $ matches at the very end only. */
  dollarIsEnd: boolean;
  /** U: quantifiers are lazy unless followed by "?". */
  isUngreedy: boolean;
}

const NAME = /^[A-Za-z_]\w{0,31}$/;
const ESCAPED_ASSERTIONS: ReadonlyMap<string, Assertion> = new Map<string, Assertion>([
  ['A', 'textStart'],
  ['z', 'textEnd'],
  ['Z', 'textEndOrNewline'],
  ['b', 'wordBoundary'],
  ['B', 'notWordBoundary'],
]);

/** Throws PatternProblem. */
export function parsePcre(source: string, flags: PcreFlags): Tree {
  return new PcreParser(source, flags).parse();
}

interface Reference {
  readonly node: { kind: 'backReference'; index: number; ignoresCase: boolean };
  readonly name: string | null;
  readonly at: number;
}

class PcreParser {
  readonly #source: string;
  readonly #classes: PcreClassReader;
  #at = 0;
  #flags: PcreFlags;
  #groupCount = 0;
  #depth = 0;
  readonly #names = new Map<string, number>();
  readonly #references: Reference[] = [];

  constructor(source: string, flags: PcreFlags) {
    this.#source = source;
    this.#classes = new PcreClassReader(source);
    this.#flags = { ...flags };
  }

  parse(): Tree {
    const isAnchored = this.#flags.isAnchored;
    this.#leadingVerbs();
    const body = this.#alternation();
    if (this.#at < this.#source.length) throw new PatternProblem(this.#at, 'unmatched closing bracket');
    for (const { node, name, at } of this.#references) {
      const index = name === null ? node.index : this.#names.get(name);
      if (index === undefined) throw new PatternProblem(at, `there is no group named "${name}"`);
      if (index > this.#groupCount) throw new PatternProblem(at, `there is no group ${index} to refer to`);
      node.index = index;
    }
    const root = isAnchored ? sequence([{ kind: 'assertion', what: 'textStart' }, body]) : body;
    return { root, groupCount: this.#groupCount };
  }

  /** (*UTF) and (*UCP) at the start ask for what is done anyway; the rest changes how PCRE works. */
  #leadingVerbs(): void {
    for (;;) {
      const verb = /^\(\*([A-Z0-9_]+)(?:=\d+)?\)/.exec(this.#source.slice(this.#at, this.#at + 40));
      if (verb === null) return;
      if (
        ![
          'UTF',
          'UTF8',
          'UCP',
          'NO_AUTO_POSSESS',
          'NO_START_OPT',
          'NO_JIT',
          'NO_DOTSTAR_ANCHOR',
          'LF',
          'LIMIT_MATCH',
          'LIMIT_RECURSION',
          'LIMIT_DEPTH',
          'LIMIT_HEAP',
        ].includes(verb[1]!)
      )
        throw new PatternProblem(this.#at, `${verb[0]} is not supported`);
      this.#at += verb[0].length;
    }
  }

  /** Up to a closing bracket or the end. Option letters set inside end with the group, and reach later alternatives. */
  #alternation(): Node {
    this.#depth += 1;
    if (this.#depth > PATTERN_LIMITS.depth) throw new PatternProblem(this.#at, `brackets are nested more than ${PATTERN_LIMITS.depth} deep`);
    const before = { ...this.#flags };
    const options: Node[] = [];
    let items: Node[] = [];
    for (;;) {
      const char = this.#source[this.#at];
      if (char === undefined || char === ')') break;
      if (char === '|') {
        this.#at += 1;
        options.push(sequence(items));
        items = [];
        continue;
      }
      const item = this.#item();
      if (item !== null) items.push(item);
    }
    options.push(sequence(items));
    this.#flags = before;
    this.#depth -= 1;
    return alternation(options);
  }

  /** One atom with its quantifiers; null for what only changes options or says nothing. */
  #item(): Node | null {
    if (this.#skipExtended()) return null;
    const start = this.#at;
    const char = this.#source[start]!;
    if (char === '*' || char === '+' || char === '?' || (char === '{' && this.#braces() !== null))
      throw new PatternProblem(start, 'a quantifier does not follow anything that can be repeated');
    if (char === '^' || char === '$') {
      this.#at += 1;
      return { kind: 'assertion', what: this.#anchor(char) };
    }
    if (char === '(') {
      const group = this.#group();
      return group === null ? null : this.#quantified(group);
    }
    if (char === '\\') return this.#escape();
    if (char === '[') {
      const special = /^\[\[:([<>]):\]\]/.exec(this.#source.slice(start, start + 7));
      if (special !== null) {
        this.#at += 7;
        return { kind: 'assertion', what: special[1] === '<' ? 'wordStart' : 'wordEnd' };
      }
      const { ranges, end } = this.#classes.read(start, this.#flags.ignoresCase);
      this.#at = end;
      return this.#quantified({ kind: 'set', ranges });
    }
    this.#at += 1;
    if (char === '.') return this.#quantified({ kind: 'set', ranges: this.#flags.dotMatchesAll ? EVERY : negate(NEWLINE) });
    return this.#quantified(this.#char(char.charCodeAt(0)));
  }

  #anchor(char: '^' | '$'): Assertion {
    if (char === '^') return this.#flags.isMultiline ? 'lineStart' : 'textStart';
    if (this.#flags.isMultiline) return 'lineEnd';
    return this.#flags.dollarIsEnd ? 'textEnd' : 'textEndOrNewline';
  }

  #char(code: number): Node {
    return this.#set(single(code));
  }
  #set(ranges: Ranges): Node {
    return { kind: 'set', ranges: this.#flags.ignoresCase ? foldCase(ranges) : ranges };
  }

  /** White space, comments of x mode and (?#…); true when something was skipped. */
  #skipExtended(): boolean {
    const start = this.#at;
    for (;;) {
      const char = this.#source[this.#at];
      if (char === '(' && this.#source.startsWith('(?#', this.#at)) {
        const end = this.#source.indexOf(')', this.#at);
        if (end === -1) throw new PatternProblem(this.#at, 'the comment "(?#" does not end');
        this.#at = end + 1;
      } else if (!this.#flags.isExtended || char === undefined) break;
      else if (/[ \t\n\v\f\r]/.test(char)) this.#at += 1;
      else if (char === '#') {
        const end = this.#source.indexOf('\n', this.#at);
        this.#at = end === -1 ? this.#source.length : end + 1;
      } else break;
    }
    return this.#at > start;
  }

  /** `{2}`, `{2,}`, `{2,3}` at the place; null when the brace is an ordinary character. */
  #braces(): { least: number; most: number; end: number } | null {
    const match = /^\{(\d+)(,(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 16));
    if (match === null) return null;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    return { least, most, end: this.#at + match[0].length };
  }

  #quantified(atom: Node): Node {
    let node = atom;
    // A second quantifier may follow only as the sign of lazy or possessive; what comes then is refused by #item.
    this.#skipExtended();
    const char = this.#source[this.#at];
    let least: number;
    let most = Number.POSITIVE_INFINITY;
    if (char === '*') least = 0;
    else if (char === '+') least = 1;
    else if (char === '?') {
      least = 0;
      most = 1;
    } else {
      const braces = char === '{' ? this.#braces() : null;
      if (braces === null) return node;
      ({ least, most } = braces);
      if (most < least) throw new PatternProblem(this.#at, 'the numbers of a quantifier are out of order');
      if (least > PATTERN_LIMITS.repeat || (most !== Number.POSITIVE_INFINITY && most > PATTERN_LIMITS.repeat))
        throw new PatternProblem(this.#at, `a quantifier may count to ${PATTERN_LIMITS.repeat} at most`);
      this.#at = braces.end - 1;
    }
    this.#at += 1;
    const sign = this.#source[this.#at];
    let mode: 'greedy' | 'lazy' | 'possessive' = this.#flags.isUngreedy ? 'lazy' : 'greedy';
    if (sign === '?') mode = this.#flags.isUngreedy ? 'greedy' : 'lazy';
    else if (sign === '+') mode = 'possessive';
    if (sign === '?' || sign === '+') this.#at += 1;
    node = { kind: 'repeat', body: atom, least, most, mode };
    return node;
  }

  #escape(): Node | null {
    const start = this.#at;
    const source = this.#source;
    const char = source[start + 1];
    if (char === undefined) throw new PatternProblem(start, 'a backslash stands at the end');
    if (char === 'Q') {
      const close = source.indexOf('\\E', start + 2);
      const text = source.slice(start + 2, close === -1 ? source.length : close);
      this.#at = close === -1 ? source.length : close + 2;
      if (text === '') return null;
      const items = [...text.slice(0, -1)].map((c) => this.#char(c.charCodeAt(0)));
      return sequence([...items, this.#quantified(this.#char(text.charCodeAt(text.length - 1)))]);
    }
    if (char === 'E') {
      this.#at += 2;
      return null;
    }
    if (char === 'K') {
      this.#at += 2; // moves the start of $0, which no table can ask for
      return null;
    }
    const assertion = ESCAPED_ASSERTIONS.get(char);
    if (assertion !== undefined) {
      this.#at += 2;
      return { kind: 'assertion', what: assertion };
    }
    if (char === 'R') {
      this.#at += 2;
      const crlf = sequence([this.#char(0x0d), this.#char(0x0a)]);
      return this.#quantified({ kind: 'atomic', body: alternation([crlf, { kind: 'set', ranges: VERTICAL }]) });
    }
    if (char === 'N' && source[start + 2] !== '{') {
      this.#at += 2;
      return this.#quantified({ kind: 'set', ranges: negate(NEWLINE) });
    }
    const reference = this.#reference();
    if (reference !== null) return this.#quantified(reference);
    const { ranges, end } = this.#classes.escape(start, false);
    this.#at = end;
    return this.#quantified(this.#set(ranges));
  }

  /** \1, \g1, \g{-1}, \g{name}, \k<name>, \k'name', \k{name}; null when the backslash begins something else. */
  #reference(): Node | null {
    const start = this.#at;
    const rest = this.#source.slice(start, start + 48);
    const numbered = /^\\([1-9]\d{0,2})/.exec(rest);
    // From 8 on PCRE takes a number for an octal code when there are fewer groups; from 10 on with octal digits.
    if (numbered !== null && (Number(numbered[1]) < 10 || Number(numbered[1]) <= this.#groupCount))
      return this.#refer(Number(numbered[1]), null, numbered[0].length);
    const relative = /^\\g(?:\{([+-]?)(\d{1,3})\}|([+-]?)(\d{1,3}))/.exec(rest);
    if (relative !== null) {
      const sign = relative[1] ?? relative[3];
      const number = Number(relative[2] ?? relative[4]);
      const index = sign === '-' ? this.#groupCount + 1 - number : sign === '+' ? this.#groupCount + number : number;
      if (index < 1) throw new PatternProblem(start, 'a back-reference leads to a group before the first');
      return this.#refer(index, null, relative[0].length);
    }
    const named = /^\\(?:g\{([^}]*)\}|k\{([^}]*)\}|k<([^>]*)>|k'([^']*)')/.exec(rest);
    if (named !== null) return this.#refer(0, named[1] ?? named[2] ?? named[3] ?? named[4] ?? '', named[0].length);
    if (/^\\[gk]/.test(rest)) throw new PatternProblem(start, `"${rest.slice(0, 2)}" is not followed by a group`);
    return null;
  }

  #refer(index: number, name: string | null, length: number): Node {
    const node = { kind: 'backReference' as const, index, ignoresCase: this.#flags.ignoresCase };
    this.#references.push({ node, name, at: this.#at });
    this.#at += length;
    return node;
  }

  /** Everything that begins with an opening bracket; null for (?i) and the like. */
  #group(): Node | null {
    const start = this.#at;
    const rest = this.#source.slice(start, start + 48);
    if (rest.startsWith('(*')) throw new PatternProblem(start, `"${/^\(\*[A-Za-z_]*/.exec(rest)![0]}" is not supported`);
    if (!rest.startsWith('(?')) {
      this.#at += 1;
      return this.#capture(null, start);
    }
    const named = /^\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      return this.#capture(named[1] ?? named[2]!, start);
    }
    const byName = /^\(\?P=(\w+)\)/.exec(rest);
    if (byName !== null) return this.#refer(0, byName[1]!, byName[0].length);
    const look = /^\(\?(<?)([=!])/.exec(rest);
    if (look !== null) {
      this.#at += look[0].length;
      return this.#closed({ kind: 'look', isAhead: look[1] === '', isNegative: look[2] === '!', body: this.#alternation() }, start);
    }
    if (rest.startsWith('(?>')) {
      this.#at += 3;
      return this.#closed({ kind: 'atomic', body: this.#alternation() }, start);
    }
    const options = /^\(\?(\^?)([imsxnJU]*)(?:-([imsxnJU]*))?([:)])/.exec(rest);
    if (options === null) throw new PatternProblem(start, `"${rest.slice(0, 3)}" begins something that is not supported`);
    this.#at += options[0].length;
    const flags = this.#withOptions(options[1] === '^', options[2]!, options[3] ?? '', start);
    if (options[4] === ')') {
      this.#flags = flags;
      return null;
    }
    const outer = this.#flags;
    this.#flags = flags;
    const body = this.#alternation();
    this.#flags = outer;
    return this.#closed(body, start);
  }

  #capture(name: string | null, start: number): Node {
    this.#groupCount += 1;
    const index = this.#groupCount;
    if (index > PATTERN_LIMITS.groups) throw new PatternProblem(start, `there are more than ${PATTERN_LIMITS.groups} groups`);
    if (name !== null) {
      if (!NAME.test(name)) throw new PatternProblem(start, `"${name}" will not do as the name of a group`);
      if (this.#names.has(name)) throw new PatternProblem(start, `two groups are named "${name}"`);
      this.#names.set(name, index);
    }
    return this.#closed({ kind: 'group', index, body: this.#alternation() }, start);
  }

  #closed(node: Node, start: number): Node {
    if (this.#source[this.#at] !== ')') throw new PatternProblem(start, 'a closing bracket is missing');
    this.#at += 1;
    // A group of nothing may still be quantified; it stays a node of its own.
    return node === EMPTY ? { kind: 'sequence', items: [] } : node;
  }

  #withOptions(isReset: boolean, on: string, off: string, at: number): PcreFlags {
    const flags = isReset ? { ...this.#flags, ignoresCase: false, isMultiline: false, dotMatchesAll: false, isExtended: false } : { ...this.#flags };
    for (const [letters, value] of [
      [on, true],
      [off, false],
    ] as const)
      for (const letter of letters) {
        if (letter === 'i') flags.ignoresCase = value;
        else if (letter === 'm') flags.isMultiline = value;
        else if (letter === 's') flags.dotMatchesAll = value;
        else if (letter === 'x') flags.isExtended = value;
        else if (letter === 'U') flags.isUngreedy = value;
        else throw new PatternProblem(at, `the option "${letter}" inside a pattern is not supported`);
      }
    return flags;
  }
}
