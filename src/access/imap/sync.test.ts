import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Account, Directory } from '../../ports.ts';
import type { ImapSettings } from './settings.ts';
import { ALICE, type Client, talk, TestServer } from './testing.ts';

/** Messages 1 to `messages`, all \Seen, modseqs from 3; the mailbox itself has modseq 2. */
function server(messages = 3, settings: Partial<ImapSettings> = {}): TestServer {
  const made = new TestServer(settings);
  for (let i = 1; i <= messages; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\nText ${i}.\r\n`, { flags: 1 });
  return made;
}

async function resyncing(made: TestServer, mailbox?: string): Promise<Client> {
  const client = await made.client();
  await client.exchange('e ENABLE QRESYNC\r\n');
  if (mailbox !== undefined) await client.exchange(`s SELECT ${mailbox}\r\n`);
  client.output();
  return client;
}

/** What SELECT says behind its fixed lines. */
async function changesOf(client: Client, command: string): Promise<string[]> {
  const lines = (await client.exchange(`${command}\r\n`)).split('\r\n').slice(0, -1);
  return lines.filter((line) => /VANISHED|FETCH| (OK \[READ|NO|BAD)/.test(line));
}

test('ENABLED is always sent, QRESYNC stands for CONDSTORE too, and both may be asked for in any order', async () => {
  for (const [asked, enabled] of [
    ['QRESYNC', ' QRESYNC'],
    ['CONDSTORE QRESYNC', ' CONDSTORE QRESYNC'],
    ['QRESYNC CONDSTORE', ' QRESYNC CONDSTORE'],
    ['UIDONLY', ''],
    ['X-NOTHING', ''],
  ])
    await talk(await server().client(), `C: a ENABLE ${asked}\nS: * ENABLED${enabled}\nS: a OK ENABLE completed`);
});

test('with a mailbox selected ENABLE QRESYNC says HIGHESTMODSEQ, which is never 0', async () => {
  const made = server(0);
  await talk(await made.client('INBOX'), 'C: a ENABLE QRESYNC\nS: * OK [HIGHESTMODSEQ 2] CONDSTORE is on\nS: * ENABLED QRESYNC\nS: a OK ENABLE completed');
});

test('what needs QRESYNC is BAD before ENABLE, or without what belongs to it', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a SELECT INBOX (QRESYNC (1001 3))
    S: a BAD QRESYNC must be enabled first
    C: b UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)
    S: b BAD QRESYNC must be enabled first
    C: c FETCH 1 UID
    S: * 1 FETCH (UID 1)
    S: c OK FETCH completed`,
  );
  await client.exchange('e ENABLE QRESYNC\r\n');
  await talk(
    client,
    `C: d FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)
    S: d BAD VANISHED goes with UID FETCH
    C: e UID FETCH 1:* FLAGS (VANISHED)
    S: e BAD VANISHED goes with CHANGEDSINCE`,
  );
  for (const wrong of ['()', '(1001)', '(1001 5 1:*)', '(1001 5 $)', '(1001 5 1:3 (1:2 1:3))', '(1001 5 1:3 (1:2))', '(1001 5 1:3 (*,1 1,2))'])
    assert.match(await client.exchange(`f SELECT INBOX (QRESYNC ${wrong})\r\n`), /^f BAD /, wrong);
  // The mailbox selected before stays selected when the command is BAD.
  assert.match(await client.exchange('g FETCH 1 UID\r\n'), /g OK/);
});

test('SELECT (QRESYNC): what is gone first, then what changed, of the uids the client knows', async () => {
  const made = server(6);
  await made.store.flags(ALICE.id, made.inbox, [2], 'add', 4, []);
  await made.store.expunge(ALICE.id, made.inbox, [1, 3, 5], false);
  const client = await resyncing(made);
  // Uids 1 to 6 have modseqs 3 to 8; the flag has 9, the removal 10.
  assert.deepEqual(await changesOf(client, 'a SELECT INBOX (QRESYNC (1001 8))'), [
    '* VANISHED (EARLIER) 1,3,5',
    '* 1 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (9))',
    'a OK [READ-WRITE] SELECT completed',
  ]);
  assert.deepEqual(await changesOf(client, 'b EXAMINE INBOX (QRESYNC (1001 8 3:4,6))'), ['* VANISHED (EARLIER) 3', 'b OK [READ-ONLY] EXAMINE completed']);
  assert.deepEqual(await changesOf(client, 'c SELECT INBOX (QRESYNC (1001 10) CONDSTORE)'), ['c OK [READ-WRITE] SELECT completed']);
  // Another UIDVALIDITY: the client sees it and begins anew (RFC 7162 section 3.2.5).
  assert.deepEqual(await changesOf(client, 'd SELECT INBOX (QRESYNC (7 1))'), ['d OK [READ-WRITE] SELECT completed']);
});

