import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ANNA, BERT, SharingServer, VISITOR } from './acl-testing.ts';
import { type Client, talk } from './testing.ts';

/** Anna's account is open to anybody (ANONYMOUS), with these rights. */
async function open(t: TestContext, rights: string, mailbox?: string): Promise<{ made: SharingServer; visitor: Client }> {
  const made = await SharingServer.start(t);
  await made.put(ANNA, 'INBOX', 'one');
  await made.put(ANNA, 'INBOX', 'two');
  return { made, visitor: await made.client(ANNA, mailbox, `${VISITOR}${rights}`) };
}

test('a visitor with "lr" reads; what is selected is read-only, nothing becomes seen or recent', async (t) => {
  const { made, visitor } = await open(t, 'lr');
  const selected = await visitor.exchange('a SELECT INBOX\r\n');
  assert.match(selected, /PERMANENTFLAGS \(\)/);
  assert.match(selected, /a OK \[READ-ONLY\] SELECT completed/);
  await talk(
    visitor,
    `C: b FETCH 1 (FLAGS BODY[TEXT])
    S: * 1 FETCH (FLAGS () BODY[TEXT] {7}
    S: hello
    S: )
    S: b OK FETCH completed
    C: c MYRIGHTS INBOX
    S: * MYRIGHTS INBOX lr
    S: c OK MYRIGHTS completed`,
  );
  assert.deepEqual(made.contents(ANNA, 'INBOX'), ['1 0 - one', '2 0 - two']);
  assert.match(await (await made.client(ANNA)).exchange('a SELECT INBOX\r\n'), /\* 2 RECENT/);
});

test('a visitor with "lr" changes nothing of the account, by whatever command', async (t) => {
  const { made, visitor } = await open(t, 'lr', 'INBOX');
  await made.store.writer.subscribe(made.id(ANNA), 'Private', true);
  for (const [command, answer] of [
    ['STORE 1 +FLAGS (\\Seen)', 'NO [READ-ONLY]'],
    ['MOVE 1 Private', 'NO [READ-ONLY]'],
    ['EXPUNGE', 'NO [READ-ONLY]'],
    ['UID EXPUNGE 1', 'NO [READ-ONLY]'],
    ['COPY 1 Private', 'NO [NOPERM]'],
    ['COPY 1 "Other Users/anna@example.org/Private"', 'NO [NOPERM]'],
    ['COPY 1 Nowhere', 'NO [NONEXISTENT]'],
    ['APPEND INBOX {5+}\r\nhello', 'NO [NOPERM]'],
    ['APPEND Nowhere {5+}\r\nhello', 'NO [NONEXISTENT]'],
    ['REPLACE 1 INBOX {5+}\r\nhello', 'NO [READ-ONLY]'],
    ['CREATE New', 'NO [NOPERM]'],
    ['CREATE "Other Users/anna@example.org/New"', 'NO [NOPERM]'],
    ['DELETE Private', 'NO [NOPERM]'],
    ['RENAME Private Public', 'NO [NOPERM]'],
    ['RENAME INBOX Public', 'NO [NOPERM]'],
    ['SUBSCRIBE INBOX', 'NO [NOPERM]'],
    ['UNSUBSCRIBE Private', 'NO [NOPERM]'],
    ['SETACL INBOX bert@example.org lr', 'NO [NOPERM]'],
    ['DELETEACL INBOX bert@example.org', 'NO [NOPERM]'],
    ['GETACL INBOX', 'NO [NOPERM]'],
    ['LISTRIGHTS INBOX bert@example.org', 'NO [NOPERM]'],
    ['SETMETADATA INBOX (/shared/comment "x")', 'NO [NOPERM]'],
    ['SETMETADATA INBOX (/private/comment "x")', 'NO [METADATA NOPRIVATE]'],
    ['SETMETADATA "" (/private/filters/values/f "SEEN")', 'NO [NOPERM]'],
    ['SETMETADATA "" (/shared/comment "x")', 'NO [NOPERM]'],
    ['SETQUOTA "User quota" (STORAGE 1)', 'NO [NOPERM]'],
    ['GENURLAUTH "imap://anna%40example.org@example.org/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL', 'NO [NOPERM]'],
    ['RESETKEY', 'NO [NOPERM]'],
    ['RESETKEY INBOX', 'NO [NOPERM]'],
    ['SELECT INBOX', 'OK [READ-ONLY]'],
    ['CLOSE', 'OK'],
  ] as const) {
    const said = await visitor.exchange(`a ${command}\r\n`);
    assert.ok(new RegExp(`^a ${answer.replace(/[[\]]/g, '\\$&')}`, 'm').test(said), `${command}: ${said}`);
  }
  assert.deepEqual(made.contents(ANNA, 'INBOX'), ['1 0 - one', '2 0 - two']);
  assert.deepEqual(made.contents(ANNA, 'Private'), []);
  const { reader } = made.store;
  assert.deepEqual(
    reader.mailboxes(made.id(ANNA)).map(({ name, isSubscribed }) => `${name} ${isSubscribed}`),
    ['INBOX true', 'INBOX/Projects false', 'Private true'],
  );
  assert.deepEqual(reader.rows('SELECT * FROM acl'), []);
  assert.deepEqual(reader.rows('SELECT * FROM annotation'), []);
});

