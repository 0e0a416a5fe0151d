import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, talk, TestServer } from './testing.ts';

const MIXED = [
  'From: "A, B" <a@example.org>',
  'To: b@example.org',
  'Subject: mixed',
  'Date: Tue, 2 Jun 2026 23:30:00 -0700',
  'Message-ID: <mixed@example.org>',
  'Content-Type: multipart/mixed; boundary=x',
  '',
  'preamble',
  '--x',
  '',
  'first part',
  '--x',
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: base64',
  '',
  'AAEC',
  '--x',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  '',
  'inner text',
  '--x--',
  '',
].join('\r\n');
const PLAIN = 'From: c@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n\r\nHello W\u00f6rld\r\n';
const DAY = Date.UTC(2026, 5, 3);

/** Uid 1: mixed, seen, 3 June; uid 2: plain with keyword, 4 June; uid 3: empty header, deleted, 5 June. */
function server(): TestServer {
  const made = new TestServer();
  made.store.deliver(made.inbox, MIXED, { flags: 1, at: DAY, prefix: 'Return-Path: <r@example.org>\r\n' });
  made.store.deliver(made.inbox, PLAIN, { keywords: '$Junk work', at: DAY + 86_400_000 });
  made.store.deliver(made.inbox, '\r\nonly a body\r\n', { flags: 8, at: DAY + 2 * 86_400_000 });
  made.store.addMailbox(ALICE.id, 'Trash', 'trash');
  return made;
}

test('SELECT and EXAMINE say what they must, and leave the mailbox before', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a SELECT INBOX
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work \\*)] Flags and new keywords can be set
    S: * 3 EXISTS
    S: * 3 RECENT
    S: * OK [UNSEEN 2] First unseen message
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: a OK [READ-WRITE] SELECT completed
    C: b EXAMINE INBOX
    S: * OK [CLOSED] Previous mailbox is closed
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work)
    S: * OK [PERMANENTFLAGS ()] Read-only mailbox
    S: * 3 EXISTS
    S: * 0 RECENT
    S: * OK [UNSEEN 2] First unseen message
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: b OK [READ-ONLY] EXAMINE completed
    C: c STORE 1 +FLAGS (\\Seen)
    S: c NO [READ-ONLY] Mailbox is open read-only
    C: d EXPUNGE
    S: d NO [READ-ONLY] Mailbox is open read-only
    C: e SELECT none
    S: * OK [CLOSED] Previous mailbox is closed
    S: e NO [NONEXISTENT] No such mailbox
    C: f NOOP
    S: f OK NOOP completed
    C: g CHECK
    S: g BAD CHECK needs a selected mailbox`,
  );
});

test('IMAP4rev2: SELECT has LIST instead of RECENT and UNSEEN, SEARCH answers ESEARCH', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a ENABLE IMAP4rev2
    S: * ENABLED IMAP4rev2
    S: a OK ENABLE completed
    C: b SELECT inbox
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work \\*)] Flags and new keywords can be set
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: b OK [READ-WRITE] SELECT completed
    C: c SEARCH UNSEEN
    S: * ESEARCH (TAG "c") ALL 2:3
    S: c OK SEARCH completed
    C: d UID SEARCH ANSWERED
    S: * ESEARCH (TAG "d") UID
    S: d OK SEARCH completed`,
  );
});

