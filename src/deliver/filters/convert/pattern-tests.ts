/**
 * A pattern over a message as tests of Sieve. Procmail looks at "Subject: value" as a line of text, Sieve at the value without the blanks
 * around it; the two mean the same for fields that are written as everybody writes them, with one blank behind the colon.
 */
import { compilePattern, PatternProblem } from '../../../directory/tables/pattern/compile.ts';
import { compileExpression } from '../procmail/regex.ts';
import { expandMacros } from '../procmail/regex-parse.ts';
import { afterBlank, ANYTHING, isAnything, isBlanks, isDot, type Node, parsePattern, writePosix } from './pattern.ts';
import { any, leaf, NoCounterpart, quoted, stringList, type Test } from './tests.ts';

/** Sequences, field names and texts that one pattern may come to. */
const BRANCHES_MAX = 200;
const TEXTS_MAX = 60;
/** Characters of a pattern, macros written out. */
const PATTERN_CHARS_MAX = 8000;

export interface PatternOptions {
  readonly isCaseSensitive: boolean;
}

/** `pattern` one character a byte. Throws NoCounterpart with the reason. */
export function headerTest(pattern: string, options: PatternOptions): Test {
  const { source, isMacro } = withoutMacros(pattern);
  const { fields, senders } = splitFields(tree(source));
  const tests: Test[] = [];
  for (const { names, rest } of fields.values()) {
    // What is not anchored at the end may go on with anything.
    const values = afterBlank(rest.at(-1)?.kind === 'edge' ? rest : [...rest, ANYTHING]).map(trimmed);
    if (values.length > TEXTS_MAX) throw new NoCounterpart('a pattern that comes to too many texts');
    if (values.length === 0) throw new NoCounterpart('a pattern that leaves no room for the blank behind the colon');
    tests.push(valueTest('header', names, values, options));
  }
  if (senders.length > 0) {
    tests.push(
      valueTest(
        'envelope',
        ['from'],
        senders.map((rest) => senderValue(rest, isMacro)),
        options,
      ),
    );
    // Bounces are from MAILER-DAEMON in the From_ line.
    const { expression } = compileExpression(pattern, options.isCaseSensitive);
    if (expression?.test(Buffer.from('From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n')) === true) tests.push(leaf('envelope :is "from" ""', 'envelope'));
  }
  return any(...tests);
}

/** Of the body as it is on the wire, like procmail. Texts only: other patterns look at lines, Sieve at the whole. */
export function bodyTest(pattern: string, { isCaseSensitive }: PatternOptions): Test {
  const items = tree(pattern);
  const options = items.length === 1 && items[0]!.kind === 'choice' ? items[0]!.options : [items];
  const texts = new Set<string>();
  for (const option of options) {
    const { items: rest } = trimmed(option);
    for (const glob of globs(isAnything(rest[0]) ? rest.slice(1) : rest) ?? [null]) {
      if (glob === null || glob === '' || /(?<!\\)(?:\\\\)*[*?]/.test(glob)) throw new NoCounterpart('a pattern over the body that is more than a text');
      texts.add(glob.replace(/\\(.)/g, '$1'));
    }
  }
  return leaf(`body :raw :contains${comparator(isCaseSensitive)} ${stringList([...texts].map(unicode))}`, 'body');
}

const comparator = (isCaseSensitive: boolean): string => (isCaseSensitive ? ' :comparator "i;octet"' : '');

function tree(source: string): readonly Node[] {
  const items = source.length > PATTERN_CHARS_MAX ? null : parsePattern(source);
  if (items === null) throw new NoCounterpart('a pattern that cannot be read');
  return items;
}

function unicode(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  if (text.includes('\ufffd') || /[\0-\x08\x0a-\x1f\x7f]/.test(text)) throw new NoCounterpart('a pattern with bytes that are no text');
  return text;
}

// ── Macros ───────────────────────────────────────────────────────────────────────────────────────────

/** Behind the end of the line the macros ask for one that does not begin with ">": a mark that mailboxes had once. */
const MACRO_END = '$([^>]|$)';

function withoutMacros(pattern: string): { source: string; isMacro: boolean } {
  if (!/\^(?:TO|FROM_)/.test(pattern)) return { source: pattern, isMacro: false };
  return { source: expandMacros(pattern).replaceAll(MACRO_END, '$'), isMacro: /\^FROM_/.test(pattern) };
}

// ── Which field ──────────────────────────────────────────────────────────────────────────────────────

interface Branch {
  readonly name: string;
  readonly items: readonly Node[];
  readonly isStarted: boolean;
}

interface Split {
  /** By what must follow the colon. */
  readonly fields: ReadonlyMap<string, { readonly names: string[]; readonly rest: readonly Node[] }>;
  /** What must follow "From " of the line that mailboxes begin with. */
  readonly senders: readonly (readonly Node[])[];
}

