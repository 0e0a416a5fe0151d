import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idle } from '../../net/idle.ts';
import { Failure } from '../../system/failure.ts';
import { ALICE, settle, talk, TestServer } from './testing.ts';

function server(messages = 3): TestServer {
  const made = new TestServer();
  for (let i = 1; i <= messages; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n`, { flags: 1 });
  return made;
}

test('another session hears of flags, new messages and removals at its next command', async () => {
  const made = server();
  const one = await made.client('INBOX');
  const two = await made.client('INBOX');
  await talk(one, 'C: a STORE 2 +FLAGS (\\Deleted)\nS: * 2 FETCH (FLAGS (\\Recent \\Deleted \\Seen))\nS: a OK STORE completed');
  made.store.deliver(made.inbox, 'Subject: 4\r\n\r\n');
  await talk(two, 'C: a NOOP\nS: * 4 EXISTS\nS: * 1 RECENT\nS: * 2 FETCH (FLAGS (\\Deleted \\Seen))\nS: a OK NOOP completed');
  await talk(one, 'C: b EXPUNGE\nS: * 2 EXPUNGE\nS: * 3 EXISTS\nS: * 2 RECENT\nS: b OK EXPUNGE completed');
  await talk(two, 'C: b NOOP\nS: * 2 EXPUNGE\nS: b OK NOOP completed\nC: c NOOP\nS: c OK NOOP completed');
});

test('removals wait while sequence numbers are in use, and new messages behind them', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  made.store.deliver(made.inbox, 'Subject: 4\r\n\r\n');
  await made.store.flags(ALICE.id, made.inbox, [3], 'add', 4, []);
  await talk(
    client,
    `C: a FETCH 3 UID
    S: * 3 FETCH (UID 3)
    S: * 3 FETCH (FLAGS (\\Recent \\Flagged \\Seen))
    S: a OK FETCH completed
    C: b FETCH 1:2 UID
    S: * 2 FETCH (UID 2)
    S: b NO [EXPUNGEISSUED] Some of the messages no longer exist
    C: c STORE 1 +FLAGS.SILENT (\\Seen)
    S: c NO [EXPUNGEISSUED] Some of the messages no longer exist
    C: d SEARCH ALL
    S: * SEARCH 2 3
    S: d OK SEARCH completed
    C: e COPY 1 INBOX
    S: * 1 EXPUNGE
    S: * 3 EXISTS
    S: e NO [EXPUNGEISSUED] Some of the messages no longer exist
    C: f FETCH 3 UID
    S: * 3 FETCH (UID 4)
    S: f OK FETCH completed`,
  );
});

test('with UIDs a message that is gone is passed over, and removals are told', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  await talk(client, 'C: a UID FETCH 1:2 FLAGS\nS: * 2 FETCH (UID 2 FLAGS (\\Recent \\Seen))\nS: * 1 EXPUNGE\nS: * 2 RECENT\nS: a OK FETCH completed');
});

test('IDLE tells at once; every idle session gets the same text', async () => {
  const made = server(1);
  const clients = [await made.client('INBOX'), await made.client('INBOX'), await made.client('INBOX')];
  for (const client of clients) await talk(client, 'C: a IDLE\nS: + idling');
  made.store.deliver(made.inbox, 'Subject: 2\r\n\r\n');
  await settle();
  assert.equal(clients[0]!.output(), '* 2 EXISTS\r\n* 2 RECENT\r\n');
  assert.equal(clients[1]!.output(), '* 2 EXISTS\r\n');
  assert.equal(clients[2]!.output(), '* 2 EXISTS\r\n');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, ['$new']);
  await settle();
  const flags =
    '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $new)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $new \\*)] Flags and new keywords can be set\r\n';
  assert.equal(clients[0]!.output(), `${flags}* 1 FETCH (FLAGS (\\Recent \\Flagged \\Seen $new))\r\n`);
  assert.equal(clients[1]!.output(), `${flags}* 1 FETCH (FLAGS (\\Flagged \\Seen $new))\r\n`);
  assert.equal(clients[2]!.output(), `${flags}* 1 FETCH (FLAGS (\\Flagged \\Seen $new))\r\n`);
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  await settle();
  assert.equal(clients[1]!.output(), '* 1 EXPUNGE\r\n');
  clients[2]!.output();
  for (const client of clients) client.send('DONE\r\n');
  assert.equal(clients[2]!.output(), 'a OK IDLE completed\r\n');
});

test('with CONDSTORE, updates carry UID and MODSEQ', async () => {
  const made = server(1);
  const client = await made.client('"INBOX" (CONDSTORE)');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  await talk(client, 'C: a NOOP\nS: * 1 FETCH (UID 1 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (4))\nS: a OK NOOP completed');
});

test('a change too large to be spelt out is read again, and told like any other', async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  const { announce } = made.store;
  made.store.announce = () => {};
  await made.store.flags(ALICE.id, made.inbox, [1, 3], 'replace', 2, []);
  await made.store.expunge(ALICE.id, made.inbox, [2], false);
  made.store.deliver(made.inbox, 'Subject: 4\r\n\r\n');
  made.store.announce = announce;
  made.store.announceResync(made.inbox);
  await settle();
  await talk(
    client,
    `C: a NOOP
    S: * 2 EXPUNGE
    S: * 3 EXISTS
    S: * 1 FETCH (FLAGS (\\Recent \\Answered))
    S: * 2 FETCH (FLAGS (\\Recent \\Answered))
    S: a OK NOOP completed`,
  );
});

test('a session far behind the remembered changes still hears of every one, once', async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  for (let i = 0; i < 6000; i += 1) await made.store.flags(ALICE.id, made.inbox, [1, 2], i % 2 === 0 ? 'add' : 'remove', 4, []);
  await talk(
    client,
    'C: a NOOP\nS: a OK NOOP completed'.replace('S: a', 'S: * 1 FETCH (FLAGS (\\Recent \\Seen))\nS: * 2 FETCH (FLAGS (\\Recent \\Seen))\nS: a'),
  );
});

test('announcements that come after the answer of a write are not told twice', async () => {
  const made = server(2);
  const late: (() => void)[] = [];
  const client = await made.client('INBOX');
  made.store.announce = (send) => void late.push(send);
  await talk(
    client,
    `C: a STORE 1 +FLAGS (\\Deleted)
    S: * 1 FETCH (FLAGS (\\Recent \\Deleted \\Seen))
    S: a OK STORE completed
    C: b EXPUNGE
    S: * 1 EXPUNGE
    S: * 1 RECENT
    S: b OK EXPUNGE completed
    C: c APPEND INBOX {1+}
    C: x
    S: * 2 EXISTS
    S: * 2 RECENT
    S: c OK [APPENDUID 1001 3] APPEND completed`,
  );
  for (const send of late) send();
  await talk(client, 'C: d NOOP\nS: d OK NOOP completed');
});

test('the view is shared and goes with the last session', async () => {
  const made = server();
  const one = await made.client('INBOX');
  const two = await made.client('INBOX');
  assert.equal(made.store.watching(made.inbox), 1);
  one.disconnect();
  await settle();
  assert.equal(made.store.watching(made.inbox), 1);
  await two.exchange('a CLOSE\r\n');
  assert.equal(made.store.watching(made.inbox), 0);
});

test('a mailbox of many pages is selected at once and read with pauses; what happens meanwhile is told', async () => {
  const made = server(12_000);
  const client = await made.client();
  client.send('a SELECT INBOX\r\n');
  made.store.deliver(made.inbox, 'Subject: new\r\n\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  assert.match(client.output(), /\* 12000 EXISTS\r\n(.|\r\n)*a OK/);
  await talk(
    client,
    `C: b FETCH 12000 UID
    S: * 12000 FETCH (UID 12000)
    S: * 12000 RECENT
    S: b OK FETCH completed
    C: c NOOP
    S: * 1 EXPUNGE
    S: * 12000 EXISTS
    S: c OK NOOP completed
    C: d FETCH 1,12000 UID
    S: * 1 FETCH (UID 2)
    S: * 12000 FETCH (UID 12001)
    S: d OK FETCH completed`,
  );
});

test('messages that went away before they were read are told as the last ones, and only when numbers may move', async () => {
  const made = server(12_000);
  made.store.announce = (send) => setImmediate(send);
  const client = await made.client();
  client.send('a SELECT INBOX\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [11_000, 11_001], false);
  made.store.deliver(made.inbox, 'Subject: new\r\n\r\n');
  assert.match(client.output(), /\* 12000 EXISTS\r\n(.|\r\n)*a OK/);
  await talk(
    client,
    `C: b FETCH 11998:12000 UID
    S: * 11998 FETCH (UID 12000)
    S: * 11998 RECENT
    S: b OK FETCH completed
    C: c NOOP
    S: * 12000 EXPUNGE
    S: * 11999 EXPUNGE
    S: * 11999 EXISTS
    S: * 11999 RECENT
    S: c OK NOOP completed
    C: d FETCH 10999:11000,11999 UID
    S: * 10999 FETCH (UID 10999)
    S: * 11000 FETCH (UID 11002)
    S: * 11999 FETCH (UID 12001)
    S: d OK FETCH completed`,
  );
});

test('a client that does not read stops its FETCH, and goes on when it reads', async () => {
  const made = new TestServer();
  for (let i = 0; i < 40; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n${'x'.repeat(20_000)}\r\n`);
  const client = await made.client('INBOX');
  client.socket.isStalled = true;
  client.send('a FETCH 1:* BODY.PEEK[]\r\nb NOOP\r\n');
  await settle();
  assert.ok(client.socket.writableLength < 200_000, `${client.socket.writableLength} bytes wait`);
  client.socket.unstall();
  await settle(() => client.socket.heard.length);
  assert.ok(client.output().endsWith('a OK FETCH completed\r\nb OK NOOP completed\r\n'));
});