test('a client that was away for longer than removals are remembered hears of every uid that is not there', async () => {
  const made = server(6);
  await made.store.expunge(ALICE.id, made.inbox, [1, 3, 6], false);
  made.store.pruneExpunged(made.inbox);
  made.store.deliver(made.inbox, 'Subject: 7\r\n\r\n', { flags: 1 });
  await made.store.expunge(ALICE.id, made.inbox, [5], false);
  const client = await resyncing(made);
  assert.deepEqual((await changesOf(client, 'a SELECT INBOX (QRESYNC (1001 8))'))[0], '* VANISHED (EARLIER) 1,3,5:6');
  assert.deepEqual((await changesOf(client, 'b SELECT INBOX (QRESYNC (1001 8 3:5))'))[0], '* VANISHED (EARLIER) 3,5');
  assert.deepEqual((await changesOf(client, 'c SELECT INBOX (QRESYNC (1001 10))'))[0], '* VANISHED (EARLIER) 5', 'since the floor the history is whole');
  // Message sequence match data (RFC 7162 section 3.2.5.2): the client knows of all removals up to uid 4.
  assert.deepEqual((await changesOf(client, 'd SELECT INBOX (QRESYNC (1001 8 1:6 (1:2,3 2,4,5)))'))[0], '* VANISHED (EARLIER) 5:6');
  assert.deepEqual((await changesOf(client, 'e SELECT INBOX (QRESYNC (1001 8 1:6 (1,2 1,3)))'))[0], '* VANISHED (EARLIER) 1,3,5:6');
});

test('whatever match data and known uids say, what is told as gone is gone, and nothing above the last match is kept back', async () => {
  const set = fc.uniqueArray(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 6 }).map((numbers) => numbers.sort((a, b) => a - b));
  const text = (numbers: readonly number[]): string =>
    numbers.join(',').replace(/\b(\d+),(\d+)\b/g, (whole, a, b) => (Number(b) === Number(a) + 1 ? `${a}:${b}` : whole));
  await fc.assert(
    fc.asyncProperty(set, set, set, set, async (removed, known, numbers, uids) => {
      const made = server(12);
      await made.store.expunge(ALICE.id, made.inbox, removed, false);
      made.store.pruneExpunged(made.inbox);
      const client = await resyncing(made);
      const pairs = Math.min(numbers.length, uids.length);
      const match = `(${text(numbers.slice(0, pairs))} ${text(uids.slice(0, pairs))})`;
      const [first] = await changesOf(client, `a SELECT INBOX (QRESYNC (1001 3 ${text(known)} ${match}))`);
      const present = Array.from({ length: 12 }, (_, i) => i + 1).filter((uid) => !removed.includes(uid));
      let matched = 0;
      for (let i = 0; i < pairs; i += 1) if (present[numbers[i]! - 1] === uids[i]) matched = uids[i]!;
      const wanted = known.filter((uid) => uid <= 12 && uid > matched && !present.includes(uid));
      const told: number[] = [];
      const gone = /^\* VANISHED \(EARLIER\) (.*)/.exec(first!);
      for (const range of gone === null ? [] : gone[1]!.split(',')) {
        const [from, to = from] = range.split(':').map(Number) as [number, number?];
        for (let uid = from; uid <= to; uid += 1) told.push(uid);
      }
      // Nothing may have been removed at all: then there is no floor to be below of.
      assert.deepEqual(told, removed.some((uid) => uid <= 12) ? wanted : []);
    }),
    { seed: 3252, numRuns: 150 },
  );
});

test('sets of a hostile client that name billions of messages cost nothing', async () => {
  const made = server(3);
  await made.store.expunge(ALICE.id, made.inbox, [2], false);
  made.store.pruneExpunged(made.inbox);
  const client = await resyncing(made);
  const all = '1:4294967295';
  assert.deepEqual(await changesOf(client, `a SELECT INBOX (QRESYNC (1001 1 ${all} (${all} ${all})))`), [
    '* VANISHED (EARLIER) 2',
    '* 1 FETCH (UID 1 FLAGS (\\Recent \\Seen) MODSEQ (3))',
    '* 2 FETCH (UID 3 FLAGS (\\Recent \\Seen) MODSEQ (5))',
    'a OK [READ-WRITE] SELECT completed',
  ]);
});

