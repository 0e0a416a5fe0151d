/** Match types (RFC 5228 section 2.7.1, RFC 5231, RFC 6134, the regex draft): which of the values matches which of the keys. */
import { compilePattern, PatternProblem, type SafePattern } from '../../../directory/tables/pattern/compile.ts';
import { ask } from '../filter.ts';
import type { Call } from './call.ts';
import { BUILT_IN_COMPARATORS, COMPARATORS, type Comparator, DEFAULT_COMPARATOR } from './comparator.ts';
import { compileGlob, type Glob, matchGlob } from './glob.ts';
import { MATCH_VARIABLES, REGEX_PATTERNS } from './limits.ts';
import type { Step, TagSpec } from './registry.ts';
import type { Run } from './run.ts';
import { mapStep, perform } from './steps.ts';
import type { Text, Texts } from './text.ts';

/** The tags of the set '@match' that need no `require`. */
export const MATCH_TAGS: readonly TagSpec[] = [
  { name: 'is', argument: null, group: 'match' },
  { name: 'contains', argument: null, group: 'match' },
  { name: 'matches', argument: null, group: 'match' },
  { name: 'comparator', argument: 'string', isConstant: true },
];

type Relation = (order: number) => boolean;
const RELATIONS: ReadonlyMap<string, Relation> = new Map<string, Relation>([
  ['gt', (order) => order > 0],
  ['ge', (order) => order >= 0],
  ['lt', (order) => order < 0],
  ['le', (order) => order <= 0],
  ['eq', (order) => order === 0],
  ['ne', (order) => order !== 0],
]);

/** Does one of the values match? */
type Matcher = (run: Run, values: readonly string[]) => boolean;

/** The test that its call's match type and comparator make of these values. Nothing to compare is no match, but for :count. */
export function matchTest(call: Call, values: Step<readonly string[]>, keys: Texts): Step<boolean> {
  if (call.has(':list')) return listTest(call, values, keys);
  return mapStep(values, compileMatch(call, keys));
}

/** The comparator that the call names, or i;ascii-casemap. */
export function comparatorOf(call: Call): Comparator {
  const text = call.text(':comparator');
  if (text === null) return DEFAULT_COMPARATOR;
  const comparator = COMPARATORS.get(text.constant!);
  if (comparator === undefined) call.problem(`there is no comparator "${text.constant!.slice(0, 60)}"`, text.line);
  if (!BUILT_IN_COMPARATORS.has(comparator.name) && !call.context.isOn(`comparator-${comparator.name}`)) {
    call.problem(`the comparator "${comparator.name}" needs require "comparator-${comparator.name}"`, text.line);
  }
  return comparator;
}

export function compileMatch(call: Call, keys: Texts): Matcher {
  const comparator = comparatorOf(call);
  if (call.has(':contains')) return containsMatcher(call, comparator, keys);
  if (call.has(':matches')) return globMatcher(call, comparator, keys);
  if (call.has(':regex')) return regexMatcher(call, comparator, keys);
  if (call.has(':value')) return valueMatcher(comparator, relation(call, ':value'), keys);
  if (call.has(':count')) {
    const isRelated = relation(call, ':count');
    return (run, values) => keys.values(run).some((key) => isRelated(comparator.compare(String(values.length), key)));
  }
  return isMatcher(comparator, keys);
}

function relation(call: Call, tag: ':value' | ':count'): Relation {
  const text = call.needText(tag);
  const found = RELATIONS.get(text.constant?.toLowerCase() ?? '');
  return found ?? call.problem(`${tag} takes "gt", "ge", "lt", "le", "eq" or "ne"`, text.line);
}

function needsSubstrings(call: Call, comparator: Comparator, type: string): void {
  if (!comparator.hasSubstrings) call.problem(`the comparator "${comparator.name}" cannot be used with ${type}`);
}

function isMatcher(comparator: Comparator, keys: Texts): Matcher {
  const wanted = keys.constants === null ? null : new Set(keys.constants.map((key) => comparator.key(key)));
  return (run, values) => {
    const set = wanted ?? new Set(keys.values(run).map((key) => comparator.key(key)));
    for (const value of values) {
      run.charge(1 + (value.length >> 5));
      if (set.has(comparator.key(value))) return true;
    }
    return false;
  };
}

function containsMatcher(call: Call, comparator: Comparator, keys: Texts): Matcher {
  needsSubstrings(call, comparator, ':contains');
  const constant = keys.constants?.map((key) => comparator.key(key)) ?? null;
  return (run, values) => {
    const wanted = constant ?? keys.values(run).map((key) => comparator.key(key));
    for (const value of values) {
      const key = comparator.key(value);
      // Engines search in about linear time, but a repetitive text and key can cost more.
      run.charge(1 + (key.length >> 5));
      for (const part of wanted) {
        run.charge(1 + (key.length * Math.min(1 + (part.length >> 3), 64)) / 64);
        if (key.includes(part)) return true;
      }
    }
    return false;
  };
}

