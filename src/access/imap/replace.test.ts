import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { ALICE, talk, TestServer } from './testing.ts';

function setUp(): { server: TestServer; drafts: number } {
  const server = new TestServer();
  const drafts = server.store.addMailbox(ALICE.id, 'Drafts', 'drafts').id;
  for (const subject of ['one', 'two', 'three']) server.store.deliver(drafts, `Subject: ${subject}\r\n\r\nbody\r\n`);
  // As from another thread: what a session did itself it knows before it is announced.
  server.store.announce = (send) => setImmediate(send);
  return { server, drafts };
}

test('REPLACE: the new UID, the new message, then the old one goes (RFC 8508 section 3.2)', async () => {
  const { server } = setUp();
  const client = await server.client('Drafts');
  await talk(
    client,
    `
    C: a REPLACE 2 Drafts (\\Seen \\Draft) {5}
    S: + OK
    C: hello
    S: * OK [APPENDUID 1002 4] Replacement message ready
    S: * 4 EXISTS
    S: * 4 RECENT
    S: * 2 EXPUNGE
    S: * 3 RECENT
    S: a OK REPLACE completed
    C: b UID REPLACE 4 Drafts {5+}
    C: again
    S: * OK [APPENDUID 1002 5] Replacement message ready
    S: * 4 EXISTS
    S: * 4 RECENT
    S: * 3 EXPUNGE
    S: * 3 RECENT
    S: b OK REPLACE completed
    C: c REPLACE * Drafts {4+}
    C: last
    S: * OK [APPENDUID 1002 6] Replacement message ready
    S: * 4 EXISTS
    S: * 4 RECENT
    S: * 3 EXPUNGE
    S: * 3 RECENT
    S: c OK REPLACE completed
    C: d UID SEARCH ALL
    S: * SEARCH 1 3 6
    S: d OK SEARCH completed
  `,
  );
});

test('REPLACE into another mailbox leaves nothing of the draft; with QRESYNC it is told as UID EXPUNGE is', async () => {
  const { server } = setUp();
  const client = await server.client();
  await client.exchange('e ENABLE QRESYNC\r\ns SELECT Drafts\r\n');
  const answer = await client.exchange('a UID REPLACE 2 INBOX {5+}\r\nhello\r\n');
  assert.match(
    answer,
    /^\* OK \[APPENDUID 1001 1\] Replacement message ready\r\n\* VANISHED 2\r\n\* 2 RECENT\r\na OK \[HIGHESTMODSEQ \d+\] REPLACE completed\r\n$/,
  );
  assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 1);
});

test('REPLACE takes what APPEND takes, parts that are here included, but one message only', async () => {
  const { server } = setUp();
  const client = await server.client('Drafts');
  const joined = await client.exchange('a UID REPLACE 3 Drafts CATENATE (TEXT {4+}\r\nX: y URL "/Drafts/;UID=3")\r\n');
  assert.match(joined, /a OK REPLACE completed/);
  const alone = await client.exchange('b UID REPLACE 4 Drafts CATENATE (URL "/Drafts/;UID=1/;SECTION=TEXT")\r\n');
  assert.match(alone, /APPENDUID 1002 5[\s\S]*b OK REPLACE completed/);
  const twice = await client.exchange('c UID REPLACE 5 Drafts {1+}\r\nx {1+}\r\ny\r\nd NOOP\r\n');
  assert.match(twice, /^c BAD end of command expected at byte 1\r\nd OK/);
  const literalName = await client.exchange('f UID REPLACE 5 {6+}\r\nDrafts {1+}\r\nx\r\n');
  assert.match(literalName, /f OK REPLACE completed/);
});

const REFUSED: readonly [string, string][] = [
  ['REPLACE 4 Drafts', 'NO [NONEXISTENT] No such message'],
  ['UID REPLACE 9 Drafts', 'NO [NONEXISTENT] No such message'],
  ['REPLACE 1 Nowhere', 'NO [TRYCREATE] No such mailbox'],
  ['REPLACE 0 Drafts', 'BAD a number above zero expected at byte 12'],
  ['REPLACE 1:2 Drafts', 'BAD a space expected at byte 12'],
  ['REPLACE $ Drafts', 'BAD a number expected at byte 11'],
  ['REPLACE 1', 'BAD more arguments expected at byte 12'],
];
for (const [command, answer] of REFUSED) {
  test(`${command} is refused before the message is sent, and as well when it was not waited for`, async () => {
    const { server, drafts } = setUp();
    const client = await server.client('Drafts');
    if (command !== 'REPLACE 1') await talk(client, `C: a ${command} {3}\nS: a ${answer}`);
    const later = await client.exchange(`a ${command} {3+}\r\nabc\r\nb NOOP\r\n`);
    assert.match(later, /^a (?:NO|BAD) .*\r\nb OK/);
    assert.equal(server.store.mailboxById(ALICE.id, drafts)!.exists, 3);
  });
}