test('over TLS no write is larger than 16 KiB', async () => {
  const made = new TestServer();
  made.store.deliver(made.inbox, `Subject: x\r\n\r\n${'x'.repeat(200_000)}\r\n`);
  const client = made.connect({ isTls: true });
  await client.exchange('a LOGIN alice@example.org wonderland\r\nb SELECT INBOX\r\n');
  let largest = 0;
  const { socket } = client;
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, done) => {
    largest = Math.max(largest, chunk.length);
    write(chunk, encoding, () => setImmediate(done));
  };
  const answer = await client.exchange('c FETCH 1 BODY.PEEK[]\r\n');
  assert.equal(answer.length, '* 1 FETCH (BODY[] {200016}\r\n)\r\nc OK FETCH completed\r\n'.length + 200_016);
  assert.ok(largest <= 16_384, String(largest));
});

test('K-9: an idling client hears "Still here" every two minutes and is not cut before half an hour', async () => {
  const made = server(1);
  const client = await made.client('INBOX');
  await talk(client, 'C: a IDLE\nS: + idling');
  const start = Math.ceil(idle.now); // whole: sums of fractions would be a hair off
  for (let minute = 1; minute <= 29; minute += 1) client.session.onIdle(start + minute * 60_000);
  assert.equal(client.output(), '* OK Still here\r\n'.repeat(14));
  client.session.onIdle(start + 31 * 60_000);
  assert.equal(client.output(), '* BYE Logged out after inactivity\r\n');
});