function valueMatcher(comparator: Comparator, isRelated: Relation, keys: Texts): Matcher {
  return (run, values) => {
    const wanted = keys.values(run);
    for (const value of values) {
      for (const key of wanted) {
        run.charge(1 + (Math.min(value.length, key.length) >> 3));
        if (isRelated(comparator.compare(value, key))) return true;
      }
    }
    return false;
  };
}

/** What is made of each key, once for constants. */
function prepared<T>(keys: Texts, prepare: (key: Text, value: string, run: Run | null) => T): (run: Run) => readonly T[] {
  const ready = keys.items.map((key) => (key.constant === null ? null : { made: prepare(key, key.constant, null) }));
  if (ready.every((one) => one !== null)) {
    const all = ready.map((one) => one.made);
    return () => all;
  }
  return (run) => keys.items.map((key, index) => ready[index]?.made ?? prepare(key, key.value(run), run));
}

function globMatcher(call: Call, comparator: Comparator, keys: Texts): Matcher {
  needsSubstrings(call, comparator, ':matches');
  const setsVariables = call.context.isOn('variables');
  const globs = prepared<Glob>(keys, (_, value) => compileGlob(comparator.sameLength(value)));
  return (run, values) => {
    const charge = (steps: number): void => run.charge(steps);
    const wanted = globs(run);
    for (const value of values) {
      const text = comparator.sameLength(value);
      run.charge(1 + (text.length >> 5));
      for (const glob of wanted) {
        const places = matchGlob(glob, text, charge);
        if (places === null) continue;
        if (setsVariables) run.scope.matches = [value, ...places.slice(0, MATCH_VARIABLES - 1).map(([from, to]) => value.slice(from, to))];
        return true;
      }
    }
    return false;
  };
}

/** Regular expressions are checked when the script is compiled. */
function regexMatcher(call: Call, comparator: Comparator, keys: Texts): Matcher {
  needsSubstrings(call, comparator, ':regex');
  const setsVariables = call.context.isOn('variables');
  const patterns = prepared<SafePattern>(keys, (key, value, run) => {
    if (run === null) countPattern(call, key.line);
    else run.charge(REGEX_COMPILE_STEPS);
    try {
      // The flavour ignores case unless told; `i` takes that back.
      return compilePattern(value, 'regexp', comparator.ignoresCase ? '' : 'i');
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error;
      const text = `the regular expression is wrong: ${error.message}`;
      return run === null ? call.problem(text, key.line) : run.fail(text);
    }
  });
  return (run, values) => {
    const wanted = patterns(run);
    for (const value of values) {
      for (const pattern of wanted) {
        const text = affordable(pattern, value, run);
        run.charge(text.length * 4 + Math.min(text.length * text.length, REGEX_STEPS_MAX) / 4);
        const groups = pattern.exec(text);
        if (groups === null || groups instanceof Promise) continue;
        if (setsVariables) run.scope.matches = groups.slice(0, MATCH_VARIABLES).map((group) => group ?? '');
        return true;
      }
    }
    return false;
  };
}

/** What compiling a pattern while a script runs is worth: the largest ones take milliseconds. */
const REGEX_COMPILE_STEPS = 200_000;

function countPattern(call: Call, line: number): void {
  const count = ((call.context.notes.get('regex') as number | undefined) ?? 0) + 1;
  call.context.notes.set('regex', count);
  if (count > REGEX_PATTERNS) call.problem(`the script has more than ${REGEX_PATTERNS} regular expressions`, line);
}

/** Below this, a pattern is too costly for any text worth the name. */
const REGEX_TEXT_LEAST = 1000;

/** Of a text so long (a body) that only a worker could search it in bounded time, the beginning is looked at. */
function affordable(pattern: SafePattern, value: string, run: Run): string {
  let { length } = value;
  while (pattern.engineFor(length) === 'worker') {
    if (length < REGEX_TEXT_LEAST) run.fail('the regular expression takes too much processing time');
    length >>= 1;
  }
  return length === value.length ? value : value.slice(0, length);
}

/** The most that one match may cost on this thread (src/directory/tables/pattern/limits.ts, stepsOnThread). */
const REGEX_STEPS_MAX = 2_000_000;

/** RFC 6134 section 2.5: the keys name lists, and the driver knows their members. */
function listTest(call: Call, values: Step<readonly string[]>, keys: Texts): Step<boolean> {
  if (keys.constants !== null) {
    for (const [index, list] of keys.constants.entries()) {
      if (!call.context.extensions.lists.has(list)) call.problem(`there is no external list "${list.slice(0, 60)}"`, keys.items[index]!.line);
    }
  }
  return {
    *ask(run) {
      const lists = keys.values(run);
      for (const value of yield* perform(values, run)) {
        for (const list of lists) {
          run.charge(100);
          if (call.context.extensions.lists.has(list) && (yield* ask({ kind: 'listed', list, value }))) {
            if (call.context.isOn('variables')) run.scope.matches = [value];
            return true;
          }
        }
      }
      return false;
    },
  };
}
