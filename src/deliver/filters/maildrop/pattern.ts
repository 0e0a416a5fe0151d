/**
 * Patterns of users, matched in bounded time: PCRE's syntax, read and given to an engine by the room of pattern tables. What only a
 * worker could try in time (look-around on a very long line) counts as not found, as it does in maildrop when PCRE passes its limit.
 */
import { compilePattern, type Groups, PatternProblem, type SafePattern } from '../../../directory/tables/pattern/compile.ts';
import { parsePcre } from '../../../directory/tables/pattern/pcre.ts';
import { re2 } from '../../../directory/tables/pattern/re2.ts';
import { writeJavaScript, writeRe2 } from '../../../directory/tables/pattern/write.ts';
import { MAILDROP_LIMITS } from './limits.ts';

export interface Found {
  /** The whole match, then the groups; undefined for one that took no part. */
  readonly groups: Groups;
  /** Where a search for the next match begins. */
  readonly next: number;
}

/** One compiled pattern. Texts are Unicode. */
export class Searcher {
  readonly #safe: SafePattern;
  readonly #source: string;
  readonly #isCaseSensitive: boolean;
  /** For matches behind the first, made when such a one is asked for. */
  #further: { readonly javascript: RegExp; readonly groupAt: readonly number[]; readonly re2Source: string | null } | null = null;

  /** Throws PatternProblem. */
  constructor(source: string, isCaseSensitive: boolean) {
    this.#source = source;
    this.#isCaseSensitive = isCaseSensitive;
    // The dot does not match line ends, unlike in tables; case matters with D only.
    this.#safe = compilePattern(source, 'pcre', isCaseSensitive ? 'is' : 's');
  }

  get groupCount(): number {
    return this.#safe.groupCount;
  }

  /** False also for what cannot be tried in time. */
  test(text: string): boolean {
    return this.#safe.engineFor(text.length) !== 'worker' && this.#safe.test(text) === true;
  }

  /** The first match. */
  first(text: string): Groups | null {
    // Without the worker, the answer is there at once.
    return this.#safe.engineFor(text.length) === 'worker' ? null : (this.#safe.exec(text) as Groups | null);
  }

  /** The first match at `from` or behind it; what stands before `from` is seen by "^", "\b" and look-behind. */
  from(text: string, from: number): Found | null {
    const engine = this.#safe.engineFor(text.length);
    if (engine === 'worker') return null;
    this.#further ??= this.#compileFurther();
    const { javascript, groupAt, re2Source } = this.#further;
    if (engine === 'javascript' || re2Source === null) {
      javascript.lastIndex = from;
      const match = javascript.exec(text);
      return match === null ? null : { groups: groupAt.map((at) => match[at]), next: behind(text, match.index, match[0].length) };
    }
    const matcher = re2().compile(re2Source).matcher(text);
    if (!matcher.find(from)) return null;
    const groups: (string | undefined)[] = [];
    for (let i = 0; i <= this.#safe.groupCount; i += 1) groups.push(matcher.group(i) ?? undefined);
    return { groups, next: behind(text, matcher.start(), groups[0]!.length) };
  }

  #compileFurther(): { javascript: RegExp; groupAt: readonly number[]; re2Source: string | null } {
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
    return { javascript: new RegExp(source, 'g'), groupAt, re2Source: writeRe2(tree.root) };
  }
}

/** Past a match; past the next character too when the match was empty, so that the search comes to an end. */
function behind(text: string, index: number, length: number): number {
  if (length > 0) return index + length;
  return index + ((text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1);
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
