import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, settle, TestServer } from './testing.ts';

test('what comes behind a long command waits for it, also at the end of a burst', async () => {
  const made = new TestServer();
  for (let n = 0; n < 2000; n += 1) made.store.addMailbox(ALICE.id, `a mailbox with a name that takes some room ${n}`);
  const client = await made.client();
  client.socket.isStalled = true;
  client.send(`${'n NOOP\r\n'.repeat(99)}l LIST "" "*"\r\nlast NOOP\r\n`);
  await settle(() => client.socket.heard.length);
  client.socket.unstall();
  // The list is made in slices: how many, the machine decides. Whichever of the two comes last.
  while (!['\r\nlast OK', '\r\nl OK'].every((end) => client.socket.heard.includes(end))) await new Promise((resolve) => setImmediate(resolve));
  const tagged = client
    .output()
    .split('\r\n')
    .filter((line) => /^(?:l|last) /.test(line));
  assert.deepEqual(tagged, ['l OK LIST completed', 'last OK NOOP completed']);
});
