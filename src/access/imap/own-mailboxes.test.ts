/** Accounts of many mailboxes: what is read and told in slices is complete, in order and told once, whatever happens meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inOrder, patternMatcher } from './list-match.ts';
import { ownMailboxes } from './own-mailboxes.ts';
import { inSlices, type Steps } from './pace.ts';
import { ALICE, type Client, TestServer } from './testing.ts';

/** More than two pages. */
const MANY = 1000;

const nameOf = (n: number): string => `box ${String(n).padStart(4, '0')}`;

function serverOfMany(): { made: TestServer; ids: number[] } {
  const made = new TestServer({ 'imap.notifyMailboxesMax': 2 * MANY });
  const ids = Array.from({ length: MANY }, (_, n) => made.store.addMailbox(ALICE.id, nameOf(n)).id);
  return { made, ids };
}

/** Runs the steps to their end at once. */
function all<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Long answers come in slices: waits for the tagged response. */
async function answer(client: Client, command: string): Promise<string[]> {
  client.send(`a ${command}\r\n`);
  return untilLine(client, /^a (?:OK|NO|BAD)/m);
}

async function untilLine(client: Client, last: RegExp): Promise<string[]> {
  let text = '';
  for (let turns = 0; turns < 100_000 && !last.test(text); turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    text += client.output();
  }
  return text.trimEnd().split('\r\n');
}

const names = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('* ')).map((line) => /"(?:\/" ")?([^"/]+)"/.exec(line)?.[1] ?? line);

test('mailboxes that are renamed while the list is read are there once, under a name that they had', () => {
  const { made, ids } = serverOfMany();
  // From behind to the front, and the other way round: a reader of pages would miss the one and see the other twice.
  made.store.beforePage = (after) => {
    if (after === '') return;
    made.store.beforePage = () => {};
    made.store.renameNow(ALICE.id, ids.at(-1)!, 'aaa');
    made.store.renameNow(ALICE.id, ids[0]!, 'zzz');
  };
  const rows = all(ownMailboxes(made.store, ALICE.id));
  assert.deepEqual(
    rows.map(({ name }) => name),
    made.store.mailboxes(ALICE.id).map(({ name }) => name),
  );
});

test('a list that never stands still is read in one go in the end', () => {
  const { made, ids } = serverOfMany();
  let renames = 0;
  made.store.beforePage = (after) => {
    if (after === '') return;
    renames += 1;
    made.store.renameNow(ALICE.id, ids.at(-renames)!, `aaa ${renames}`);
  };
  const rows = all(ownMailboxes(made.store, ALICE.id));
  assert.equal(new Set(rows.map(({ id }) => id)).size, MANY + 1);
  assert.ok(renames < 10);
});

test('LIST of many mailboxes has each once and in order, INBOX first, whatever is renamed meanwhile', async () => {
  const { made, ids } = serverOfMany();
  const client = await made.client();
  made.store.beforePage = (after) => {
    if (after === '') return;
    made.store.beforePage = () => {};
    made.store.renameNow(ALICE.id, ids[500]!, 'aaa');
  };
  const lines = await answer(client, 'LIST "" "*"');
  const expected = [...ids.keys()].filter((n) => n !== 500).map(nameOf);
  assert.deepEqual(
    lines.slice(0, -1).map((line) => line.slice(line.indexOf('"/" ') + 4).replaceAll('"', '')),
    ['INBOX', 'aaa', ...expected],
  );
});

test('ESEARCH in all of many mailboxes answers once for each that has results', async () => {
  const { made, ids } = serverOfMany();
  for (const n of [0, 399, 400, 401, 999]) made.store.deliver(ids[n]!, 'Subject: x\r\n\r\n');
  const client = await made.client();
  for (const sources of ['personal', 'inboxes', 'subtree ""', 'subtree-one ""']) {
    const lines = await answer(client, `ESEARCH IN (${sources}) ALL`);
    assert.deepEqual(
      lines.slice(0, -1).map((line) => /MAILBOX "([^"]+)"/.exec(line)?.[1]),
      [0, 399, 400, 401, 999].map(nameOf),
      sources,
    );
  }
});

test('NOTIFY SET STATUS says how each of many mailboxes stands, once, and leaves out what goes meanwhile', async () => {
  const { made } = serverOfMany();
  const client = await made.client();
  const lines = await answer(client, 'NOTIFY SET STATUS (personal (MessageNew MessageExpunge))');
  assert.equal(lines.at(-1), 'a OK NOTIFY completed');
  assert.deepEqual(
    names(lines).sort(),
    ['* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1001)', ...Array.from({ length: MANY }, (_, n) => nameOf(n))].sort(),
  );
});