test('UID FETCH (CHANGEDSINCE n VANISHED): of the uids asked for; CHANGEDSINCE 0 is taken', async () => {
  const made = server(5);
  const client = await resyncing(made, 'INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [2, 5], false);
  await talk(client, 'C: a NOOP\nS: * VANISHED 2,5\nS: * 3 RECENT\nS: a OK [HIGHESTMODSEQ 8] NOOP completed');
  await talk(
    client,
    `C: b UID FETCH 1:* FLAGS (CHANGEDSINCE 7 VANISHED)
    S: * VANISHED (EARLIER) 2,5
    S: b OK FETCH completed
    C: c UID FETCH 1:2 UID (VANISHED CHANGEDSINCE 0)
    S: * VANISHED (EARLIER) 2
    S: * 1 FETCH (UID 1 MODSEQ (3))
    S: c OK FETCH completed`,
  );
});

test('a removal that the client is still to be told of is not among those from earlier', async () => {
  const made = server(4);
  const client = await resyncing(made, 'INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [2], false);
  await talk(client, 'C: a UID FETCH 1:4 FLAGS (CHANGEDSINCE 6 VANISHED)\nS: * VANISHED 2\nS: * 3 RECENT\nS: a OK [HIGHESTMODSEQ 7] FETCH completed');
});

test('removals are VANISHED for who enabled QRESYNC: own, those of others, by EXPUNGE, UID EXPUNGE and MOVE, with HIGHESTMODSEQ', async () => {
  const made = server(6);
  made.store.addMailbox(ALICE.id, 'Trash');
  const one = await resyncing(made, 'INBOX');
  const two = await made.client('INBOX');
  await talk(
    one,
    `C: a STORE 2,3,5 +FLAGS.SILENT (\\Deleted)
    S: * 2 FETCH (UID 2 MODSEQ (10))
    S: * 3 FETCH (UID 3 MODSEQ (10))
    S: * 5 FETCH (UID 5 MODSEQ (10))
    S: a OK STORE completed
    C: b UID EXPUNGE 3:4
    S: * VANISHED 3
    S: * 5 RECENT
    S: b OK [HIGHESTMODSEQ 11] EXPUNGE completed
    C: c EXPUNGE
    S: * VANISHED 2,5
    S: * 3 RECENT
    S: c OK [HIGHESTMODSEQ 12] EXPUNGE completed
    C: d EXPUNGE
    S: d OK EXPUNGE completed`,
  );
  await talk(two, 'C: a NOOP\nS: * 2 EXPUNGE\nS: * 2 EXPUNGE\nS: * 3 EXPUNGE\nS: a OK NOOP completed');
  const moved = await one.exchange('e UID MOVE 4 Trash\r\n');
  assert.match(moved, /\* VANISHED 4\r\n/);
  assert.match(await one.exchange('f STORE 1 +FLAGS (\\Deleted)\r\n'), /f OK/);
  await talk(one, 'C: g CLOSE\nS: g OK CLOSE completed');
});

test('while a removal must wait, the client is told up to where it knows everything', async () => {
  const made = server(3);
  const client = await resyncing(made, 'INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [2], false);
  await talk(
    client,
    `C: a STORE 1 +FLAGS.SILENT (\\Flagged)
    S: * 1 FETCH (UID 1 MODSEQ (7))
    S: a OK [HIGHESTMODSEQ 5] STORE completed
    C: b FETCH 3 (MODSEQ)
    S: * 3 FETCH (MODSEQ (5))
    S: b OK [HIGHESTMODSEQ 5] FETCH completed
    C: c NOOP
    S: * VANISHED 2
    S: * 2 RECENT
    S: c OK [HIGHESTMODSEQ 7] NOOP completed`,
  );
});

test('once CONDSTORE is on, every answer to a change has uid and modseq, also of .SILENT and with UNCHANGEDSINCE', async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  await client.exchange('e ENABLE CONDSTORE\r\n');
  await talk(
    client,
    `C: a STORE 1 +FLAGS (\\Seen)
    S: * 1 FETCH (UID 1 FLAGS (\\Recent \\Seen) MODSEQ (3))
    S: a OK STORE completed
    C: b STORE 1:2 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen)
    S: * 1 FETCH (UID 1 MODSEQ (3))
    S: b OK [MODIFIED 2] Conditional STORE failed for some
    C: c STORE 3 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)
    S: c OK [MODIFIED 3] Conditional STORE failed for some`,
  );
});

test('SAVEDATE, EMAILID, THREADID and MAILBOXID: copies share the email, and each has its own date', async () => {
  const made = server(1);
  const sent = made.store.addMailbox(ALICE.id, 'Sent');
  const before = made.store.now();
  made.store.now = () => before + 3_600_000;
  await made.store.copy(ALICE.id, made.inbox, [1], sent.id, false);
  const client = await made.client('INBOX');
  const here = await client.exchange('a FETCH 1 (EMAILID THREADID SAVEDATE INTERNALDATE)\r\n');
  const there = await client.exchange('b EXAMINE Sent\r\n').then(() => client.exchange('c FETCH 1 (EMAILID SAVEDATE INTERNALDATE)\r\n'));
  const email = /EMAILID \((E\d+)\) THREADID NIL SAVEDATE "([^"]+)" INTERNALDATE "\2"/.exec(here);
  assert.ok(email !== null, here);
  assert.match(there, new RegExp(`EMAILID \\(${email[1]}\\) SAVEDATE " 2-Jan-2026 04:04:05 \\+0000" INTERNALDATE " 2-Jan-2026 03:04:05`));
  assert.match(await client.exchange('d SELECT Sent\r\n'), /\* OK \[MAILBOXID \(F\d+-\d+\)\] /);
});

