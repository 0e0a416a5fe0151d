/** Wildcards of LIST: "*" matches anything, "%" anything without the hierarchy separator (RFC 9051 section 6.3.9). */

/** Longer patterns match nothing: no name is so long. Bounds the work of one comparison. */
const PATTERN_MAX = 1100;

export function matchesPattern(pattern: string, name: string): boolean {
  if (pattern.length > PATTERN_MAX) return false;
  if (pattern === '*') return true;
  if (matches(pattern, name)) return true;
  // INBOX in any case is INBOX, also within a pattern.
  return name === 'INBOX' && matches(pattern.toUpperCase(), name);
}

/** All positions of the pattern at once, character by character of the name: time is length by length, whatever the wildcards. */
function matches(pattern: string, name: string): boolean {
  const length = pattern.length;
  let reached = new Uint8Array(length + 1);
  let next = new Uint8Array(length + 1);
  reached[0] = 1;
  passWildcards(pattern, reached);
  for (let i = 0; i < name.length; i += 1) {
    const c = name[i];
    next.fill(0);
    let isAlive = false;
    for (let at = 0; at < length; at += 1) {
      if (reached[at] === 0) continue;
      const p = pattern[at];
      if (p === '*' || (p === '%' && c !== '/')) next[at] = 1;
      else if (p === c && p !== '%') next[at + 1] = 1;
      else continue;
      isAlive = true;
    }
    if (!isAlive) return false;
    passWildcards(pattern, next);
    [reached, next] = [next, reached];
  }
  return reached[length] === 1;
}

/** A wildcard may also stand for nothing. */
function passWildcards(pattern: string, reached: Uint8Array): void {
  for (let at = 0; at < pattern.length; at += 1) if (reached[at] === 1 && (pattern[at] === '*' || pattern[at] === '%')) reached[at + 1] = 1;
}

/** INBOX and what is below it first, then by name. */
export function inOrder<T extends { readonly name: string }>(names: Iterable<T>): T[] {
  const rank = (name: string): number => (name === 'INBOX' ? 0 : name.startsWith('INBOX/') ? 1 : 2);
  return [...names].sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
