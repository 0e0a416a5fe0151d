import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AdminContext, type Announcement, FLAG } from '../ports.ts';
import { Failure } from '../system/failure.ts';
import { STORE_ADMIN } from './admin.ts';
import { checkStore } from './check.ts';
import { storePaths } from './paths.ts';
import { accept, acceptInput, addAccount, delivery, messageText, openTestStore, testDirectory } from './testing.ts';

const never = new AbortController().signal;
const isFailure = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('a delivered message is read back byte for byte, with its trace headers before it', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@example.org');
  const text = messageText('one');
  const output = await accept(store, acceptInput(store.staging.stage(text), [delivery(id)]));
  assert.deepEqual(output, { entryId: null, deliveries: [{ kind: 'delivered', mailboxId: inbox.id, uid: 1 }] });
  const row = store.reader.message(id, inbox.id, 1)!;
  const email = store.reader.email(id, row[6])!;
  const reader = store.reader.open(email);
  assert.equal(Buffer.from(await reader.slice(0, reader.size)).toString(), `Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n${text}`);
  assert.equal(row[5], reader.size);
  assert.equal(email.messageId, '<one@example.org>');
});

test('a message for three accounts is kept once and goes with the last of them', async (t) => {
  const store = openTestStore(t);
  const accounts = [await addAccount(store, 'a@x'), await addAccount(store, 'b@x'), await addAccount(store, 'c@x')];
  await accept(
    store,
    acceptInput(
      store.staging.stage(messageText('all')),
      accounts.map((a) => delivery(a.id)),
    ),
  );
  assert.deepEqual(store.reader.rows('SELECT refs FROM blob'), [[3]]);
  for (const [i, account] of accounts.entries()) {
    await store.writer.expunge(account.id, account.inbox.id, [1], false);
    assert.equal(store.reader.rows('SELECT 1 FROM blob').length, i < 2 ? 1 : 0);
  }
});

test('one failing operation does not harm the others of its batch', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const results = await Promise.allSettled([
    accept(store, acceptInput(store.staging.stage(messageText('one')), [delivery(id)])),
    store.writer.run('test.writeThenThrow', null),
    accept(store, acceptInput(store.staging.stage(messageText('two')), [delivery(id)])),
    store.writer.expunge(id, 999, null, false),
  ]);
  assert.deepEqual(
    results.map((r) => r.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
  );
  assert.equal(store.reader.rows("SELECT 1 FROM subscription WHERE name='never'").length, 0);
  assert.equal(store.reader.mailboxById(id, inbox.id)!.exists, 2);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
});

test('a mailbox of another account is not found under any operation', async (t) => {
  const store = openTestStore(t);
  const one = await addAccount(store, 'one@x');
  const two = await addAccount(store, 'two@x');
  await accept(store, acceptInput(store.staging.stage(messageText('secret')), [delivery(one.id)]));
  await assert.rejects(store.writer.expunge(two.id, one.inbox.id, null, false), isFailure('noSuchMailbox'));
  await assert.rejects(store.writer.flags(two.id, one.inbox.id, [1], 'add', 1, []), isFailure('noSuchMailbox'));
  await assert.rejects(store.writer.copy(two.id, one.inbox.id, [1], two.inbox.id, false), isFailure('noSuchMailbox'));
  await assert.rejects(store.writer.copy(one.id, one.inbox.id, [1], two.inbox.id, false), isFailure('noSuchMailbox'));
  await assert.rejects(store.writer.deleteMailbox(two.id, one.inbox.id), isFailure('noSuchMailbox'));
  assert.deepEqual(store.reader.messages(two.id, one.inbox.id, 1, 99, 99), []);
  assert.equal(store.reader.email(two.id, store.reader.message(one.id, one.inbox.id, 1)![6]), null);
});

