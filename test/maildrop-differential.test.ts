/** The same filter files and messages through Debian's maildrop, through our reading of its language, and through the user agent: the outcome must be equal. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { CASES, type Case } from './maildrop/cases.ts';
import { DIFFERENCES } from './maildrop/differences.ts';
import { runOurs } from './maildrop/driver.ts';
import { expressionCases } from './maildrop/generated.ts';
import { MESSAGES } from './maildrop/messages.ts';
import { left, runOriginal } from './maildrop/original.ts';
import { runProduction } from './maildrop/production-side.ts';

/** What Debian's maildrop starts with in its manual mode, but for the sendmail that the cases bring. */
const ENVIRONMENT = {
  DEFAULT: './inbox',
  SHELL: '/bin/bash',
  PATH: '/bin:/usr/bin:/usr/local/bin',
  SENDMAIL: './sendmail',
};
const SENDER = /^Return-Path: <(.*)>/;
const SENDMAIL = '#!/bin/sh\ncat >/dev/null\nfor word in "$@"; do case "$word" in *@*) echo "$word" >> sent;; esac; done\n';

interface Seen {
  readonly exitCode: number;
  readonly stdout: string;
  readonly files: Record<string, string>;
}

async function compare(dir: string, one: Case): Promise<{ readonly ours: Seen; readonly driven: Seen; readonly original: Seen; readonly stderr: string }> {
  const message = Buffer.from(MESSAGES[one.message]);
  const script = `DEFAULT="./inbox"\n${one.script}`;
  const dirs = ['original', 'ours', 'driven'].map((side) => join(dir, side));
  for (const side of dirs) {
    mkdirSync(side, { recursive: true });
    writeFileSync(join(side, 'sendmail'), SENDMAIL, { mode: 0o700 });
  }
  const { stderr, ...first } = runOriginal(script, message, dirs[0]!);
  const sender = SENDER.exec(MESSAGES[one.message])![1]!;
  const second = runOurs(script, message, dirs[1]!, sender, ENVIRONMENT);
  const third = await runProduction(script, message, dirs[2]!, sender, ENVIRONMENT);
  const [original, ours, driven] = [first, second, third].map((outcome, side): Seen => ({ ...outcome, files: left(dirs[side]!) }));
  return { original: original!, ours: ours!, driven: driven!, stderr };
}

for (const [title, cases] of [
  ['written cases', CASES],
  ['generated expressions', expressionCases(4, 60)],
] as const)
  test(`maildrop and Posthorn do the same: ${title}`, async (t) => {
    need('maildrop', 'maildirmake', 'reformail');
    const dir = tempDir(t, 'maildrop');
    const failures: string[] = [];
    let count = 0;
    for (const one of cases) {
      count += 1;
      const { ours, driven, original, stderr } = await compare(join(dir, String(count)), one);
      const isKnown = DIFFERENCES.has(one.name);
      let isEqual = true;
      try {
        assert.deepEqual(ours, original);
      } catch (error) {
        isEqual = false;
        if (!isKnown) failures.push(`${one.name}\n${one.script}\n${error instanceof Error ? error.message : String(error)}\n${stderr}`);
      }
      try {
        assert.deepEqual(driven, ours);
      } catch (error) {
        failures.push(`${one.name}, in the user agent\n${one.script}\n${error instanceof Error ? error.message : String(error)}`);
      }
      if (isKnown && isEqual) failures.push(`${one.name}: stands in the table of differences, but there is none`);
    }
    t.diagnostic(`${count} cases`);
    assert.equal(failures.length, 0, `${failures.length} of ${count} differ:\n\n${failures.join('\n────\n')}`);
  });

test('every difference has its case, and its row in docs/filter-differences.md', () => {
  const names = new Set(CASES.map(({ name }) => name));
  const page = readFileSync(new URL('../docs/filter-differences.md', import.meta.url), 'utf8');
  for (const [name, row] of DIFFERENCES) {
    assert.ok(names.has(name), name);
    assert.ok(page.includes(`\n| ${row} |`), row);
  }
});
