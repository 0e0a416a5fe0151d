/** The same Sieve scripts and messages through Pigeonhole's sieve-test and through our engine: the outcome must be equal. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { CASES, type Case } from './sieve/cases.ts';
import { DIFFERENCES } from './sieve/differences.ts';
import { generatedCases, generatedMessages } from './sieve/generated.ts';
import { CHAIN_CASES } from './sieve/chain-cases.ts';
import { MIME_CASES } from './sieve/mime-cases.ts';
import { MORE_CASES } from './sieve/more-cases.ts';
import { prepareOriginal, runOriginal } from './sieve/original.ts';
import { runOurs } from './sieve/ours.ts';

for (const [title, cases] of [
  ['written scripts', CASES],
  ['parts of messages', MIME_CASES],
  ['programs, scores and what else the server knows', MORE_CASES],
  ['scripts one after another', CHAIN_CASES],
  ['generated patterns', generatedCases(5228, 120)],
  ['generated messages', generatedMessages(5703, 60)],
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
    assert.ok(broken < cases.length / 4 + 1);
    assert.equal(failures.length, 0, `${failures.length} of ${cases.length} differ:\n${failures.join('\n')}`);
  });

const DOCUMENT = readFileSync(new URL('../docs/filter-differences.md', import.meta.url), 'utf8');

/** null: equal, or different as the table says. 'broken': sieve-test ended in a panic. */
function compare(dir: string, one: Case): string | null {
  const { script, message } = one;
  const theirs = runOriginal(dir, one);
  if (theirs === null) return 'broken';
  const { output, ...original } = theirs;
  const ours = runOurs(dir, one);
  const isEqual = JSON.stringify(ours) === JSON.stringify(original);
  const row = one.differs ?? DIFFERENCES.get(script);
  if (isEqual && row !== undefined) return `${script}\n  is equal now, but should not be: ${row}`;
  if (row !== undefined && !DOCUMENT.includes(`| ${row} |`)) return `${script}\n  docs/filter-differences.md has no row "${row}"`;
  if (isEqual || row !== undefined) return null;
  return `${message}: ${script}\n  ours:     ${JSON.stringify(ours)}\n  original: ${JSON.stringify(original)}\n  ${output
    .split('\n')
    .filter((line) => /error|warning/.test(line))
    .join('\n  ')}`;
}
