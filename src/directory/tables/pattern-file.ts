/**
 * The syntax of regexp and pcre tables: `/pattern/flags result`, `!/pattern/flags result`, `if /pattern/flags`, `if !/pattern/`, `endif`.
 * header_checks and body_checks use the same files. A rule that cannot be is a TableProblem with file and line: Postfix would pass it
 * over, and with it what it was to refuse.
 */
import { TableProblem } from './errors.ts';
import { expand, parseReplacement, type Replacement, ReplacementProblem } from './expand.ts';
import { TABLE_LIMITS } from './limits.ts';
import { type LineWarning, logicalLines, skipSpace, trimmedEnd } from './lines.ts';
import { compilePattern, type Flavour, type PatternOptions, PatternProblem, type SafePattern } from './pattern/compile.ts';

export interface PatternRule {
  /** First physical line, from 1. */
  readonly line: number;
  readonly pattern: SafePattern;
  /** `!`: holds when the pattern does not match. */
  readonly isNegated: boolean;
  /** As written in the file: "/^Subject:/i". */
  readonly source: string;
  /** The result before `$n` are replaced; '' when the file has none. */
  readonly result: string;
  readonly replacement: Replacement;
  /** Where to go on when this is an `if` that does not hold: the index just past its `endif`. 0 for a rule with a result. */
  readonly skipTo: number;
}

export interface PatternFile {
  readonly rules: readonly PatternRule[];
  readonly warnings: readonly LineWarning[];
}

export interface PatternFileOptions extends PatternOptions {
  /** Most rules; 20,000 when left out. */
  rulesMax?: number;
  /** Told of each result before anything is matched; what it throws as Error becomes a TableProblem at that line. */
  checkResult?(result: string): void;
}

/** `file` names the file in problems. Throws TableProblem. */
export function parsePatternFile(text: string, flavour: Flavour, file: string, options: PatternFileOptions = {}): PatternFile {
  const { lines, warnings } = logicalLines(text);
  const rulesMax = options.rulesMax ?? 20_000;
  if (lines.length > rulesMax) throw new TableProblem(file, lines[rulesMax]!.line, `there are more than ${rulesMax} rules`);
  const rules: PatternRule[] = [];
  const open: number[] = [];
  for (const { text: line, line: number } of lines) {
    const fail = (sentence: string): TableProblem => new TableProblem(file, number, sentence);
    const word = /^(if|endif)(?=[^a-z]|$)/i.exec(line)?.[1]?.toLowerCase();
    if (word === 'endif') {
      const index = open.pop();
      if (index === undefined) throw fail('there is no "if" for this "endif"');
      if (line.length > 5) warnings.push({ line: number, sentence: 'text after "endif" is passed over' });
      rules[index] = { ...rules[index]!, skipTo: rules.length };
      continue;
    }
    const rule = parseRule(line, word === 'if' ? skipSpace(line, 2) : 0, flavour, number, fail, options);
    if (word === 'if') {
      if (open.length >= TABLE_LIMITS.nesting) throw fail(`"if" is nested more than ${TABLE_LIMITS.nesting} deep`);
      if (rule.result !== '')
        warnings.push({ line: number, sentence: 'text after "if" and its pattern is passed over; a rule inside must not start with white space' });
      open.push(rules.length);
      rules.push({ ...rule, result: '', replacement: [], skipTo: rules.length + 1 });
      continue;
    }
    if (rule.result === '') warnings.push({ line: number, sentence: 'the rule has no result' });
    rules.push(rule);
  }
  const left = open.pop();
  if (left !== undefined) throw new TableProblem(file, rules[left]!.line, 'this "if" has no "endif"');
  return { rules, warnings };
}

