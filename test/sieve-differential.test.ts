/** The same Sieve scripts and messages through Pigeonhole's sieve-test and through our engine: the outcome must be equal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { CASES, type Case } from './sieve/cases.ts';
import { DIFFERENCES } from './sieve/differences.ts';
import { MESSAGES } from './sieve/messages.ts';
import { prepareOriginal, runOriginal } from './sieve/original.ts';
import { runOurs } from './sieve/ours.ts';

test('Pigeonhole and Posthorn do the same', (t) => {
  need('sieve-test');
  const dir = tempDir(t, 'sieve');
  prepareOriginal(dir);
  const failures: string[] = [];
  for (const one of CASES) {
    const failure = compare(dir, one);
    if (failure !== null) failures.push(failure);
  }
  t.diagnostic(`${CASES.length} scripts, ${DIFFERENCES.size} of them with a difference on purpose`);
  assert.equal(failures.length, 0, `${failures.length} of ${CASES.length} differ:\n${failures.join('\n')}`);
});

/** null: equal, or different as the table says. */
function compare(dir: string, { script, message }: Case): string | null {
  const { output, ...original } = runOriginal(dir, script, message);
  const ours = runOurs(script, MESSAGES[message]);
  const isEqual = JSON.stringify(ours) === JSON.stringify(original);
  const reason = DIFFERENCES.get(script);
  if (isEqual && reason !== undefined) return `${script}\n  is equal now, but the table says: ${reason}`;
  if (isEqual || reason !== undefined) return null;
  return `${message}: ${script}\n  ours:     ${JSON.stringify(ours)}\n  original: ${JSON.stringify(original)}\n  ${output
    .split('\n')
    .filter((line) => /error|warning/.test(line))
    .join('\n  ')}`;
}