/** Takes the names of fields off the front: "^(From|Sender):.*x" is two of them. */
function splitFields(items: readonly Node[]): Split {
  const fields = new Map<string, { names: string[]; rest: readonly Node[] }>();
  const senders: (readonly Node[])[] = [];
  const todo: Branch[] = [{ name: '', items, isStarted: false }];
  for (let branches = 0; todo.length > 0; branches += 1) {
    if (branches > BRANCHES_MAX) throw new NoCounterpart('a pattern over too many header fields');
    const branch = advance(todo.pop()!, todo);
    if (branch === null) continue;
    if (branch.name === 'From ') senders.push(branch.items);
    else {
      const key = JSON.stringify(branch.items, (_, value) => (value instanceof Set ? [...value] : value));
      const known = fields.get(key);
      const name = branch.name.toLowerCase();
      if (known === undefined) fields.set(key, { names: [name], rest: branch.items });
      else if (!known.names.includes(name)) known.names.push(name);
    }
  }
  for (const field of fields.values()) field.names.sort();
  return { fields, senders };
}

/** As far as the colon; null when it came to several branches, which are in `todo` now, or to a line that is no field. */
function advance(from: Branch, todo: Branch[]): Branch | null {
  let { name, isStarted } = from;
  let items = from.items;
  for (;;) {
    const [first, ...rest] = items;
    if (first === undefined) throw new NoCounterpart(isStarted ? 'the name of a header field without its colon' : 'a pattern that is found in every header');
    if (first.kind === 'choice') {
      // The last one is looked at first: so they come in their order.
      for (const option of first.options.toReversed()) todo.push({ name, items: [...option, ...rest], isStarted });
      return null;
    }
    if (first.kind === 'sequence') {
      items = [...first.items, ...rest];
      continue;
    }
    if (first.kind === 'repeat' && first.sign === '?') {
      todo.push({ name, items: rest, isStarted }, { name, items: [first.body, ...rest], isStarted });
      return null;
    }
    if (!isStarted) {
      if (first.kind !== 'edge') throw new NoCounterpart('a pattern that may be in any header field');
      isStarted = true;
    } else {
      const char = oneLetter(first);
      if (char === '>' && name === '') return null; // ">From " begins no field
      if (char === ' ' && name.toLowerCase() === 'from') return { name: 'From ', items: rest, isStarted };
      if (char === ':' && name !== '') return { name, items: rest, isStarted };
      if (char === null || !/^[!-9;-~]$/.test(char)) throw new NoCounterpart('a pattern that does not name its header field');
      name += char;
    }
    items = rest;
  }
}

/** The character that it is, "[Ss]" being one too. */
function oneLetter(node: Node): string | null {
  if (node.kind === 'literal') return node.char;
  if (node.kind !== 'set' || node.has.size > 2) return null;
  const letters = new Set([...node.has].map((code) => String.fromCharCode(code).toLowerCase()));
  return letters.size === 1 ? [...letters][0]! : null;
}

// ── What its value is ────────────────────────────────────────────────────────────────────────────────

/** What must stand from the beginning of the value on. */
interface Value {
  readonly items: readonly Node[];
  /** And nothing behind it. */
  readonly isAtEnd: boolean;
}

/** Without what Sieve takes off the ends of a value, and without what says nothing. */
function trimmed(items: readonly Node[]): Value {
  let rest = flat(items);
  let isAtEnd = false;
  if (rest.at(-1)?.kind === 'edge') {
    isAtEnd = true;
    rest = rest.slice(0, -1);
    while (isBlanks(rest.at(-1))) rest = rest.slice(0, -1);
    if (isAnything(rest.at(-1))) isAtEnd = false;
  }
  while (!isAtEnd && (isAnything(rest.at(-1)) || isBlanks(rest.at(-1)))) rest = rest.slice(0, -1);
  while (isBlanks(rest[0])) rest = rest.slice(1);
  while (isAnything(rest[0]) && isAnything(rest[1])) rest = rest.slice(1);
  return { items: rest, isAtEnd };
}

const flat = (items: readonly Node[]): readonly Node[] => items.flatMap((node) => (node.kind === 'sequence' ? flat(node.items) : [node]));

/** Behind the address in the From_ line comes the date. */
function senderValue(items: readonly Node[], isMacro: boolean): Value {
  const value = trimmed(items);
  if (value.isAtEnd && !isMacro) throw new NoCounterpart('a pattern over the date of the From_ line');
  const last = value.items.at(-1);
  if (!value.isAtEnd && last?.kind === 'literal' && last.char === ' ') return { items: value.items.slice(0, -1), isAtEnd: true };
  return value;
}

