/** Responses of a server as a client reads them (RFC 9051 section 9). A response is one text; literals stand in it as they came. */
import { Violation } from './violation.ts';

/** A string (atom, quoted, literal), NIL, or a list. */
export type Value = string | null | readonly Value[];

const RULE = 'responses can be read';

/** One value that begins at `at`. */
export function parseValue(text: string, at: number): [value: Value, end: number] {
  const first = text[at];
  if (first === '(') return parseList(text, at);
  if (first === '"') return parseQuoted(text, at);
  if (first === '{') return parseLiteral(text, at);
  let end = at;
  while (end < text.length && text[end] !== ' ' && text[end] !== ')' && text[end] !== '(') end += 1;
  if (end === at) throw new Violation(RULE, `no value at ${at}: ${text.slice(0, 300)}`);
  const atom = text.slice(at, end);
  return [atom === 'NIL' ? null : atom, end];
}

function parseList(text: string, start: number): [Value, number] {
  const values: Value[] = [];
  let at = start + 1;
  while (text[at] !== ')') {
    // The parts of a multipart stand side by side without a space.
    if (text[at] === ' ') at += 1;
    const [value, end] = parseValue(text, at);
    values.push(value);
    at = end;
  }
  return [values, at + 1];
}

function parseQuoted(text: string, start: number): [string, number] {
  let value = '';
  let at = start + 1;
  for (; text[at] !== '"'; at += 1) {
    if (at >= text.length) throw new Violation(RULE, `a quoted string has no end: ${text.slice(0, 300)}`);
    if (text[at] === '\\') at += 1;
    value += text[at];
  }
  return [value, at + 1];
}

function parseLiteral(text: string, start: number): [string, number] {
  const end = text.indexOf('}', start);
  const size = Number(text.slice(start + 1, end));
  const from = end + 3;
  return [text.slice(from, from + size), from + size];
}

/** The items of a FETCH response by name; `at`: the "(". Names with a section keep it. */
export function parseFetch(text: string, start: number): Map<string, Value> {
  const items = new Map<string, Value>();
  let at = start + 1;
  while (text[at] !== ')') {
    if (text[at] === ' ') at += 1;
    const nameEnd = itemNameEnd(text, at);
    const name = text.slice(at, nameEnd);
    if (items.has(name)) throw new Violation('an item comes once in a FETCH response', `${name} in ${text.slice(0, 300)}`);
    const [value, end] = parseValue(text, nameEnd + 1);
    items.set(name, value);
    at = end;
  }
  if (at + 1 !== text.length) throw new Violation(RULE, `something follows a FETCH response: ${text.slice(0, 300)}`);
  return items;
}

function itemNameEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '[') depth += 1;
    else if (text[at] === ']') depth -= 1;
    else if (text[at] === ' ' && depth === 0) return at;
  }
  throw new Violation(RULE, `an item without a value: ${text.slice(0, 300)}`);
}

/** A uid-set or sequence-set without "*", spelt out in its order. */
export function numbersOf(set: string): number[] {
  const numbers: number[] = [];
  for (const range of set.split(',')) {
    const [from, to = from] = range.split(':').map(Number) as [number, number?];
    if (!(from > 0 && to! > 0) || Math.abs(to! - from) > 1e6) throw new Violation(RULE, `not a set of numbers: ${set.slice(0, 200)}`);
    const step = to! >= from ? 1 : -1;
    for (let n = from; n !== to! + step; n += step) numbers.push(n);
  }
  return numbers;
}

/** Pairs of a set, for those that may be very long. */
export function rangesOf(set: string): [number, number][] {
  return set.split(',').map((range) => {
    const [from, to = from] = range.split(':').map(Number) as [number, number?];
    return [Math.min(from, to!), Math.max(from, to!)];
  });
}

/** Ascending numbers, written short. */
export function formatNumbers(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; i += 1) {
    const first = numbers[i]!;
    while (i + 1 < numbers.length && numbers[i + 1] === numbers[i]! + 1) i += 1;
    parts.push(numbers[i] === first ? String(first) : `${first}:${numbers[i]}`);
  }
  return parts.join(',');
}

/** Flags of a list, sorted, without \Recent (which each session sees differently). */
export function flagsOf(value: Value): string {
  return (value as readonly string[])
    .filter((flag) => flag !== '\\Recent')
    .sort()
    .join(' ');
}
