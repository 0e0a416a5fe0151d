import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryIndex } from './search-testing.ts';
import { ALICE, type Client, talk, TestServer } from './testing.ts';

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1, 12);

function letter(subject: string, body: string, more = ''): string {
  return `From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replaceAll(/\W/g, '')}@example.org>\r\n${more}\r\n${body}\r\n`;
}

/** Ten messages, numbers 1 to 10; odd ones are seen, and flagged are 3, 6 and 9. A message a day from 1 January on. */
function server(index?: MemoryIndex): TestServer {
  const made = new TestServer({}, index === undefined ? {} : { search: index });
  index?.use(made.store);
  let now = START;
  made.store.now = () => now;
  for (let i = 1; i <= 10; i += 1) {
    made.store.deliver(made.inbox, letter(`number ${i}`, `body ${i} ${i % 2 === 0 ? 'even' : 'odd'}`), {
      flags: (i % 2) + (i % 3 === 0 ? 4 : 0),
      at: START - i * DAY_MS,
    });
    now += DAY_MS;
  }
  return made;
}

/** One whose text only the index might have: it is asked then. */
const ATTACHED = letter('more', '--x\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--x--\r\n', 'Content-Type: multipart/mixed; boundary=x\r\n');

const inbox = (made: TestServer): Promise<Client> => made.client('INBOX');

test('PARTIAL gives a page of the results, from either end, and NIL where there are none', async () => {
  await talk(
    await inbox(server()),
    `C: a UID SEARCH RETURN (PARTIAL 1:3) ALL
    S: * ESEARCH (TAG "a") UID PARTIAL (1:3 1:3)
    S: a OK SEARCH completed
    C: b SEARCH RETURN (PARTIAL -1:-2) SEEN
    S: * ESEARCH (TAG "b") PARTIAL (-1:-2 7,9)
    S: b OK SEARCH completed
    C: c UID SEARCH RETURN (PARTIAL 4:2 COUNT MIN MAX) SEEN
    S: * ESEARCH (TAG "c") UID MIN 1 MAX 9 PARTIAL (4:2 3,5,7) COUNT 5
    S: c OK SEARCH completed
    C: d SEARCH RETURN (PARTIAL 9:100) ALL
    S: * ESEARCH (TAG "d") PARTIAL (9:100 9:10)
    S: d OK SEARCH completed
    C: e SEARCH RETURN (PARTIAL 100:200) ALL
    S: * ESEARCH (TAG "e") PARTIAL (100:200 NIL)
    S: e OK SEARCH completed
    C: f SEARCH RETURN (PARTIAL -11:-20) ALL
    S: * ESEARCH (TAG "f") PARTIAL (-11:-20 NIL)
    S: f OK SEARCH completed
    C: g SEARCH RETURN (PARTIAL 1:2 ALL) ALL
    S: g BAD PARTIAL and ALL exclude each other
    C: h SEARCH RETURN (PARTIAL 0:2) ALL
    S: h BAD a number above zero expected at byte 27
    C: i SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL
    S: i BAD Only one PARTIAL is possible
    C: j SEARCH RETURN (PARTIAL -1:2) ALL
    S: j BAD "-" expected at byte 29`,
  );
});

test('what "$" stands for with PARTIAL, MIN, MAX and COUNT (RFC 9394 section 3.2)', async () => {
  const client = await inbox(server());
  const rows: [options: string, says: string, saved: string][] = [
    ['SAVE PARTIAL 2:3', 'PARTIAL (2:3 3,5)', ' 3 5'],
    ['SAVE PARTIAL 2:3 MIN', 'MIN 1 PARTIAL (2:3 3,5)', ' 1 3 5'],
    ['SAVE PARTIAL 2:3 MAX', 'MAX 9 PARTIAL (2:3 3,5)', ' 3 5 9'],
    ['SAVE PARTIAL 2:3 MIN MAX', 'MIN 1 MAX 9 PARTIAL (2:3 3,5)', ' 1 3 5 9'],
    ['SAVE PARTIAL 2:3 COUNT', 'PARTIAL (2:3 3,5) COUNT 5', ' 1 3 5 7 9'],
    ['SAVE PARTIAL 20:30', 'PARTIAL (20:30 NIL)', ''],
    ['SAVE MIN', 'MIN 1', ' 1'],
    ['SAVE MAX MIN', 'MIN 1 MAX 9', ' 1 9'],
    ['MAX SAVE MIN COUNT', 'MIN 1 MAX 9 COUNT 5', ' 1 3 5 7 9'],
    ['ALL SAVE MIN', 'MIN 1 ALL 1,3,5,7,9', ' 1 3 5 7 9'],
  ];
  for (const [options, says, saved] of rows)
    await talk(
      client,
      `C: a SEARCH RETURN (${options}) SEEN
      S: * ESEARCH (TAG "a") ${says}
      S: a OK SEARCH completed
      C: b SEARCH $
      S: * SEARCH${saved}
      S: b OK SEARCH completed`,
    );
});

