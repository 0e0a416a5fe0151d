/** Bracket classes and escaped characters of PCRE. */
import { CLASSES, DIGIT, EVERY, foldCase, HORIZONTAL, negate, type Ranges, SPACE, single, UNIT_MAX, union, VERTICAL, WORD } from './ranges.ts';
import { PatternProblem } from './tree.ts';

interface Read {
  readonly ranges: Ranges;
  /** Just past what was read. */
  readonly end: number;
}

const SHORTHANDS: ReadonlyMap<string, Ranges> = new Map<string, Ranges>([
  ['d', DIGIT],
  ['D', negate(DIGIT)],
  ['w', WORD],
  ['W', negate(WORD)],
  ['s', SPACE],
  ['S', negate(SPACE)],
  ['h', HORIZONTAL],
  ['H', negate(HORIZONTAL)],
  ['v', VERTICAL],
  ['V', negate(VERTICAL)],
]);
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['e', 27],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
]);

export class PcreClassReader {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  /** The class whose `[` stands at `start`. */
  read(start: number, ignoresCase: boolean): Read {
    const source = this.#source;
    let at = start + 1;
    const isNegated = source[at] === '^';
    if (isNegated) at += 1;
    const parts: number[] = [];
    let isFirst = true;
    for (;;) {
      const char = source[at];
      if (char === undefined) throw new PatternProblem(start, 'the class "[" does not end');
      if (char === ']' && !isFirst) break;
      isFirst = false;
      const from = this.#member(at);
      at = from.end;
      // A hyphen is a range only between two single characters.
      const next = source[at + 1];
      if (source[at] !== '-' || next === undefined || next === ']' || !from.isSingle) {
        parts.push(...from.ranges);
        continue;
      }
      const to = this.#member(at + 1);
      if (!to.isSingle) {
        parts.push(...from.ranges, 0x2d, 0x2d);
        at += 1;
        continue;
      }
      if (to.ranges[0]! < from.ranges[0]!) throw new PatternProblem(at, 'a range in a class is out of order');
      parts.push(from.ranges[0]!, to.ranges[0]!);
      at = to.end;
    }
    const positive = ignoresCase ? foldCase(union(parts)) : union(parts);
    return { ranges: isNegated ? negate(positive) : positive, end: at + 1 };
  }

  #member(at: number): Read & { readonly isSingle: boolean } {
    const source = this.#source;
    const char = source[at]!;
    if (char === '\\') {
      if (source.startsWith('\\E', at)) return { ranges: [], end: at + 2, isSingle: false };
      if (source[at + 1] === 'Q') throw new PatternProblem(at, '"\\Q" in a class is not supported');
      const read = this.escape(at, true);
      return { ...read, isSingle: read.ranges.length === 2 && read.ranges[0] === read.ranges[1] };
    }
    if (char === '[' && (source[at + 1] === '.' || source[at + 1] === '=') && source.indexOf(`${source[at + 1]}]`, at + 2) !== -1)
      throw new PatternProblem(at, 'POSIX collating elements are not supported by pcre');
    const named = char === '[' ? /^\[:(\^?)([a-z]*):\]/.exec(source.slice(at, at + 20)) : null;
    if (named !== null) {
      const ranges = named[2] === 'word' ? WORD : named[2] === 'ascii' ? [0, 127] : CLASSES.get(named[2]!);
      if (ranges === undefined) throw new PatternProblem(at, `there is no class [:${named[2]}:]`);
      return { ranges: named[1] === '^' ? negate(ranges) : ranges, end: at + named[0].length, isSingle: false };
    }
    return { ranges: single(char.charCodeAt(0)), end: at + 1, isSingle: true };
  }

  /** The escaped character or shorthand whose backslash stands at `start`. */
  escape(start: number, isInClass: boolean): Read {
    const source = this.#source;
    const char = source[start + 1];
    if (char === undefined) throw new PatternProblem(start, 'a backslash stands at the end');
    const shorthand = SHORTHANDS.get(char);
    if (shorthand !== undefined) return { ranges: shorthand, end: start + 2 };
    const control = char === 'b' && isInClass ? 8 : CONTROLS.get(char);
    if (control !== undefined) return { ranges: single(control), end: start + 2 };
    const rest = source.slice(start, start + 48);
    if (char === 'p' || char === 'P') return this.#property(start, rest);
    if (char === 'c') {
      const code = source.charCodeAt(start + 2);
      if (!(code >= 0x20 && code < 0x7f)) throw new PatternProblem(start, '"\\c" must be followed by a printable ASCII character');
      return { ranges: single(String.fromCharCode(code).toUpperCase().charCodeAt(0) ^ 0x40), end: start + 3 };
    }
    const coded = /^\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]{1,7})\}|(0[0-7]{0,2})|([1-7][0-7]{0,2}))/.exec(rest);
    if (coded !== null && char !== 'x' && coded[5] !== undefined && !isInClass && coded[5].length === 1)
      throw new PatternProblem(start, `there is no group ${coded[5]} to refer to`);
    if (coded !== null) {
      const [whole, long, short, octal, zero, digits] = coded;
      const code = long !== undefined || short !== undefined ? Number.parseInt(long ?? `0${short}`, 16) : Number.parseInt(octal ?? zero ?? digits!, 8);
      if (code > UNIT_MAX) throw new PatternProblem(start, 'characters above U+FFFF are not supported');
      return { ranges: single(code), end: start + whole.length };
    }
    if (/[A-Za-z0-9]/.test(char)) throw new PatternProblem(start, `"\\${char}" is not supported`);
    return { ranges: single(char.charCodeAt(0)), end: start + 2 };
  }

  /** \pL, \p{Lu}, \p{^Greek}, \P{…}: found out by asking JavaScript about each character of the basic plane. */
  #property(start: number, rest: string): Read {
    const match = /^\\([pP])(?:([A-Z])|\{(\^?)([A-Za-z_&]{1,32})\})/.exec(rest);
    if (match === null) throw new PatternProblem(start, '"\\p" must be followed by a property, such as \\p{Lu}');
    const name = match[2] ?? match[4]!;
    const isNegated = (match[1] === 'P') !== (match[3] === '^');
    const ranges = name === 'Any' ? EVERY : rangesOfProperty(name === 'L&' ? 'LC' : name);
    if (ranges === null) throw new PatternProblem(start, `there is no property "${name}"`);
    return { ranges: isNegated ? negate(ranges) : ranges, end: start + match[0].length };
  }
}

function rangesOfProperty(name: string): Ranges | null {
  const test = unicodeTest(`\\p{${name}}`) ?? unicodeTest(`\\p{Script=${name}}`);
  if (test === null) return null;
  const ranges: number[] = [];
  for (let code = 0; code <= UNIT_MAX; code += 1) {
    if (!test.test(String.fromCharCode(code))) continue;
    if (ranges.at(-1) === code - 1) ranges[ranges.length - 1] = code;
    else ranges.push(code, code);
  }
  return ranges;
}

function unicodeTest(source: string): RegExp | null {
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    return null; // not a name that JavaScript knows: the caller tries another or says so
  }
}