test('flags change once, raise the modseq of what changed only, and are announced', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  for (let i = 0; i < 5; i += 1) await accept(store, acceptInput(store.staging.stage(messageText(`m${i}`)), [delivery(id)]));
  const heard: Announcement[] = [];
  store.announcements.watchMailbox(id, inbox.id, (a) => heard.push(a));
  const before = store.reader.messages(id, inbox.id, 1, 9, 9).map((row) => row[1]);
  const { changed } = await store.writer.flags(id, inbox.id, [2, 4], 'add', FLAG.seen, ['$Important']);
  assert.deepEqual(
    changed.map((c) => [c.uid, c.flags, c.keywords]),
    [
      [2, 1, '$Important'],
      [4, 1, '$Important'],
    ],
  );
  assert.deepEqual((await store.writer.flags(id, inbox.id, [2], 'add', FLAG.seen, ['$important'])).changed, []);
  const after = store.reader.messages(id, inbox.id, 1, 9, 9).map((row) => row[1]);
  assert.deepEqual(
    after.map((modseq, i) => modseq > before[i]!),
    [false, true, false, true, false],
  );
  assert.equal(store.reader.mailboxById(id, inbox.id)!.unseen, 3);
  assert.equal(heard.length, 1);
  assert.deepEqual(heard[0]!.kind === 'messages' && heard[0]!.flags.map((f) => f.uid), [2, 4]);
  const late = await store.writer.flags(id, inbox.id, [1, 2], 'replace', FLAG.flagged, [], before[0]!);
  assert.deepEqual([late.changed.map((c) => c.uid), late.modified], [[1], [2]]);
});

test('MOVE takes messages with flags, date and email id, and leaves their UIDs in the expunge history', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  for (let i = 0; i < 3; i += 1)
    await accept(store, acceptInput(store.staging.stage(messageText(`m${i}`)), [delivery(id, { flags: FLAG.flagged, keywords: 'a b' })]));
  const archive = await store.writer.createMailbox(id, 'Archive/2026');
  const before = store.reader.message(id, inbox.id, 2)!;
  const { pairs } = await store.writer.copy(id, inbox.id, [1, 2, 77], archive.id, true);
  assert.deepEqual(pairs, [
    [1, 1],
    [2, 2],
  ]);
  const after = store.reader.message(id, archive.id, 2)!;
  assert.deepEqual([after[2], after[3], after[4], after[6]], [before[2], before[3], before[4], before[6]]);
  assert.deepEqual(
    store.reader.expungedSince(id, inbox.id, 0, 10).map(([, uid]) => uid),
    [1, 2],
  );
  assert.deepEqual(
    store.reader.messages(id, inbox.id, 1, 99, 99).map((row) => row[0]),
    [3],
  );
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
});

test('a full mailbox refuses alone and queues beside others, and nothing is half done', async (t) => {
  const store = openTestStore(t);
  const full = await addAccount(store, 'full@x');
  const roomy = await addAccount(store, 'roomy@x');
  await store.writer.run('test.quota', { id: full.id, bytes: 10, messages: 0 });
  const alone = await accept(store, acceptInput(store.staging.stage(messageText('x')), [delivery(full.id)], { whenFull: 'refuse' }));
  assert.deepEqual(alone.deliveries, [{ kind: 'refused', failure: 'overQuota' }]);
  assert.equal(store.reader.rows('SELECT 1 FROM blob').length, 0);
  const both = await accept(store, acceptInput(store.staging.stage(messageText('x')), [delivery(full.id), delivery(roomy.id)]));
  assert.deepEqual(
    both.deliveries.map((d) => d.kind),
    ['queued', 'delivered'],
  );
  assert.deepEqual(store.reader.rows('SELECT kind, address FROM queue_recipient'), [['local', 'b@example.org']]);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
  await assert.rejects(
    store.writer.append(full.id, full.inbox.id, [{ message: store.staging.stage(messageText('y')), flags: 0, keywords: null, internalDate: 1 }]),
    isFailure('overQuota'),
  );
});

