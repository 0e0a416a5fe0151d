/** Patterns of :matches (RFC 5228 section 2.7.1): "*" any characters, "?" one, a backslash makes them ordinary. */

type Token = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'one' } | { readonly kind: 'any' };

export interface Glob {
  readonly tokens: readonly Token[];
  /** Wildcards in it. */
  readonly wildcards: number;
}

export function compileGlob(pattern: string): Glob {
  const tokens: Token[] = [];
  let text = '';
  let wildcards = 0;
  const flush = (): void => {
    if (text !== '') tokens.push({ kind: 'text', text });
    text = '';
  };
  for (let at = 0; at < pattern.length; at += 1) {
    const c = pattern[at]!;
    if (c === '\\' && at + 1 < pattern.length) {
      at += 1;
      text += pattern[at]!;
    } else if (c === '*' || c === '?') {
      flush();
      tokens.push({ kind: c === '*' ? 'any' : 'one' });
      wildcards += 1;
    } else text += c;
  }
  flush();
  return { tokens, wildcards };
}

/**
 * What the wildcards matched, as [start, end) places in `text`, each as short as the ones before it allow (RFC 5229 section 3.2);
 * null when the whole text does not match. A piece between two stars goes to the first place where it fits, so nothing is
 * tried twice: at most text times pattern steps, which `charge` is told.
 */
export function matchGlob(glob: Glob, text: string, charge: (steps: number) => void): readonly (readonly [number, number])[] | null {
  const { tokens } = glob;
  const places: [number, number][] = [];
  let steps = 0;
  let token = 0;
  let at = 0;
  /** The last star: its token, where in `places` it is, and where what follows it was tried. */
  let star = -1;
  let starPlace = 0;
  let retry = 0;
  for (;;) {
    steps += 1;
    const current = tokens[token];
    let isFitting = true;
    if (current === undefined) {
      if (at === text.length) {
        charge(steps);
        return places;
      }
      isFitting = false;
    } else if (current.kind === 'any') {
      star = token;
      starPlace = places.length;
      places.push([at, at]);
      retry = at;
      token += 1;
      // A last star takes all the rest; literal text behind a star is looked for at once.
      if (token === tokens.length) {
        places[starPlace]![1] = text.length;
        charge(steps);
        return places;
      }
      continue;
    } else if (current.kind === 'one') {
      const width = widthAt(text, at);
      if (width === 0) isFitting = false;
      else {
        places.push([at, at + width]);
        at += width;
        token += 1;
      }
    } else if (text.startsWith(current.text, at)) {
      at += current.text.length;
      token += 1;
    } else isFitting = false;
    if (isFitting) continue;
    if (star === -1) break;
    // The star takes more: up to the next place where the text behind it can begin.
    retry += widthAt(text, retry);
    const next = tokens[star + 1]!;
    if (next.kind === 'text') {
      const isAtEnd = star + 2 === tokens.length;
      const found = isAtEnd ? Math.max(text.length - next.text.length, 0) : text.indexOf(next.text, retry);
      if (found < retry || (isAtEnd && !text.endsWith(next.text))) break;
      steps += found - retry;
      retry = found;
    } else if (retry >= text.length) {
      if (retry > text.length || at >= text.length) break;
    }
    if (retry > text.length) break;
    places.length = starPlace + 1;
    places[starPlace]![1] = retry;
    token = star + 1;
    at = retry;
    if (steps > STEPS_BETWEEN) {
      charge(steps);
      steps = 0;
    }
  }
  charge(steps);
  return null;
}

const STEPS_BETWEEN = 10_000;

/** A character beyond the basic plane is one; 0 at the end. */
function widthAt(text: string, at: number): number {
  if (at >= text.length) return 0;
  return text.codePointAt(at)! > 0xffff ? 2 : 1;
}

/** The text as a pattern that only matches itself (:quotewildcard, RFC 5229 section 4.1.2). */
export function quoteGlob(text: string): string {
  return text.replace(/[*?\\]/g, '\\$&');
}
