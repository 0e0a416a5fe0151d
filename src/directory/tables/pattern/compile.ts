/**
 * Patterns that people write, matched without any risk for the thread that asks. Three engines, chosen by what the pattern needs and
 * how long the text is:
 *  - JavaScript's own, where the analysis of cost.ts shows that the text is too short for more than a few milliseconds' work;
 *  - RE2, whose time is linear in the text, for the rest that it can express;
 *  - a worker under a deadline: with JavaScript's engine for look-around, back-references and atomic groups that leave many ways to go,
 *    with RE2 for texts and patterns so large that even linear is long.
 */
import { costOfSearch, isNullable, longestWithin } from './cost.ts';
import { PATTERN_LIMITS } from './limits.ts';
import { parsePcre, type PcreFlags } from './pcre.ts';
import { parsePosix } from './posix.ts';
import { type RE2, re2 } from './re2.ts';
import { children, hasKind, type Node, PatternProblem, type Tree } from './tree.ts';
import { matchInWorker } from './worker-pool.ts';
import { writeJavaScript, writeRe2 } from './write.ts';

export { PatternProblem } from './tree.ts';
export { PatternTimeout } from './worker-pool.ts';

export type Flavour = 'pcre' | 'regexp';

/** What matched: the whole at 0, then the groups by number; undefined for a group that took no part. */
export type Groups = readonly (string | undefined)[];

export interface SafePattern {
  /** Capturing groups. */
  readonly groupCount: number;
  /** Answers at once, unless the worker has to do it; rejects with PatternTimeout then. Cheaper than `exec`. */
  test(text: string): boolean | Promise<boolean>;
  /** The same with what matched. */
  exec(text: string): Groups | null | Promise<Groups | null>;
  /** What would match a text of this length, for people and tests. */
  engineFor(length: number): 'javascript' | 're2' | 'worker';
}

export interface PatternOptions {
  /** How long the worker may take for one text, in milliseconds; 100 when left out. */
  deadlineMs?(): number;
}

/**
 * Compiles one pattern. `flags` are the letters behind the pattern in a table: each toggles from the default, which is i and s for pcre,
 * i and x for regexp. Throws PatternProblem with a sentence and an offset into the source.
 */
export function compilePattern(source: string, flavour: Flavour, flags = '', options: PatternOptions = {}): SafePattern {
  if (source.length > PATTERN_LIMITS.sourceChars) throw new PatternProblem(0, `a pattern may have ${PATTERN_LIMITS.sourceChars} characters at most`);
  const tree = flavour === 'pcre' ? parsePcre(source, pcreFlags(flags)) : parsePosix(source, posixFlags(flags));
  if (expandedNodes(tree.root) > PATTERN_LIMITS.expandedNodes) throw new PatternProblem(0, 'the pattern is too large: its counted repeats multiply');
  checkReferences(tree.root, new Set());
  return new CompiledPattern(tree, flavour, options.deadlineMs ?? (() => 100));
}

function toggled<K extends string>(flags: string, letters: Readonly<Record<string, K | null>>, initial: Record<K, boolean>): Record<K, boolean> {
  const state = { ...initial };
  for (const letter of flags) {
    const name = Object.hasOwn(letters, letter) ? letters[letter] : undefined;
    if (name === undefined) throw new PatternProblem(0, `there is no pattern flag "${letter}"`);
    if (name !== null) state[name] = !state[name];
  }
  return state;
}

function pcreFlags(flags: string): PcreFlags {
  return toggled(
    flags,
    // X: of PCRE1 only; what it asked for, PCRE2 always does.
    { i: 'ignoresCase', m: 'isMultiline', s: 'dotMatchesAll', x: 'isExtended', A: 'isAnchored', E: 'dollarIsEnd', U: 'isUngreedy', X: null },
    { ignoresCase: true, isMultiline: false, dotMatchesAll: true, isExtended: false, isAnchored: false, dollarIsEnd: false, isUngreedy: false },
  );
}