test('a client that does not log in is sent away', async () => {
  const client = server().connect();
  client.output();
  client.session.onIdle(idle.now + 60_000);
  assert.equal(client.output(), '');
  client.session.onIdle(idle.now + 4 * 60_000);
  assert.equal(client.output(), '* BYE Login took too long\r\n');
});

test('a damaged message is passed over by FETCH and SEARCH; damage within a literal ends the connection', async () => {
  const made = server(2);
  const client = await made.client('INBOX');
  const { open } = made.store;
  const damaged = (): never => {
    throw new Failure('corruptBlob', 'test');
  };
  made.store.open = (email) => (email.id === 2 ? { ...open.call(made.store, email), slice: damaged } : open.call(made.store, email));
  await talk(
    client,
    `C: a FETCH 1:2 BODY.PEEK[]<0.3>
    S: * 2 FETCH (BODY[]<0> {3}
    S: Sub)
    S: a NO [SERVERBUG] Stored message is damaged; run "posthorn store check"
    C: b SEARCH TEXT subject
    S: * SEARCH 2
    S: b OK SEARCH completed`,
  );
  made.store.open = (email) => {
    const reader = open.call(made.store, email);
    return { ...reader, slice: (start, end) => (end === 1 ? reader.slice(start, end) : damaged()) };
  };
  client.send('c FETCH 2 BODY.PEEK[]<0.3>\r\nd NOOP\r\n');
  await settle();
  assert.equal(client.output(), '* 2 FETCH (');
  assert.ok(client.isClosed);
  assert.deepEqual(
    made.logged.map(({ event }) => event),
    ['imap.message.damaged', 'imap.message.damaged', 'imap.message.damaged'],
  );
});