test('THREADID comes from the index, which is waited for once when it is behind', async () => {
  let waits = 0;
  const known = new Set<number>();
  const made = new TestServer(
    {},
    {
      search: {
        facts: (_account: number, emails: readonly number[]) => emails.filter((email) => known.has(email)).map((email) => ({ email, threadId: email * 10 })),
        settled: async () => {
          waits += 1;
          for (let email = 0; email < 50; email += 1) if (email % 2 === 0) known.add(email);
          return true;
        },
      } as never,
    },
  );
  for (let i = 0; i < 3; i += 1) made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  const client = await made.client('INBOX');
  const threads = [...(await client.exchange('a FETCH 1:* (EMAILID THREADID)\r\n')).matchAll(/EMAILID \(E(\d+)\) THREADID (?:\(T(\d+)\)|NIL)/g)];
  assert.equal(threads.length, 3);
  for (const [, email, thread] of threads) assert.equal(thread, Number(email) % 2 === 0 ? String(Number(email) * 10) : undefined);
  assert.equal(waits, 1);
});

test('PREVIEW and PREVIEW (LAZY), ASCII quoted and other text as a literal in UTF-8', async () => {
  const made = server(1);
  made.store.deliver(made.inbox, 'Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße "an" alle\r\n', { flags: 1 });
  made.store.deliver(made.inbox, `Subject: big\r\n\r\n${'x '.repeat(200_000)}`, { flags: 1 });
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a FETCH 1 PREVIEW
    S: * 1 FETCH (PREVIEW "Text 1.")
    S: a OK FETCH completed
    C: b FETCH 2 (FLAGS PREVIEW (LAZY) UID)
    S: * 2 FETCH (FLAGS (\\Recent \\Seen) PREVIEW {17}
    S: Grüße "an" alle UID 2)
    S: b OK FETCH completed
    C: c FETCH 1,3 (PREVIEW (LAZY))
    S: * 1 FETCH (PREVIEW "Text 1.")
    S: * 3 FETCH (PREVIEW NIL)
    S: c OK FETCH completed`,
  );
  assert.match(await client.exchange('d FETCH 3 (PREVIEW)\r\n'), /PREVIEW "(x ){99}x"\)/);
  assert.match(await client.exchange('e FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 1)\r\n'), /PREVIEW "Text 1." MODSEQ/);
  assert.match(await client.exchange('f FETCH 1 PREVIEW (BUSY)\r\n'), /^f BAD/);
});

test('UID FETCH (PARTIAL): the first, the last, past the end, together with CHANGEDSINCE', async () => {
  const made = server(5);
  const client = await made.client('INBOX');
  const uids = async (command: string): Promise<string> =>
    [...(await client.exchange(`${command}\r\n`)).matchAll(/\* \d+ FETCH \(UID (\d+)/g)].map((found) => found[1]).join(' ');
  assert.equal(await uids('a UID FETCH 1:* UID (PARTIAL 2:3)'), '2 3');
  assert.equal(await uids('b UID FETCH 1:* UID (PARTIAL -1:-2)'), '4 5');
  assert.equal(await uids('c UID FETCH 1:2,4:5 UID (PARTIAL -3:-2)'), '2 4');
  assert.equal(await uids('d UID FETCH 2:* UID (PARTIAL 4:900)'), '5');
  assert.equal(await uids('e UID FETCH 1:* UID (PARTIAL 6:900)'), '');
  assert.equal(await uids('f UID FETCH 1:* UID (CHANGEDSINCE 6 PARTIAL -1:-3)'), '5');
  for (const wrong of ['FETCH 1 UID (PARTIAL 1:2)', 'UID FETCH 1 UID (PARTIAL 1:-2)', 'UID FETCH 1 UID (PARTIAL 0:2)', 'UID FETCH 1 UID (PARTIAL 1)'])
    assert.match(await client.exchange(`g ${wrong}\r\n`), /^g BAD/, wrong);
});

test('UIDONLY is off unless switched on; then nothing has a sequence number', async () => {
  const off = await server().client('INBOX');
  assert.doesNotMatch(await off.exchange('a CAPABILITY\r\n'), /UIDONLY|UIDBATCHES|MESSAGELIMIT/);
  const made = server(3, { 'imap.uidOnly': true });
  const client = await made.client();
  await client.exchange('a ENABLE UIDONLY CONDSTORE\r\n');
  assert.doesNotMatch(await client.exchange('b SELECT INBOX\r\n'), /UNSEEN/);
  await talk(
    client,
    `C: c FETCH 1 FLAGS
    S: c BAD [UIDREQUIRED] Sequence numbers are not possible after ENABLE UIDONLY
    C: d STORE 1 +FLAGS (\\Seen)
    S: d BAD [UIDREQUIRED] Sequence numbers are not possible after ENABLE UIDONLY
    C: e UID FETCH 2:* (FLAGS)
    S: * 2 UIDFETCH (FLAGS (\\Recent \\Seen))
    S: * 3 UIDFETCH (FLAGS (\\Recent \\Seen))
    S: e OK FETCH completed
    C: f UID STORE 2 +FLAGS (\\Deleted)
    S: * 2 UIDFETCH (FLAGS (\\Recent \\Deleted \\Seen) MODSEQ (6))
    S: f OK STORE completed
    C: g UID FETCH 1 (BODY.PEEK[TEXT])
    S: * 1 UIDFETCH (BODY[TEXT] {9}
    S: Text 1.
    S: )
    S: g OK FETCH completed
    C: h EXPUNGE
    S: * VANISHED 2
    S: * 2 RECENT
    S: h OK EXPUNGE completed`,
  );
  await made.store.flags(ALICE.id, made.inbox, [3], 'add', 4, []);
  await talk(client, 'C: i NOOP\nS: * 3 UIDFETCH (FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (8))\nS: i OK NOOP completed');
});

test('MESSAGELIMIT: the newest are worked on, and the lowest of them is named', async () => {
  const made = server(5, { 'imap.messageLimit': 2 });
  const client = await made.client('INBOX');
  assert.match(await client.exchange('a CAPABILITY\r\n'), / MESSAGELIMIT=2[ \r]/);
  await talk(
    client,
    `C: b FETCH 1:* UID
    S: * 4 FETCH (UID 4)
    S: * 5 FETCH (UID 5)
    S: b OK [MESSAGELIMIT 2 4] FETCH completed for some
    C: c UID STORE 1:3 +FLAGS.SILENT (\\Deleted)
    S: c OK [MESSAGELIMIT 2 2] STORE completed
    C: d UID EXPUNGE 1:3
    S: * 2 EXPUNGE
    S: * 2 EXPUNGE
    S: * 3 RECENT
    S: d OK [MESSAGELIMIT 2 2] EXPUNGE completed
    C: e FETCH 1 UID
    S: * 1 FETCH (UID 1)
    S: e OK FETCH completed`,
  );
});

test('MESSAGELIMIT: SEARCH looks at the newest of those that the search names, "$" has what it found (RFC 9738)', async () => {
  const client = await server(6, { 'imap.messageLimit': 2 }).client('INBOX');
  await talk(
    client,
    `C: a SEARCH ALL
    S: * SEARCH 5 6
    S: a OK [MESSAGELIMIT 2 5] SEARCH completed for some
    C: b UID SEARCH UIDBEFORE 5 ALL
    S: * SEARCH 3 4
    S: b OK [MESSAGELIMIT 2 3] SEARCH completed for some
    C: c UID SEARCH RETURN (SAVE COUNT) UIDBEFORE 3
    S: * ESEARCH (TAG "c") UID COUNT 2
    S: c OK SEARCH completed
    C: d UID SEARCH UIDAFTER 1 UIDBEFORE 4
    S: * SEARCH 2 3
    S: d OK SEARCH completed
    C: e UID FETCH $ UID
    S: * 1 FETCH (UID 1)
    S: * 2 FETCH (UID 2)
    S: e OK FETCH completed
    C: f SEARCH RETURN (SAVE) 1:5 2:4
    S: f OK [MESSAGELIMIT 2 3] SEARCH completed for some
    C: g UID SEARCH $
    S: * SEARCH 3 4
    S: g OK SEARCH completed
    C: h UID SEARCH OR UIDAFTER 5 UIDBEFORE 2 UID 5:6
    S: * SEARCH 6
    S: h OK SEARCH completed
    C: i UID SEARCH UIDBEFORE 1
    S: * SEARCH
    S: i OK SEARCH completed
    C: j UID SEARCH UIDAFTER 4294967295
    S: * SEARCH
    S: j OK SEARCH completed
    C: k SEARCH UIDAFTER 1:2
    S: k BAD end of command expected at byte 20
    C: l SEARCH RETURN (UPDATE SAVE) ALL
    S: l NO [MESSAGELIMIT 2 5] Too many messages to keep the result up to date
    C: m SEARCH $
    S: * SEARCH
    S: m OK SEARCH completed`,
  );
});

test('MESSAGELIMIT: what cannot be done for some is refused: SORT, THREAD, APPEND of many', async () => {
  const client = await server(3, { 'imap.messageLimit': 2 }).client('INBOX');
  await talk(
    client,
    `C: a SORT (SUBJECT) UTF-8 ALL
    S: a NO [MESSAGELIMIT 2 2] Too many messages to sort
    C: b UID SORT (SUBJECT) UTF-8 UIDAFTER 1
    S: * SORT 2 3
    S: b OK SORT completed
    C: c THREAD ORDEREDSUBJECT UTF-8 ALL
    S: c NO [MESSAGELIMIT 2 2] Too many messages to thread
    C: d UID THREAD ORDEREDSUBJECT UTF-8 UIDAFTER 2
    S: * THREAD (3)
    S: d OK THREAD completed
    C: e APPEND INBOX {1+}
    C: x {1+}
    C: y {1}
    S: e NO [MESSAGELIMIT 2] Too many messages in one APPEND
    C: f UID FETCH 1:3 UID (PARTIAL 1:3)
    S: f NO [MESSAGELIMIT 2] The range is too long`,
  );
});

test('SAVELIMIT limits COPY and APPEND alone, and is never named beside MESSAGELIMIT (RFC 9738)', async () => {
  const made = server(3, { 'imap.saveLimit': 2 });
  made.store.addMailbox(ALICE.id, 'Other');
  const client = await made.client('INBOX');
  const announced = await client.exchange('a CAPABILITY\r\n');
  assert.match(announced, / SAVELIMIT=2[ \r]/);
  assert.doesNotMatch(announced, /MESSAGELIMIT/);
  await talk(
    client,
    `C: b COPY 1:3 Other
    S: b NO [MESSAGELIMIT 2 2] Too many messages for one COPY
    C: c APPEND Other {1+}
    C: x {1+}
    C: y {1+}
    C: z
    S: c NO [MESSAGELIMIT 2] Too many messages in one APPEND
    C: d UID SEARCH ALL
    S: * SEARCH 1 2 3
    S: d OK SEARCH completed
    C: e UID FETCH 1:3 UID
    S: * 1 FETCH (UID 1)
    S: * 2 FETCH (UID 2)
    S: * 3 FETCH (UID 3)
    S: e OK FETCH completed`,
  );
  assert.match(await client.exchange('f MOVE 1:3 Other\r\n'), /^f OK MOVE completed/m);
  const both = await (await server(1, { 'imap.messageLimit': 5, 'imap.saveLimit': 2 }).client()).exchange('a CAPABILITY\r\n');
  assert.match(both, / MESSAGELIMIT=5[ \r]/);
  assert.doesNotMatch(both, /SAVELIMIT/);
});

test('UIDBATCHES: ranges of as many messages each, newest first, behind its switch', async () => {
  const made = server(1100, { 'imap.uidBatches': true });
  await made.store.expunge(ALICE.id, made.inbox, [3, 600, 601], false);
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a UIDBATCHES 500
    S: * UIDBATCHES (TAG "a") 1100:599,598:99,98:1
    S: a OK UIDBATCHES completed
    C: b UIDBATCHES 500 2:3
    S: * UIDBATCHES (TAG "b") 598:99,98:1
    S: b OK UIDBATCHES completed
    C: c UIDBATCHES 2000 7:900
    S: * UIDBATCHES (TAG "c")
    S: c OK UIDBATCHES completed
    C: d UIDBATCHES 499
    S: d NO [TOOSMALL] A batch has 500 messages at least`,
  );
  assert.match(await (await server().client('INBOX')).exchange('a UIDBATCHES 500\r\n'), /^a BAD/);
});

