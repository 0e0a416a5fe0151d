import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, PASSWORD, settle, talk, TestServer } from './testing.ts';

const LOGIN = `LOGIN ${ALICE.login} ${PASSWORD}`;

test('UNAUTHENTICATE goes back to where the connection began: nothing of the login is left', async () => {
  const server = new TestServer({ 'imap.uidOnly': true });
  const client = await server.client();
  await client.exchange(
    'a ENABLE QRESYNC UTF8=ACCEPT METADATA UIDONLY IMAP4rev2\r\nb SELECT INBOX\r\nc NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\r\n',
  );
  await client.exchange('d COMPARATOR i;octet\r\n');
  const answer = await client.exchange(`e UNAUTHENTICATE\r\nf FETCH 1 FLAGS\r\ng ${LOGIN}\r\nh FETCH 1 FLAGS\r\ni COMPARATOR\r\nj SELECT INBOX\r\n`);
  assert.match(answer, /^e OK \[CAPABILITY IMAP4rev1 [^\]]*AUTH=PLAIN[^\]]*\] UNAUTHENTICATE completed\r\nf BAD FETCH needs a login first\r\n/);
  assert.match(answer, /h BAD FETCH needs a selected mailbox\r\n\* COMPARATOR "i;unicode-casemap"\r\n/);
  assert.match(answer, /\* 0 RECENT/);
  assert.doesNotMatch(answer, /\* LIST/);
  const { session } = client;
  assert.deepEqual(
    [session.isCondstore, session.isQresync, session.isUtf8, session.isUidOnly, session.isRev2, session.unasked.hearsMetadata, session.notify],
    [false, false, false, false, false, false, null],
  );
});

test('after UNAUTHENTICATE nobody is told of the mailbox that was selected, and the connection counts for nobody', async () => {
  const server = new TestServer({ 'imap.connectionsPerUserMax': 20 });
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.client('INBOX')));
  const other = server.connect();
  assert.match(await other.exchange(`a ${LOGIN}\r\n`), /NO \[LIMIT\]/);
  await clients[0]!.exchange('a UNAUTHENTICATE\r\n');
  assert.match(await other.exchange(`b ${LOGIN}\r\n`), /b OK/);
  server.store.deliver(server.inbox, 'Subject: x\r\n\r\n');
  await settle();
  await talk(clients[0]!, 'C: a NOOP\nS: a OK NOOP completed');
  for (const client of clients) client.disconnect();
  other.disconnect();
  await settle();
  const last = await server.client();
  assert.equal(last.isClosed, false);
});

test('UNAUTHENTICATE waits for what is under way, needs a login, and is unknown where it is hidden', async () => {
  const server = new TestServer();
  const client = await server.client();
  const answer = await client.exchange(`a APPEND INBOX {1+}\r\nx\r\nb UNAUTHENTICATE\r\nc UNAUTHENTICATE\r\nd ${LOGIN}\r\n`);
  assert.deepEqual(
    answer.split('\r\n').map((line) => line.slice(0, 5)),
    ['a OK ', 'b OK ', 'c BAD', 'd OK ', ''],
  );
  server.settings = { ...server.settings, 'imap.capabilitiesHidden': ['UNAUTHENTICATE'] };
  await talk(await server.client(), 'C: a UNAUTHENTICATE\nS: a BAD Unknown command');
});