test('FETCH: sections, parts and partial ranges count from the prefix of the copy', async () => {
  const client = await server().client('INBOX');
  const header = `Return-Path: <r@example.org>\r\n${MIXED.slice(0, MIXED.indexOf('\r\n\r\n') + 4)}`;
  const text = MIXED.slice(MIXED.indexOf('\r\n\r\n') + 4);
  const ask = async (item: string): Promise<string> => {
    const answer = await client.exchange(`x FETCH 1 (${item})\r\n`);
    assert.ok(answer.startsWith('* 1 FETCH (') && answer.endsWith(')\r\nx OK FETCH completed\r\n'), answer);
    return answer.slice(11, -25);
  };
  const literal = (label: string, value: string): string => `${label} {${value.length}}\r\n${value}`;
  assert.equal(await ask('BODY[HEADER]'), literal('BODY[HEADER]', header));
  assert.equal(await ask('RFC822.HEADER'), literal('RFC822.HEADER', header));
  assert.equal(await ask('BODY[TEXT]'), literal('BODY[TEXT]', text));
  assert.equal(await ask('RFC822.TEXT'), literal('RFC822.TEXT', text));
  assert.equal(await ask('BODY[]'), literal('BODY[]', header + text));
  assert.equal(await ask('RFC822'), literal('RFC822', header + text));
  assert.equal(await ask('RFC822.SIZE'), `RFC822.SIZE ${header.length + text.length}`);
  assert.equal(await ask('BODY[1]'), literal('BODY[1]', 'first part'));
  assert.equal(await ask('BODY[1.MIME]'), literal('BODY[1.MIME]', '\r\n'));
  assert.equal(await ask('BODY[2]'), literal('BODY[2]', 'AAEC'));
  assert.equal(await ask('BODY[3]'), literal('BODY[3]', 'Subject: inner\r\n\r\ninner text'));
  assert.equal(await ask('BODY[3.HEADER]'), literal('BODY[3.HEADER]', 'Subject: inner\r\n\r\n'));
  assert.equal(await ask('BODY[3.TEXT]'), literal('BODY[3.TEXT]', 'inner text'));
  assert.equal(await ask('BODY[3.1]'), literal('BODY[3.1]', 'inner text'));
  assert.equal(await ask('BODY[3.MIME]'), literal('BODY[3.MIME]', 'Content-Type: message/rfc822\r\n\r\n'));
  assert.equal(await ask('BODY[9]'), 'BODY[9] NIL');
  assert.equal(await ask('BODY[1.HEADER]'), 'BODY[1.HEADER] NIL');
  assert.equal(await ask('BODY[HEADER.FIELDS (subject "X")]'), literal('BODY[HEADER.FIELDS (subject X)]', 'Subject: mixed\r\n\r\n'));
  assert.equal(await ask('BODY[HEADER.FIELDS (X)]'), literal('BODY[HEADER.FIELDS (X)]', '\r\n'));
  assert.equal(
    await ask('BODY[HEADER.FIELDS.NOT (From To Date Message-ID Content-Type)]'),
    literal('BODY[HEADER.FIELDS.NOT (From To Date Message-ID Content-Type)]', 'Return-Path: <r@example.org>\r\nSubject: mixed\r\n\r\n'),
  );
  assert.equal(await ask('BODY[]<7.5>'), literal('BODY[]<7>', header.slice(7, 12)));
  assert.equal(await ask('BODY[TEXT]<5.100000>'), literal('BODY[TEXT]<5>', text.slice(5)));
  assert.equal(await ask('BODY[1]<10.5>'), 'BODY[1]<10> ""');
  assert.equal(await ask('BODY[]<999999.5>'), 'BODY[]<999999> ""');
  assert.equal(await ask('BINARY[1]'), literal('BINARY[1]', 'first part'));
  assert.equal(await ask('BINARY[2]'), 'BINARY[2] ~{3}\r\n\0\x01\x02');
  assert.equal(await ask('BINARY[2]<1.9>'), 'BINARY[2]<1> ~{2}\r\n\x01\x02');
  assert.equal(await ask('BINARY.SIZE[2]'), 'BINARY.SIZE[2] 3');
  assert.equal(await ask('BINARY.PEEK[9]'), 'BINARY.PEEK[9] NIL'.replace('.PEEK', ''));
});

test('FETCH: macros and the items of the envelope', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a FETCH 2 ALL
    S: * 2 FETCH (FLAGS (\\Recent $Junk work) INTERNALDATE " 4-Jun-2026 00:00:00 +0000" RFC822.SIZE 113 ENVELOPE ("Mon, 1 Jun 2026 10:00:00 +0000" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" ((NIL NIL "c" "example.org")) ((NIL NIL "c" "example.org")) ((NIL NIL "c" "example.org")) NIL NIL NIL NIL NIL))
    S: a OK FETCH completed
    C: b UID FETCH 3:* FAST
    S: * 3 FETCH (UID 3 FLAGS (\\Recent \\Deleted) INTERNALDATE " 5-Jun-2026 00:00:00 +0000" RFC822.SIZE 15)
    S: b OK FETCH completed
    C: c UID FETCH 4:* UID
    S: * 3 FETCH (UID 3)
    S: c OK FETCH completed
    C: d FETCH 4:9 UID
    S: d OK FETCH completed
    C: e FETCH 3:1 (UID MODSEQ)
    S: * OK [HIGHESTMODSEQ 5] CONDSTORE is on
    S: * 1 FETCH (UID 1 MODSEQ (3))
    S: * 2 FETCH (UID 2 MODSEQ (4))
    S: * 3 FETCH (UID 3 MODSEQ (5))
    S: e OK FETCH completed
    C: f FETCH 1:* UID (CHANGEDSINCE 4)
    S: * 3 FETCH (UID 3 MODSEQ (5))
    S: f OK FETCH completed`,
  );
});

test('reading sets \\Seen and says so once; PEEK and EXAMINE do not', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a FETCH 2 BODY.PEEK[1]<0.5>
    S: * 2 FETCH (BODY[1]<0> {5}
    S: Hello)
    S: a OK FETCH completed
    C: b FETCH 2 BODY[1]<0.5>
    S: * 2 FETCH (BODY[1]<0> {5}
    S: Hello FLAGS (\\Recent \\Seen $Junk work))
    S: b OK FETCH completed
    C: c FETCH 2 BODY[1]<0.5>
    S: * 2 FETCH (BODY[1]<0> {5}
    S: Hello)
    S: c OK FETCH completed`,
  );
  const reader = await made.client();
  await reader.exchange('s EXAMINE INBOX\r\n');
  await talk(reader, 'C: a FETCH 3 (BODY[TEXT]<0.4> FLAGS)\nS: * 3 FETCH (BODY[TEXT]<0> {4}\nS: only FLAGS (\\Deleted))\nS: a OK FETCH completed');
});