const BOB: Account = { ...ALICE, id: 2, login: 'bob@example.org' };

/** Bob's INBOX with messages 1 to 3, of which Alice may do what `rights` says at the time. */
function shared(rights: { now: string }): TestServer {
  const directory = { account: (id: number) => (id === 2 ? BOB : ALICE), accountByLogin: (login: string) => (login === BOB.login ? BOB : null) };
  const made = new TestServer({}, { directory: directory as Partial<Directory> as Directory });
  const rows = made.store.rows.bind(made.store);
  made.store.rows = (sql, ...parameters) => (/ FROM acl /.test(sql) ? (rights.now === '' ? [] : [[ALICE.login, rights.now]]) : rows(sql, ...parameters));
  const inbox = made.store.addMailbox(BOB.id, 'INBOX', 'inbox');
  for (let i = 1; i <= 3; i += 1) made.store.deliver(inbox.id, `Subject: ${i}\r\n\r\nText ${i}.\r\n`, { flags: i === 3 ? 8 : 0 });
  return made;
}

const BOBS = '"Other Users/bob@example.org/INBOX"';

test('a mailbox of somebody else: without "l" and "r" it is not there or not readable, with "r" alone it is read-only', async () => {
  const rights = { now: '' };
  const made = shared(rights);
  const client = await made.client();
  assert.match(await client.exchange(`a SELECT ${BOBS}\r\n`), /^a NO \[NONEXISTENT\]/);
  rights.now = 'l';
  assert.match(await client.exchange(`b SELECT ${BOBS}\r\n`), /^b NO \[NOPERM\]/);
  rights.now = 'lr';
  const readOnly = await client.exchange(`c SELECT ${BOBS}\r\n`);
  assert.match(readOnly, /PERMANENTFLAGS \(\)/);
  assert.match(readOnly, /c OK \[READ-ONLY\] SELECT completed/);
  assert.match(await client.exchange('d STORE 1 +FLAGS (\\Seen)\r\n'), /d NO \[READ-ONLY\]/);
  assert.doesNotMatch(await client.exchange('e FETCH 1 BODY[TEXT]\r\n'), /\\Seen/);
});

