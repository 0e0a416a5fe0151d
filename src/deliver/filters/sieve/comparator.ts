/** Comparators (RFC 4790, RFC 5051; RFC 5228 section 2.7.3): how two texts are held equal, ordered, or one found in the other. */

export interface Comparator {
  readonly name: string;
  /** Two texts are equal when their keys are; one contains the other when its key does. */
  key(text: string): string;
  /** The same with as many characters as the text, so that places in it are places in the text. */
  sameLength(text: string): string;
  /** Negative, zero, positive. */
  compare(a: string, b: string): number;
  /** Can look for parts of texts (:contains, :matches). */
  readonly hasSubstrings: boolean;
  readonly ignoresCase: boolean;
}

const NON_ASCII = /[^\x00-\x7f]/;

function lowerAscii(text: string): string {
  return NON_ASCII.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text.toLowerCase();
}

/** As the octets of UTF-8 are ordered, which UTF-16 units are not beyond the basic plane. */
function compareOctets(a: string, b: string): number {
  if (!NON_ASCII.test(a) && !NON_ASCII.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const itself = (text: string): string => text;

const OCTET: Comparator = { name: 'i;octet', key: itself, sameLength: itself, compare: compareOctets, hasSubstrings: true, ignoresCase: false };

const ASCII_CASEMAP: Comparator = {
  name: 'i;ascii-casemap',
  key: lowerAscii,
  sameLength: lowerAscii,
  compare: (a, b) => compareOctets(lowerAscii(a), lowerAscii(b)),
  hasSubstrings: true,
  ignoresCase: true,
};

/** RFC 4790 section 9.1: the number at the start; a text without one is larger than all numbers and equal to others of its kind. */
function digits(text: string): string | null {
  const found = /^[0-9]+/.exec(text);
  return found === null ? null : found[0].replace(/^0+(?=[0-9])/, '');
}

const ASCII_NUMERIC: Comparator = {
  name: 'i;ascii-numeric',
  key: (text) => digits(text) ?? '∞',
  sameLength: itself,
  compare(a, b) {
    const x = digits(a);
    const y = digits(b);
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    if (x.length !== y.length) return x.length - y.length;
    return x < y ? -1 : x > y ? 1 : 0;
  },
  hasSubstrings: false,
  ignoresCase: false,
};

/** RFC 5051 section 2: title case, then decomposed. Upper case serves for title case: both keep the same texts apart. */
function unicodeKey(text: string): string {
  return NON_ASCII.test(text) ? text.toUpperCase().normalize('NFKD') : text.toUpperCase();
}

/** Where upper case or decomposition has more characters, the character stays. */
function unicodeSameLength(text: string): string {
  if (!NON_ASCII.test(text)) return text.toUpperCase();
  let out = '';
  for (const character of text) {
    const upper = character.toUpperCase();
    out += upper.length === character.length ? upper : character;
  }
  return out;
}

const UNICODE_CASEMAP: Comparator = {
  name: 'i;unicode-casemap',
  key: unicodeKey,
  sameLength: unicodeSameLength,
  compare: (a, b) => compareOctets(unicodeKey(a), unicodeKey(b)),
  hasSubstrings: true,
  ignoresCase: true,
};

/** By name; those beside the first two must be required as "comparator-…". */
export const COMPARATORS: ReadonlyMap<string, Comparator> = new Map([OCTET, ASCII_CASEMAP, ASCII_NUMERIC, UNICODE_CASEMAP].map((one) => [one.name, one]));
export const DEFAULT_COMPARATOR = ASCII_CASEMAP;
export const BUILT_IN_COMPARATORS: ReadonlySet<string> = new Set(['i;octet', 'i;ascii-casemap']);
