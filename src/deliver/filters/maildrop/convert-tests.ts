/** Texts, folders and patterns of a `.mailfilter` in the words of Sieve (RFC 5228), as far as they mean the same. */
import type { Expression, Pattern } from './script.ts';
import { substitute, toUnicode } from './values.ts';

export interface SieveTest {
  readonly text: string;
  /** Extensions for `require`. */
  readonly requires: readonly string[];
}

/** A quoted string (RFC 5228 section 2.4.2). */
export const sieveString = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** The text when it is the same for every message, else null. */
export function textOf(expression: Expression, constants: ReadonlyMap<string, string>): string | null {
  if (expression.kind !== 'text') return null;
  let out = '';
  for (const part of expression.parts) {
    if (part.kind === 'command') return null;
    if (part.kind === 'literal') out += part.text;
    else if (part.text.includes('\\') || !isConstant(part.text, constants)) return null;
    else out += substitute(part.text, constants, 10_000);
  }
  return out.length > 10_000 || /[\0\r\n]/.test(out) ? null : out;
}

function isConstant(text: string, constants: ReadonlyMap<string, string>): boolean {
  for (const match of text.matchAll(/\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))/g)) if (!constants.has(match[1] ?? match[2]!)) return false;
  return true;
}

/** The mailbox that a path is: '' for the inbox, null for a path that is none. Maildir++ folders have dots between their levels. */
export function folderOf(path: string): string | null {
  const relative = path.replace(/^(?:~\/|\.\/)+/, '').replace(/\/(?:\.?\/?)$/, '');
  if (relative === '' || relative.startsWith('/') || relative.startsWith('~') || relative.split('/').includes('..')) return null;
  const maildir = /^maildir(?:\/(.*))?$/i.exec(relative);
  if (maildir !== null) {
    const inner = maildir[1] ?? '';
    if (inner === '') return '';
    const levels = inner.startsWith('.') ? inner.slice(1).split('.') : [];
    return levels.length === 0 || levels.includes('') ? null : levels.join('/');
  }
  const inMail = /^mail\/(.+)$/i.exec(relative);
  return (inMail?.[1] ?? relative).replace(/^\./, '').replaceAll('.', '/') || null;
}

/** Characters that mean more than themselves in a pattern. */
const META = /[\\^$.|?*+()[\]{}]/;
/** What stands for "anything before". */
const ANYTHING = /^\.\*/;
const BLANKS = /^(?: [*+]?|\\s[*+]?|\[ \\t\][*+]?)+/;

/** The test for a pattern over the message, or why there is none. */
export function header(pattern: Pattern): SieveTest | string {
  if (pattern.weights !== null) return 'a score';
  if (/\$[A-Za-z0-9_{]/.test(pattern.source)) return 'a pattern that is made of variables';
  const source = toUnicode(pattern.source).replaceAll('\\/', '/');
  const comparator = pattern.isCaseSensitive ? ' :comparator "i;octet"' : '';
  if (pattern.inBody) {
    const text = literal(source);
    if (pattern.inHeader || text === null || text === '') return 'a pattern over the body that is more than a text';
    return { text: `body :text :contains${comparator} ${sieveString(text)}`, requires: ['body'] };
  }
  const field = /^\^(?:\(([A-Za-z0-9|-]+)\)|([A-Za-z0-9-]+)):(.*)$/.exec(source);
  if (field === null) return 'a pattern that does not begin with the name of a header field';
  const names = (field[1] ?? field[2]!).split('|').filter((name) => name !== '');
  if (names.length === 0) return 'a pattern without the name of a header field';
  const list = names.length === 1 ? sieveString(names[0]!.toLowerCase()) : `[${names.map((name) => sieveString(name.toLowerCase())).join(', ')}]`;
  const wanted = valueTest(field[3]!);
  if (wanted === null) return 'a pattern that Sieve has no words for';
  if (wanted.match === 'exists') {
    const each = names.map((name) => `exists ${sieveString(name.toLowerCase())}`);
    return { text: each.length === 1 ? each[0]! : `anyof(${each.join(', ')})`, requires: [] };
  }
  return { text: `header :${wanted.match}${comparator} ${list} ${sieveString(wanted.value)}`, requires: wanted.match === 'regex' ? ['regex'] : [] };
}

/** What a pattern says of a field's value, which has one blank before it. */
function valueTest(rest: string): { match: 'exists' | 'contains' | 'is' | 'matches' | 'regex'; value: string } | null {
  let tail = rest;
  const isFree = ANYTHING.test(tail);
  const isAtStart = !isFree && BLANKS.test(tail);
  tail = tail.replace(isFree ? ANYTHING : BLANKS, '');
  if (tail === '' || tail === '.*') return { match: 'exists', value: '' };
  if (!isFree && !isAtStart) return null;
  const isAtEnd = /(?:^|[^\\])(?:\\\\)*\$$/.test(tail);
  if (isAtEnd) tail = tail.slice(0, -1);
  else tail = tail.replace(/\.\*$/, '');
  const pieces = tail.split('.*').map(literal);
  if (pieces.every((piece) => piece !== null && piece !== '')) {
    if (pieces.length === 1 && isFree && !isAtEnd) return { match: 'contains', value: pieces[0]! };
    if (pieces.length === 1 && !isFree && isAtEnd) return { match: 'is', value: pieces[0]! };
    const glob = pieces.map((piece) => piece!.replace(/[*?\\]/g, '\\$&')).join('*');
    return { match: 'matches', value: `${isFree ? '*' : ''}${glob}${isAtEnd ? '' : '*'}` };
  }
  // What means the same in POSIX: no classes by letter, no groups with "?", no lazy or possessive repeats.
  if (/\\[A-Za-z0-9]|\(\?|[*+?}][?+]/.test(tail)) return null;
  return { match: 'regex', value: `${isFree ? '' : '^'}${isFree ? tail : `(${tail})`}${isAtEnd ? '$' : ''}` };
}

/** The text that a pattern without any variety matches, or null. */
function literal(source: string): string | null {
  let out = '';
  for (let at = 0; at < source.length; at += 1) {
    const c = source[at]!;
    if (c === '\\') {
      const next = source[at + 1];
      if (next === undefined || /[A-Za-z0-9]/.test(next)) return null;
      out += next;
      at += 1;
    } else if (META.test(c)) return null;
    else out += c;
  }
  return out;
}
