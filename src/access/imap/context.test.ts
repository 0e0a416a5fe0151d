/** CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): conversations, and a client that applies what it is told and must have what a new search finds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ContextResults } from './context-results.ts';
import { type Client, settle, talk, TestServer } from './testing.ts';

const letter = (subject: string, from = 'a@b.test'): string => `From: ${from}\r\nSubject: ${subject}\r\n\r\n${subject} text\r\n`;

function server(...subjects: readonly string[]): TestServer {
  const made = new TestServer();
  for (const subject of subjects) made.store.deliver(made.inbox, letter(subject));
  // Not recent, so that updates are short.
  return made;
}

test('a search that is kept up to date: flags, new mail, removals', async () => {
  const made = server('a', 'b', 'c');
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: B01 UID SEARCH RETURN (UPDATE COUNT) FLAGGED
     S: * ESEARCH (TAG "B01") UID COUNT 0
     S: B01 OK SEARCH completed
     C: 1 STORE 2:3 +FLAGS.SILENT (\\Flagged)
     S: * ESEARCH (TAG "B01") UID ADDTO (0 2:3)
     S: 1 OK STORE completed
     C: 2 STORE 2 -FLAGS (\\Flagged)
     S: * 2 FETCH (FLAGS (\\Recent))
     S: * ESEARCH (TAG "B01") UID REMOVEFROM (0 2)
     S: 2 OK STORE completed`,
  );
  made.store.deliver(made.inbox, letter('d'), { flags: 4 });
  await talk(
    client,
    `C: 3 NOOP
     S: * 4 EXISTS
     S: * 4 RECENT
     S: * ESEARCH (TAG "B01") UID ADDTO (0 4)
     S: 3 OK NOOP completed
     C: 4 STORE 1,3 +FLAGS.SILENT (\\Deleted)
     S: 4 OK STORE completed
     C: 5 EXPUNGE
     S: * ESEARCH (TAG "B01") UID REMOVEFROM (0 3)
     S: * 1 EXPUNGE
     S: * 2 EXPUNGE
     S: * 2 RECENT
     S: 5 OK EXPUNGE completed
     C: 6 CANCELUPDATE "B01"
     S: 6 OK No further updates
     C: 7 STORE 1 +FLAGS.SILENT (\\Flagged)
     S: 7 OK STORE completed
     C: 8 CANCELUPDATE "B01"
     S: 8 NO No updates were on their way for that tag`,
  );
});

test('message numbers: removals are told before the expunge, additions behind it', async () => {
  const made = server('a', 'b', 'c', 'd');
  const client = await made.client('INBOX');
  await client.exchange('C1 SEARCH RETURN (UPDATE) UNDELETED\r\n');
  const other = await made.client('INBOX');
  await other.exchange('x STORE 2 +FLAGS (\\Deleted)\r\ny EXPUNGE\r\n');
  made.store.deliver(made.inbox, letter('e'));
  await talk(
    client,
    `C: 1 NOOP
     S: * ESEARCH (TAG "C1") REMOVEFROM (0 2)
     S: * 2 EXPUNGE
     S: * 4 EXISTS
     S: * ESEARCH (TAG "C1") ADDTO (0 4)
     S: 1 OK NOOP completed`,
  );
});

test('a sort that is kept up to date says positions', async () => {
  const made = server('b', 'd', 'f');
  const client = await made.client('INBOX');
  assert.match(await client.exchange('S1 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED\r\n'), /^\* ESEARCH \(TAG "S1"\) UID ALL 1:3\r\n/);
  for (const subject of ['c', 'a', 'e', 'g', 'd']) made.store.deliver(made.inbox, letter(subject));
  const answers = (await client.exchange('n NOOP\r\n')) + (await client.exchange('n NOOP\r\n'));
  assert.match(answers, /\* ESEARCH \(TAG "S1"\) UID ADDTO \(1 5 3 4 5 8,6 8 7\)\r\n/);
  await client.exchange('x STORE 1:2,7 +FLAGS.SILENT (\\Deleted)\r\n');
  assert.match(await client.exchange('n NOOP\r\n'), /^\* ESEARCH \(TAG "S1"\) UID REMOVEFROM \(2 1 3 2 6 7\)\r\nn OK/);
});

test('criteria for which messages must be read are told in IDLE as soon as they are tested', async () => {
  const made = server('apple');
  const client = await made.client('INBOX');
  await client.exchange('T1 UID SEARCH RETURN (UPDATE) BODY pear\r\n');
  await client.exchange('i IDLE\r\n');
  made.store.deliver(made.inbox, letter('pear'));
  made.store.deliver(made.inbox, letter('plum'));
  await settle(() => client.socket.heard.length);
  assert.equal(client.output(), '* 3 EXISTS\r\n* 3 RECENT\r\n* ESEARCH (TAG "T1") UID ADDTO (0 2)\r\n');
  assert.match(await client.exchange('DONE\r\n'), /^i OK/);
});

test('what is refused: a tag in use, too many, FUZZY; the search is answered all the same', async () => {
  const made = server('a');
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: A SEARCH RETURN (UPDATE COUNT) ALL
     S: * ESEARCH (TAG "A") COUNT 1
     S: A OK SEARCH completed
     C: A SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED
     S: A BAD Tag reuse
     C: F SORT RETURN (UPDATE COUNT) (DATE) UTF-8 FUZZY SUBJECT a
     S: * NO [NOUPDATE "F"] FUZZY results are not updated
     S: * ESEARCH (TAG "F") COUNT 1
     S: F OK SORT completed`,
  );
  for (let i = 1; i < 16; i += 1) assert.doesNotMatch(await client.exchange(`a${i} SEARCH RETURN (UPDATE COUNT) ALL\r\n`), /NOUPDATE/);
  assert.equal(
    await client.exchange('a16 UID SORT RETURN (UPDATE COUNT) (DATE) UTF-8 ALL\r\n'),
    '* NO [NOUPDATE "a16"] Too many contexts\r\n* ESEARCH (TAG "a16") UID COUNT 1\r\na16 OK SORT completed\r\n',
  );
  assert.match(await client.exchange('c CANCELUPDATE "a1" "a2" "nothing"\r\n'), /^c NO/);
  assert.doesNotMatch(await client.exchange('a17 SEARCH RETURN (UPDATE COUNT) ALL\r\n'), /NOUPDATE/);
  assert.match(await client.exchange('c CANCELUPDATE\r\n'), /^c BAD/);
});

test('contexts end with the selection', async () => {
  const made = server('a');
  const client = await made.client('INBOX');
  await client.exchange('A SEARCH RETURN (UPDATE) FLAGGED\r\n');
  await client.exchange('s SELECT INBOX\r\n');
  assert.doesNotMatch(await client.exchange('x STORE 1 +FLAGS (\\Flagged)\r\n'), /ESEARCH/);
  assert.match(await client.exchange('A SEARCH RETURN (UPDATE) FLAGGED\r\n'), /^A OK/);
});

test('message numbers in the criteria are those of the moment', async () => {
  const made = server('a', 'b', 'c');
  const client = await made.client('INBOX');
  await client.exchange(
    'A UID SEARCH RETURN (UPDATE) 2:* UNSEEN\r\nB UID SEARCH RETURN (UPDATE) UID 2:* UNSEEN\r\nC UID SEARCH RETURN (UPDATE) UID * UNSEEN\r\n',
  );
  await client.exchange('x STORE 1 +FLAGS.SILENT (\\Deleted)\r\nx EXPUNGE\r\n');
  made.store.deliver(made.inbox, letter('d'));
  const answer = await client.exchange('y STORE 1 +FLAGS.SILENT (\\Seen)\r\n');
  // Uid 2 was number 2 and is number 1 now; a range of uids up to "*" has the new message in it.
  assert.match(answer, /TAG "A"\) UID REMOVEFROM \(0 2\)/);
  assert.match(answer, /TAG "B"\) UID REMOVEFROM \(0 2\)/);
  assert.match(answer, /TAG "B"\) UID ADDTO \(0 4\)/);
  assert.doesNotMatch(answer, /TAG "A"\) UID ADDTO|TAG "C"/);
});

test('the equivalent additions of RFC 5267 section 4.3.3 come in the preferred form', () => {
  const results = new ContextResults((a, b) => a - b);
  results.start([2734, 2735]);
  assert.equal(
    results.add([2733, 2731, 2732], (uid) => uid),
    ' ADDTO (1 2731:2733)',
  );
  assert.deepEqual(results.uids, [2731, 2732, 2733, 2734, 2735]);
  assert.equal(
    results.remove([2735, 2732, 2733, 9], (uid) => uid),
    ' REMOVEFROM (2 2732:2733 3 2735)',
  );
});

// ── A client that believes what it is told ──

interface Listed {
  readonly tag: string;
  readonly command: string;
  readonly isUid: boolean;
  numbers: number[];
}

function expand(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [from, to] = range.split(':').map(Number) as [number, number?];
    return Array.from({ length: (to ?? from) - from + 1 }, (_, i) => from + i);
  });
}

function apply(lists: readonly Listed[], output: string): void {
  for (const line of output.split('\r\n')) {
    const expunged = /^\* (\d+) EXPUNGE$/.exec(line);
    if (expunged !== null) {
      const gone = Number(expunged[1]);
      for (const list of lists) {
        if (list.isUid) continue;
        assert.ok(!list.numbers.includes(gone), `${line} while ${list.tag} still has it`);
        list.numbers = list.numbers.map((number) => (number > gone ? number - 1 : number));
      }
      continue;
    }
    const esearch = /^\* ESEARCH \(TAG "(\w+)"\)( UID)?(.*)$/.exec(line);
    const list = esearch === null ? undefined : lists.find(({ tag }) => tag === esearch[1]);
    if (esearch === null || list === undefined) continue;
    assert.equal(esearch[2] !== undefined, list.isUid);
    for (const [, item, pairs] of esearch[3]!.matchAll(/(ADDTO|REMOVEFROM) \(([^)]*)\)/g)) {
      const words = pairs!.split(' ');
      for (let i = 0; i < words.length; i += 2) {
        const position = Number(words[i]);
        const numbers = expand(words[i + 1]!);
        if (item === 'ADDTO') {
          if (position === 0) list.numbers = [...list.numbers, ...numbers].sort((a, b) => a - b);
          else list.numbers.splice(position - 1, 0, ...numbers);
        } else if (position === 0) list.numbers = list.numbers.filter((number) => !numbers.includes(number));
        else assert.deepEqual(list.numbers.splice(position - 1, numbers.length), numbers);
      }
    }
  }
}

async function fresh(client: Client, { command, isUid }: Listed): Promise<number[]> {
  const [verb, rest] = [command.slice(0, command.indexOf('RETURN')), command.slice(command.indexOf(')') + 1)];
  const answer = await client.exchange(`fresh ${isUid ? 'UID ' : ''}${verb}RETURN (ALL)${rest}\r\n`);
  const all = / ALL ([\d:,]+)/.exec(answer);
  return all === null ? [] : expand(all[1]!);
}

const COMMANDS: readonly string[] = [
  'SEARCH RETURN (UPDATE ALL) FLAGGED',
  'SEARCH RETURN (UPDATE ALL) OR UNSEEN KEYWORD note',
  'SEARCH RETURN (UPDATE ALL) SUBJECT a UNDELETED',
  'SORT RETURN (UPDATE ALL) (SUBJECT REVERSE FROM) UTF-8 UNSEEN',
  'SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 OR BODY b FLAGGED',
  'SORT RETURN (UPDATE ALL) (REVERSE ARRIVAL SIZE) UTF-8 ALL',
];

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('deliver' as const), subject: fc.constantFrom('a', 'b', 'ab', 'c', 'Re: a'), from: fc.constantFrom('x@t', 'y@t') }),
    fc.record({
      kind: fc.constant('store' as const),
      seed: fc.nat(),
      mode: fc.constantFrom('+', '-'),
      flag: fc.constantFrom('\\Flagged', '\\Seen', 'note', '\\Deleted'),
    }),
    fc.record({ kind: fc.constant('expunge' as const) }),
    fc.record({ kind: fc.constant('hear' as const), how: fc.constantFrom('NOOP', 'FETCH 1 (UID)', 'IDLE') }),
  ),
  { minLength: 5, maxLength: 40 },
);

test('whatever happens, a client that applies the updates has what a new search finds', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (happenings) => {
      const made = server('a', 'b', 'c');
      const client = await made.client('INBOX');
      const other = await made.client('INBOX');
      const lists: Listed[] = [true, false].flatMap((isUid) =>
        COMMANDS.map((command, i) => ({ tag: `${isUid ? 'U' : 'N'}${i}`, command, isUid, numbers: [] })),
      );
      for (const list of lists) {
        const answer = await client.exchange(`${list.tag} ${list.isUid ? 'UID ' : ''}${list.command}\r\n`);
        const all = / ALL ([\d:,]+)/.exec(answer);
        list.numbers = all === null ? [] : expand(all[1]!);
      }
      for (const step of happenings) {
        if (step.kind === 'deliver') made.store.deliver(made.inbox, letter(step.subject, step.from));
        else if (step.kind === 'expunge') await other.exchange('o EXPUNGE\r\n');
        else if (step.kind === 'store') await other.exchange(`o UID STORE ${1 + (step.seed % 8)} ${step.mode}FLAGS (${step.flag})\r\n`);
        else if (step.how === 'IDLE') {
          apply(lists, await client.exchange('i IDLE\r\n'));
          apply(lists, await client.exchange('DONE\r\n'));
        } else apply(lists, await client.exchange(`h ${step.how}\r\n`));
      }
      // What is tested beside the commands is told with the next.
      for (let i = 0; i < 3; i += 1) apply(lists, await client.exchange('n NOOP\r\n'));
      for (const list of lists) assert.deepEqual(list.numbers, await fresh(client, list), `${list.tag} ${list.command}`);
    }),
    { seed: 5267, numRuns: 60 },
  );
});