test('flags that may not be changed are passed over, and only when none may it is NO', async () => {
  const rights = { now: 'lrs' };
  const made = shared(rights);
  const client = await made.client();
  const selected = await client.exchange(`a SELECT ${BOBS}\r\n`);
  assert.match(selected, /PERMANENTFLAGS \(\\Seen\)/);
  assert.match(selected, /a OK \[READ-WRITE\]/);
  await talk(
    client,
    `C: b STORE 1 +FLAGS (\\Seen \\Deleted \\Flagged work)
    S: * 1 FETCH (FLAGS (\\Recent \\Seen))
    S: b OK STORE completed
    C: c STORE 1 +FLAGS (\\Deleted)
    S: c NO [NOPERM] Changing these flags is not permitted here
    C: d STORE 3 FLAGS (\\Seen \\Flagged)
    S: * 3 FETCH (FLAGS (\\Recent \\Deleted \\Seen))
    S: d OK STORE completed
    C: e STORE 3 FLAGS ()
    S: * 3 FETCH (FLAGS (\\Recent \\Deleted))
    S: e OK STORE completed
    C: f EXPUNGE
    S: f NO [NOPERM] Removing messages is not permitted here`,
  );
  // Rights are looked up anew for each command.
  rights.now = 'lrwte';
  assert.match(await client.exchange('g STORE 1 +FLAGS (\\Seen)\r\n'), /g NO \[NOPERM\]/);
  assert.match(await client.exchange('h STORE 1 FLAGS (\\Deleted work)\r\n'), /FLAGS \(\\Recent \\Deleted \\Seen work\)/);
  assert.match(await client.exchange('i STORE 1 FLAGS (other)\r\n'), /FLAGS \(\\Recent \\Seen other\)/);
  rights.now = 'lrwt';
  await talk(client, 'C: j CLOSE\nS: j OK CLOSE completed');
  rights.now = 'lre';
  assert.match(await client.exchange(`k SELECT ${BOBS}\r\n`), /\* 3 EXISTS/, 'CLOSE removed nothing');
  assert.match(await client.exchange('l EXPUNGE\r\n'), /\* 3 EXPUNGE\r\n/);
});