test('STORE: replaces, adds, removes; is silent when asked; new keywords are announced before they are used', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a STORE 1:2 FLAGS (\\Answered)
    S: * 1 FETCH (FLAGS (\\Recent \\Answered))
    S: * 2 FETCH (FLAGS (\\Recent \\Answered))
    S: a OK STORE completed
    C: b UID STORE 2 +FLAGS (new \\Flagged)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk new work)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk new work \\*)] Flags and new keywords can be set
    S: * 2 FETCH (UID 2 FLAGS (\\Recent \\Answered \\Flagged new))
    S: b OK STORE completed
    C: c STORE 2 -FLAGS.SILENT (\\Answered new)
    S: c OK STORE completed
    C: d FETCH 2 FLAGS
    S: * 2 FETCH (FLAGS (\\Recent \\Flagged))
    S: d OK FETCH completed
    C: e STORE 2 +FLAGS \\Flagged
    S: * 2 FETCH (FLAGS (\\Recent \\Flagged))
    S: e OK STORE completed`,
  );
});

test('CONDSTORE: UNCHANGEDSINCE, MODSEQ also for .SILENT, SEARCH MODSEQ', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Flagged)
    S: * OK [HIGHESTMODSEQ 5] CONDSTORE is on
    S: * 1 FETCH (UID 1 MODSEQ (7))
    S: * 2 FETCH (UID 2 MODSEQ (7))
    S: a OK [MODIFIED 3] Conditional STORE failed for some
    C: b UID STORE 3 (UNCHANGEDSINCE 0) +FLAGS (\\Flagged)
    S: b OK [MODIFIED 3] Conditional STORE failed for some
    C: c UID STORE 3 +FLAGS (\\Flagged)
    S: * 3 FETCH (UID 3 FLAGS (\\Recent \\Flagged \\Deleted) MODSEQ (8))
    S: c OK STORE completed
    C: d SEARCH MODSEQ 6
    S: * SEARCH 1 2 3 (MODSEQ 8)
    S: d OK SEARCH completed
    C: e SEARCH RETURN (MIN MAX) MODSEQ "/flags/\\\\draft" all 6
    S: * ESEARCH (TAG "e") MIN 1 MAX 3 MODSEQ 8
    S: e OK SEARCH completed
    C: f SEARCH RETURN (MIN) MODSEQ 6
    S: * ESEARCH (TAG "f") MIN 1 MODSEQ 7
    S: f OK SEARCH completed
    C: g SEARCH MODSEQ 99
    S: * SEARCH
    S: g OK SEARCH completed`,
  );
});

test('CONDSTORE: reading that sets \\Seen tells the new MODSEQ, once', async () => {
  const client = await server().client('"INBOX" (CONDSTORE)');
  await talk(
    client,
    `C: a FETCH 2 (FLAGS BODY[1]<0.5>)
    S: * 2 FETCH (FLAGS (\\Recent \\Seen $Junk work) BODY[1]<0> {5}
    S: Hello UID 2 MODSEQ (7))
    S: a OK FETCH completed
    C: b FETCH 3 (MODSEQ BODY[TEXT]<0.4>)
    S: * 3 FETCH (MODSEQ (8) BODY[TEXT]<0> {4}
    S: only UID 3 FLAGS (\\Recent \\Deleted \\Seen))
    S: b OK FETCH completed`,
  );
});