test('NOTIFY: news of very many mailboxes at once are all told, each once, and then no more', async () => {
  const { made, ids } = serverOfMany();
  const client = await made.client();
  await answer(client, 'NOTIFY SET (personal (MessageNew MessageExpunge))');
  for (const id of ids) made.store.deliver(id, 'Subject: x\r\n\r\n');
  const lines = await untilLine(client, /"box 0999"/);
  assert.deepEqual(names(lines), [...ids.keys()].map(nameOf));
  assert.deepEqual(await answer(client, 'NOOP'), ['a OK NOOP completed']);
});

test('NOTIFY: a name that changes among many is told, also when another changes while they are looked through', async () => {
  const { made, ids } = serverOfMany();
  const client = await made.client();
  await answer(client, 'NOTIFY SET (personal (MailboxName))');
  made.store.beforePage = (after) => {
    if (after === '') return;
    made.store.beforePage = () => {};
    made.store.renameNow(ALICE.id, ids[7]!, 'second');
  };
  made.store.renameNow(ALICE.id, ids[999]!, 'first');
  const told: string[] = [];
  for (let rounds = 0; rounds < 3000 && told.length < 2; rounds += 1) told.push(...(await answer(client, 'NOOP')).filter((line) => line.startsWith('* LIST')));
  assert.deepEqual(told.sort(), [
    '* LIST (\\HasNoChildren) "/" first ("OLDNAME" ("box 0999"))',
    '* LIST (\\HasNoChildren) "/" second ("OLDNAME" ("box 0007"))',
  ]);
});

test('NOTIFY: a client with many mailboxes is not told of what it renames itself', async () => {
  const { made } = serverOfMany();
  const client = await made.client();
  await answer(client, 'NOTIFY SET (personal (MailboxName))');
  assert.deepEqual(await answer(client, `RENAME "${nameOf(1)}" mine`), ['a OK RENAME completed']);
  assert.deepEqual(await answer(client, 'NOOP'), ['a OK NOOP completed']);
});

test('names are sorted in pieces as they are at once', () => {
  const name = fc.oneof(fc.constantFrom('INBOX', 'INBOX/a', 'INBOXES', 'inbox'), fc.string({ maxLength: 4 }));
  const rank = (text: string): number => (text === 'INBOX' ? 0 : text.startsWith('INBOX/') ? 1 : 2);
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1500, maxLength: 4000 }), (texts) => {
      const sorted = all(inOrder(texts.map((text) => ({ name: text }))));
      const expected = [...texts].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      assert.deepEqual(
        sorted.map((entry) => entry.name),
        expected,
      );
    }),
    { seed: 3501, numRuns: 10 },
  );
});

test('patterns match as the regular expression that says the same', () => {
  const piece = fc.constantFrom('a', 'b', 'A', '/', '*', '%', 'INBOX', 'inbox', '.', '\\');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (patternPieces, namePieces) => {
      const [pattern, name] = [patternPieces.join(''), namePieces.join('').replace(/[*%]/g, 'b')];
      const source = pattern.replace(/[.\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('%', '[^/]*');
      const isInbox = name === 'INBOX' || name.startsWith('INBOX/');
      // Of INBOX and what is below it the first five letters are the same in any case.
      const cases = isInbox ? casesOf('INBOX').map((inbox) => inbox + name.slice(5)) : [name];
      assert.equal(
        patternMatcher(pattern)(name),
        cases.some((each) => new RegExp(`^${source}$`, 's').test(each)),
      );
    }),
    { seed: 9051, numRuns: 3000 },
  );
});

function casesOf(word: string): string[] {
  if (word === '') return [''];
  const rest = casesOf(word.slice(1));
  return [word[0]!, word[0]!.toLowerCase()].flatMap((letter) => rest.map((tail) => letter + tail));
}

test('steps that throw do so whether they are run at once or in slices', async () => {
  function* failing(): Steps<number> {
    yield;
    throw new Error('in the middle');
  }
  assert.throws(() => inSlices(failing()), /in the middle/);
  function* stepping(): Steps<string> {
    yield;
    yield;
    return 'done';
  }
  let turns = 0;
  const clock = { isOver: () => (turns += 1) % 2 === 1, restart() {} };
  assert.equal(await inSlices(stepping(), clock as never), 'done');
  await assert.rejects(async () => inSlices(failing(), clock as never), /in the middle/);
});
