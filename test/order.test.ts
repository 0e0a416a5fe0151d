/** SORT and THREAD of the running server beside Debian's Dovecot: the same letters, the same programs, the same order. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { DIFFERENCES } from './order/differences.ts';
import { lehmer, type Letter, makeLetters } from './order/letters.ts';
import { startDovecot } from './peers/dovecot.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const LETTERS = 150;

const KEYS = ['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'];

/** The threads of an answer by themselves: Dovecot's REFS has those whose latest messages have one date in no order. */
function topLevel(threads: string): string[] {
  const lists: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < threads.length; i += 1) {
    if (threads[i] === '(' && depth++ === 0) start = i;
    else if (threads[i] === ')' && --depth === 0) lists.push(threads.slice(start, i + 1));
  }
  return lists.sort();
}

async function fill(client: ImapClient, mailbox: string, letters: readonly Letter[]): Promise<void> {
  if (mailbox !== 'INBOX') await client.ok(`CREATE ${mailbox}`);
  for (const { text, internalDate } of letters) await client.ok(`APPEND ${mailbox} "${internalDate}" {${Buffer.byteLength(text)}+}\r\n${text}`);
  await client.ok(`SELECT ${mailbox}`);
}

/** The untagged response and whether it was OK. An ESEARCH without its tag, which the client makes up; an empty THREAD without Dovecot's space. */
async function answer(client: ImapClient, command: string): Promise<string> {
  const { untagged, status } = await client.command(command);
  return `${untagged.map((line) => line.replace(/\(TAG "\w+"\)/, '').trimEnd()).join('\n')} ${status.split(' ')[0]}`;
}

/** A sequence set of some messages. */
function someMessages(random: (below: number) => number): string {
  return Array.from({ length: 1 + random(6) }, () => {
    const from = 1 + random(LETTERS);
    return random(3) === 0 ? String(from) : `${from}:${Math.min(LETTERS, from + random(60))}`;
  }).join(',');
}

function sortPrograms(random: (below: number) => number): string[] {
  const turned = (key: string): string => (random(2) === 0 ? key : `REVERSE ${key}`);
  const programs = [...KEYS.map((key) => `(${key})`), ...KEYS.map((key) => `(REVERSE ${key})`)];
  for (const first of KEYS) for (const second of KEYS) if (first !== second) programs.push(`(${turned(first)} ${turned(second)})`);
  for (let i = 0; i < 110; i += 1) {
    const left = [...KEYS];
    programs.push(`(${Array.from({ length: 3 + random(5) }, () => turned(left.splice(random(left.length), 1)[0]!)).join(' ')})`);
  }
  return programs;
}

test('SORT and THREAD beside Dovecot', async (t) => {
  const server = await startPosthorn(t, { users: { 'anna@us.test': PASSWORD } });
  await startDovecot(t, { address: DOVECOT, imapPort: 143, lmtpPort: 2424, users: { anna: PASSWORD } });
  const ours = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const theirs = await ImapClient.login(143, 'anna', PASSWORD, { host: DOVECOT });
  const letters = makeLetters(LETTERS, 5256);
  await fill(ours, 'INBOX', letters);
  await fill(theirs, 'INBOX', letters);
  const random = lehmer(5957);

  const compare = async (commands: readonly string[], read: (text: string) => unknown = (text) => text): Promise<void> => {
    const wrong: string[] = [];
    for (const command of commands) {
      const [mine, other] = await Promise.all([answer(ours, command), answer(theirs, command)]);
      assert.match(mine, / OK$/, command);
      if (!isDeepStrictEqual(read(mine), read(other))) wrong.push(`${command}\n  ours   ${mine}\n  theirs ${other}`);
    }
    assert.deepEqual(wrong, [], `${wrong.length} of ${commands.length} differ`);
  };

  // Dovecot keeps an order of its own for each text: begun with a part of the mailbox, it may be wrong for the whole.
  await t.test('each sort key', () => compare(KEYS.map((key) => `SORT (${key}) UTF-8 ALL`)));

  await t.test('sort keys, alone and together, over the whole mailbox and parts of it', () =>
    compare(sortPrograms(random).map((program, i) => `${i % 5 === 4 ? 'UID ' : ''}SORT ${program} UTF-8 ${i % 2 === 0 ? 'ALL' : someMessages(random)}`)),
  );

  await t.test('ESORT', () =>
    compare(
      ['ALL', '', 'MIN', 'MAX', 'COUNT', 'MIN MAX COUNT ALL', 'COUNT ALL'].flatMap((options) =>
        ['(SUBJECT)', '(REVERSE DATE)', '(FROM SIZE)'].map((program) => `UID SORT RETURN (${options}) ${program} UTF-8 ${someMessages(random)}`),
      ),
    ),
  );

  const threadPrograms = (algorithm: string): string[] => [
    `THREAD ${algorithm} UTF-8 ALL`,
    `UID THREAD ${algorithm} UTF-8 SUBJECT plan`,
    `THREAD ${algorithm} US-ASCII NOT ALL`,
    ...Array.from({ length: 40 }, () => `THREAD ${algorithm} UTF-8 ${someMessages(random)}`),
  ];
  await t.test('ORDEREDSUBJECT of the whole mailbox and of parts of it', () => compare(threadPrograms('ORDEREDSUBJECT')));
  await t.test('REFERENCES', () => compare(threadPrograms('REFERENCES')));
  await t.test('REFS', () => compare(threadPrograms('REFS'), topLevel));
  await t.test('REFS where no two messages have one date', async () => {
    const dated = makeLetters(LETTERS, 5267, true);
    await fill(ours, 'Dated', dated);
    await fill(theirs, 'Dated', dated);
    await compare([...threadPrograms('REFS'), ...threadPrograms('REFERENCES')]);
  });

  for (const [i, { name, command, letters: few, ours: mine, theirs: other }] of DIFFERENCES.entries())
    await t.test(`on purpose not as Dovecot: ${name}`, async () => {
      await fill(ours, `D${i}`, few);
      await fill(theirs, `D${i}`, few);
      assert.equal(await answer(ours, command), `${mine} OK`);
      assert.equal(await answer(theirs, command), `${other} OK`);
    });
});
