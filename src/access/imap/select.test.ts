/** SELECT of a mailbox whose changes are still on their way to this thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle, TestServer } from './testing.ts';

test('what STATUS has told is there after SELECT, though the announcement comes later than the command', async () => {
  const server = new TestServer();
  server.store.deliver(server.inbox, 'Subject: 1\r\n\r\n');
  // Somebody keeps the view open.
  await server.client('INBOX');
  const late: (() => void)[] = [];
  server.store.announce = (send) => void late.push(send);
  server.store.deliver(server.inbox, 'Subject: 2\r\n\r\n');
  const client = await server.client();
  assert.match(await client.exchange('a STATUS INBOX (MESSAGES UIDNEXT)\r\n'), /MESSAGES 2 UIDNEXT 3/);
  client.send('b SELECT INBOX\r\n');
  await settle();
  assert.equal(client.output(), '', 'the answer waits');
  for (const send of late) send();
  await settle();
  const said = client.output();
  assert.match(said, /\* 2 EXISTS\r\n/);
  assert.match(said, /\[UIDNEXT 3\]/);
  assert.match(said, /b OK \[READ-WRITE\] SELECT completed\r\n$/);
});

test('a client that leaves while its SELECT waits takes nothing with it', async () => {
  const server = new TestServer();
  const first = await server.client('INBOX');
  const late: (() => void)[] = [];
  server.store.announce = (send) => void late.push(send);
  server.store.deliver(server.inbox, 'Subject: 1\r\n\r\n');
  const client = await server.client();
  client.send('b SELECT INBOX\r\n');
  client.disconnect();
  for (const send of late) send();
  await settle();
  assert.match(await first.exchange('c NOOP\r\n'), /\* 1 EXISTS\r\n/);
});
