/** header_checks and body_checks: Debian's Postfix and Posthorn's filter with the same table files and messages. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { need } from './harness/run.ts';
import { SETUPS } from './patterns/cases.ts';
import { PosthornSide } from './patterns/posthorn-side.ts';
import { PostfixSide } from './patterns/postfix-side.ts';

/** How the filter gets the message. */
const PIECES = [1 << 20, 4096, 61];

test('Postfix and Posthorn make the same of a message', async (t) => {
  need('postfix', 'postcat');
  const postfix = await PostfixSide.start(t, SETUPS);
  const posthorn = new PosthornSide();
  const explained = readFileSync(resolve(import.meta.dirname, '../docs/postfix-differences.md'), 'utf8');
  for (const setup of SETUPS) {
    await t.test(setup.name, async (t) => {
      for (const { name, message, differs } of setup.cases) {
        await t.test(name, async () => {
          const theirs = await postfix.take(setup, message);
          for (const pieceBytes of PIECES) {
            const ours = await posthorn.take(setup, postfix.specsOf(setup), message, pieceBytes);
            const story = posthorn.story.join('\n');
            if (differs === undefined)
              assert.deepEqual(ours, theirs, `in pieces of ${pieceBytes}\nPosthorn: ${told(ours)}\nPostfix: ${told(theirs)}\n${story}`);
            else {
              assert.ok(explained.includes(`| ${differs} |`), `docs/postfix-differences.md says nothing of "${differs}"`);
              assert.notDeepEqual(ours, theirs, 'no longer different');
            }
          }
        });
      }
    });
  }
  await t.test('no service of Postfix failed', () => {
    assert.deepEqual(
      postfix.postfix.log.split('\n').filter((line) => /(?:fatal|panic):/.test(line)),
      [],
    );
  });
});

const told = (outcome: object): string => JSON.stringify(outcome, null, 1).slice(0, 3000);