test('flags that may not be changed and that somebody else changes at that moment are told in spite of .SILENT', async () => {
  const made = shared({ now: 'lrs' });
  const client = await made.client();
  await client.exchange(`a SELECT ${BOBS}\r\n`);
  assert.match(await client.exchange('b FETCH 3 FLAGS\r\n'), /\(\\Recent \\Deleted\)/);
  const { flags } = made.store;
  made.store.flags = async (...args) => {
    made.store.flags = flags;
    await flags.call(made.store, args[0], args[1], [3], 'remove', 8, []);
    return flags.apply(made.store, args);
  };
  assert.match(await client.exchange('c STORE 3 FLAGS.SILENT (\\Seen)\r\n'), /\* 3 FETCH \(FLAGS \(\\Recent \\Seen\)\)\r\nc OK/);
});

/** What a client that keeps a copy knows: flags by uid. */
class Copy {
  readonly flags = new Map<number, string>();
  modseq = 0;
  take(lines: string): void {
    let seen = 0;
    let told = 0;
    for (const line of lines.split('\r\n')) {
      const fetched = /^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)(?: MODSEQ \((\d+)\))?/.exec(line);
      if (fetched !== null) {
        this.flags.set(Number(fetched[1]), fetched[2]!.replace(/\\Recent ?/, '').trim());
        seen = Math.max(seen, Number(fetched[3] ?? 0));
      }
      const highest = /\[HIGHESTMODSEQ (\d+)\]/.exec(line);
      if (highest !== null) told = Number(highest[1]);
      const gone = /^\* VANISHED (?:\(EARLIER\) )?([\d:,]+)/.exec(line);
      for (const range of gone === null ? [] : gone[1]!.split(',')) {
        const [from, to = from] = range.split(':').map(Number) as [number, number?];
        for (const uid of this.flags.keys()) if (uid >= from && uid <= to) this.flags.delete(uid);
      }
    }
    this.modseq = told > 0 ? told : Math.max(this.modseq, seen);
  }
  /** New messages are found by their uids, as soon as there are any (RFC 7162 section 6). */
  async follow(client: Client, command: string): Promise<void> {
    const lines = await client.exchange(`${command}\r\n`);
    this.take(lines);
    if (lines.includes(' EXISTS')) this.take(await client.exchange(`n UID FETCH ${Math.max(0, ...this.flags.keys()) + 1}:* (UID FLAGS MODSEQ)\r\n`));
  }
}

