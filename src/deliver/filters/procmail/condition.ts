/** One condition line, without its `*`: weight, `!`, `$`, `?`, `<`, `>`, `variable ??`, or an expression. */
import { compileExpression } from './regex.ts';
import type { Area, Condition, Weight } from './script.ts';
import { isBlank, readWord, readWords, scanName } from './word.ts';

/** What stands before the part that `$` expands. */
export interface Prefix {
  readonly weight: Weight | null;
  readonly isNegated: boolean;
  readonly area: Area | null;
}

const NO_PREFIX: Prefix = { weight: null, isNegated: false, area: null };
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?/iy;
/** Procmail's "infinity". */
export const SCORE_MOST = 2147483647;

/** `text` has no blanks at its ends. Never fails: what is nothing else is an expression. */
export function parseCondition(text: string, isCaseSensitive: boolean, prefix: Prefix = NO_PREFIX): Condition {
  let { weight, isNegated, area } = prefix;
  let at = skip(text, 0);
  const weighted = readWeight(text, at);
  if (weighted !== null) {
    weight = weighted.weight;
    at = skip(text, weighted.end);
  }
  for (;;) {
    const c = text[at];
    const base = { weight, isNegated, text: text.slice(at) };
    if (c === '!') {
      isNegated = !isNegated;
      at = skip(text, at + 1);
    } else if (c === '$') {
      return { ...base, kind: 'expanded', area, word: readWord(text, skip(text, at + 1), 'condition').word };
    } else if (c === '?') {
      const line = text.slice(at + 1);
      return { ...base, kind: 'program', area, program: { line, words: readWords(line, 0).words } };
    } else if (c === '<' || c === '>') {
      return { ...base, kind: 'size', area, operator: c, words: readWords(text, at + 1).words };
    } else if (c === '\\') {
      return { ...base, kind: 'regex', area, compiled: compileExpression(text.slice(at + 1), isCaseSensitive) };
    } else {
      const named = readArea(text, at);
      if (named === null) return { ...base, kind: 'regex', area, compiled: compileExpression(text.slice(at), isCaseSensitive) };
      area = named.area;
      at = named.end;
    }
  }
}

function readWeight(text: string, at: number): { readonly weight: Weight; readonly end: number } | null {
  NUMBER.lastIndex = at;
  const first = NUMBER.exec(text);
  if (first === null) return null;
  let end = skip(text, at + first[0].length);
  if (text[end] !== '^') return null;
  end = skip(text, end + 1);
  NUMBER.lastIndex = end;
  const factor = NUMBER.exec(text);
  if (factor === null) return null;
  return { weight: { first: bounded(first[0]), factor: bounded(factor[0]) }, end: end + factor[0].length };
}

function bounded(text: string): number {
  return Math.min(Math.max(Number(text), -SCORE_MOST), SCORE_MOST);
}

function readArea(text: string, at: number): { readonly area: Area; readonly end: number } | null {
  const end = scanName(text, at);
  if (end === at) return null;
  const mark = skip(text, end);
  if (text[mark] !== '?' || text[mark + 1] !== '?') return null;
  const name = text.slice(at, end);
  const area: Area =
    name === 'H' ? { kind: 'header' } : name === 'B' ? { kind: 'body' } : name === 'HB' || name === 'BH' ? { kind: 'both' } : { kind: 'variable', name };
  return { area, end: skip(text, mark + 2) };
}

function skip(text: string, at: number): number {
  let end = at;
  while (isBlank(text[end])) end += 1;
  return end;
}