test('"$" is what was found, less what is expunged, in every command that takes a set (RFC 5182)', async () => {
  const made = server();
  made.store.addMailbox(ALICE.id, 'Else');
  const client = await inbox(made);
  await talk(
    client,
    `C: a SEARCH RETURN (SAVE) FLAGGED
    C: b FETCH $ UID
    C: c UID SEARCH UID $ SEEN
    C: d SEARCH OR $ 1
    S: a OK SEARCH completed
    S: * 3 FETCH (UID 3)
    S: * 6 FETCH (UID 6)
    S: * 9 FETCH (UID 9)
    S: b OK FETCH completed
    S: * SEARCH 3 9
    S: c OK SEARCH completed
    S: * SEARCH 1 3 6 9
    S: d OK SEARCH completed
    C: e UID COPY $ Else
    S: e OK [COPYUID 1002 3,6,9 1:3] COPY completed`.replace('1002', String(made.store.mailboxByName(ALICE.id, 'Else')!.uidValidity)),
  );
  assert.match(await client.exchange('f UID STORE 6 +FLAGS (\\Deleted)\r\n'), /f OK/);
  await talk(
    client,
    `C: g EXPUNGE
    S: * 6 EXPUNGE
    S: * 9 RECENT
    S: g OK EXPUNGE completed
    C: h UID FETCH $ UID
    S: * 3 FETCH (UID 3)
    S: * 8 FETCH (UID 9)
    S: h OK FETCH completed
    C: i STORE $ +FLAGS.SILENT (\\Answered)
    S: i OK STORE completed
    C: j SEARCH ANSWERED
    S: * SEARCH 3 8
    S: j OK SEARCH completed
    C: k SEARCH RETURN (SAVE) UNSEEN SEEN
    C: l FETCH $ UID
    C: m COPY $ Else
    C: n STORE $ +FLAGS (\\Seen)
    S: k OK SEARCH completed
    S: l OK FETCH completed
    S: m OK COPY completed
    S: n OK STORE completed`,
  );
});

test('BAD leaves "$" as it was, and so does a search without SAVE; NO to one with SAVE empties it', async () => {
  await talk(
    await inbox(server()),
    `C: a SEARCH RETURN (SAVE) FLAGGED
    S: a OK SEARCH completed
    C: b SEARCH RETURN (SAVE) NONSENSE
    S: b BAD Unknown search key NONSENSE
    C: c SEARCH CHARSET X-NONE ALL
    S: c NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
    C: d SEARCH SEEN
    S: * SEARCH 1 3 5 7 9
    S: d OK SEARCH completed
    C: e SEARCH $
    S: * SEARCH 3 6 9
    S: e OK SEARCH completed
    C: f SEARCH RETURN (SAVE COUNT) FILTER none
    S: f NO [UNDEFINED-FILTER none] No such filter
    C: g SEARCH $
    S: * SEARCH
    S: g OK SEARCH completed`,
  );
});