function parseRule(
  line: string,
  start: number,
  flavour: Flavour,
  number: number,
  fail: (sentence: string) => TableProblem,
  options: PatternFileOptions,
): PatternRule {
  const isIf = start > 0;
  let at = start;
  const isNegated = line[at] === '!';
  if (isNegated) at = skipSpace(line, at + 1);
  const delimiter = line[at];
  if (delimiter === undefined || /[A-Za-z0-9\s]/.test(delimiter)) throw fail('a rule begins with a pattern between delimiters, such as /pattern/');
  const end = patternEnd(line, at + 1, delimiter);
  if (end === -1) throw fail(`the pattern has no closing delimiter "${delimiter}"`);
  let after = end + 1;
  while (after < line.length && !/\s/.test(line[after]!)) after += 1;
  const flags = line.slice(end + 1, after);
  const result = line.slice(skipSpace(line, after), trimmedEnd(line));
  const source = line.slice(at + 1, end);
  let pattern: SafePattern;
  try {
    pattern = compilePattern(source, flavour, flags, options);
  } catch (error) {
    if (error instanceof PatternProblem)
      throw fail(`${error.message} (in ${line.slice(at, Math.min(after, at + 200))}${error.at > 0 ? `, at character ${error.at + 1} of the pattern` : ''})`);
    throw error;
  }
  let replacement: Replacement = [];
  if (!isIf) {
    try {
      replacement = parseReplacement(result, pattern.groupCount);
    } catch (error) {
      if (error instanceof ReplacementProblem) throw fail(error.message);
      throw error;
    }
    if (isNegated && replacement.some((part) => typeof part === 'number')) throw fail('a pattern with "!" matches nothing that "$n" could stand for');
    checkResult(result, fail, options);
  }
  return { line: number, pattern, isNegated, source: line.slice(at, after), result, replacement, skipTo: 0 };
}

function checkResult(result: string, fail: (sentence: string) => TableProblem, options: PatternFileOptions): void {
  try {
    options.checkResult?.(result);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
}

/** The next delimiter that no backslash precedes, or -1. */
function patternEnd(line: string, from: number, delimiter: string): number {
  for (let i = from; i < line.length; i += 1) {
    if (line[i] === '\\') i += 1;
    else if (line[i] === delimiter) return i;
  }
  return -1;
}

export interface PatternHit {
  readonly rule: PatternRule;
  /** Index of the rule; give `from: index + 1` to go on behind it. */
  readonly index: number;
  /** With `$n` replaced. */
  readonly result: string;
}

/**
 * The first rule from index `from` on that holds for `text`, or null. Answers at once unless a pattern needs the worker; rejects with
 * PatternTimeout when that overruns.
 */
export function matchRules(rules: readonly PatternRule[], text: string, from = 0): PatternHit | null | Promise<PatternHit | null> {
  let index = from;
  while (index < rules.length) {
    const rule = rules[index]!;
    const wantsGroups = rule.replacement.length > 0 && rule.pattern.groupCount > 0 && !rule.isNegated;
    const answer = wantsGroups ? rule.pattern.exec(text) : rule.pattern.test(text);
    if (answer instanceof Promise) {
      const at = index;
      return answer.then((found) => step(rules, text, at, found));
    }
    const holds = (answer !== null && answer !== false) !== rule.isNegated;
    if (rule.skipTo > 0) index = holds ? index + 1 : rule.skipTo;
    else if (holds) return hit(rule, index, answer);
    else index += 1;
  }
  return null;
}

type Answer = boolean | null | readonly (string | undefined)[];

function step(rules: readonly PatternRule[], text: string, index: number, answer: Answer): PatternHit | null | Promise<PatternHit | null> {
  const rule = rules[index]!;
  const holds = (answer !== null && answer !== false) !== rule.isNegated;
  if (rule.skipTo > 0) return matchRules(rules, text, holds ? index + 1 : rule.skipTo);
  return holds ? hit(rule, index, answer) : matchRules(rules, text, index + 1);
}

function hit(rule: PatternRule, index: number, answer: Answer): PatternHit {
  const groups = typeof answer === 'object' && answer !== null ? answer : [];
  return { rule, index, result: rule.replacement.length === 0 ? rule.result : expand(rule.replacement, groups) };
}