function valueTest(word: 'header' | 'envelope', names: readonly string[], values: readonly Value[], { isCaseSensitive }: PatternOptions): Test {
  const requires = word === 'envelope' ? ['envelope'] : [];
  const keys = keysOf(values);
  if (keys.match === 'exists') {
    if (word === 'envelope') return { kind: 'true' };
    return any(...names.map((name) => leaf(`exists ${quoted(name)}`)));
  }
  if (keys.match === 'regex') requires.push('regex');
  return leaf(`${word} :${keys.match}${comparator(isCaseSensitive)} ${stringList(names)} ${stringList(keys.texts)}`, ...requires);
}

type Keys = { readonly match: 'exists' | 'contains' | 'is' | 'matches' | 'regex'; readonly texts: readonly string[] };

function keysOf(values: readonly Value[]): Keys {
  const texts = new Set<string>();
  for (const { items, isAtEnd } of values) {
    const found = globs(items);
    if (found === null) return { match: 'regex', texts: [...new Set(values.map(regex))] };
    for (const glob of found) texts.add(isAtEnd ? glob : `${glob}*`.replace(/\*\*$/, (end, at: number, all: string) => (isEscaped(all, at) ? end : '*')));
  }
  const all = [...texts].map(unicode);
  if (all.includes('*')) return { match: 'exists', texts: [] };
  const parts = all.map(partsOf);
  if (parts.every(({ middle, isFree, isOpen }) => middle !== null && middle !== '' && isFree && isOpen))
    return { match: 'contains', texts: parts.map(({ middle }) => middle!) };
  if (parts.every(({ middle, isFree, isOpen }) => middle !== null && !isFree && !isOpen)) return { match: 'is', texts: parts.map(({ middle }) => middle!) };
  return { match: 'matches', texts: all };
}

const isEscaped = (text: string, at: number): boolean => /(?:^|[^\\])(?:\\\\)*\\$/.test(text.slice(0, at));

/** A glob as a text with stars at its ends; `middle` null when there are more wildcards. */
function partsOf(glob: string): { middle: string | null; isFree: boolean; isOpen: boolean } {
  const isFree = glob.startsWith('*');
  const isOpen = glob.length > 1 && glob.endsWith('*') && !isEscaped(glob, glob.length - 1);
  const inner = glob.slice(isFree ? 1 : 0, isOpen ? -1 : undefined);
  let middle = '';
  for (let at = 0; at < inner.length; at += 1) {
    if (inner[at] === '*' || inner[at] === '?') return { middle: null, isFree, isOpen };
    if (inner[at] === '\\') at += 1;
    middle += inner[at] ?? '';
  }
  return { middle, isFree, isOpen };
}

/** Patterns for :matches (RFC 5228 section 2.7.1) that come to the same; null when there are none, or too many. */
function globs(items: readonly Node[]): readonly string[] | null {
  let out: readonly string[] = [''];
  for (const node of items) {
    const next = globsOf(node);
    if (next === null || out.length * next.length > TEXTS_MAX) return null;
    out = out.flatMap((start) => next.map((end) => start + end));
  }
  return out;
}

function globsOf(node: Node): readonly string[] | null {
  switch (node.kind) {
    case 'literal':
      return [globText(node.char)];
    case 'set':
      if (isDot(node)) return ['?'];
      return oneLetter(node) !== null
        ? [globText(oneLetter(node)!)]
        : node.has.size <= 4
          ? [...node.has].map((code) => globText(String.fromCharCode(code)))
          : null;
    case 'sequence':
      return globs(node.items);
    case 'choice': {
      const options = node.options.map(globs);
      return options.includes(null) ? null : (options as (readonly string[])[]).flat();
    }
    case 'repeat': {
      if (node.sign !== '?') return isDot(node.body) ? [node.sign === '*' ? '*' : '?*'] : null;
      const body = globsOf(node.body);
      return body === null ? null : ['', ...body];
    }
    default:
      return null;
  }
}

const globText = (char: string): string => (/[*?\\]/.test(char) ? `\\${char}` : char);

/** A regular expression; from the beginning of the value unless it says otherwise. */
function regex({ items, isAtEnd }: Value): string {
  const isFree = isAnything(items[0]);
  const written = writePosix(isFree ? items.slice(1) : items, !isAtEnd);
  if (written === null) throw new NoCounterpart('a pattern over several header fields');
  const source = unicode(`${isFree ? '' : '^'}${written}${isAtEnd ? '$' : ''}`);
  try {
    compilePattern(source, 'regexp');
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error;
    throw new NoCounterpart(`a pattern that Sieve cannot search with: ${error.message}`);
  }
  return source;
}