test('UIDs and UIDVALIDITY of a name are never used again', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'b@x');
  const seen = new Set<number>();
  for (let life = 0; life < 3; life += 1) {
    const box = await store.writer.createMailbox(id, 'Lists');
    assert.ok(!seen.has(box.uidValidity));
    seen.add(box.uidValidity);
    await store.writer.append(id, box.id, [{ message: store.staging.stage(messageText('y')), flags: 0, keywords: null, internalDate: 1 }]);
    await store.writer.deleteMailbox(id, box.id);
  }
  assert.equal(store.reader.rows('SELECT 1 FROM blob').length, 0);
});

test('renaming moves children, INBOX keeps its name and gives its messages away', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  await accept(store, acceptInput(store.staging.stage(messageText('x')), [delivery(id)]));
  const a = await store.writer.createMailbox(id, 'A');
  await store.writer.createMailbox(id, 'A/B/C');
  await store.writer.renameMailbox(id, a.id, 'Z/Y');
  await store.writer.renameMailbox(id, inbox.id, 'Old');
  assert.deepEqual(
    store.reader.mailboxes(id).map((box) => [box.name, box.exists]),
    [
      ['INBOX', 0],
      ['Old', 1],
      ['Z', 0],
      ['Z/Y', 0],
      ['Z/Y/B', 0],
      ['Z/Y/B/C', 0],
    ],
  );
  await assert.rejects(store.writer.renameMailbox(id, a.id, 'Z/Y/Q'), isFailure('cannot'));
  await assert.rejects(store.writer.renameMailbox(id, a.id, 'Old'), isFailure('mailboxExists'));
  const arrived = await accept(store, acceptInput(store.staging.stage(messageText('y')), [delivery(id)]));
  assert.equal(arrived.deliveries[0]!.kind, 'delivered');
  assert.equal(store.reader.mailboxByName(id, 'INBOX')!.exists, 1);
});

test('a large message becomes a file, is read in parts, and the file goes with the last message', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const bytes = Buffer.alloc(1_500_000);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 2654435761) >>> 24;
  const text = Buffer.concat([Buffer.from('Subject: big\r\n\r\n'), Buffer.from(bytes.toString('base64').replaceAll(/.{76}/g, '$&\r\n'))]);
  const writer = store.staging.open();
  for (let at = 0; at < text.length; at += 65_536) await writer.write(text.subarray(at, at + 65_536));
  await accept(store, acceptInput(await writer.finish(), [delivery(id, { prefix: Buffer.from('X: y\r\n') })]));
  const email = store.reader.email(id, store.reader.message(id, inbox.id, 1)![6])!;
  const reader = store.reader.open(email);
  assert.equal(reader.size, text.length + 6);
  for (const [start, end] of [
    [0, 10],
    [3, 262_144 + 20],
    [262_140, 262_160],
    [reader.size - 5, reader.size + 100],
    [reader.size, reader.size + 1],
  ] as const)
    assert.deepEqual(Buffer.from(await reader.slice(start, end)), Buffer.concat([Buffer.from('X: y\r\n'), text]).subarray(start, end));
  reader.close();
  const files = (): string[] => readdirSync(storePaths(store.dataDir).blobs, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 10);
  assert.equal(files().length, 1);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
  const path = join(storePaths(store.dataDir).blobs, files()[0]!);
  const stored = readFileSync(path);
  stored[stored.length >> 1]! ^= 0xff;
  writeFileSync(path, stored);
  assert.match((await checkStore(storePaths(store.dataDir), never)).problems.join(), /blob 1 \(file/);
  await assert.rejects(async () => {
    for await (const _ of store.reader.open(email).stream(0, email.blobBytes));
  }, isFailure('corruptBlob'));
  await store.writer.expunge(id, inbox.id, null, false);
  await new Promise((resolve) => setImmediate(resolve));
  while (existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
});

