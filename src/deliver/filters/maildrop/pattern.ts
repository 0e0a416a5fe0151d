/**
 * Patterns of users, matched in bounded time: PCRE's syntax, read and given to an engine by the room of pattern tables. What only a
 * worker could try in time (look-around on a line of many kilobytes) counts as not found, as it does in maildrop when PCRE passes its limit.
 */
import { compilePattern, type Groups, PatternProblem, type SafePattern } from '../../../directory/tables/pattern/compile.ts';
import { parsePcre } from '../../../directory/tables/pattern/pcre.ts';
import { re2 } from '../../../directory/tables/pattern/re2.ts';
import { hasKind, type Node } from '../../../directory/tables/pattern/tree.ts';
import { writeJavaScript, writeRe2 } from '../../../directory/tables/pattern/write.ts';
import { MAILDROP_LIMITS } from './limits.ts';

type Re2 = ReturnType<ReturnType<typeof re2>['compile']>;

/** One compiled pattern. Texts are Unicode. */
export class Searcher {
  readonly #safe: SafePattern;
  readonly #source: string;
  readonly #isCaseSensitive: boolean;
  /** For what the shared engine does not do: matches behind the first, and very long texts. Made when first wanted. */
  #own: { readonly javascript: RegExp; readonly groupAt: readonly number[]; readonly re2: Re2 | null } | null = null;

  /** Throws PatternProblem. */
  constructor(source: string, isCaseSensitive: boolean) {
    this.#source = source;
    this.#isCaseSensitive = isCaseSensitive;
    // The dot does not match line ends, unlike in tables; case matters with D only.
    this.#safe = compilePattern(source, 'pcre', isCaseSensitive ? 'is' : 's');
  }

  /** False also for what cannot be tried in time. */
  test(text: string): boolean {
    // Without the worker the answer is there at once.
    if (this.#safe.engineFor(text.length) !== 'worker') return this.#safe.test(text) === true;
    return this.#linear(text)?.test(text) ?? false;
  }

  /** The first match: the whole, then its groups; undefined for one that took no part. */
  first(text: string): Groups | null {
    if (this.#safe.engineFor(text.length) !== 'worker') return this.#safe.exec(text) as Groups | null;
    for (const groups of this.all(text)) return groups;
    return null;
  }

  /** Every match, one behind the other; "^", "\b" and look-behind see what stands before. A match of nothing is followed by a step. */
  *all(text: string): Generator<Groups, void, undefined> {
    const engine = this.#safe.engineFor(text.length);
    const linear = engine === 'javascript' ? null : this.#linear(text);
    if (linear === null) {
      if (engine === 'worker') return;
      const { javascript, groupAt } = this.#compiled();
      let from = 0;
      while (from <= text.length) {
        javascript.lastIndex = from;
        const match = javascript.exec(text);
        if (match === null) return;
        yield groupAt.map((at) => match[at]);
        from = match[0].length > 0 ? match.index + match[0].length : match.index + ((text.codePointAt(match.index) ?? 0) > 0xffff ? 2 : 1);
      }
      return;
    }
    const matcher = linear.matcher(text);
    while (matcher.find()) {
      const groups: (string | undefined)[] = [];
      for (let i = 0; i <= this.#safe.groupCount; i += 1) groups.push(matcher.group(i) ?? undefined);
      yield groups;
    }
  }

  /** RE2 for this text, when it can express the pattern: filters run where a second of work holds up nobody else. */
  #linear(text: string): Re2 | null {
    return text.length <= MAILDROP_LIMITS.linearChars ? this.#compiled().re2 : null;
  }

  #compiled(): { readonly javascript: RegExp; readonly groupAt: readonly number[]; readonly re2: Re2 | null } {
    if (this.#own !== null) return this.#own;
    const tree = parsePcre(this.#source, {
      ignoresCase: !this.#isCaseSensitive,
      isMultiline: false,
      dotMatchesAll: false,
      isExtended: false,
      isAnchored: false,
      dollarIsEnd: false,
      isUngreedy: false,
    });
    const { source, groupAt } = writeJavaScript(tree.root, tree.groupCount);
    const re2Source = hasKind(tree.root, NEEDS_JAVASCRIPT) ? null : writeRe2(tree.root);
    this.#own = { javascript: new RegExp(source, 'g'), groupAt, re2: re2Source === null ? null : compileRe2(re2Source) };
    return this.#own;
  }
}

const NEEDS_JAVASCRIPT: ReadonlySet<Node['kind']> = new Set<Node['kind']>(['look', 'backReference', 'atomic']);

/** Null when it is too large for RE2. */
function compileRe2(source: string): Re2 | null {
  try {
    return re2().compile(source);
  } catch {
    return null; // then the pattern is tried on short texts only
  }
}

/** Compiled patterns by their text with variables replaced. Bounded: a pattern made of message text does not stay for ever. */
export class PatternCache {
  readonly #kept = new Map<string, Searcher | PatternProblem>();

  get(source: string, isCaseSensitive: boolean): Searcher | PatternProblem {
    const key = isCaseSensitive ? `D${source}` : source === '' || source[0] !== 'D' ? source : `i${source}`;
    let searcher = this.#kept.get(key);
    if (searcher === undefined) {
      searcher = compiled(source, isCaseSensitive);
      if (this.#kept.size >= MAILDROP_LIMITS.patterns) this.#kept.clear();
      this.#kept.set(key, searcher);
    }
    return searcher;
  }
}

/** A pattern that cannot be compiled is a value too: the script goes on without a match. */
export function compiled(source: string, isCaseSensitive: boolean): Searcher | PatternProblem {
  try {
    return new Searcher(source, isCaseSensitive);
  } catch (error) {
    if (error instanceof PatternProblem) return error;
    throw error;
  }
}
