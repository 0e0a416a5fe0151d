/** Mailboxes and grammar: the same conversations with Debian's Dovecot and with us; what differs is in a table, with the reason. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { startPosthorn } from './harness/posthorn.ts';
import { difference, isRefusalWithoutCode, PASSWORD, type Script, Side } from './names-differential/conversation.ts';
import { DIFFERENCES } from './names-differential/differences.ts';
import { generated } from './names-differential/generated.ts';
import { GRAMMAR } from './names-differential/grammar.ts';
import { LIFE } from './names-differential/life.ts';
import { LISTS } from './names-differential/lists.ts';
import { MESSAGES } from './names-differential/messages.ts';
import { BEFORE, isByNumber, mutated } from './names-differential/mutated.ts';
import { startDovecot } from './peers/dovecot.ts';

const DOVECOT = '127.0.0.9';
const SCRIPTS: readonly Script[] = [...LIFE, ...LISTS, ...MESSAGES, ...GRAMMAR, generated('random', 31, 150), generated('chance', 99, 150)];

const MUTATED: Script = {
  user: 'mutated',
  lines: mutated(
    [...LISTS, ...MESSAGES, ...GRAMMAR].flatMap(({ lines }) => lines),
    7,
    300,
  ),
};

/** Mailboxes and uses that we make for every account; wrong passwords are not waited for. */
const LIKE_OURS = `
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
mail_location = sdbox:~/sdbox
namespace inbox {
  separator = /
  mailbox INBOX {
    auto = subscribe
  }
${['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'].map((name) => `  mailbox ${name} {\n    auto = subscribe\n    special_use = \\${name}\n  }\n`).join('')}}
`;

/** "user line": what only we and what only Dovecot said; a line that comes again carries its number. */
async function play({ user, lines }: Script, ours: Side, theirs: Side): Promise<[exchange: string, difference: readonly [string, string]][]> {
  const found: [string, readonly [string, string]][] = [];
  const times = new Map<string, number>();
  for (const line of lines) {
    const time = (times.get(line) ?? 0) + 1;
    times.set(line, time);
    const [mine, peer] = await Promise.all([ours.say(line), theirs.say(line)]);
    const differs = isRefusalWithoutCode(mine, peer) ? null : difference(mine, peer);
    if (differs !== null) found.push([`${user} ${line}${time === 1 ? '' : ` #${time}`}`, differs]);
  }
  return found;
}

/** Of lines that nobody would write, those that we take and Dovecot does not, and those that end the session or are our mistake. */
async function playMutated(ours: Side, theirs: Side): Promise<unknown[]> {
  const wrong: unknown[] = [];
  for (const line of BEFORE) await Promise.all([ours.say(line), theirs.say(line)]);
  for (const line of MUTATED.lines) {
    const [mine, peer] = await Promise.all([ours.say(line), theirs.say(line)]);
    const isTaken = /(^|\| )OK[^|]*$/.test(mine) && /(^|\| )BAD$/.test(peer) && !isByNumber(line);
    if (isTaken || /SERVERBUG|\(closed\)/.test(mine)) wrong.push({ line, ours: mine, theirs: peer });
    // Too many wrong commands in a row end the session.
    await Promise.all([ours.say('a: NOOP'), theirs.say('a: NOOP')]);
  }
  return wrong;
}

test('the same conversations with Dovecot about mailboxes, sets, flags and grammar', async (t) => {
  const scripts = [...SCRIPTS, MUTATED];
  const users = scripts.map(({ user }) => user);
  const accounts = (domain: string): Record<string, string> => Object.fromEntries(users.map((user) => [`${user}${domain}`, PASSWORD]));
  const dovecot = startDovecot(t, { address: DOVECOT, imapPort: 1143, lmtpPort: 1024, users: accounts(''), extra: LIKE_OURS });
  const server = await startPosthorn(t, { users: accounts('@us.test') });
  await dovecot;
  const sides = scripts.map(({ user }) => [new Side('127.0.0.1', server.port('imap'), `${user}@us.test`), new Side(DOVECOT, 1143, user)] as const);
  t.after(() => {
    for (const side of sides.flat()) side.close();
  });
  const mistaken = playMutated(...sides[SCRIPTS.length]!);
  const found = await Promise.all(SCRIPTS.map((script, i) => play(script, ...sides[i]!)));
  assert.deepEqual(await mistaken, []);
  const differing = new Map(found.flat());
  const known = new Map(DIFFERENCES.flatMap(({ exchanges }) => Object.entries(exchanges)));
  const wrong = [...differing].filter(([exchange, differs]) => !isDeepStrictEqual(known.get(exchange), differs));
  assert.deepEqual(wrong, [], JSON.stringify(wrong, null, 1));
  const gone = [...known.keys()].filter((exchange) => !differing.has(exchange));
  assert.deepEqual(gone, [], 'no longer different: the table is behind');
});
