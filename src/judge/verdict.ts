/** The sum of what the checks found, and what follows from it. Pure. */
import type { JudgeSymbol, VerdictAction } from '../ports.ts';
import type { Thresholds } from './thresholds.ts';

/** A decision that no score outweighs: DMARC's policy, a milter. */
export interface Hard {
  readonly action: Exclude<VerdictAction, 'accept' | 'addHeader' | 'greylist'>;
  /** The symbol it comes from. */
  readonly by: string;
}

export interface Sum {
  readonly action: VerdictAction;
  readonly score: number;
  /** What decided: a symbol's name, or "score". */
  readonly by: string;
}

const STRENGTH: Readonly<Record<VerdictAction, number>> = { accept: 0, addHeader: 1, greylist: 2, quarantine: 3, discard: 4, defer: 5, reject: 6 };

/** Symbols with the administrator's weights in place of their own. */
export function weighed(symbols: readonly JudgeSymbol[], weights: ReadonlyMap<string, number>): readonly JudgeSymbol[] {
  if (weights.size === 0) return symbols;
  return symbols.map((symbol) => {
    const score = weights.get(symbol.name);
    return score === undefined ? symbol : { ...symbol, score };
  });
}

/** Scores to a tenth of a thousandth: sums of decimal fractions must not hang on their binary form. */
export function scoreOf(symbols: readonly JudgeSymbol[]): number {
  let sum = 0;
  for (const symbol of symbols) sum += symbol.score;
  return Math.round(sum * 1e4) / 1e4;
}

export function sumUp(symbols: readonly JudgeSymbol[], hard: readonly Hard[], thresholds: Thresholds): Sum {
  const score = scoreOf(symbols);
  let action: VerdictAction = 'accept';
  if (score >= thresholds.reject) action = 'reject';
  else if (score >= thresholds.addHeader) action = 'addHeader';
  // A message that is likely spam is tried with greylisting first; one that comes back is marked.
  else if (score >= thresholds.greylist) action = 'greylist';
  let by = 'score';
  for (const decision of hard)
    if (STRENGTH[decision.action] >= STRENGTH[action]) {
      action = decision.action;
      by = decision.by;
    }
  return { action, score, by };
}

/** "SPF_SOFTFAIL 1.0, RDNS_NONE 2.0", the heaviest first. */
export function symbolList(symbols: readonly JudgeSymbol[], most = 20): string {
  return [...symbols]
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score))
    .slice(0, most)
    .map(({ name, score }) => `${name} ${score.toFixed(1)}`)
    .join(', ');
}

/** X-Spam-Status as SpamAssassin writes it: recipes of users look for it. */
export function spamStatus(sum: Sum, symbols: readonly JudgeSymbol[], thresholds: Thresholds): string {
  const isSpam = sum.score >= thresholds.addHeader;
  const required = Number.isFinite(thresholds.addHeader) ? thresholds.addHeader.toFixed(1) : 'off';
  const tests =
    symbols.length === 0
      ? 'none'
      : symbols
          .map(({ name }) => name)
          .slice(0, 60)
          .join(',\r\n\t');
  return `${isSpam ? 'Yes' : 'No'}, score=${sum.score.toFixed(1)} required=${required}\r\n\ttests=${tests}`;
}
