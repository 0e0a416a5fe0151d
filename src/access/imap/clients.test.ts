/** What real clients send, and what they must hear to work. One test for each quirk, named after the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, settle, talk, TestServer } from './testing.ts';

function server(messages = 3): TestServer {
  const made = new TestServer();
  for (let i = 1; i <= messages; i += 1) made.store.deliver(made.inbox, `From: a@example.org\r\nSubject: ${i}\r\n\r\nbody ${i}\r\n`, { flags: 1 });
  made.store.addMailbox(ALICE.id, 'Trash', 'trash');
  return made;
}

test('1. iOS 18: commands in the same packet as DONE are run', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a IDLE
    S: + idling
    C: DONE
    C: b NOOP
    C: c UID SEARCH ALL
    S: a OK IDLE completed
    S: b OK NOOP completed
    S: * SEARCH 1 2 3
    S: c OK SEARCH completed`,
  );
});

test('1. iOS 18: IDLE, DONE and the next commands all at once, before the continuation', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a NOOP
    C: b IDLE
    C: DONE
    C: c IDLE
    C: DONE
    C: d NOOP
    S: a OK NOOP completed
    S: + idling
    S: b OK IDLE completed
    S: + idling
    S: c OK IDLE completed
    S: d OK NOOP completed`,
  );
});

test('1. iOS 18: a command without DONE ends IDLE and is run', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a IDLE
    C: b STATUS INBOX (MESSAGES)
    S: + idling
    S: a OK IDLE ended by another command
    S: * STATUS INBOX (MESSAGES 3)
    S: b OK STATUS completed
    C: c IDLE
    S: + idling
    C: nonsense
    S: c BAD DONE expected
    C: d NOOP
    S: d OK NOOP completed`,
  );
});

test('2. iPhone: CHANGEDSINCE 0 is accepted', async () => {
  const client = await server(1).client('INBOX');
  await talk(
    client,
    `C: a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)
    S: * OK [HIGHESTMODSEQ 3] CONDSTORE is on
    S: * 1 FETCH (UID 1 FLAGS (\\Recent \\Seen) MODSEQ (3))
    S: a OK FETCH completed`,
  );
});

test('3. iOS: ESEARCH results with CONDSTORE have MODSEQ only when it was searched for, and UID also when empty', async () => {
  const client = await server().client();
  await talk(client, 'C: e ENABLE CONDSTORE\nS: * ENABLED CONDSTORE\nS: e OK ENABLE completed');
  await client.exchange('s SELECT INBOX\r\n');
  await talk(
    client,
    `C: a UID SEARCH RETURN (ALL) SEEN
    S: * ESEARCH (TAG "a") UID ALL 1:3
    S: a OK SEARCH completed
    C: b UID SEARCH RETURN (ALL COUNT) MODSEQ 3
    S: * ESEARCH (TAG "b") UID ALL 1:3 COUNT 3 MODSEQ 5
    S: b OK SEARCH completed
    C: c UID SEARCH RETURN (ALL) MODSEQ 1000
    S: * ESEARCH (TAG "c") UID
    S: c OK SEARCH completed`,
  );
});

test('4. iOS: BODY.PEEK[1]<0.393216> of a short part is exactly that part, and empty past its end', async () => {
  const client = await server(1).client('INBOX');
  await talk(
    client,
    `C: a UID FETCH 1 (BODY.PEEK[1]<0.393216>)
    S: * 1 FETCH (UID 1 BODY[1]<0> {8}
    S: body 1
    S: )
    S: a OK FETCH completed
    C: b UID FETCH 1 (BODY.PEEK[1]<8.393216>)
    S: * 1 FETCH (UID 1 BODY[1]<8> "")
    S: b OK FETCH completed
    C: c UID FETCH 1 (BODY.PEEK[1]<393216.393216>)
    S: * 1 FETCH (UID 1 BODY[1]<393216> "")
    S: c OK FETCH completed`,
  );
});

test('5. iOS: UID SEARCH 1:* NOT DELETED', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a UID STORE 2 +FLAGS.SILENT (\\Deleted)
    S: a OK STORE completed
    C: b UID SEARCH 1:* NOT DELETED
    S: * SEARCH 1 3
    S: b OK SEARCH completed`,
  );
  const empty = await made.client('Trash');
  await talk(empty, 'C: a UID SEARCH 1:* NOT DELETED\nS: * SEARCH\nS: a OK SEARCH completed\nC: b UID FETCH 1:* FLAGS\nS: b OK FETCH completed');
});

test('10. ENVELOPE and BODYSTRUCTURE are ASCII, whatever the header has', async () => {
  const made = new TestServer();
  made.store.deliver(made.inbox, 'From: Jürgen <j@example.org>\r\nSubject: Grüße\r\nContent-Type: text/plain; name="ä.txt"\r\n\r\nx\r\n');
  const client = await made.client('INBOX');
  const answer = await client.exchange('a FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)\r\n');
  assert.match(answer, /^[\x20-\x7e\r\n]+$/);
  assert.match(answer, /\r\na OK FETCH completed\r\n$/);
  // Nobody gets anything else: who asked for UTF-8 reads encoded words as well (RFC 6855 section 3 permits UTF-8, and demands none).
  await client.exchange('b ENABLE UTF8=ACCEPT\r\n');
  assert.match(await client.exchange('c FETCH 1 (ENVELOPE BODYSTRUCTURE)\r\n'), /^[\x20-\x7e\r\n]+c OK FETCH completed\r\n$/);
});

test('11. pipelined STORE and EXPUNGE keep their order', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: a STORE 1 +FLAGS (\\Deleted)
    C: b EXPUNGE
    C: c STORE 1 +FLAGS (\\Flagged)
    C: d FETCH 1 (UID FLAGS)
    S: * 1 FETCH (FLAGS (\\Recent \\Deleted \\Seen))
    S: a OK STORE completed
    S: * 1 EXPUNGE
    S: * 2 RECENT
    S: b OK EXPUNGE completed
    S: * 1 FETCH (FLAGS (\\Recent \\Flagged \\Seen))
    S: c OK STORE completed
    S: * 1 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen))
    S: d OK FETCH completed`,
  );
});

test('12. COPY to a mailbox that already holds the message succeeds, every time', async () => {
  const client = await server(1).client('INBOX');
  await talk(
    client,
    `C: a UID COPY 1 Trash
    S: a OK [COPYUID 1005 1 1] COPY completed
    C: b UID COPY 1 Trash
    S: b OK [COPYUID 1005 1 2] COPY completed`.replaceAll('1005', '1003'),
  );
});

test('13. ID NIL and ID () are both valid, before login too', async () => {
  const client = server().connect();
  client.output();
  await talk(
    client,
    `C: a ID NIL
    S: * ID ("name" "Posthorn")
    S: a OK ID completed
    C: b ID ()
    S: * ID ("name" "Posthorn")
    S: b OK ID completed`,
  );
});

test('14. a text follows every response code', async () => {
  const client = await server().client();
  const answer = await client.exchange('a SELECT INBOX\r\nb STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Seen)\r\nc SELECT INBOX\r\nd SELECT none\r\n');
  const coded = answer.split('\r\n').filter((line) => line.includes('['));
  assert.ok(coded.length > 8);
  for (const line of coded) assert.match(line, /^\S+ (OK|NO|BAD) \[[^\]]+\] \S/);
});

test('15. Thunderbird: SELECT with a separator at the end of the name', async () => {
  const client = await server().client();
  assert.match(await client.exchange('a SELECT "Trash/"\r\n'), /a OK \[READ-WRITE\]/);
});

test('16. K-9: IDLE without a mailbox is possible, and many sessions idle at once', async () => {
  const made = server(1);
  const client = await made.client();
  await talk(client, 'C: a IDLE\nS: + idling\nC: DONE\nS: a OK IDLE completed');
  const idlers = [];
  for (let i = 0; i < 20; i += 1) idlers.push(await made.client('INBOX'));
  for (const idler of idlers) assert.equal(await idler.exchange('a IDLE\r\n'), '+ idling\r\n');
  made.store.deliver(made.inbox, 'Subject: new\r\n\r\n');
  await settle();
  for (const idler of idlers) assert.match(idler.output(), /^\* 2 EXISTS\r\n/);
});

test('17. every item asked for is answered, in one response', async () => {
  const client = await server(1).client('INBOX');
  const items =
    'UID FLAGS INTERNALDATE RFC822.SIZE RFC822.HEADER RFC822 RFC822.TEXT ENVELOPE BODY BODYSTRUCTURE MODSEQ BODY[] BODY[TEXT] BODY[1] BINARY[1] BINARY.SIZE[1]';
  const answer = await client.exchange(`a FETCH 1 (${items})\r\n`);
  for (const item of items.split(' ')) assert.ok(answer.includes(`${item} `), item);
});

test('Thunderbird: name without INBOX in capitals, quoted', async () => {
  const client = await server().client();
  assert.match(await client.exchange('1 select "Inbox"\r\n'), /1 OK \[READ-WRITE\]/);
});