test('SAVEDBEFORE, SAVEDON and SAVEDSINCE go by the day a message came into its mailbox (RFC 8514)', async () => {
  const made = server();
  const client = await inbox(made);
  await talk(
    client,
    `C: a SEARCH SAVEDON 3-Jan-2026
    S: * SEARCH 3
    S: a OK SEARCH completed
    C: b SEARCH SAVEDBEFORE 3-Jan-2026
    S: * SEARCH 1 2
    S: b OK SEARCH completed
    C: c SEARCH SAVEDSINCE 9-Jan-2026 NOT SAVEDON 10-Jan-2026
    S: * SEARCH 9
    S: c OK SEARCH completed
    C: d SEARCH SAVEDATESUPPORTED 4:5
    S: * SEARCH 4 5
    S: d OK SEARCH completed
    C: e SEARCH ON 29-Dec-2025
    S: * SEARCH 3
    S: e OK SEARCH completed`,
  );
});

test('EMAILID and THREADID find exactly one identifier, with its case (RFC 8474)', async () => {
  const index = new MemoryIndex();
  const made = server(index);
  const emails = made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100).map((row) => row[6]);
  for (const [i, email] of emails.entries()) index.threads.set(email, 700 + (i % 4));
  await talk(
    await inbox(made),
    `C: a SEARCH EMAILID E${emails[4]}
    S: * SEARCH 5
    S: a OK SEARCH completed
    C: b SEARCH OR EMAILID E${emails[1]} EMAILID e${emails[2]}
    S: * SEARCH 2
    S: b OK SEARCH completed
    C: c SEARCH THREADID T701
    S: * SEARCH 2 6 10
    S: c OK SEARCH completed
    C: d SEARCH NOT THREADID T700 NOT THREADID T701 NOT THREADID T999
    S: * SEARCH 3 4 7 8
    S: d OK SEARCH completed
    C: e SEARCH EMAILID "quoted"
    S: e BAD an atom expected at byte 18`,
  );
});

test('filters: private before shared, within each other, and never for ever (RFC 5466)', async () => {
  const made = server();
  const filter = (name: string, value: string, kind = 'private'): void =>
    void made.store.annotations.set(`0 /${kind}/filters/values/${name}`, Buffer.from(value));
  filter('on-the-road', 'OR SMALLER 10 FLAGGED');
  filter('on-the-road', 'ALL', 'shared');
  filter('everybodys', 'SUBJECT "number 1"', 'shared');
  filter('nested', 'NOT (FILTER on-the-road) SEEN');
  filter('loop-a', 'FILTER loop-b');
  filter('loop-b', 'SEEN FILTER LOOP-A');
  filter('half', 'OR SMALLER');
  filter('utf8', 'BODY "b\u00f6dy"');
  filter('d0', 'FILTER d1');
  for (let i = 1; i < 9; i += 1) filter(`d${i}`, `FILTER d${i + 1}`);
  filter('d9', 'FLAGGED');
  filter('w0', 'FILTER w1 FILTER w1 FILTER w1 FILTER w1');
  for (let i = 1; i < 4; i += 1) filter(`w${i}`, `FILTER w${i + 1} FILTER w${i + 1} FILTER w${i + 1}`);
  filter('w4', 'ALL');
  await talk(
    await inbox(made),
    `C: a SEARCH 1:6 FILTER on-the-road
    S: * SEARCH 3 6
    S: a OK SEARCH completed
    C: b SEARCH FILTER EVERYBODYS
    S: * SEARCH 1 10
    S: b OK SEARCH completed
    C: c SEARCH CHARSET US-ASCII FILTER nested
    S: * SEARCH 1 5 7
    S: c OK SEARCH completed
    C: d SEARCH FILTER loop-a
    S: d NO [UNDEFINED-FILTER loop-a] Filters that stand for each other, or for too many
    C: e SEARCH FILTER half
    S: e NO [UNDEFINED-FILTER half] The filter does not hold a search
    C: f SEARCH CHARSET ISO-8859-1 FILTER on-the-road
    S: f BAD [BADCHARSET (US-ASCII UTF-8)] FILTER goes with UTF-8 only
    C: g SEARCH FILTER utf8
    S: * SEARCH
    S: g OK SEARCH completed
    C: h SEARCH FILTER d4
    S: * SEARCH 3 6 9
    S: h OK SEARCH completed
    C: i SEARCH FILTER d0
    S: i NO [UNDEFINED-FILTER d8] Filters that stand for each other, or for too many
    C: j SEARCH FILTER w0
    S: j NO [UNDEFINED-FILTER w4] Filters that stand for each other, or for too many
    C: k SEARCH FILTER a/b
    S: k BAD the name of a filter expected at byte 20
    C: l SEARCH FUZZY FILTER on-the-road
    S: * SEARCH 3 6 9
    S: l OK SEARCH completed`,
  );
});

