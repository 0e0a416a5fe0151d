import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

async function pushed(client: Client): Promise<string> {
  await settle(() => client.socket.heard.length);
  return client.output();
}

/** A mailbox that is not read before SELECT is answered. */
function large(): TestServer {
  const made = new TestServer();
  for (let i = 0; i < 6500; i += 1) made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  return made;
}

test('a store that cannot say who may read a mailbox is no end of the sessions that hear of it', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'Private', BERT, 'lrs');
  const bert = await made.client(BERT, 'Other Users/anna@example.org/Private');
  const { reader } = made.server.context;
  const { rows } = reader;
  assert.match(await bert.exchange('a IDLE\r\n'), /^\+/);
  let isBroken = true;
  reader.rows = (sql, ...parameters) => {
    if (isBroken && sql.includes(' acl ')) throw new Error('disk');
    return rows.call(reader, sql, ...parameters);
  };
  await made.put(ANNA, 'Private', 'one');
  assert.equal(await pushed(bert), '');
  assert.equal(await bert.exchange('DONE\r\nb NOOP\r\n'), 'a OK IDLE completed\r\nb OK NOOP completed\r\n');
  isBroken = false;
  assert.match(await bert.exchange('c NOOP\r\n'), /^\* 1 EXISTS\r\n[\s\S]*c OK NOOP completed\r\n$/);
});

