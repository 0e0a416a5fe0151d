/** What is known of a procmail script's variables before any message is there. */
import type { Part, Word } from '../procmail/word.ts';

/** null: set, but nobody knows to what. Names that are missing come from outside and are not known either. */
export type Values = Map<string, string | null>;

/** Home directory and inbox of somebody. */
export const FIRST_VALUES: readonly (readonly [string, string])[] = [
  ['HOME', '~'],
  ['MAILDIR', '~'],
  ['DEFAULT', '~/Maildir/'],
  ['ORGMAIL', '~/Maildir/'],
];

const VALUE_CHARS_MAX = 10_000;

/** The text that a word comes to for every message, or null. */
export function constant(word: Word, values: Values): string | null {
  let text = '';
  for (const part of word) {
    const piece = constantPart(part, values);
    if (piece === null) return null;
    text += piece;
  }
  return text.length > VALUE_CHARS_MAX ? null : text;
}

function constantPart(part: Part, values: Values): string | null {
  if (part.kind === 'text') return part.text;
  if (part.kind !== 'variable') return null;
  const value = values.get(part.name);
  if (value === undefined || value === null) return null;
  if (part.isDisarmed) return `()${value.replace(/[\\^$.*+?()[|]/g, '\\$&')}`;
  switch (part.operator) {
    case '+':
      return constant(part.alternative, values);
    case ':+':
      return value === '' ? '' : constant(part.alternative, values);
    case ':-':
      return value === '' ? constant(part.alternative, values) : value;
    default:
      return value;
  }
}

/** Words as an action gets them, or null. Values that are not quoted fall apart at blanks. */
export function constantWords(words: readonly Word[], values: Values): readonly string[] | null {
  const out: string[] = [];
  for (const word of words) {
    const text = constant(word, values);
    if (text === null) return null;
    const isSplit = word.some((part) => part.kind === 'variable' && !part.isQuoted);
    out.push(...(isSplit ? text.split(/[ \t\n]+/).filter((piece) => piece !== '') : [text]));
  }
  return out;
}

/** Behind statements that may have been passed over: what differs is not known. */
export function merge(into: Values, other: Values): void {
  for (const [name, value] of other) if (into.get(name) !== value) into.set(name, null);
  for (const name of into.keys()) if (!other.has(name)) into.set(name, null);
}