test('private annotations and filters of the account stay hidden from a visitor, shared ones do not', async (t) => {
  const { made, visitor } = await open(t, 'lr', 'INBOX');
  const anna = await made.client(ANNA);
  await anna.exchange('a SETMETADATA "" (/private/filters/values/mine "ALL" /shared/filters/values/all "ALL" /private/comment "secret")\r\n');
  await anna.exchange('b SETMETADATA INBOX (/private/comment "secret" /shared/comment "public")\r\n');
  await talk(
    visitor,
    `C: a GETMETADATA "" (/private/comment /shared/filters/values/all)
    S: * METADATA "" (/private/comment NIL /shared/filters/values/all "ALL")
    S: a OK GETMETADATA completed
    C: b GETMETADATA INBOX (/private/comment /shared/comment)
    S: * METADATA INBOX (/private/comment NIL /shared/comment "public")
    S: b OK GETMETADATA completed
    C: x ENABLE METADATA
    S: * ENABLED
    S: x OK ENABLE completed
    C: c SEARCH FILTER mine
    S: c NO [UNDEFINED-FILTER mine] No such filter
    C: d SEARCH FILTER all
    S: * SEARCH 1 2
    S: d OK SEARCH completed`,
  );
});

test('more rights allow more, and no more than that', async (t) => {
  const { made, visitor } = await open(t, 'lrsi', 'INBOX');
  assert.match(await visitor.exchange('a STORE 1 +FLAGS (\\Seen \\Deleted)\r\n'), /^\* 1 FETCH \(FLAGS \(.*\\Seen\)\)\r\na OK/);
  assert.match(await visitor.exchange('b MOVE 1 Private\r\n'), /^b NO \[NOPERM\]/m);
  assert.match(await visitor.exchange('c EXPUNGE\r\n'), /^c NO \[NOPERM\]/m);
  assert.match(await visitor.exchange('d APPEND Private (\\Seen \\Flagged $Word) {14+}\r\nSubject: new\r\n\r\n'), /^d OK \[APPENDUID/m);
  assert.match(await visitor.exchange('e CREATE New\r\n'), /^e NO \[NOPERM\]/m);
  assert.deepEqual(made.contents(ANNA, 'INBOX'), ['1 1 - one', '2 0 - two']);
  assert.deepEqual(made.contents(ANNA, 'Private'), ['1 1 - new']);
  const manager = await made.client(ANNA, undefined, `${VISITOR}lrswipkxtea`);
  assert.match(await manager.exchange('a CREATE New\r\n'), /^a OK/m);
  assert.match(await manager.exchange('b SUBSCRIBE New\r\n'), /^b OK/m);
  assert.ok(made.mailbox(ANNA, 'New').isSubscribed);
});

test('in mailboxes of others a visitor is anyone, not authenticated, and has no more rights than at home', async (t) => {
  const { made, visitor } = await open(t, 'lr');
  const place = '"Other Users/bert@example.org/INBOX"';
  await made.share(BERT, 'INBOX', 'authenticated', 'lrswi');
  assert.match(await visitor.exchange(`a SELECT ${place}\r\n`), /^a NO \[NONEXISTENT\]/m);
  await made.share(BERT, 'INBOX', 'anyone', 'lrswi');
  assert.match(await visitor.exchange(`b MYRIGHTS ${place}\r\n`), /^\* MYRIGHTS \S.* lr\r\n/);
  assert.match(await visitor.exchange(`c APPEND ${place} {2+}\r\nhi\r\n`), /^c NO \[NOPERM\]/m);
  assert.match(await (await made.client(ANNA)).exchange(`a MYRIGHTS ${place}\r\n`), / lrswi\r\n/);
});

test('who shares a mailbox with a user does not share it with the visitors of that user; what is taken from the user is taken from them', async (t) => {
  const { made, visitor } = await open(t, 'lr');
  const place = '"Other Users/bert@example.org/INBOX"';
  await made.put(BERT, 'INBOX', 'for Anna');
  await made.share(BERT, 'INBOX', ANNA, 'lrswi');
  for (const command of ['SELECT', 'EXAMINE', 'MYRIGHTS']) assert.match(await visitor.exchange(`a ${command} ${place}\r\n`), /^a NO \[NONEXISTENT\]/m, command);
  assert.match(await visitor.exchange(`a STATUS ${place} (MESSAGES)\r\n`), /^a NO \[NONEXISTENT\]/m);
  assert.doesNotMatch(await visitor.exchange('a LIST "" *\r\n'), /Other Users/);
  assert.doesNotMatch(await visitor.exchange('a ESEARCH IN (subtree "Other Users") ALL\r\n'), /ESEARCH \(/);
  assert.match(await (await made.client(ANNA)).exchange(`a EXAMINE ${place}\r\n`), /^\* 1 EXISTS/m);
  await made.share(BERT, 'INBOX', 'anyone', 'lrs');
  assert.match(await visitor.exchange(`b MYRIGHTS ${place}\r\n`), / lr\r\n/);
  await made.share(BERT, 'INBOX', `-${ANNA}`, 'r');
  assert.match(await visitor.exchange(`b MYRIGHTS ${place}\r\n`), / l\r\n/);
});

test('who may not read is not told how much there is', async (t) => {
  const { visitor } = await open(t, 'l');
  await talk(
    visitor,
    `C: a GETQUOTA "User quota"
    S: a NO [NOPERM] You have no right to do this
    C: b GETQUOTAROOT INBOX
    S: * QUOTAROOT INBOX
    S: b OK GETQUOTAROOT completed
    C: c GETQUOTAROOT Nowhere
    S: * QUOTAROOT Nowhere
    S: c OK GETQUOTAROOT completed`,
  );
});

test('a visitor of the account that submits mail does not submit mail (RFC 4467 section 3)', async (t) => {
  const made = await SharingServer.start(t, { 'imap.urlauthSubmitters': [BERT] });
  await made.put(ANNA, 'INBOX', 'one');
  const anna = await made.client(ANNA);
  const said = await anna.exchange(
    'a GENURLAUTH "imap://anna%40example.org@example.org/INBOX/;UID=1/;SECTION=TEXT;URLAUTH=submit+anna%40example.org" INTERNAL\r\n',
  );
  const url = /GENURLAUTH "(.*)"/.exec(said)![1]!;
  assert.match(await (await made.client(BERT)).exchange(`a URLFETCH "${url}"\r\n`), /\{7\}\r\nhello/);
  assert.match(await (await made.client(BERT, undefined, `${VISITOR}lr`)).exchange(`a URLFETCH "${url}"\r\n`), /NIL\r\na OK/);
});

test('URLs for authenticated users are not for visitors (RFC 4467 section 3)', async (t) => {
  const { made, visitor } = await open(t, 'lr');
  const anna = await made.client(ANNA);
  const urls: string[] = [];
  for (const access of ['authuser', 'anonymous']) {
    const said = await anna.exchange(`a GENURLAUTH "imap://anna%40example.org@example.org/INBOX/;UID=1/;SECTION=TEXT;URLAUTH=${access}" INTERNAL\r\n`);
    urls.push(/GENURLAUTH "(.*)"/.exec(said)![1]!);
  }
  assert.match(await visitor.exchange(`a URLFETCH "${urls[0]}"\r\n`), /NIL\r\na OK/);
  assert.match(await visitor.exchange(`a URLFETCH "${urls[1]}"\r\n`), /\{7\}\r\nhello\r\n/);
});

test('LIST, LSUB and XLIST tell a visitor nothing of what else the user subscribed to, nor without "l" and "r" what there is', async (t) => {
  const { made, visitor } = await open(t, 'lr');
  const anna = await made.client(ANNA);
  await anna.exchange('a SUBSCRIBE "Other Users/bert@example.org/Secret"\r\n');
  await anna.exchange('b SUBSCRIBE Gone\r\n');
  for (const command of ['LIST (SUBSCRIBED) "" *', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" %', 'LSUB "" *', 'LSUB "" %', 'XLIST "" *'])
    assert.doesNotMatch(await visitor.exchange(`a ${command}\r\n`), /Other Users|Gone/, command);
  assert.match(await anna.exchange('c LSUB "" *\r\n'), /Secret"\r\n/);
  const seeing = await made.client(ANNA, undefined, `${VISITOR}l`);
  assert.doesNotMatch(await seeing.exchange('a LIST "" * RETURN (STATUS (MESSAGES) METADATA (/shared/comment))\r\n'), /STATUS|METADATA \S/);
  const reading = await made.client(ANNA, undefined, `${VISITOR}r`);
  for (const command of ['LIST "" *', 'LSUB "" *', 'XLIST "" *']) assert.doesNotMatch(await reading.exchange(`a ${command}\r\n`), /INBOX|Private/i, command);
});

test('NOTIFY tells a visitor of shared annotations only, and of messages where it may read', async (t) => {
  const made = await SharingServer.start(t);
  const anna = await made.client(ANNA);
  const events = 'personal (MessageNew MessageExpunge MailboxName MailboxMetadataChange ServerMetadataChange)';
  const change = async (name: string): Promise<void> => {
    await anna.exchange(`a SETMETADATA "" (/private/${name} "x" /shared/${name} "x")\r\n`);
    await anna.exchange(`b SETMETADATA INBOX (/private/${name} "x" /shared/${name} "x")\r\n`);
    await made.put(ANNA, 'Private', name);
  };
  const visitor = await made.client(ANNA, undefined, `${VISITOR}lr`);
  await visitor.exchange(`a NOTIFY SET (${events})\r\n`);
  await change('one');
  const told = await visitor.exchange('b NOOP\r\n');
  assert.match(told, /^\* METADATA "" \/shared\/one\r\n/m);
  assert.match(told, /^\* METADATA INBOX \/shared\/one\r\n/m);
  assert.match(told, /^\* STATUS Private /m);
  assert.doesNotMatch(told, /\/private/);
  for (const rights of ['', 'l']) {
    const other = await made.client(ANNA, undefined, `${VISITOR}${rights}`);
    assert.doesNotMatch(await other.exchange(`a NOTIFY SET STATUS (${events})\r\n`), /STATUS \S+ \(/);
    await change(`two${rights}`);
    assert.doesNotMatch(await other.exchange('b NOOP\r\n'), /\* STATUS|\/private/);
  }
});

test('ESEARCH below "" goes through the account of a visitor', async (t) => {
  const { visitor } = await open(t, 'lr');
  assert.match(await visitor.exchange('a ESEARCH IN (subtree "") RETURN (COUNT) ALL\r\n'), /MAILBOX INBOX .* COUNT 2\r\n/);
});
