import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { foldForSearch } from '../mail/text.ts';
import { noPause, SearchWorld } from './testing.ts';

const mail = (subject: string, body: string, more = ''): string =>
  `From: Ann <ann@example.org>\r\nSubject: ${subject}\r\n${more}Content-Type: text/plain; charset=utf-8\r\n\r\n${body}\r\n`;

test('texts are found in header and body, each in its scope, without regard to case', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('Invoice 4711', 'Please pay soon.'))).email;
  const two = (await world.add(id, inbox.id, mail('Holiday', 'The invoice is attached. Grüße aus Köln.'))).email;
  assert.equal(await world.indexer.catchUp(), 2);
  assert.deepEqual(await world.found(id, 'text', 'INVOICE'), [one, two]);
  assert.deepEqual(await world.found(id, 'header', 'invoice'), [one]);
  assert.deepEqual(await world.found(id, 'body', 'invoice'), [two]);
  assert.deepEqual(await world.found(id, 'body', 'köln'), [two]);
  assert.deepEqual(await world.found(id, 'body', 'KO\u0308LN'), [two]);
  assert.deepEqual(await world.found(id, 'text', 'voice 47'), [one]);
  assert.deepEqual(await world.found(id, 'text', 'voice 48'), []);
});

test('texts shorter than a trigram are found by looking at every kept text', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('x', 'zq'))).email;
  const two = (await world.add(id, inbox.id, mail('y', '中文'))).email;
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'z'), [one]);
  assert.deepEqual(await world.found(id, 'body', 'ZQ'), [one]);
  assert.deepEqual(await world.found(id, 'body', '文'), [two]);
  assert.deepEqual(await world.found(id, 'body', '文中'), []);
});

test('no account sees what another has', async (t) => {
  const world = new SearchWorld(t);
  const a = await world.account('a@example.org');
  const b = await world.account('b@example.org');
  const mine = (await world.add(a.id, a.inbox.id, mail('secret plan', 'treasure map', 'Message-ID: <1@x>\r\n'))).email;
  await world.add(b.id, b.inbox.id, mail('other', 'treasure chest', 'References: <1@x>\r\n'));
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(a.id, 'text', 'treasure'), [mine]);
  assert.equal((await world.found(b.id, 'text', 'secret')).length, 0);
  assert.equal((await world.found(b.id, 'text', 's')).includes(mine), false);
  assert.deepEqual(world.index.facts(b.id, [mine]), []);
  assert.equal(world.index.factsAfter(b.id, 0, 100).length, 1);
  assert.notEqual(world.index.factsAfter(a.id, 0, 100)[0]!.threadId, world.index.factsAfter(b.id, 0, 100)[0]!.threadId);
  assert.deepEqual(
    (await world.index.similar(b.id, 'text', foldForSearch('tresure'), 10, noPause)).map((one) => one.email === mine),
    [false],
  );
});

test('what is not indexed yet is said to be so, and settled() tells when it is', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('first', 'alpha'))).email;
  await world.indexer.catchUp();
  const two = (await world.add(id, inbox.id, mail('second', 'alpha'))).email;
  const matches = await world.index.containing(id, 'body', 'ALPHA', noPause);
  assert.deepEqual([...matches.emails], [one]);
  assert.equal(matches.isIndexed(one), true);
  assert.equal(matches.isIndexed(two), false);
  assert.equal(await world.index.settled(0), false);
  const waiting = world.index.settled(10_000);
  await world.indexer.catchUp();
  assert.equal(await waiting, true);
  assert.deepEqual(await world.found(id, 'body', 'alpha'), [one, two]);
});

test('a message with more text than is kept does not count as indexed', async (t) => {
  const world = new SearchWorld(t, { settings: { 'search.textBytesMax': 1000 } });
  const { id, inbox } = await world.account('a@example.org');
  const long = (await world.add(id, inbox.id, mail('long', `${'filling '.repeat(200)} needle`))).email;
  const short = (await world.add(id, inbox.id, mail('short', 'needle'))).email;
  await world.indexer.catchUp();
  const matches = await world.index.containing(id, 'body', 'NEEDLE', noPause);
  assert.equal(matches.isIndexed(long), false);
  assert.equal(matches.isIndexed(short), true);
  assert.deepEqual([...matches.emails], [short]);
});

test('removed messages leave the index, copies keep them in it', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const other = await world.store.writer.createMailbox(id, 'Other');
  const one = await world.add(id, inbox.id, mail('one', 'alpha'));
  const two = await world.add(id, inbox.id, mail('two', 'alpha'));
  await world.indexer.catchUp();
  await world.store.writer.copy(id, inbox.id, [two.uid], other.id, false);
  await world.expunge(id, inbox.id, [one.uid, two.uid]);
  assert.equal(await world.indexer.removeGone(), 1);
  assert.deepEqual(await world.found(id, 'body', 'alpha'), [two.email]);
  assert.deepEqual(
    world.index.facts(id, [one.email, two.email]).map((facts) => facts.email),
    [two.email],
  );
  while (world.indexer.tidy());
  assert.deepEqual(await world.found(id, 'text', 'alpha'), [two.email]);
});

test('an indexer that ends in the middle of a batch leaves nothing out', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const emails: number[] = [];
  for (let n = 0; n < 30; n += 1) emails.push((await world.add(id, inbox.id, mail(`m${n}`, `alpha ${n}`))).email);
  let opened = 0;
  const failing = Object.create(world.store.reader, {
    open: {
      value: (row: Parameters<typeof world.store.reader.open>[0]) => {
        opened += 1;
        if (opened === 17) throw Object.assign(new Error('the store is busy'), { errcode: 5 });
        return world.store.reader.open(row);
      },
    },
    rows: { value: (...args: Parameters<typeof world.store.reader.rows>) => world.store.reader.rows(...args) },
  });
  world.indexer.close();
  world.indexer = world.openIndexer(failing);
  await assert.rejects(world.indexer.catchUp());
  assert.deepEqual(await world.found(id, 'body', 'alpha'), []);
  world.restart();
  assert.equal(await world.indexer.catchUp(), 30);
  assert.deepEqual(await world.found(id, 'body', 'alpha'), emails);
});