function posixFlags(flags: string): { ignoresCase: boolean; isMultiline: boolean; isExtended: boolean } {
  return toggled(flags, { i: 'ignoresCase', m: 'isMultiline', x: 'isExtended' }, { ignoresCase: true, isMultiline: false, isExtended: true });
}

/** Nodes once counted repeats are written out, which is what engines compile. */
function expandedNodes(node: Node): number {
  const below = children(node).reduce((sum, child) => sum + expandedNodes(child), 1);
  if (node.kind !== 'repeat') return below;
  return below * Math.max(1, node.most === Number.POSITIVE_INFINITY ? node.least + 1 : node.most);
}

/**
 * A back-reference to a group that took no part fails in PCRE and matches nothing in JavaScript, so those that might are refused.
 * Adds the groups that surely took part in any match of the node to `set`.
 */
function checkReferences(node: Node, set: Set<number>): void {
  switch (node.kind) {
    case 'backReference':
      if (!set.has(node.index)) throw new PatternProblem(0, `the back-reference to group ${node.index} stands where that group may not have matched`);
      return;
    case 'group':
      checkReferences(node.body, set);
      set.add(node.index);
      return;
    case 'alternation': {
      const options = node.options.map((option) => {
        const own = new Set(set);
        checkReferences(option, own);
        return own;
      });
      for (const index of options[0]!) if (options.every((own) => own.has(index))) set.add(index);
      return;
    }
    case 'repeat':
      checkReferences(node.body, node.least > 0 ? set : new Set(set));
      return;
    case 'look':
      checkReferences(node.body, node.isNegative ? new Set(set) : set);
      return;
    default:
      for (const child of children(node)) checkReferences(child, set);
  }
}

/**
 * JavaScript forgets at each turn of a loop what the groups inside it had matched, and takes no turn of nothing; PCRE and POSIX keep
 * the groups, and end a loop with such a turn. True when that could show in a group.
 */
function forgetsGroups(node: Node): boolean {
  if (node.kind === 'repeat' && node.most > 1) {
    if (node.most > node.least && isNullable(node.body)) return true;
    const all = new Set<number>();
    collectGroups(node.body, all);
    const sure = new Set<number>();
    sureGroups(node.body, sure);
    if (sure.size < all.size) return true;
  }
  return children(node).some(forgetsGroups);
}
function collectGroups(node: Node, into: Set<number>): void {
  if (node.kind === 'group') into.add(node.index);
  for (const child of children(node)) collectGroups(child, into);
}
function sureGroups(node: Node, into: Set<number>): void {
  if (node.kind === 'alternation' || node.kind === 'look' || (node.kind === 'repeat' && node.least === 0)) return;
  if (node.kind === 'group') into.add(node.index);
  for (const child of children(node)) sureGroups(child, into);
}

/** Whether the leftmost-longest match of POSIX may differ from the first that backtracking finds. */
function hasChoice(node: Node): boolean {
  return node.kind === 'alternation' || (node.kind === 'repeat' && node.body.kind !== 'set') || children(node).some(hasChoice);
}

const NEEDS_JAVASCRIPT: ReadonlySet<Node['kind']> = new Set(['look', 'backReference', 'atomic']);

class CompiledPattern implements SafePattern {
  readonly groupCount: number;
  readonly #javascript: RegExp;
  readonly #groupAt: readonly number[];
  /** Groups of the JavaScript pattern are those of the source, one to one. */
  readonly #isPlain: boolean;
  /** Longest text that JavaScript's engine is trusted with on this thread. */
  readonly #lengthMax: number;
  readonly #re2Source: string | null;
  /** Longest text that RE2 is given on this thread. */
  readonly #linearLengthMax: number;
  #re2: RE2 | null | undefined;
  /** The groups must be found by RE2, because JavaScript would tell others. */
  readonly #groupsByRe2: boolean;
  readonly #isLongest: boolean;
  readonly #deadlineMs: () => number;

