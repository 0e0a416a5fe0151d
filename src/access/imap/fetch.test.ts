/** FETCH of messages that others change and remove meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../system/failure.ts';
import { ALICE, settle, talk, TestServer } from './testing.ts';

test('flags and mod-sequence of one response are of one moment, though the body between them takes long', async () => {
  const server = new TestServer();
  for (let i = 0; i < 2; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n${'x'.repeat(400_000)}\r\n`, { keywords: 'work' });
  const client = await server.client('INBOX');
  await client.exchange('s FETCH 1 MODSEQ\r\n');
  client.socket.isStalled = true;
  client.send('a UID FETCH 1:2 (FLAGS BODY.PEEK[] MODSEQ)\r\n');
  await settle();
  const { changed } = await server.store.flags(ALICE.id, server.inbox, [1], 'add', 1, []);
  client.socket.unstall();
  await settle(() => client.socket.heard.length);
  const said = client.output();
  const told = /^\* 1 FETCH \(UID 1 FLAGS \(([^)]*)\) BODY\[\] [^)]* MODSEQ \((\d+)\)\)/m.exec(said);
  assert.ok(told !== null, 'the message was sent');
  assert.match(told[1]!, /^\\Recent work$/);
  assert.ok(Number(told[2]) < changed[0]!.modseq, 'the mod-sequence is that of the flags');
  // The change is told after it.
  assert.match(said, new RegExp(`\\* 1 FETCH \\(UID 1 FLAGS \\([^)]*work\\) MODSEQ \\(${changed[0]!.modseq}\\)\\)\r\n`));
});

test('a message that is removed while it is being sent is told with the flags it had', async () => {
  const server = new TestServer();
  for (let i = 0; i < 2; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n${'x'.repeat(400_000)}\r\n`, { keywords: 'work' });
  const client = await server.client('INBOX');
  client.socket.isStalled = true;
  client.send('a UID FETCH 1:2 (BODY.PEEK[] FLAGS)\r\n');
  await settle();
  await server.store.expunge(ALICE.id, server.inbox, [1, 2], false);
  client.socket.unstall();
  await settle(() => client.socket.heard.length);
  const said = client.output();
  assert.match(said, / FLAGS \(\\Recent work\)\)\r\n/);
  assert.doesNotMatch(said, / FLAGS \(\)/);
});

test('a message whose bytes went with it after its row was read is gone, not damaged', async () => {
  const server = new TestServer();
  for (let i = 1; i <= 2; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n`);
  const client = await server.client('INBOX');
  const { open, email } = server.store;
  const second = server.store.message(ALICE.id, server.inbox, 2)![6];
  const removed = (): never => {
    throw new Failure('corruptBlob', 'no such file');
  };
  server.store.open = (row) => (row.id === second ? { ...open.call(server.store, row), slice: removed } : open.call(server.store, row));
  server.store.email = (accountId, id) => (id === second ? null : email.call(server.store, accountId, id));
  await talk(
    client,
    `C: a UID FETCH 1:2 BODY.PEEK[HEADER.FIELDS (SUBJECT)]
    S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {14}
    S: Subject: 1
    S:
    S: )
    S: a OK FETCH completed
    C: b FETCH 2 BODY.PEEK[HEADER]
    S: b NO [EXPUNGEISSUED] Some of the messages no longer exist`,
  );
  assert.deepEqual(server.logged, []);
});

test('NUL goes out in a literal8 only: elsewhere 0x80 stands in its place, and sizes stay', async () => {
  const server = new TestServer();
  const text = 'Subject: a\0b\r\n\r\none\0two\r\n';
  server.store.deliver(server.inbox, text);
  server.store.deliver(server.inbox, `Subject: large\r\n\r\n${'\0x'.repeat(50_000)}`);
  const client = await server.client('INBOX');
  const hidden = text.replaceAll('\0', '\x80');
  for (const [item, bytes] of [
    ['BODY.PEEK[]', hidden],
    ['BODY.PEEK[HEADER]', hidden.slice(0, 16)],
    ['BODY.PEEK[HEADER.FIELDS (Subject)]', hidden.slice(0, 16)],
    ['BODY.PEEK[1]', hidden.slice(16)],
    ['BODY.PEEK[TEXT]<2.3>', 'e\x80t'],
  ] as const)
    assert.ok((await client.exchange(`a FETCH 1 ${item}\r\n`)).includes(`{${bytes.length}}\r\n${bytes})`), item);
  assert.ok((await client.exchange('b FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])\r\n')).includes('BINARY[1] ~{9}\r\none\0two\r\n BINARY.SIZE[1] 9)'));
  const large = await client.exchange('c FETCH 2 BODY.PEEK[TEXT]\r\n');
  assert.ok(large.includes(`{100000}\r\n${'\x80x'.repeat(50_000)})`));
});

test('\\Seen of a message that was too damaged to be sent is told as any other change', async () => {
  const server = new TestServer();
  for (let i = 1; i <= 2; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n`);
  const client = await server.client('INBOX');
  const { open } = server.store;
  const second = server.store.message(ALICE.id, server.inbox, 2)![6];
  const damaged = (): never => {
    throw new Failure('corruptBlob', 'test');
  };
  server.store.open = (row) => (row.id === second ? { ...open.call(server.store, row), slice: damaged } : open.call(server.store, row));
  await talk(
    client,
    `C: a FETCH 1:2 BODY[HEADER]<0.3>
    S: * 1 FETCH (BODY[HEADER]<0> {3}
    S: Sub FLAGS (\\Recent \\Seen))
    S: * 2 FETCH (FLAGS (\\Recent \\Seen))
    S: a NO [SERVERBUG] Stored message is damaged; run "posthorn store check"`,
  );
});