test('a store that fails is a NO with the reason, and APPEND gives back what it staged', async () => {
  const made = server(1);
  const client = await made.client('INBOX');
  made.store.failure = new Failure('storeBusy');
  await talk(client, 'C: a STORE 1 +FLAGS (\\Deleted)\nS: a NO [UNAVAILABLE] Store unavailable, try again');
  made.store.failure = new Failure('diskFull');
  await talk(client, 'C: b APPEND INBOX {1+}\nC: x\nC: c NOOP\nS: b NO [UNAVAILABLE] Disk full\nS: c OK NOOP completed');
  assert.equal(made.aborted, 1);
  made.store.failure = new Failure('diskFull');
  const answer = await client.exchange('d FETCH 1 BODY[]<0.1>\r\n');
  assert.match(answer, /d OK FETCH completed/, 'reading goes on when \\Seen cannot be stored');
});

test('a client that goes away during APPEND leaves nothing, and one that goes away during the commit loses nothing', async () => {
  const made = server(1);
  const first = await made.client();
  first.send('a APPEND INBOX {10+}\r\nhalf');
  first.disconnect();
  await settle();
  assert.equal(made.aborted, 1);
  const second = await made.client();
  second.send('a APPEND INBOX {4+}\r\nfull\r\n');
  second.session.closed();
  await settle();
  assert.equal(made.aborted, 1);
  assert.equal(made.store.mailboxByName(ALICE.id, 'INBOX')!.exists, 2);
});

test(".SILENT keeps quiet about the change that was asked for, not about another session's", async () => {
  const made = server(3);
  const client = await made.client('INBOX');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  await made.store.flags(ALICE.id, made.inbox, [2], 'add', 0, ['$Later']);
  await talk(
    client,
    `C: a STORE 1:3 +FLAGS.SILENT (\\Answered $Now)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Later $Now)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Later $Now \\*)] Flags and new keywords can be set
    S: * 1 FETCH (FLAGS (\\Recent \\Answered \\Flagged \\Seen $Now))
    S: * 2 FETCH (FLAGS (\\Recent \\Answered \\Seen $Later $Now))
    S: a OK STORE completed
    C: b STORE 1:3 -FLAGS.SILENT ($now)
    S: b OK STORE completed
    C: c STORE 1:3 FLAGS.SILENT (\\Seen $Now)
    S: c OK STORE completed`,
  );
});

test('.SILENT tells also what another session changed while the command ran', async () => {
  const made = server(1);
  const client = await made.client('INBOX');
  const { announce } = made.store;
  made.store.announce = () => {};
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  made.store.announce = announce;
  await talk(client, 'C: a STORE 1 +FLAGS.SILENT (\\Answered)\nS: * 1 FETCH (FLAGS (\\Recent \\Answered \\Flagged \\Seen))\nS: a OK STORE completed');
});