test('annotations that cannot be named now do not keep the answer of a command back', async () => {
  const made = new TestServer();
  const client = await made.client();
  await client.exchange('a ENABLE METADATA\r\n');
  made.store.publish({ kind: 'metadata', accountId: ALICE.id, mailboxId: made.inbox, entries: ['/private/comment'], by: 'somebody' });
  const { mailboxById } = made.store;
  made.store.mailboxById = () => {
    throw new Error('disk');
  };
  assert.equal(await client.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
  made.store.mailboxById = mailboxById;
  assert.equal(await client.exchange('c NOOP\r\n'), '* METADATA INBOX /private/comment\r\nc OK NOOP completed\r\n');
});

for (const command of [
  'FETCH 1:* FLAGS',
  'STORE 1:* +FLAGS (\\Deleted)',
  'SEARCH ALL',
  'COPY 1:* Other',
  'MOVE 1:* Other',
  'EXPUNGE',
  'UID FETCH 1:* FLAGS',
  'SORT (DATE) UTF-8 ALL',
  'CLOSE',
  'NOOP',
  'IDLE',
]) {
  test(`a large mailbox that cannot be read to its end is gone for who has selected it: ${command}`, async () => {
    const made = large();
    const other = made.store.addMailbox(ALICE.id, 'Other').id;
    const client = await made.client();
    const { states } = made.store;
    made.store.states = (accountId, mailboxId, from, ...rest) => {
      if (from > 5500) throw new Error('disk');
      return states.call(made.store, accountId, mailboxId, from, ...rest);
    };
    let said = await client.exchange(`a SELECT INBOX\r\nb ${command}\r\n`);
    if (command === 'NOOP') said += await client.exchange('b NOOP\r\n');
    assert.match(said, /\* 6500 EXISTS\r\n[\s\S]*a OK/);
    if (command === 'CLOSE') assert.match(said, /(b (OK|NO) |\* BYE )[^\r]*\r\n$/);
    else assert.match(said, /\* BYE [^\r]*\r\n(b OK NOOP completed\r\n)?$/);
    assert.doesNotMatch(said, /FETCH \(|undefined|NaN|SERVERBUG|EXPUNGE\r/);
    assert.equal(made.store.mailboxById(ALICE.id, other)!.exists, 0);
    assert.equal(made.store.mailboxById(ALICE.id, made.inbox)!.deleted, 0);
    assert.equal(made.store.watching(made.inbox), 0);
  });
}

test('a large mailbox: the messages that are recent are told once it has been read', async () => {
  const made = large();
  const client = await made.client();
  const said = await client.exchange('a SELECT INBOX\r\nb FETCH 6500 FLAGS\r\n');
  assert.match(said, /\* 0 RECENT\r\n[\s\S]*a OK/);
  assert.match(said, /\* 6500 FETCH \(FLAGS \(\\Recent\)\)\r\n\* 6500 RECENT\r\nb OK/);
  const second = await made.client();
  assert.doesNotMatch(await second.exchange('a SELECT INBOX\r\nb FETCH 6500 FLAGS\r\n'), /FLAGS \(\\Recent\)/);
});

test('a large mailbox that is left before it was read is not read any further, however often', async () => {
  const made = large();
  const client = await made.client();
  const { states } = made.store;
  let pages = 0;
  made.store.states = (...parameters) => {
    pages += 1;
    return states.apply(made.store, parameters);
  };
  await client.exchange('a SELECT INBOX\r\nb SELECT Nowhere\r\n'.repeat(20));
  assert.ok(pages <= 20 * 5, `${pages} pages`);
  assert.equal(made.store.watching(made.inbox), 0);
});

test('an output that is ended and then waited for is heard to its end', async () => {
  const made = new TestServer();
  const client = await made.client();
  const { out } = client.session;
  client.socket.isStalled = true;
  out.write('a'.repeat(70_000));
  out.flush();
  out.write('b');
  out.end();
  const drained = out.drain();
  client.socket.unstall();
  await drained;
  assert.equal(await pushed(client), `${'a'.repeat(70_000)}b`);
});

test('the last word reaches a client that was being answered slowly', async () => {
  const made = new TestServer();
  for (let i = 0; i < 3000; i += 1) made.store.addMailbox(ALICE.id, `Lists/a rather long name of a mailbox that fills the output soon/${i}`);
  const client = await made.client();
  client.socket.isStalled = true;
  client.send('a LIST "" *\r\n');
  await settle();
  client.session.bye('Something happened');
  await settle();
  client.socket.unstall();
  assert.match(await pushed(client), /\* BYE Something happened\r\n$/);
});

test('who waits in a long command when the server shuts down is answered, and then told', async () => {
  const made = large();
  const client = await made.client();
  client.send('a SELECT INBOX\r\nb FETCH 1 UID\r\nc NOOP\r\n');
  client.session.drain();
  assert.match(
    await pushed(client),
    /a OK[^\r]*\r\n(\* 1 FETCH \(UID 1\)\r\n)?(\* \d+ RECENT\r\n)?(b OK FETCH completed\r\n)?\* BYE Server is shutting down\r\n$/,
  );
});

test('a client in IDLE that did not read hears what has happened as soon as it does', async () => {
  const made = new TestServer();
  const client = await made.client('INBOX');
  await client.exchange('a ENABLE METADATA\r\nb IDLE\r\n');
  client.socket.isStalled = true;
  client.session.out.write(`* OK ${'x'.repeat(70_000)}\r\n`);
  client.session.out.flush();
  made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  made.store.publish({ kind: 'metadata', accountId: ALICE.id, mailboxId: made.inbox, entries: ['/private/comment'], by: 'somebody' });
  await settle();
  client.output();
  client.socket.unstall();
  assert.equal(await pushed(client), '* METADATA INBOX /private/comment\r\n* 1 EXISTS\r\n* 1 RECENT\r\n');
});

test('what went away before it was read is told by number before QRESYNC is on', async () => {
  const made = large();
  const client = await made.client();
  client.send('a SELECT INBOX\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [6400, 6401], false);
  const said = await client.exchange('b ENABLE QRESYNC\r\nc NOOP\r\n');
  assert.match(said, /\* 6500 EXPUNGE\r\n\* 6499 EXPUNGE\r\n/);
  assert.ok(said.indexOf('EXPUNGE') < said.indexOf('* ENABLED'), said);
});

test('a mailbox that is being read is told as STATUS told it just before', async () => {
  const made = large();
  const first = await made.client();
  const second = await made.client();
  first.send('a SELECT INBOX\r\n');
  made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  const said = await second.exchange('a STATUS INBOX (MESSAGES UIDNEXT)\r\nb SELECT INBOX\r\n');
  assert.match(said, /MESSAGES 6501 UIDNEXT 6502[\s\S]*\* 6501 EXISTS[\s\S]*UIDNEXT 6502\]/);
});

/** The client takes nothing while `during` happens, and its commands wait for it. */
async function whileFull(client: Client, command: string, during: () => Promise<unknown>): Promise<string> {
  client.socket.isStalled = true;
  client.session.out.write(`* OK ${'x'.repeat(70_000)}\r\n`);
  client.session.out.flush();
  client.send(command);
  await settle();
  await during();
  client.socket.unstall();
  const said = await pushed(client);
  return said.slice(said.indexOf('x\r\n') + 3);
}

test('rights that are taken back while ESEARCH or LIST is under way count from then on', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX', BERT, 'lr');
  await made.share(ANNA, 'Private', BERT, 'lr');
  await made.put(ANNA, 'INBOX', 'one');
  await made.put(ANNA, 'Private', 'one');
  const bert = await made.client(BERT);
  const searched = await whileFull(bert, 'a ESEARCH IN (subtree "Other Users") ALL\r\n', () => made.share(ANNA, 'Private', BERT, ''));
  assert.match(searched, /anna@example.org\/INBOX" UIDVALIDITY/);
  assert.doesNotMatch(searched, /Private/);
  await made.share(ANNA, 'Private', BERT, 'lr');
  const anna = await made.client(ANNA);
  const listed = await whileFull(bert, 'b LIST "" "Other Users/*" RETURN (METADATA (/shared/comment))\r\n', async () => {
    await made.share(ANNA, 'Private', BERT, '');
    await anna.exchange('a SETMETADATA Private (/shared/comment "secret")\r\n');
  });
  assert.match(listed, /b OK/);
  assert.doesNotMatch(listed, /secret/);
});

test('a visitor hears of no private annotations', async (t) => {
  const made = await SharingServer.start(t);
  const visitor = await made.client(ANNA, undefined, 'visitor:lr');
  assert.match(await visitor.exchange('a NOTIFY SET (PERSONAL (MailboxMetadataChange ServerMetadataChange))\r\n'), /a OK/);
  const anna = await made.client(ANNA);
  assert.match(
    await anna.exchange(
      'a SETMETADATA INBOX (/private/comment "x")\r\nb SETMETADATA "" (/private/comment "x")\r\nc SETMETADATA INBOX (/shared/comment "x")\r\n',
    ),
    /c OK/,
  );
  assert.equal(await pushed(visitor), '* METADATA INBOX /shared/comment\r\n');
});

test('a client that goes away while ESEARCH looks up the mailboxes makes no trouble', async (t) => {
  // Every look at the clock takes a whole slice.
  let now = 0;
  t.mock.method(performance, 'now', () => {
    now += 10;
    return now;
  });
  for (let turns = 0; turns < 8; turns += 1) {
    const made = new TestServer();
    made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
    const client = await made.client('INBOX');
    client.send('a ESEARCH IN (selected personal subscribed) ALL\r\n');
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    client.disconnect();
    await settle();
    assert.deepEqual(made.logged, []);
  }
});