test('FUZZY: other endings, wrong letters, other order; relevancies only with it (RFC 6203)', async () => {
  const made = new TestServer();
  for (const subject of ['IMAP break', 'broken IMAP', 'IMAP is breaking', 'Hello', 'Helo', 'nothing']) made.store.deliver(made.inbox, letter(subject, 'text'));
  await talk(
    await made.client('INBOX'),
    `C: a SEARCH FUZZY SUBJECT "IMAP break"
    S: * SEARCH 1 3
    S: a OK SEARCH completed
    C: b SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT "Helo"
    S: * ESEARCH (TAG "b") ALL 4:5 RELEVANCY (75 100)
    S: b OK SEARCH completed
    C: c UID SEARCH RETURN (RELEVANCY PARTIAL -1:-1 COUNT) FUZZY (SUBJECT imap SUBJECT break)
    S: * ESEARCH (TAG "c") UID PARTIAL (-1:-1 3) COUNT 2 RELEVANCY (98)
    S: c OK SEARCH completed
    C: d SEARCH RETURN (RELEVANCY) SUBJECT x
    S: d BAD RELEVANCY needs a FUZZY search key
    C: e SEARCH RETURN (RELEVANCY ALL) FUZZY UNSEEN 1:2
    S: * ESEARCH (TAG "e") ALL 1:2 RELEVANCY (100 100)
    S: e OK SEARCH completed
    C: f SEARCH FUZZY BODY text NOT FUZZY SUBJECT nothin
    S: * SEARCH 1 2 3 4 5
    S: f OK SEARCH completed`,
  );
});

test('FUZZY TEXT asks the index for what is like the words, and finds what contains them too', async () => {
  const index = new MemoryIndex();
  const made = server(index);
  const emails = made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100).map((row) => row[6]);
  for (const email of emails) index.index(ALICE.id, email);
  index.likes.push({ email: emails[1]!, relevancy: 99 }, { email: emails[6]!, relevancy: 4 });
  await talk(
    await inbox(made),
    `C: a SEARCH RETURN (ALL RELEVANCY) FUZZY TEXT "body 10"
    S: * ESEARCH (TAG "a") ALL 2,7,10 RELEVANCY (99 4 50)
    S: a OK SEARCH completed`,
  );
  assert.ok(index.asked.includes('like text BODY 10'));
});

test('each text is asked of the index once, and not before it is needed', async () => {
  const index = new MemoryIndex();
  const made = server(index);
  made.store.deliver(made.inbox, ATTACHED);
  for (const row of made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100)) index.index(ALICE.id, row[6]);
  const client = await inbox(made);
  await talk(
    client,
    `C: a SEARCH OR BODY even (OR BODY EVEN NOT BODY even) BODY odd
    S: * SEARCH 1 3 5 7 9
    S: a OK SEARCH completed
    C: b SEARCH UID 4 BODY even
    S: * SEARCH 4
    S: b OK SEARCH completed
    C: c SEARCH UNSEEN SEEN TEXT odd
    S: * SEARCH
    S: c OK SEARCH completed
    C: d SEARCH HEADER X-None even
    S: * SEARCH
    S: d OK SEARCH completed`,
  );
  assert.deepEqual(index.asked, ['body EVEN', 'body ODD', 'header EVEN']);
});

test('a message that is not indexed yet is waited for, then read', async () => {
  const index = new MemoryIndex();
  const made = server(index);
  made.store.deliver(made.inbox, ATTACHED);
  const emails = made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100).map((row) => row[6]);
  for (const email of emails.slice(3)) index.index(ALICE.id, email);
  // Number 1 is indexed while the search waits, with an attachment's text; 2 and 3 are not.
  index.onSettled = () => index.index(ALICE.id, emails[0]!, 'in the spreadsheet: even');
  await talk(
    await inbox(made),
    `C: a SEARCH BODY even
    S: * SEARCH 1 2 4 6 8 10
    S: a OK SEARCH completed`,
  );
});

