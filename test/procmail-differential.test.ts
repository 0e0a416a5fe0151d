/** The same rc files and messages through Debian's procmail, our run, and our run in the user agent: folders, bytes, variables, scores, exit codes, abstracts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { CASES } from './procmail/cases.ts';
import { EXPRESSIONS } from './procmail/expressions.ts';
import { generatedCases } from './procmail/generated.ts';
import { production, PRODUCTION_DIFFERENCES } from './procmail/production-side.ts';
import { type Case, ours, theirs } from './procmail/sides.ts';

/** Procmail waits a second after each mbox it wrote, so many run side by side. */
const SIDE_BY_SIDE = 24;

/** Its exit code when the harness had to end it: EX_TEMPFAIL. */
const STOPPED = 75;

const EXPRESSION_CASES = EXPRESSIONS.map(
  ([text, pattern]): Case => ({
    name: `expression: ${pattern} in ${JSON.stringify(text)}`,
    rc: `V='${text}'\nMATCH=none\n:0\n* V ?? ${pattern}\n{ LOG="@yes <$MATCH>\n" }\n:0\n* 1^1 V ?? ${pattern}\n{ }\nLOG="@$=\n"\n:0\n/dev/null\n`,
  }),
);

test('procmail and Posthorn do the same with an rc file and a message', async (t) => {
  need('procmail', 'formail');
  const dir = tempDir(t, 'procmail');
  const explained = readFileSync(resolve(import.meta.dirname, '../docs/filter-differences.md'), 'utf8');
  const cases = [...CASES, ...EXPRESSION_CASES, ...generatedCases(20_260, 120)];
  const expected = new Map<Case, Awaited<ReturnType<typeof theirs>>>();
  const waiting = cases.map((one, index) => [one, index] as const);
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        expected.set(next[0], await theirs(join(dir, `theirs-${next[1]}`, 'home'), next[0]));
    }),
  );
  for (const [index, one] of cases.entries())
    await t.test(one.name, async () => {
      const outcome = ours(join(dir, `ours-${index}`, 'home'), one);
      if (one.isGenerated === true && expected.get(one)!.exit === STOPPED) {
        assert.ok(explained.includes('| expressions that do not end |'));
        assert.equal(outcome.exit, 0);
      } else if (one.differs === undefined) assert.deepEqual(outcome, expected.get(one), `Posthorn (actual) and procmail (expected) with\n${one.rc}`);
      else {
        assert.ok(explained.includes(`| ${one.differs} |`), `docs/filter-differences.md says nothing of "${one.differs}"`);
        assert.notDeepEqual(outcome, expected.get(one), 'no longer different');
      }
      // Expressions are not the driver's business.
      if (EXPRESSION_CASES.includes(one)) return;
      const driven = await production(join(dir, `driven-${index}`, 'home'), one);
      const row = PRODUCTION_DIFFERENCES.get(one.name);
      if (row === undefined) assert.deepEqual(driven, outcome, `the user agent (actual) and the run alone (expected) with\n${one.rc}`);
      else {
        assert.ok(explained.includes(`| ${row} |`), `docs/filter-differences.md says nothing of "${row}"`);
        assert.notDeepEqual(driven, outcome, 'no longer different');
      }
    });
});
