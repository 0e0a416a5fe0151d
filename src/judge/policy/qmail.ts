/** The lists of qmail and of the patches everybody used with it: badmailfrom, badrcptto, badmailto, badhelo and their regular-expression forms. */
import { TableProblem } from '../../directory/tables/errors.ts';
import { compilePattern, PatternProblem, type SafePattern } from '../../directory/tables/pattern/compile.ts';
import type { Builder } from './restriction.ts';
import type { Soon } from './status.ts';
import { meaningfulLines, WatchedFile } from './watched-file.ts';

export interface QmailList {
  /** Is it in the list? Rejects when a pattern takes too long. */
  has(key: string): Soon<boolean>;
}

/** Whole addresses, and "@host" for all of a host. Upper and lower case are the same. */
export function openQmailList(path: string, builder: Builder): QmailList {
  const file = new WatchedFile(path, parseQmailList, builder.context.log, builder.context.now);
  return {
    has(key) {
      const entries = file.current;
      const lower = key.toLowerCase();
      return entries.has(lower) || entries.has(lower.slice(lower.lastIndexOf('@')));
    },
  };
}

export function parseQmailList(text: string, path: string): ReadonlySet<string> {
  const entries = new Set<string>();
  for (const [line] of meaningfulLines(text, path)) entries.add(line.toLowerCase());
  return entries;
}

export interface QmailPattern {
  readonly pattern: SafePattern;
  /** `!`: listed is what does not match. */
  readonly isNegated: boolean;
}

/** Regular expressions (POSIX extended, case-insensitive), one a line; a line with ! before it lists whatever does not match. */
export function openQmailPatterns(path: string, builder: Builder): QmailList {
  const file = new WatchedFile(path, parseQmailPatterns, builder.context.log, builder.context.now);
  return { has: (key) => matchesFrom(file.current, 0, key) };
}

export function parseQmailPatterns(text: string, path: string): readonly QmailPattern[] {
  const patterns: QmailPattern[] = [];
  for (const [line, number] of meaningfulLines(text, path)) {
    const isNegated = line.startsWith('!');
    try {
      patterns.push({ pattern: compilePattern(isNegated ? line.slice(1) : line, 'regexp'), isNegated });
    } catch (error) {
      if (error instanceof PatternProblem) throw new TableProblem(path, number, error.message, { cause: error });
      throw error;
    }
  }
  return patterns;
}

export function matchesFrom(patterns: readonly QmailPattern[], start: number, key: string): Soon<boolean> {
  for (let at = start; at < patterns.length; at += 1) {
    const { pattern, isNegated } = patterns[at]!;
    const matches = pattern.test(key);
    if (matches instanceof Promise) return matches.then((late) => late !== isNegated || matchesFrom(patterns, at + 1, key));
    if (matches !== isNegated) return true;
  }
  return false;
}
