/** What a session, and what sessions share, must live through: mistakes in the middle of commands, stores that fail, rights that go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SaslExchange } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { ALICE, PASSWORD, settle, talk, TestServer } from './testing.ts';
import { Views } from './views.ts';

test('a message followed by a line that is too long, or by a bare LF: the APPEND is refused, and nothing is kept', async () => {
  const made = new TestServer({ 'imap.lineBytesMax': 8192 });
  const client = await made.client('INBOX');
  assert.equal(await client.exchange(`a APPEND INBOX {3+}\r\nabc${' '.repeat(9000)}\r\n`), 'a BAD [TOOBIG] Command line is too long\r\n');
  await talk(
    client,
    `C: b NOOP
     S: b OK NOOP completed`,
  );
  assert.equal(await client.exchange('c APPEND INBOX {3+}\r\nabc\n'), 'c BAD Lines must end in CRLF\r\n');
  assert.equal(await client.exchange('d UID REPLACE 1 INBOX {3+}\r\nabc\ne NOOP\r\n'), 'd NO [NONEXISTENT] No such message\r\ne OK NOOP completed\r\n');
  assert.equal(made.store.mailboxByName(ALICE.id, 'INBOX')!.exists, 0);
  assert.match(await client.exchange('f APPEND INBOX {3+}\r\nabc\r\n'), /^\* 1 EXISTS\r\n(?:.*\r\n)*f OK/);
});

test('a message without an end that nobody asked for is not read: BYE', async () => {
  const made = new TestServer({ 'imap.appendBytesMax': 65536 });
  const client = await made.client('INBOX');
  assert.equal(await client.exchange(`a APPEND INBOX {200000+}\r\n${'x'.repeat(200_000)}\r\n`), 'a NO [TOOBIG] Message is larger than APPENDLIMIT\r\n');
  assert.equal(await client.exchange('b APPEND INBOX {999999999999999}\r\n'), 'b NO [TOOBIG] Message is larger than APPENDLIMIT\r\n');
  assert.equal(
    await client.exchange('c APPEND INBOX {999999999999999+}\r\nabc'),
    'c NO [TOOBIG] Message is larger than APPENDLIMIT\r\n* BYE [TOOBIG] Message is too large\r\n',
  );
  assert.ok(client.isClosed);
});

test('a line too long ends IDLE like any other that is not DONE', async () => {
  const made = new TestServer({ 'imap.lineBytesMax': 8192 });
  const client = await made.client('INBOX');
  assert.equal(await client.exchange('a IDLE\r\n'), '+ idling\r\n');
  assert.equal(await client.exchange(`${'x'.repeat(9000)}\r\n`), 'a BAD [TOOBIG] Command line is too long\r\n');
  assert.equal(await client.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
});

test('a mechanism that fails leaves no exchange behind', async () => {
  const exchange: SaslExchange = { step: () => Promise.reject(new Failure('storeBusy', 'test')) };
  const made = new TestServer();
  (made.context.authenticator as { sasl: unknown }).sasl = () => exchange;
  const client = made.connect();
  client.output();
  assert.match(await client.exchange('a AUTHENTICATE PLAIN AAAA\r\n'), /^a NO \[UNAVAILABLE\]/);
  assert.match(await client.exchange(`b LOGIN ${ALICE.login} ${PASSWORD}\r\n`), /^b OK/);
});

test('a view that could not be read is not there for the next one', () => {
  const { store } = new TestServer();
  const id = store.addMailbox(ALICE.id, 'Work').id;
  for (let i = 0; i < 3; i += 1) store.deliver(id, 'Subject: x\r\n\r\n');
  let watchers = 0;
  const announcements = {
    ...store,
    watchMailbox: (...args: Parameters<typeof store.watchMailbox>) => {
      watchers += 1;
      const stop = store.watchMailbox(...args);
      return () => {
        watchers -= 1;
        stop();
      };
    },
  };
  let fails = true;
  const reader = new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (name === 'states' && fails)
        return () => {
          throw new Failure('storeBusy', 'test');
        };
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
  const views = new Views(reader, announcements as never);
  assert.throws(() => views.acquireNow(ALICE.id, id), Failure);
  assert.equal(watchers, 0);
  fails = false;
  const view = views.acquireNow(ALICE.id, id)!;
  assert.equal(view.count, 3);
  views.release(view);
  assert.equal(watchers, 0);
});

test('keywords that change for ever do not gather in memory, and stay right', async () => {
  const made = new TestServer();
  for (let i = 1; i <= 3; i += 1) made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  const client = await made.client('INBOX');
  await client.exchange('a STORE 2 FLAGS (stays here)\r\n');
  const { view } = client.session.selected!;
  for (let i = 0; i < 5000; i += 100) {
    let commands = '';
    for (let n = i; n < i + 100; n += 1) {
      const words = Array.from({ length: 12 }, (_, bit) => ((n >> bit) & 1 ? `k${bit}` : '')).filter((word) => word !== '');
      commands += `x STORE 3 FLAGS.SILENT (${words.join(' ')})\r\n`;
    }
    await client.exchange(commands);
  }
  assert.ok(view.keywordTexts.length <= 1001, `${view.keywordTexts.length} lists`);
  // 4999 is 0b1001110000111, of which twelve bits are words.
  assert.match(
    await client.exchange('b FETCH 1:3 FLAGS\r\n'),
    /^\* 1 FETCH \(FLAGS \(\\Recent\)\)\r\n\* 2 FETCH \(FLAGS \(\\Recent here stays\)\)\r\n\* 3 FETCH \(FLAGS \(\\Recent k0 k1 k2 k7 k8 k9\)\)\r\n/,
  );
  assert.match(await client.exchange('c SEARCH KEYWORD stays\r\n'), /^\* (?:SEARCH|ESEARCH.*ALL) 2\r\n/);
});

test('who may no longer read a selected mailbox of others learns nothing more of it', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrswite');
  await made.put(ANNA, 'INBOX/Projects', 'one');
  const name = `Other Users/${ANNA}/INBOX/Projects`;
  const bert = await made.client(BERT, name);
  const idler = await made.client(BERT, name);
  assert.equal(await idler.exchange('i IDLE\r\n'), '+ idling\r\n');
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lswi');
  await made.put(ANNA, 'INBOX/Projects', 'two');
  await settle();
  assert.equal(idler.output(), '');
  const refusal = 'NO [NOPERM] You have no right to do this\r\n';
  for (const command of [
    'FETCH 1:* (ENVELOPE BODY.PEEK[])',
    'UID FETCH 1:* FLAGS',
    'SEARCH ALL',
    'UID SEARCH SUBJECT one',
    'SORT (SUBJECT) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'STORE 1 +FLAGS (\\Seen)',
    'COPY 1 INBOX',
    'MOVE 1 INBOX',
    'EXPUNGE',
    'CHECK',
  ])
    assert.equal(await bert.exchange(`a ${command}\r\n`), `a ${refusal}`, command);
  assert.equal(await bert.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
  // With the right comes what was not told.
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrswite');
  assert.match(await bert.exchange('c NOOP\r\n'), /^\* 2 EXISTS\r\n(?:.*\r\n)*c OK/);
  await made.share(ANNA, 'INBOX/Projects', BERT, '');
  assert.equal(await bert.exchange('d CLOSE\r\n'), 'd OK CLOSE completed\r\n');
  assert.equal(await bert.exchange(`e SELECT "${name}"\r\n`), 'e NO [NONEXISTENT] No such mailbox\r\n');
  await made.put(ANNA, 'INBOX/Projects', 'three');
  assert.match(await idler.exchange('DONE\r\n'), /^i OK/);
});