test('a damaged message in the database is an error of that message alone', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  for (const subject of ['one', 'two']) await accept(store, acceptInput(store.staging.stage(messageText(subject, 3000)), [delivery(id)]));
  await store.writer.run('test.sql', "UPDATE blob SET data = substr(data, 1, 60) || x'00ff00ff' || substr(data, 65) WHERE id=1");
  const open = (uid: number) => store.reader.open(store.reader.email(id, store.reader.message(id, inbox.id, uid)![6])!);
  assert.throws(() => open(1).slice(0, 10), isFailure('corruptBlob'));
  assert.equal((await open(2).slice(0, 11)).length, 11);
  assert.equal((await checkStore(storePaths(store.dataDir), never)).problems.length, 1);
});

test('wrong counts are found and set right, and everything survives a restart', async (t) => {
  const dataDir = testDirectory(t);
  const first = openTestStore(t, dataDir);
  const { id, inbox } = await addAccount(first, 'b@x');
  for (let i = 0; i < 4; i += 1) await accept(first, acceptInput(first.staging.stage(messageText(`m${i}`)), [delivery(id)]));
  await first.writer.run('test.sql', 'UPDATE mailbox SET message_count=77');
  assert.equal((await checkStore(storePaths(dataDir), never)).isRepairable, true);
  await first.writer.run('store.repair', null);
  assert.deepEqual((await checkStore(storePaths(dataDir), never)).problems, []);
  await first.close();
  const second = openTestStore(t, dataDir);
  assert.equal((await accept(second, acceptInput(second.staging.stage(messageText('m5')), [delivery(id)]))).deliveries[0]!.kind, 'delivered');
  assert.equal(second.reader.mailboxById(id, inbox.id)!.exists, 5);
  const ids = second.reader.rows('SELECT id FROM blob ORDER BY id').flat() as number[];
  assert.ok(ids.length === 5 && ids[4]! > ids[3]!, String(ids));
});

test('an outdated envelope or structure is found and made again from the bytes', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  await accept(store, acceptInput(store.staging.stage(messageText('one')), [delivery(id)]));
  await accept(store, acceptInput(store.staging.stage(messageText('two')), [delivery(id)]));
  const large = store.staging.open();
  for (let i = 0; i < 20; i += 1) await large.write(randomBytes(30_000));
  await accept(store, acceptInput(await large.finish(), [delivery(id)]));
  const emailId = store.reader.message(id, inbox.id, 1)![6];
  const before = store.reader.email(id, emailId);
  await store.writer.run('test.sql', `UPDATE email SET envelope='(old)', header_bytes=3 WHERE id=${emailId}`);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, [`email ${emailId} has an outdated envelope or structure`]);
  assert.deepEqual(await STORE_ADMIN['store.repair']!(store as unknown as AdminContext, {}, () => {}, never), { repaired: 1 });
  assert.deepEqual(store.reader.email(id, emailId), before);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
});

test('a data folder is opened by one process at a time', (t) => {
  const dataDir = testDirectory(t);
  openTestStore(t, dataDir);
  assert.throws(() => openTestStore(t, dataDir), /in use/);
});

test('STORE on thousands of messages touches only those asked for', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const message = store.staging.stage(messageText('m'));
  await store.writer.append(
    id,
    inbox.id,
    Array.from({ length: 3000 }, () => ({ message, flags: 0, keywords: null, internalDate: 1 })),
  );
  const wanted = Array.from({ length: 3000 }, (_, i) => i + 1).filter((uid) => uid % 7 === 0 || uid > 2500);
  await store.writer.flags(id, inbox.id, wanted, 'add', FLAG.deleted, []);
  const deleted = store.reader.rows('SELECT uid FROM message WHERE flags & 8 != 0').flat();
  assert.deepEqual(deleted, wanted);
  const { uids } = await store.writer.expunge(id, inbox.id, null, true);
  assert.deepEqual(uids, wanted);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
});