  constructor(tree: Tree, flavour: Flavour, deadlineMs: () => number) {
    this.groupCount = tree.groupCount;
    this.#deadlineMs = deadlineMs;
    const written = writeJavaScript(tree.root, tree.groupCount);
    this.#groupAt = written.groupAt;
    this.#isPlain = !hasKind(tree.root, new Set(['atomic'])) && written.groupAt.every((at, i) => at === i);
    this.#javascript = compileJavaScript(written.source);
    this.#lengthMax = longestWithin(costOfSearch(tree.root), PATTERN_LIMITS.stepsOnThread);
    this.#re2Source = hasKind(tree.root, NEEDS_JAVASCRIPT) ? null : writeRe2(tree.root);
    this.#linearLengthMax = Math.floor(PATTERN_LIMITS.linearStepsOnThread / expandedNodes(tree.root));
    this.#isLongest = flavour === 'regexp' && hasChoice(tree.root);
    this.#groupsByRe2 = tree.groupCount > 0 && this.#re2Source !== null && (this.#isLongest || forgetsGroups(tree.root));
    // What RE2 refuses for its size goes to the worker; better known now than at the first long text.
    if (this.#lengthMax === 0) this.#compiled();
  }

  engineFor(length: number): 'javascript' | 're2' | 'worker' {
    if (length <= this.#lengthMax) return 'javascript';
    return this.#linear(length) === null ? 'worker' : 're2';
  }

  test(text: string): boolean | Promise<boolean> {
    if (text.length <= this.#lengthMax) return this.#javascript.test(text);
    const linear = this.#linear(text.length);
    if (linear !== null) return linear.test(text);
    return this.#inWorker(text).then((groups) => groups !== null);
  }

  exec(text: string): Groups | null | Promise<Groups | null> {
    if (text.length <= this.#lengthMax) {
      if (!this.#groupsByRe2) return this.#ordered(this.#javascript.exec(text));
      if (!this.#javascript.test(text)) return null;
    }
    const linear = this.#linear(text.length);
    if (linear === null) return text.length <= this.#lengthMax ? this.#ordered(this.#javascript.exec(text)) : this.#inWorker(text);
    const matcher = linear.matcher(text);
    if (!matcher.find()) return null;
    const groups: (string | undefined)[] = [];
    for (let i = 0; i <= this.groupCount; i += 1) groups.push(matcher.group(i) ?? undefined);
    return groups;
  }

  #linear(length: number): RE2 | null {
    return length > this.#linearLengthMax ? null : this.#compiled();
  }

  #compiled(): RE2 | null {
    if (this.#re2 === undefined) this.#re2 = this.#re2Source === null ? null : compileRe2(this.#re2Source, this.#isLongest);
    return this.#re2;
  }

  #ordered(match: Groups | null): Groups | null {
    if (match === null || this.#isPlain) return match;
    return this.#groupAt.map((at) => match[at]);
  }

  async #inWorker(text: string): Promise<Groups | null> {
    const deadlineMs = this.#deadlineMs();
    const isLongest = this.#isLongest;
    // Even where it is too much for this thread, RE2 comes to an end.
    if (this.#re2Source !== null && this.#compiled() !== null) return matchInWorker({ engine: 're2', source: this.#re2Source, isLongest, text }, deadlineMs);
    return this.#ordered(await matchInWorker({ engine: 'javascript', source: this.#javascript.source, isLongest, text }, deadlineMs));
  }
}

function compileJavaScript(source: string): RegExp {
  try {
    const pattern = new RegExp(source);
    pattern.test(''); // V8 compiles now, and says now that a pattern is too large
    return pattern;
  } catch (cause) {
    throw new PatternProblem(0, `the pattern cannot be compiled (${cause instanceof Error ? cause.message.slice(-80) : 'unknown reason'})`);
  }
}

/** Null when RE2 does not take it: for its size, or a repeat beyond 1,000 when nested ones are multiplied. */
function compileRe2(source: string, isLongest: boolean): RE2 | null {
  try {
    const engine = re2();
    return engine.compile(source, isLongest ? engine.LONGEST_MATCH : 0);
  } catch {
    return null; // the worker matches it under its deadline
  }
}
