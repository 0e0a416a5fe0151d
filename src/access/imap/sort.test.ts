/** SORT (RFC 5256), SORT=DISPLAY (RFC 5957), ESORT (RFC 5267), as conversations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SliceClock } from './pace.ts';
import { denseRanks, sortCompared, sortNumbers } from './sort-slices.ts';
import { displayOf, envelopeFacts } from './sort-envelope.ts';
import { talk, TestServer } from './testing.ts';

interface Letter {
  readonly from?: string;
  readonly to?: string;
  readonly cc?: string;
  readonly subject?: string;
  readonly date?: string;
  readonly at?: number;
  readonly body?: string;
}

function server(...letters: readonly Letter[]): TestServer {
  const made = new TestServer();
  for (const { from, to, cc, subject, date, at, body } of letters) {
    const fields = Object.entries({ From: from, To: to, Cc: cc, Subject: subject, Date: date }).filter(([, value]) => value !== undefined);
    const text = `${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body ?? 'x'}\r\n`;
    made.store.deliver(made.inbox, text, at === undefined ? {} : { at });
  }
  return made;
}

async function sorted(made: TestServer, criteria: string, keys = 'ALL'): Promise<string> {
  const client = await made.client('INBOX');
  const answer = await client.exchange(`a SORT (${criteria}) UTF-8 ${keys}\r\n`);
  const match = /^\* SORT([ 0-9]*)\r\na OK SORT completed\r\n$/.exec(answer);
  assert.notEqual(match, null, answer);
  return match![1]!.trim();
}

test('subjects without their prefixes, then the later first', async () => {
  const made = server(
    { subject: 'Re: beta', date: 'Mon, 1 Jan 2024 10:00:00 +0000' },
    { subject: 'alpha', date: 'Mon, 1 Jan 2024 11:00:00 +0000' },
    { subject: '[list] BETA (fwd)', date: 'Mon, 1 Jan 2024 12:00:00 +0000' },
    { date: 'Mon, 1 Jan 2024 13:00:00 +0000' },
  );
  assert.equal(await sorted(made, 'SUBJECT'), '4 2 1 3');
  assert.equal(await sorted(made, 'SUBJECT REVERSE DATE'), '4 2 3 1');
});

test('REVERSE turns one criterion, never the mailbox order of equals', async () => {
  const made = server({ subject: 'b' }, { subject: 'a' }, { subject: 'b' }, { subject: 'a' });
  assert.equal(await sorted(made, 'REVERSE SUBJECT'), '1 3 2 4');
});

test('sent dates are compared in UTC: the example of RFC 5256 section 2.2', async () => {
  const made = server({ date: 'Mon, 1 Jan 2001 00:01:34 +0000' }, { date: 'Sun, 31 Dec 2000 16:01:33 -0800' }, { date: 'Mon, 1 Jan 2001 00:01:32 +0000' });
  assert.equal(await sorted(made, 'DATE'), '3 2 1');
});

test('a message without a date counts by its arrival', async () => {
  const made = server(
    { date: 'Thu, 1 Feb 2024 00:00:00 +0000', at: Date.UTC(2020, 0) },
    { at: Date.UTC(2024, 0, 15) },
    { date: 'no date at all', at: Date.UTC(2024, 2, 1) },
    { date: 'Mon, 1 Jan 2024 00:00:00 +0000', at: Date.UTC(2021, 0) },
  );
  assert.equal(await sorted(made, 'DATE'), '4 2 1 3');
  assert.equal(await sorted(made, 'ARRIVAL'), '1 4 2 3');
});

test('addresses sort by mailbox, displayed ones by name', async () => {
  const made = server(
    { from: 'Zoe <adam@z.test>', to: '=?utf-8?q?=C3=89mile?= <x@x.test>' },
    { from: 'bert@a.test', to: 'someone@x.test' },
    { from: '"Anna" <carl@a.test>', to: 'Emil <y@x.test>, Zoe <z@x.test>' },
    {},
  );
  assert.equal(await sorted(made, 'FROM'), '4 1 2 3');
  assert.equal(await sorted(made, 'DISPLAYFROM'), '4 3 2 1');
  assert.equal(await sorted(made, 'DISPLAYTO'), '4 3 1 2');
  assert.equal(await sorted(made, 'TO'), '4 2 1 3');
  assert.equal(await sorted(made, 'CC'), '1 2 3 4');
});

test('a group sorts by its name, as the envelope has it', () => {
  const { from, to, cc } = envelopeFacts(
    '(NIL NIL ((NIL NIL "Team" NIL)("A" NIL "a" "b.test")(NIL NIL NIL NIL)) NIL NIL (("" NIL "c" "d.test")) ((NIL NIL "e" "")) NIL NIL NIL)',
  );
  assert.equal(displayOf(from), 'Team');
  assert.equal(displayOf(to), 'c@d.test');
  assert.equal(displayOf(cc), 'e@');
});

test('literals, quotes and damage in envelopes', () => {
  const facts = envelopeFacts('("d" {5}\r\n"a) \\ (("x\\"y" "@r" "m" "h")) NIL NIL NIL NIL NIL NIL NIL)');
  assert.deepEqual(facts, { subject: '"a) \\', from: { name: 'x"y', mailbox: 'm', host: 'h' }, to: null, cc: null });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('(', ')', '"', '\\', ' ', '{', '}', '1', '9', '\r\n', 'N', 'NIL') }), (text) => void envelopeFacts(text)),
    { seed: 3, numRuns: 2000 },
  );
});

test('sizes, and many criteria at once', async () => {
  const made = server({ body: 'xxx' }, { body: 'x' }, { body: 'xx' });
  assert.equal(await sorted(made, 'SIZE'), '2 3 1');
  assert.equal(await sorted(made, 'SUBJECT FROM TO CC DISPLAYFROM DISPLAYTO REVERSE SIZE ARRIVAL DATE'), '1 3 2');
});

test('only what is found is sorted; nothing found is an empty answer', async () => {
  const made = server({ subject: 'b', body: 'in' }, { subject: 'c' }, { subject: 'a', body: 'in' });
  assert.equal(await sorted(made, 'SUBJECT', 'TEXT in'), '3 1');
  assert.equal(await sorted(made, 'SUBJECT', 'TEXT "not in mailbox"'), '');
});

test('ESORT', async () => {
  const made = server({ subject: 'e' }, { subject: 'c' }, { subject: 'd' }, { subject: 'a' }, { subject: 'b' });
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: E01 UID SORT RETURN () (REVERSE SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E01") UID ALL 1,3,2,5,4
     S: E01 OK SORT completed
     C: E02 SORT RETURN (ALL) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E02") ALL 4:5,2:3,1
     S: E02 OK SORT completed
     C: E03 SORT RETURN (MIN MAX COUNT) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E03") MIN 4 MAX 1 COUNT 5
     S: E03 OK SORT completed
     C: E04 SORT RETURN (PARTIAL 2:3) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E04") PARTIAL (2:3 5,2)
     S: E04 OK SORT completed
     C: E05 SORT RETURN (PARTIAL -1:-2) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E05") PARTIAL (-1:-2 3,1)
     S: E05 OK SORT completed
     C: E06 SORT RETURN (PARTIAL 9:7) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E06") PARTIAL (9:7 NIL)
     S: E06 OK SORT completed
     C: E07 SORT RETURN (SAVE MIN) (SUBJECT) UTF-8 ALL
     S: * ESEARCH (TAG "E07") MIN 4
     S: E07 OK SORT completed
     C: E08 SEARCH $
     S: * SEARCH 4
     S: E08 OK SEARCH completed`,
  );
});

test('what is wrong is BAD or NO, and the session goes on', async () => {
  const client = await server({ subject: 'a' }).client('INBOX');
  await talk(
    client,
    `C: 1 SORT () UTF-8 ALL
     S: 1 BAD an atom expected at byte 9
     C: 2 SORT (COLOUR) UTF-8 ALL
     S: 2 BAD Unknown sort key COLOUR
     C: 3 SORT (REVERSE) UTF-8 ALL
     S: 3 BAD a space expected at byte 16
     C: 4 SORT (SUBJECT) KLINGON ALL
     S: 4 NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
     C: 5 SORT (SUBJECT) UTF-8
     S: 5 BAD more arguments expected at byte 23
     C: 6 SORT (RELEVANCY) UTF-8 ALL
     S: 6 BAD RELEVANCY needs a FUZZY search key
     C: 7 SORT RETURN (ALL PARTIAL 1:2) (DATE) UTF-8 ALL
     S: 7 BAD PARTIAL and ALL exclude each other
     C: 8 SORT (SUBJECT REVERSE SUBJECT) UTF-8 ALL
     S: * SORT 1
     S: 8 OK SORT completed`,
  );
});

test('MODSEQ is told with a sort that asks for it (RFC 7162 section 3.1.6)', async () => {
  const client = await server({ subject: 'b' }, { subject: 'a' }).client('INBOX');
  const answer = await client.exchange('a SORT (SUBJECT) UTF-8 MODSEQ 1\r\n');
  assert.match(answer, /^\* OK \[HIGHESTMODSEQ \d+\] [^\r]*\r\n\* SORT 2 1 \(MODSEQ \d+\)\r\na OK/);
});

test('new messages and removals between sorts', async () => {
  const made = server({ subject: 'c' }, { subject: 'a' });
  const client = await made.client('INBOX');
  assert.match(await client.exchange('a UID SORT (SUBJECT) UTF-8 ALL\r\n'), /^\* SORT 2 1\r\n/);
  made.store.deliver(made.inbox, 'Subject: b\r\n\r\n');
  await client.exchange('n NOOP\r\n');
  assert.match(await client.exchange('a UID SORT (SUBJECT) UTF-8 ALL\r\n'), /^\* SORT 2 3 1\r\n/);
  await client.exchange('e STORE 1 +FLAGS.SILENT (\\Deleted)\r\n');
  await client.exchange('e EXPUNGE\r\n');
  assert.match(await client.exchange('a SORT (SUBJECT) UTF-8 ALL\r\n'), /^\* SORT 1 2\r\n/);
});

test('texts longer than keys are told apart all the same', async () => {
  const long = 'x'.repeat(2000);
  const made = server({ subject: `${long}b` }, { subject: `${long}a` }, { subject: `${long}b` });
  const answer = (await sorted(made, 'SUBJECT')).split(' ');
  assert.equal(Math.abs(answer.indexOf('1') - answer.indexOf('3')), 1);
});

test('sorting in pieces gives what sorting at once gives', async () => {
  const clock = new SliceClock();
  let seed = 7;
  const next = (): number => {
    seed = (seed * 48271) % 2147483647;
    return seed;
  };
  for (const length of [0, 1, 8192, 8193, 70_000, 200_001]) {
    const numbers = Float64Array.from({ length }, () => next() % 5000);
    assert.deepEqual(await sortNumbers(numbers.slice(), clock), numbers.slice().sort());
    const { ranks, distinct } = await denseRanks(numbers, clock);
    const values = [...new Set(numbers)].sort((a, b) => a - b);
    assert.equal(distinct, values.length);
    assert.ok(numbers.every((value, i) => values[ranks[i]!] === value));
    const ids = Uint32Array.from({ length }, (_, i) => i);
    const compare = (a: number, b: number): number => numbers[a]! - numbers[b]! || a - b;
    assert.deepEqual(await sortCompared(ids.slice(), compare, clock), ids.slice().sort(compare));
  }
});
