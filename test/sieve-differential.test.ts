/** The same Sieve scripts and messages through Pigeonhole's sieve-test and through our engine: the outcome must be equal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { CASES, type Case } from './sieve/cases.ts';
import { DIFFERENCES } from './sieve/differences.ts';
import { generatedCases } from './sieve/generated.ts';
import { MESSAGES } from './sieve/messages.ts';
import { prepareOriginal, runOriginal } from './sieve/original.ts';
import { runOurs } from './sieve/ours.ts';

for (const [title, cases] of [
  ['written scripts', CASES],
  ['generated patterns', generatedCases(5228, 120)],
] as const)
  test(`Pigeonhole and Posthorn do the same: ${title}`, (t) => {
    need('sieve-test');
    const dir = tempDir(t, 'sieve');
    prepareOriginal(dir);
    const failures: string[] = [];
    let broken = 0;
    for (const one of cases) {
      const failure = compare(dir, one);
      if (failure === 'broken') broken += 1;
      else if (failure !== null) failures.push(failure);
    }
    t.diagnostic(`${cases.length} scripts, of which sieve-test broke down at ${broken}`);
    assert.ok(broken < cases.length / 4);
    assert.equal(failures.length, 0, `${failures.length} of ${cases.length} differ:\n${failures.join('\n')}`);
  });

/** null: equal, or different as the table says. 'broken': sieve-test ended in a panic. */
function compare(dir: string, { script, message }: Case): string | null {
  const theirs = runOriginal(dir, script, message);
  if (theirs === null) return 'broken';
  const { output, ...original } = theirs;
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