test('a full disk refuses what does not fit, keeps nothing of it, and is over when there is room again', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const limit = (pages: string): Promise<unknown> => store.writer.run('test.pragma', `PRAGMA max_page_count=${pages}`);
  await accept(store, acceptInput(store.staging.stage(messageText('first')), [delivery(id)]));
  await limit('1'); // as many as there are
  // Bytes that do not compress.
  let state = 1;
  const large = Buffer.from(Array.from({ length: 30_000 }, () => 33 + ((state = (state * 48_271) % 2_147_483_647) % 90)));
  const results = await Promise.allSettled([
    accept(store, acceptInput(store.staging.stage(large), [delivery(id)])),
    store.writer.createMailbox(id, 'x'.repeat(900)),
    // One that writes counters by SQL after a message: they go with the transaction SQLite has ended.
    store.writer.run('test.acceptOften', { ...acceptInput(store.staging.stage(large), [delivery(id)]), id: 'often' }),
    accept(store, acceptInput(store.staging.stage(large), [delivery(id)])),
  ]);
  const codes = results.map((result) => (result.status === 'rejected' ? (result.reason as Failure).code : 'done'));
  assert.deepEqual([codes[0], codes[2], codes[3]], ['diskFull', 'diskFull', 'diskFull']);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
  await limit('1000000');
  const late = await accept(store, acceptInput(store.staging.stage(large), [delivery(id)]));
  assert.deepEqual(late.deliveries, [{ kind: 'delivered', mailboxId: inbox.id, uid: 2 }]);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
});

test('something that goes wrong after the commit does not run the batch again', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const [, accepted] = await Promise.all([
    store.writer.run('test.throwAfterCommit', null),
    accept(store, acceptInput(store.staging.stage(messageText('once')), [delivery(id)])),
  ]);
  assert.deepEqual(accepted.deliveries, [{ kind: 'delivered', mailboxId: inbox.id, uid: 1 }]);
  assert.equal(store.reader.mailboxById(id, inbox.id)!.exists, 1);
});

test('keywords of one message are bounded, however they come', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const message = store.staging.stage(messageText('m'));
  const words = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `k${from + i}`);
  const append = (keywords: string): Promise<unknown> => store.writer.append(id, inbox.id, [{ message, flags: 0, keywords, internalDate: 1 }]);
  await append(words(0, 60).join(' '));
  await assert.rejects(append(words(0, 101).join(' ')), isFailure('limit'));
  await store.writer.flags(id, inbox.id, [1], 'add', 0, words(60, 40));
  await assert.rejects(store.writer.flags(id, inbox.id, [1], 'add', 0, ['k100']), isFailure('limit'));
  assert.equal(store.reader.message(id, inbox.id, 1)![3]!.split(' ').length, 100);
});

test('a request that comes after the store was closed is refused', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@x');
  const late = store.writer.expunge(id, inbox.id, null, false);
  await store.close();
  await assert.rejects(late, isFailure('storeBusy'));
});

test('staging that is aborted while its file is being opened leaves no file', async (t) => {
  const store = openTestStore(t);
  const files = (): string[] => readdirSync(storePaths(store.dataDir).blobs, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 10);
  const writer = store.staging.open();
  const written = writer.write(Buffer.alloc(300_000, 'x'));
  writer.abort();
  await assert.rejects(async () => written, isFailure('storeBusy'));
  assert.deepEqual(files(), []);
  const sealed = store.staging.open();
  await sealed.write(Buffer.alloc(300_000, 'x'));
  const finishing = sealed.finish();
  sealed.abort();
  await assert.rejects(async () => finishing, isFailure('storeBusy'));
  while (files().length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a repair that finds a message without its mailbox row leaves nothing to repair', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'b@x');
  for (const subject of ['one', 'two']) await accept(store, acceptInput(store.staging.stage(messageText(subject)), [delivery(id)]));
  await store.writer.run('test.sql', 'DELETE FROM message WHERE uid=1');
  await store.writer.run('store.repair', null);
  assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
  assert.deepEqual(store.reader.rows('SELECT count(*) FROM blob'), [[1]]);
});