test('EXPUNGE, UID EXPUNGE, CLOSE and UNSELECT', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a UID EXPUNGE 1:2
    S: a OK EXPUNGE completed
    C: b STORE 1 +FLAGS.SILENT (\\Deleted)
    S: b OK STORE completed
    C: c UID EXPUNGE 3
    S: * 3 EXPUNGE
    S: * 2 RECENT
    S: c OK EXPUNGE completed
    C: d EXPUNGE
    S: * 1 EXPUNGE
    S: * 1 RECENT
    S: d OK EXPUNGE completed
    C: e STORE 1 +FLAGS.SILENT (\\Deleted)
    S: e OK STORE completed
    C: f UNSELECT
    S: f OK UNSELECT completed
    C: g STATUS INBOX (MESSAGES)
    S: * STATUS INBOX (MESSAGES 1)
    S: g OK STATUS completed`,
  );
  const second = await made.client('INBOX');
  await talk(second, 'C: a CLOSE\nS: a OK CLOSE completed\nC: b STATUS INBOX (MESSAGES)\nS: * STATUS INBOX (MESSAGES 0)\nS: b OK STATUS completed');
});

test('COPY and MOVE give the new UIDs', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a COPY 1,3 Trash
    S: a OK [COPYUID 1005 1,3 1:2] COPY completed
    C: b UID MOVE 2:3 Trash
    S: * OK [COPYUID 1005 2:3 3:4] Moved
    S: * 2 EXPUNGE
    S: * 2 EXPUNGE
    S: * 1 RECENT
    S: b OK MOVE completed
    C: c COPY 1 none
    S: c NO [TRYCREATE] No such mailbox
    C: d UID COPY 99 Trash
    S: d OK COPY completed
    C: e COPY 1 INBOX
    S: * 2 EXISTS
    S: * 2 RECENT
    S: e OK [COPYUID 1001 1 4] COPY completed`,
  );
});