test('REPLACE needs a selected mailbox that is open for writing; with UIDONLY only UIDs do; hidden it is unknown', async () => {
  const { server } = setUp();
  server.settings = { ...server.settings, 'imap.uidOnly': true };
  const early = server.connect();
  early.output();
  await talk(early, 'C: a REPLACE 1 Drafts {1+}\nC: x\nS: a BAD REPLACE needs a login first');
  const client = await server.client();
  await talk(client, 'C: a REPLACE 1 Drafts {1+}\nC: x\nS: a BAD REPLACE needs a selected mailbox');
  await client.exchange('e EXAMINE Drafts\r\n');
  await talk(client, 'C: b REPLACE 1 Drafts {1+}\nC: x\nS: b NO [READ-ONLY] Mailbox is open read-only');
  await client.exchange('f ENABLE UIDONLY\r\ng SELECT Drafts\r\n');
  await talk(client, 'C: c REPLACE 1 Drafts {1+}\nC: x\nS: c BAD [UIDREQUIRED] Sequence numbers are not possible after ENABLE UIDONLY');
  assert.match(await client.exchange('h UID REPLACE 1 Drafts {1+}\r\nx\r\n'), /\* VANISHED 1[\s\S]*h OK/);
  server.settings = { ...server.settings, 'imap.capabilitiesHidden': ['REPLACE'] };
  const other = await server.client('Drafts');
  await talk(other, 'C: a UID REPLACE 2 Drafts {1+}\nC: x\nS: a BAD Unknown command');
});

test('a message that somebody else removed meanwhile is not replaced, and nothing is added', async () => {
  const { server, drafts } = setUp();
  const client = await server.client('Drafts');
  await client.exchange('a UID REPLACE 2 Drafts {3}\r\n');
  await server.store.expunge(ALICE.id, drafts, [2], false);
  const answer = await client.exchange('abc\r\n');
  assert.match(answer, /a NO \[EXPUNGEISSUED\] Message is gone\r\n$/);
  assert.equal(server.store.mailboxById(ALICE.id, drafts)!.exists, 2);
});

test('the quota counts the difference; rights are those of STORE, EXPUNGE and APPEND together (RFC 8508 sections 3.4 and 4.1)', async (t) => {
  const server = await SharingServer.start(t);
  const { writer, reader } = server.store;
  await server.put(ANNA, 'INBOX', 'draft');
  const size = reader.usage(server.id(ANNA))!.bytes;
  await writer.run('test.quota', { login: ANNA, bytes: size + 2, messages: 1 });
  const anna = await server.client(ANNA, 'INBOX');
  const message = (subject: string): string => `Subject: ${subject}\r\n\r\nhello\r\n`;
  const replace = (subject: string, to = 'INBOX'): string => `UID REPLACE * ${to} {${message(subject).length}+}\r\n${message(subject)}\r\n`;
  assert.match(await anna.exchange(`a ${replace('draft12')}`), /a OK REPLACE completed/);
  assert.match(await anna.exchange(`b ${replace('draft1234')}`), /b NO \[OVERQUOTA\]/);
  assert.match(await anna.exchange(`c ${replace('d')}`), /c OK REPLACE completed/);
  assert.deepEqual(server.contents(ANNA, 'INBOX'), ['3 0 - d']);
  await server.share(ANNA, 'INBOX', BERT, 'lrt');
  const bert = await server.client(BERT, 'Other Users/anna@example.org/INBOX');
  assert.match(await bert.exchange(`a ${replace('x')}`), /a NO \[NOPERM\]/);
  await server.share(ANNA, 'INBOX', BERT, 'lrte');
  assert.match(await bert.exchange(`b ${replace('x', '"Other Users/anna@example.org/INBOX"')}`), /b NO \[NOPERM\]/);
  assert.match(await bert.exchange(`c ${replace('mine')}`), /c OK REPLACE completed/);
  assert.deepEqual(server.contents(ANNA, 'INBOX'), []);
  assert.deepEqual(server.contents(BERT, 'INBOX'), ['1 0 - mine']);
});