test('a damaged index is made again, and searches go on meanwhile', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('one', 'alpha'))).email;
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'alpha'), [one]);
  // In this order the log beside the file, which has everything still, is carried over and removed.
  world.index.close();
  world.indexer.close();
  writeFileSync(world.databasePath, 'this is no database at all, and never was');
  world.indexer = world.openIndexer();
  const matches = await world.index.containing(id, 'body', 'ALPHA', noPause);
  assert.equal(matches.isIndexed(one), false);
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'alpha'), [one]);
});

test('damage that a reader meets is told to the indexer', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('one', 'alpha'))).email;
  await world.indexer.catchUp();
  const broken = new DatabaseSync(world.databasePath);
  broken.exec("UPDATE kept SET body=x'00112233445566778899'");
  broken.close();
  const matches = await world.index.containing(id, 'body', 'ALPHA', noPause);
  assert.equal(matches.isIndexed(one), false);
  assert.deepEqual(await world.index.similar(id, 'body', 'ALPHA', 10, noPause), []);
  assert.equal(world.progress.isDamaged, true);
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'alpha'), [one]);
});

test('an index of another version is made again, and emails stay in their threads', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const root = await world.add(id, inbox.id, mail('hello', 'root', 'Message-ID: <root@x>\r\n'));
  const child = (await world.add(id, inbox.id, mail('Re: hello', 'child', 'Message-ID: <child@x>\r\nIn-Reply-To: <root@x>\r\n'))).email;
  const last = (await world.add(id, inbox.id, mail('Re: hello', 'last', 'Message-ID: <last@x>\r\nIn-Reply-To: <child@x>\r\n'))).email;
  await world.indexer.catchUp();
  const thread = world.index.facts(id, [last])[0]!.threadId;
  await world.expunge(id, inbox.id, [root.uid, root.uid + 1]);
  await world.indexer.removeGone();
  world.indexer.close();
  const older = new DatabaseSync(world.databasePath);
  older.exec('PRAGMA user_version=999');
  older.close();
  world.indexer = world.openIndexer();
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'last'), [last]);
  assert.equal(world.index.facts(id, [last])[0]!.threadId, thread);
  assert.deepEqual(world.index.facts(id, [child]), []);
});

test('an index that knows emails the store never had is made again', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const one = (await world.add(id, inbox.id, mail('one', 'alpha'))).email;
  await world.indexer.catchUp();
  world.indexer.close();
  const foreign = new DatabaseSync(world.databasePath);
  foreign.exec("UPDATE kept SET header=x''; UPDATE email SET saved_at=saved_at-1");
  foreign.close();
  world.indexer = world.openIndexer();
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'header', 'one'), [one]);
});

test('an index from after the backup that the store was restored from is made again, also when none of the last emails it knows is there', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  for (let i = 1; i <= 70; i += 1) await world.add(id, inbox.id, `Subject: secret ${i}\r\n\r\ntext\r\n`);
  await world.indexer.catchUp();
  world.indexer.close();
  const uids = world.store.reader.messages(id, inbox.id, 1, 2 ** 32, 100).map((row) => row[0]);
  // The backup had the first five; what was delivered since then has ids of what is lost.
  await world.store.writer.expunge(id, inbox.id, uids.slice(5), false);
  await world.store.writer.run('test.sql', 'UPDATE email SET saved_at=saved_at+100000 WHERE id=(SELECT max(id) FROM email)');
  world.indexer = world.openIndexer();
  assert.equal(world.indexer.cursor, 0);
  await world.indexer.catchUp();
  assert.equal((await world.found(id, 'text', 'secret')).length, 5);
});

test('an index is not made again because the last emails it knows are gone', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  for (let i = 1; i <= 70; i += 1) await world.add(id, inbox.id, `Subject: ${i}\r\n\r\ntext\r\n`);
  await world.indexer.catchUp();
  const { cursor } = world.indexer;
  const uids = world.store.reader.messages(id, inbox.id, 1, 2 ** 32, 100).map((row) => row[0]);
  await world.expunge(id, inbox.id, uids.slice(5));
  world.restart();
  assert.equal(world.indexer.cursor, cursor);
  await world.indexer.removeGone();
  world.restart();
  assert.equal(world.indexer.cursor, cursor);
});

test('a search pauses between slices, and ends when the pause says so', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  for (let n = 0; n < 10; n += 1) await world.add(id, inbox.id, mail(`m${n}`, `lorem ipsum ${n}`));
  await world.indexer.catchUp();
  let time = performance.now();
  t.mock.method(performance, 'now', () => (time += 4));
  let pauses = 0;
  const count = async (): Promise<void> => {
    pauses += 1;
  };
  assert.equal((await world.index.containing(id, 'text', 'IPSUM', count)).emails.size, 10);
  assert.ok(pauses >= 5, `${pauses} pauses`);
  const stop = (): Promise<void> => Promise.reject(new Error('client is gone'));
  await assert.rejects(world.index.containing(id, 'text', 'IPSUM', stop), /client is gone/);
  await assert.rejects(world.index.containing(id, 'text', 'I', stop), /client is gone/);
  await assert.rejects(world.index.similar(id, 'text', 'IPSUN', 10, stop), /client is gone/);
});
