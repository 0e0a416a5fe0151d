import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, settle, talk, TestServer } from './testing.ts';

function server(messages: number): TestServer {
  const made = new TestServer();
  for (let i = 1; i <= messages; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n`, { flags: 1 });
  return made;
}

/** Lets the writes of a store wait, to be let go in order. */
function slowWrites(made: TestServer): { waiting: (() => void)[]; begun: string[] } {
  const held = { waiting: [] as (() => void)[], begun: [] as string[] };
  for (const name of ['flags', 'copy', 'expunge'] as const) {
    const real = made.store[name].bind(made.store) as (...args: unknown[]) => Promise<unknown>;
    (made.store as any)[name] = (...args: unknown[]) => {
      held.begun.push(name);
      return new Promise((resolve, reject) => held.waiting.push(() => real(...args).then(resolve, reject)));
    };
  }
  return held;
}

async function letGo(held: { waiting: (() => void)[] }): Promise<void> {
  for (const go of held.waiting.splice(0)) go();
  await settle();
}

test('pipelined STOREs and COPYs reach the writer together; what depends on them waits', async () => {
  const made = server(3);
  made.store.addMailbox(ALICE.id, 'Work');
  const client = await made.client('INBOX');
  const held = slowWrites(made);
  client.send(
    'a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb UID STORE 2 +FLAGS.SILENT (\\Flagged)\r\nc COPY 2 Work\r\nd EXPUNGE\r\ne FETCH 1 (UID FLAGS)\r\nf UID STORE 3 +FLAGS.SILENT (\\Answered)\r\n',
  );
  await settle();
  assert.deepEqual(held.begun, ['flags', 'flags', 'copy']);
  assert.equal(client.output(), '');
  await letGo(held);
  assert.equal(
    client.output(),
    'a OK STORE completed\r\nb OK STORE completed\r\nc OK [COPYUID 1 2 1] COPY completed\r\n'.replace(
      '[COPYUID 1',
      `[COPYUID ${made.store.mailboxByName(ALICE.id, 'Work')!.uidValidity}`,
    ),
  );
  assert.deepEqual(held.begun, ['flags', 'flags', 'copy', 'expunge']);
  await letGo(held);
  assert.equal(
    client.output(),
    '* 1 EXPUNGE\r\n* 2 RECENT\r\nd OK EXPUNGE completed\r\n* 1 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen))\r\ne OK FETCH completed\r\n',
  );
  await letGo(held);
  assert.equal(client.output(), 'f OK STORE completed\r\n');
});

test('removals by others are told only when no command in flight uses sequence numbers', async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  const held = slowWrites(made);
  client.send('a UID STORE 3 +FLAGS.SILENT (\\Flagged)\r\nb STORE 3 +FLAGS.SILENT (\\Answered)\r\n');
  await settle();
  const [first, second] = held.waiting.splice(0);
  // Another session removes the first message meanwhile.
  void made.store.expunge(ALICE.id, made.inbox, [1], false);
  await letGo(held);
  first!();
  await settle();
  assert.equal(client.output(), 'a OK STORE completed\r\n');
  second!();
  await settle();
  // Its flags are not what the client can know by itself: they were changed by the command before.
  assert.equal(client.output(), '* 3 FETCH (FLAGS (\\Recent \\Answered \\Flagged \\Seen))\r\nb OK STORE completed\r\n');
  await talk(client, 'C: c NOOP\nS: * 1 EXPUNGE\nS: * 2 RECENT\nS: c OK NOOP completed');
  assert.deepEqual(
    made.store.messages(ALICE.id, made.inbox, 1, 9, 9).map((row) => [row[0], row[2]]),
    [
      [2, 1],
      [3, 7],
    ],
  );
});

test('a command that fails beside others is answered for itself', async () => {
  const made = server(2);
  const client = await made.client('INBOX');
  const held = slowWrites(made);
  client.send('a STORE 1 +FLAGS.SILENT (\\Flagged)\r\nb COPY 1 Nowhere\r\nc UNKNOWN\r\nd STORE 2 +FLAGS.SILENT (\\Flagged)\r\n');
  await settle();
  assert.equal(client.output(), 'b NO [TRYCREATE] No such mailbox\r\n');
  await letGo(held);
  assert.equal(client.output(), 'a OK STORE completed\r\nc BAD Unknown command\r\n');
  await letGo(held);
  assert.equal(client.output(), 'd OK STORE completed\r\n');
});

test('a command that is done at once beside others says nothing that moves their numbers', async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  const other = await made.client('INBOX');
  await other.exchange('x STORE 1 +FLAGS.SILENT (\\Deleted)\r\n');
  client.output();
  const held = slowWrites(made);
  client.send('a STORE 2 +FLAGS (\\Flagged)\r\n');
  await settle();
  other.send('y EXPUNGE\r\n');
  held.waiting.pop()!();
  await settle();
  client.send('b UID COPY 99 INBOX\r\nc UID COPY 1:3 Nowhere\r\n');
  await settle();
  assert.equal(client.output(), 'b OK COPY completed\r\nc NO [TRYCREATE] No such mailbox\r\n');
  await letGo(held);
  assert.match(client.output(), /^\* 2 FETCH \(FLAGS \(\\Recent \\Flagged \\Seen\)\)\r\na OK STORE completed\r\n$/);
  assert.match(await client.exchange('d NOOP\r\n'), /^\* 1 EXPUNGE\r\n\* \d RECENT\r\nd OK/);
});

test('a client that goes away with commands in flight harms nobody', async () => {
  const made = server(2);
  const client = await made.client('INBOX');
  const held = slowWrites(made);
  client.send('a STORE 1 +FLAGS.SILENT (\\Flagged)\r\nb NOOP\r\n');
  await settle();
  client.socket.destroy();
  await letGo(held);
  assert.equal(client.output(), '');
  assert.equal(made.store.message(ALICE.id, made.inbox, 1)![2], 5);
});

test('.SILENT twice for one message, and a change of somebody else between them: what it is now is told', async () => {
  const made = server(1);
  const client = await made.client('INBOX');
  const held = slowWrites(made);
  client.send('a STORE 1 -FLAGS.SILENT (\\Seen)\r\nb STORE 1 +FLAGS.SILENT (\\Flagged)\r\n');
  await settle();
  const [first, second] = held.waiting.splice(0);
  first!();
  void made.store.flags(ALICE.id, made.inbox, [1], 'add', 1, []);
  held.waiting.pop()!();
  second!();
  await settle();
  assert.equal(client.output(), 'a OK STORE completed\r\n* 1 FETCH (FLAGS (\\Recent \\Flagged \\Seen))\r\nb OK STORE completed\r\n');
});
