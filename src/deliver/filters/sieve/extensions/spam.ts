/** RFC 5235: spamtest, spamtestplus and virustest, from what the judge found. */
import type { Call } from '../call.ts';
import { matchTest } from '../match.ts';
import type { Extension, Step } from '../registry.ts';
import type { Run } from '../run.ts';

/** How far the score is on its way to the threshold, 0 to 1; null: nobody looked. */
function share(run: Run): number | null {
  const { spam } = run.input;
  if (spam === null) return null;
  if (spam.isSpam) return 1;
  if (spam.threshold <= 0) return 0;
  return Math.min(Math.max(spam.score / spam.threshold, 0), 1);
}

/** "0": not tested; "1" certainly clear to "10" certainly spam. With :percent "0" to "100". */
function spamTest(call: Call): Step<boolean> {
  const isPercent = call.has(':percent');
  const values = {
    now(run: Run): readonly string[] {
      const part = share(run);
      if (isPercent) return part === null ? ['0'] : [String(Math.round(part * 100))];
      if (part === null) return ['0'];
      // Only what is spam is "10".
      return [part === 1 ? '10' : String(1 + Math.min(Math.floor(part * 9), 8))];
    },
  };
  // Nothing was counted where nobody looked (section 2.2, on :count).
  const counted = { now: (run: Run) => (share(run) === null ? [] : values.now(run)) };
  return matchTest(call, call.has(':count') ? counted : values, call.needTexts('keys'));
}

export const SPAM: readonly Extension[] = [
  { name: 'spamtest', tests: [{ name: 'spamtest', tagSets: ['match'], positional: [{ name: 'keys', type: 'strings' }], compile: spamTest }] },
  { name: 'spamtestplus', implies: ['spamtest'], tags: { spamtest: [{ name: 'percent', argument: null }] } },
  {
    name: 'virustest',
    tests: [
      {
        name: 'virustest',
        tagSets: ['match'],
        positional: [{ name: 'keys', type: 'strings' }],
        compile: (call) =>
          matchTest(call, { now: (run) => (call.has(':count') && run.input.virus === 0 ? [] : [String(run.input.virus)]) }, call.needTexts('keys')),
      },
    ],
  },
];