test('clients that resynchronise end equal to the server, whenever their connections are lost', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('deliver' as const) }),
    fc.record({ kind: fc.constantFrom('flag' as const, 'remove' as const, 'store' as const), at: fc.nat(9) }),
    fc.record({ kind: fc.constantFrom('noop' as const, 'fetch' as const, 'lose' as const, 'prune' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
      const made = server(4);
      const copy = new Copy();
      let client = await resyncing(made);
      await copy.follow(client, 's SELECT INBOX (QRESYNC (1001 1))');
      const present = (): number[] => made.store.messages(ALICE.id, made.inbox, 1, 1_000_000, 1000).map((row) => row[0]);
      for (const action of [...steps, { kind: 'lose' as const }]) {
        const uids = present();
        const uid = 'at' in action && uids.length > 0 ? uids[action.at % uids.length]! : 0;
        if (action.kind === 'deliver') made.store.deliver(made.inbox, 'Subject: new\r\n\r\n');
        else if (action.kind === 'flag') await made.store.flags(ALICE.id, made.inbox, [uid], (uid & 1) === 0 ? 'add' : 'remove', 5, []);
        else if (action.kind === 'remove') await made.store.expunge(ALICE.id, made.inbox, [uid], false);
        else if (action.kind === 'prune') made.store.pruneExpunged(made.inbox);
        else if (action.kind === 'store' && uid !== 0) await copy.follow(client, `x UID STORE ${uid} FLAGS (\\Answered)`);
        else if (action.kind === 'noop') await copy.follow(client, 'x NOOP');
        else if (action.kind === 'fetch') await copy.follow(client, 'x FETCH 1:* (UID FLAGS MODSEQ)');
        else if (action.kind === 'lose') {
          client.disconnect();
          client = await resyncing(made);
          await copy.follow(client, `s SELECT INBOX (QRESYNC (1001 ${copy.modseq}))`);
          const server = new Map<number, string>();
          const text = await client.exchange('y UID FETCH 1:* (UID FLAGS)\r\n');
          for (const [, id, flags] of text.matchAll(/FETCH \(UID (\d+) FLAGS \(([^)]*)\)/g)) server.set(Number(id), flags!.replace(/\\Recent ?/, '').trim());
          assert.deepEqual(
            [...copy.flags].sort((a, b) => a[0] - b[0]),
            [...server],
          );
        }
      }
    }),
    { seed: 7162, numRuns: 250 },
  );
});

test('a change between the reading of the mailbox and of its messages is told by SELECT (QRESYNC), and is no part of HIGHESTMODSEQ', async () => {
  const made = server(3);
  const { store } = made;
  const before = store.mailboxById(ALICE.id, made.inbox)!;
  const held: (() => void)[] = [];
  store.announce = (send) => void held.push(send);
  await store.flags(ALICE.id, made.inbox, [2], 'add', 4, []);
  // Uids 1 to 3 have modseqs 3 to 5; the flag has 6, of which nobody here has heard.
  store.mailboxById = () => before;
  store.mailboxByName = () => before;
  const client = await resyncing(made);
  await talk(
    client,
    `C: a SELECT INBOX (QRESYNC (1001 5))
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags and new keywords can be set
    S: * 3 EXISTS
    S: * 3 RECENT
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence
    S: * OK [MAILBOXID (${/MAILBOXID \(([^)]*)/.exec(await (await made.client()).exchange('x EXAMINE INBOX\r\n'))![1]})] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: * 2 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (6))
    S: * OK [HIGHESTMODSEQ 5] Changes up to there have been told
    S: a OK [READ-WRITE] SELECT completed`,
  );
  for (const send of held) send();
  assert.equal(await client.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
});

test('what a client saw of another client ahead of the announcements is not taken for its level', async () => {
  const made = server(3);
  const { store } = made;
  const client = await resyncing(made, 'INBOX');
  const other = await resyncing(made, 'INBOX');
  const held: (() => void)[] = [];
  store.announce = (send) => void held.push(send);
  await store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  assert.match(await other.exchange('a UID STORE 2 +FLAGS (\\Draft)\r\n'), /UID 2 FLAGS .* MODSEQ \(7\)\)\r\na OK \[HIGHESTMODSEQ 5\]/);
  // The change to uid 1 has modseq 6, and is still to come.
  assert.equal(
    await client.exchange('b NOOP\r\n'),
    '* 2 FETCH (UID 2 FLAGS (\\Recent \\Seen \\Draft) MODSEQ (7))\r\nb OK [HIGHESTMODSEQ 5] NOOP completed\r\n',
  );
  for (const send of held) send();
  assert.equal(await client.exchange('c NOOP\r\n'), '* 1 FETCH (UID 1 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (6))\r\nc OK NOOP completed\r\n');
});
