/** Wildcards of LIST: "*" matches anything, "%" anything without the hierarchy separator (RFC 9051 section 6.3.9). */
import type { Steps } from './pace.ts';

/** Longer patterns match nothing: no name is so long. Bounds the work of one comparison. */
const PATTERN_MAX = 1100;
/** Names sorted at once, and merged between two yields. */
const SORTED_AT_ONCE = 1000;

/** For many names: what a pattern matches. */
export function patternMatcher(pattern: string): (name: string) => boolean {
  if (pattern.length > PATTERN_MAX) return () => false;
  if (pattern === '*') return () => true;
  const matches = matcher(pattern);
  // INBOX in any case is INBOX, also within a pattern, and where others are below it.
  const matchesInbox = automaton(pattern);
  return (name) => (rank(name) === OTHERS ? matches(name) : matchesInbox(name, 0, name.length, INBOX.length));
}

export function matchesPattern(pattern: string, name: string): boolean {
  return patternMatcher(pattern)(name);
}

function matcher(pattern: string): (name: string) => boolean {
  const first = pattern.search(/[*%]/);
  if (first === -1) return (name) => name === pattern;
  const start = pattern.slice(0, first);
  const end = pattern.slice(Math.max(pattern.lastIndexOf('*'), pattern.lastIndexOf('%')) + 1);
  const middle = pattern.slice(first, pattern.length - end.length);
  // Most patterns have one wildcard, and most names differ already where there is none.
  const fits = (name: string): boolean => name.length >= start.length + end.length && name.startsWith(start) && name.endsWith(end);
  if (middle === '*') return fits;
  if (middle === '%') return (name) => fits(name) && !name.slice(start.length, name.length - end.length).includes('/');
  const matches = automaton(middle);
  return (name) => fits(name) && matches(name, start.length, name.length - end.length, 0);
}

/**
 * All positions of the pattern at once, character by character of the name: time is length by length, whatever the wildcards. Characters of
 * the name before `anyCase` match in either case.
 */
function automaton(pattern: string): (name: string, from: number, to: number, anyCase: number) => boolean {
  const { length } = pattern;
  let reached = new Uint8Array(length + 1);
  let next = new Uint8Array(length + 1);
  /** A wildcard may also stand for nothing. */
  const passWildcards = (): void => {
    for (let at = 0; at < length; at += 1) if (reached[at] === 1 && (pattern[at] === '*' || pattern[at] === '%')) reached[at + 1] = 1;
  };
  return (name, from, to, anyCase) => {
    reached.fill(0);
    reached[0] = 1;
    passWildcards();
    for (let i = from; i < to; i += 1) {
      const c = name[i];
      const small = i < anyCase ? c!.toLowerCase() : c;
      next.fill(0);
      let isAlive = false;
      for (let at = 0; at < length; at += 1) {
        if (reached[at] === 0) continue;
        const p = pattern[at];
        if (p === '*' || (p === '%' && c !== '/')) next[at] = 1;
        else if ((p === c || p === small) && p !== '%') next[at + 1] = 1;
        else continue;
        isAlive = true;
      }
      if (!isAlive) return false;
      [reached, next] = [next, reached];
      passWildcards();
    }
    return reached[length] === 1;
  };
}

type Named = { readonly name: string };

const INBOX = 'INBOX';
/** Neither INBOX nor below it. */
const OTHERS = 2;
function rank(name: string): number {
  if (!name.startsWith(INBOX)) return OTHERS;
  return name.length === INBOX.length ? 0 : name[INBOX.length] === '/' ? 1 : OTHERS;
}

function compare({ name: a }: Named, { name: b }: Named): number {
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** INBOX and what is below it first, then by name. */
export function* inOrder<T extends Named>(names: Iterable<T>): Steps<T[]> {
  let source = [...names];
  const { length } = source;
  if (length <= SORTED_AT_ONCE) return source.sort(compare);
  for (let from = 0; from < length; from += SORTED_AT_ONCE) {
    const piece = source.slice(from, from + SORTED_AT_ONCE).sort(compare);
    for (let i = 0; i < piece.length; i += 1) source[from + i] = piece[i]!;
    yield;
  }
  let target = source.slice();
  for (let width = SORTED_AT_ONCE; width < length; width *= 2) {
    for (let from = 0; from < length; from += 2 * width) {
      const middle = Math.min(length, from + width);
      const end = Math.min(length, from + 2 * width);
      let left = from;
      let right = middle;
      for (let to = from; to < end; to += 1) {
        if (right >= end || (left < middle && compare(source[left]!, source[right]!) <= 0)) target[to] = source[left++]!;
        else target[to] = source[right++]!;
        if (to % SORTED_AT_ONCE === 0) yield;
      }
    }
    [source, target] = [target, source];
  }
  return source;
}
