/** FETCH of messages that others change and remove meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, settle, TestServer } from './testing.ts';

test('a message that is removed while it is being sent is told with the flags it had', async () => {
  const server = new TestServer();
  for (let i = 0; i < 3; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n${'x'.repeat(400_000)}\r\n`, { flags: 8, keywords: 'work' });
  const client = await server.client('INBOX');
  client.socket.isStalled = true;
  client.send('a UID FETCH 1:3 (BODY.PEEK[] FLAGS)\r\n');
  await settle();
  await server.store.expunge(ALICE.id, server.inbox, [1, 2, 3], false);
  client.socket.unstall();
  await settle(() => client.socket.heard.length);
  const said = client.output();
  const flags = said.match(/ FLAGS \([^)]*\)\)/g) ?? [];
  assert.ok(flags.length >= 1, 'some were being sent');
  for (const told of flags) assert.match(told, /work/);
});