test('APPEND: flags, date, several messages, UTF-8, and its refusals', async () => {
  const made = new TestServer({ 'imap.appendBytesMax': 100_000 });
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a APPEND INBOX (\\Seen $x) "17-Jul-1996 02:44:25 -0700" {15}
    S: + OK
    C: Subject: 1
    C:
    C: x
    S: * 1 EXISTS
    S: * 1 RECENT
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x \\*)] Flags and new keywords can be set
    S: a OK [APPENDUID 1001 1] APPEND completed
    C: b FETCH 1 (FLAGS INTERNALDATE BODY[])
    S: * 1 FETCH (FLAGS (\\Recent \\Seen $x) INTERNALDATE "17-Jul-1996 09:44:25 +0000" BODY[] {15}
    S: Subject: 1
    S:
    S: x)
    S: b OK FETCH completed
    C: c APPEND INBOX {1+}
    C: x (\\Flagged) UTF8 (~{1+}
    C: y) {1+}
    C: z
    S: * 4 EXISTS
    S: * 4 RECENT
    S: c OK [APPENDUID 1001 2:4] APPEND completed
    C: d APPEND none {5}
    S: d NO [TRYCREATE] No such mailbox
    C: e APPEND none {5+}
    C: hello
    S: e NO [TRYCREATE] No such mailbox
    C: f APPEND INBOX {100001}
    S: f NO [TOOBIG] Message is larger than APPENDLIMIT
    C: g APPEND INBOX (\\Nonsense) {5}
    S: g BAD Unknown system flag \\NONSENSE
    C: h APPEND INBOX {1+}
    C: x nonsense
    S: h BAD end of command expected at byte 2
    C: i APPEND INBOX {0+}
    C:
    S: i NO APPEND cancelled by an empty message
    C: j APPEND INBOX
    S: j BAD more arguments expected at byte 15
    C: k NOOP
    S: k OK NOOP completed`,
  );
});

test('APPEND over quota is refused before the message is sent', async () => {
  const made = new TestServer();
  made.store.quotas.set(ALICE.id, 10);
  const client = await made.client();
  await talk(client, 'C: a APPEND INBOX {11}\nS: a NO [OVERQUOTA] Quota exceeded\nC: b NOOP\nS: b OK NOOP completed');
});

const SEARCHES: [keys: string, found: string][] = [
  ['ALL', '1 2 3'],
  ['1,3', '1 3'],
  ['NOT 1', '2 3'],
  ['UID 2:*', '2 3'],
  ['SEEN', '1'],
  ['UNSEEN UNDELETED', '2'],
  ['OR SEEN DELETED', '1 3'],
  ['KEYWORD $junk', '2'],
  ['UNKEYWORD WORK', '1 3'],
  ['RECENT', '1 2 3'],
  ['NEW', '2 3'],
  ['OLD', ''],
  ['LARGER 113', '1'],
  ['SMALLER 113', '3'],
  ['ON 4-Jun-2026', '2'],
  ['SINCE 4-Jun-2026', '2 3'],
  ['BEFORE 4-Jun-2026', '1'],
  ['SENTON 2-Jun-2026', '1'],
  ['SENTBEFORE 2-Jun-2026', '2'],
  ['SENTSINCE 1-Jun-2026', '1 2'],
  ['FROM "a, b"', '1'],
  ['FROM "\\"A, B\\" <a@example.org>"', '1'],
  ['FROM example', '1 2'],
  ['FROM ""', '1 2'],
  ['FROM b@', ''],
  ['HEADER FROM c@EXAMPLE.org', '2'],
  ['HEADER SUBJECT mixed', '1'],
  ['TO B@EXAMPLE', '1'],
  ['CC x', ''],
  ['SUBJECT GRÜSSE', ''],
  ['SUBJECT "GRÜßE"', '2'],
  ['SUBJECT mixed', '1'],
  ['HEADER Message-ID mixed@', '1'],
  ['HEADER Content-Type ""', '1'],
  ['HEADER Return-Path r@example.org', '1'],
  ['BODY "hello wörld"', '2'],
  ['BODY "inner TEXT"', '1'],
  ['BODY mixed', ''],
  ['TEXT mixed', '1'],
  ['TEXT "only a"', '3'],
  ['NOT BODY hello', '1 3'],
  ['OR BODY hello (SEEN SUBJECT mixed)', '1 2'],
  ['(OR (FROM a@) (FROM c@)) UNSEEN', '2'],
];
for (const [keys, found] of SEARCHES) {
  test(`SEARCH ${keys}`, async () => {
    const client = await server().client('INBOX');
    const answer = await client.exchange(
      `a SEARCH CHARSET UTF-8 ${keys.replace(/^SUBJECT G.*/, (k) => `SUBJECT {${Buffer.byteLength(k.slice(8).replaceAll('"', ''))}+}\r\n${k.slice(8).replaceAll('"', '')}`)}\r\n`,
    );
    assert.equal(answer, `* SEARCH${found === '' ? '' : ' '}${found}\r\na OK SEARCH completed\r\n`);
  });
}

test('SEARCH: charsets, ESEARCH, saved results', async () => {
  const client = await server().client('INBOX');
  client.send(Buffer.from('x SEARCH CHARSET ISO-8859-1 BODY {5+}\r\nw\xf6rld\r\n', 'latin1'));
  await talk(
    client,
    `S: * SEARCH 2
    S: x OK SEARCH completed
    C: a SEARCH CHARSET X-NONE ALL
    S: a NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
    C: b UID SEARCH RETURN () UNSEEN
    S: * ESEARCH (TAG "b") UID ALL 2:3
    S: b OK SEARCH completed
    C: c SEARCH RETURN (MIN MAX COUNT) NOT 2
    S: * ESEARCH (TAG "c") MIN 1 MAX 3 COUNT 2
    S: c OK SEARCH completed
    C: d SEARCH RETURN (COUNT ALL) ANSWERED
    S: * ESEARCH (TAG "d") COUNT 0
    S: d OK SEARCH completed
    C: e SEARCH RETURN (SAVE) UNSEEN
    S: e OK SEARCH completed
    C: f FETCH $ UID
    S: * 2 FETCH (UID 2)
    S: * 3 FETCH (UID 3)
    S: f OK FETCH completed
    C: g UID SEARCH RETURN (SAVE MIN) ALL
    S: * ESEARCH (TAG "g") UID MIN 1
    S: g OK SEARCH completed
    C: h SEARCH UID $
    S: * SEARCH 1
    S: h OK SEARCH completed
    C: i SEARCH CHARSET X-NONE ALL
    S: i NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
    C: j SEARCH RETURN (SAVE) CHARSET X-NONE ALL
    S: j NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
    C: k SEARCH $
    S: * SEARCH
    S: k OK SEARCH completed`,
  );
});

test('SEARCH: a command may have 64 BODY and TEXT keys, no more', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a SEARCH ${'BODY nowhere '.repeat(63)}TEXT nowhere
    S: * SEARCH
    S: a OK SEARCH completed
    C: b SEARCH ${'BODY nowhere '.repeat(64)}TEXT nowhere
    S: b BAD Too many BODY and TEXT keys`,
  );
});

test('SEARCH: many keys about one header see the header of each message', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a SEARCH OR HEADER Subject mixed HEADER X-None ""
    S: * SEARCH 1
    S: a OK SEARCH completed
    C: b SEARCH NOT TEXT "subject:mixed" NOT TEXT "subject: mixed"
    S: * SEARCH 2 3
    S: b OK SEARCH completed`,
  );
});
