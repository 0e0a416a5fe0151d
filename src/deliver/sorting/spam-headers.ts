/** The classic header fields of spam filters, by an account's own threshold, so that recipes written for SpamAssassin work. */
import { fieldBytes } from '../../mail/edit.ts';
import type { JudgeSymbol } from '../../ports.ts';

const LEVEL_MAX = 50;
const TESTS_MAX = 60;

/**
 * X-Spam-Flag and X-Spam-Level (where they apply), X-Spam-Score and X-Spam-Status with CRLF, topmost first. `threshold` Infinity: never
 * spam. Fields of these names that strangers sent were taken out by the judge.
 */
export function spamHeaders(verdict: { readonly score: number; readonly symbols: readonly JudgeSymbol[] }, threshold: number): Buffer {
  const { score, symbols } = verdict;
  const isSpam = score >= threshold;
  const stars = Math.min(LEVEL_MAX, Math.max(0, Math.floor(score)));
  const names = symbols.slice(0, TESTS_MAX).map(({ name }) => name);
  const required = Number.isFinite(threshold) ? threshold.toFixed(1) : 'off';
  return Buffer.concat([
    ...(isSpam ? [fieldBytes('X-Spam-Flag', 'YES')] : []),
    ...(stars > 0 ? [fieldBytes('X-Spam-Level', '*'.repeat(stars))] : []),
    fieldBytes('X-Spam-Score', score.toFixed(1)),
    fieldBytes(
      'X-Spam-Status',
      `${isSpam ? 'Yes' : 'No'}, score=${score.toFixed(1)} required=${required}\r\n\ttests=${names.length === 0 ? 'none' : names.join(',\r\n\t')}`,
    ),
  ]);
}