test('the text of an attachment is found by the index also when one message is asked for', async () => {
  const index = new MemoryIndex();
  const made = new TestServer({}, { search: index });
  index.use(made.store);
  made.store.deliver(made.inbox, ATTACHED);
  made.store.deliver(made.inbox, letter('without', 'plain'));
  for (const row of made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100)) index.index(ALICE.id, row[6], 'secret');
  const client = await made.client('INBOX');
  await talk(client, 'C: a SEARCH UID 1 BODY secret\nS: * SEARCH 1\nS: a OK SEARCH completed');
  await talk(client, 'C: a SEARCH UID 2 BODY plain\nS: * SEARCH 2\nS: a OK SEARCH completed');
  assert.deepEqual(index.asked, ['body SECRET']);
});

test('a long search tells how far it is, every ten seconds, and not when that is hidden (RFC 9585)', async () => {
  for (const isHidden of [false, true]) {
    const index = new MemoryIndex();
    const made = new TestServer(isHidden ? { 'imap.capabilitiesHidden': ['INPROGRESS'] } : {}, { search: index });
    index.use(made.store);
    made.store.deliver(made.inbox, ATTACHED);
    for (const row of made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 100)) index.index(ALICE.id, row[6]);
    const client = await made.client('INBOX');
    let now = START;
    made.store.now = () => now;
    index.pauses = 4;
    index.onPause = () => {
      now += 8000;
    };
    await talk(
      client,
      `C: a SEARCH BODY nowhere
      ${isHidden ? '' : 'S: * OK [INPROGRESS ("a" 0 1)] Searching\nS: * OK [INPROGRESS ("a" 0 1)] Searching'}
      S: * SEARCH
      S: a OK SEARCH completed`,
    );
  }
});

test('hostile searches are refused, or answered, at once', async () => {
  const made = server();
  made.settings = { ...made.settings, 'imap.lineBytesMax': 1024 * 1024 };
  const client = await inbox(made);
  const say = async (line: string): Promise<string> => {
    const answer = await client.exchange(`a ${line}\r\n`);
    return answer.slice(0, 200);
  };
  for (const [open, close] of [
    ['(', ')'],
    ['NOT ', ''],
    ['OR ALL ', ''],
    ['FUZZY ', ''],
  ] as const)
    assert.equal(await say(`SEARCH ${open.repeat(5000)}ALL${close.repeat(5000)}`), 'a BAD Search is nested too deep\r\n');
  const ranges = (count: number): string => Array.from({ length: count }, (_, i) => `${i * 3 + 1}:${i * 3 + 2}`).join(',');
  assert.match(await say(`SEARCH ${ranges(10_000)}`), /^a BAD /);
  assert.equal(await say(`SEARCH ${ranges(8000)}`), '* SEARCH 1 2 4 5 7 8 10\r\na OK SEARCH completed\r\n');
  assert.equal(await say(`SEARCH ${'SEEN '.repeat(1999)}SEEN`), '* SEARCH 1 3 5 7 9\r\na OK SEARCH completed\r\n');
  assert.equal(await say(`SEARCH ${'SEEN '.repeat(2000)}SEEN`), 'a BAD Too many search keys\r\n');
  assert.match(await say(`SEARCH SUBJECT ${'x'.repeat(1_000_000)}`), /^\* SEARCH\r\na OK/);
  assert.match(await say(`SEARCH SUBJECT ${'x'.repeat(1_100_000)}`), /^a BAD \[TOOBIG\]/);
  assert.match(await say(`SEARCH ${'UNSEEN '.repeat(100_000)}`), /^a BAD Too many search keys/);
  assert.match(await say(`SEARCH RETURN (${'MIN '.repeat(50)}MAX) ALL`), /^a BAD More than 20 entries/);
  assert.match(await say('NOOP'), /^a OK/);
});
