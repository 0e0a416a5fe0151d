import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FLAG } from '../../ports.ts';
import { messageText } from '../../store/testing.ts';
import { mirrorBench } from './testing.ts';

const FROM = 'From a@far.test  Thu Nov 20 11:42:00 2025\n';
const message = (subject: string, status = '', body = 'A line.\n'): string => `${FROM}From: a@far.test\nSubject: ${subject}\n${status}\n${body}\n`;

async function mboxBench(t: Parameters<typeof mirrorBench>[0], ...messages: string[]) {
  const bench = await mirrorBench(t, 'mbox');
  const file = join(bench.home, 'mbox');
  writeFileSync(file, messages.join(''));
  chmodSync(file, 0o600);
  await bench.refresh();
  // The bench itself, whose hooks are set by the tests.
  return Object.assign(bench, { file, read: (): string => readFileSync(file, 'latin1') });
}

test('messages in an mbox come into the store with what mutt and Dovecot noted in them', async (t) => {
  const bench = await mboxBench(
    t,
    message('a', 'Status: RO\nX-Status: AF\n'),
    message('b', 'Status: O\nX-Keywords: work $Label1\nX-UID: 7\nContent-Length: 8\n'),
    message('c', '', 'Text\n\nFrom here it is no new message.\n>From quoted\n'),
    message('d', 'X-Status: DT\n'),
  );
  assert.deepEqual(await bench.shown(), ['1 SRF a', '2 $Label1 work b', '3 c', '4 TD d']);
  const [, second] = bench.store.reader.messages(bench.accountId, bench.inbox.id, 0, 99, 9);
  const open = bench.store.reader.open(bench.store.reader.email(bench.accountId, second![6])!);
  assert.equal(Buffer.from(await open.slice(0, 9999)).toString(), 'From: a@far.test\r\nSubject: b\r\n\r\nA line.\r\n', 'without the status fields');
  assert.equal(second![4], new Date(2025, 10, 20, 11, 42, 0).getTime());
});

test('what a session changes is written into the file in place; the rest stays byte for byte', async (t) => {
  const bench = await mboxBench(t, message('a'), message('b', 'Status: RO\n'), message('c', 'X-UID: 9\n'));
  const { writer, accountId, inbox } = bench;
  await writer.flags(accountId, inbox.id, [3], 'add', FLAG.seen | FLAG.answered, ['work']);
  assert.equal(bench.read(), message('a') + message('b', 'Status: RO\n') + message('c', 'X-UID: 9\nStatus: RO\nX-Status: A\nX-Keywords: work\n'));
  await writer.expunge(accountId, inbox.id, [2], false);
  assert.equal(bench.read(), message('a') + message('c', 'X-UID: 9\nStatus: RO\nX-Status: A\nX-Keywords: work\n'));
  const at = new Date(2025, 0, 2, 3, 4, 5).getTime();
  const text = 'Subject: new\r\n\r\nText\r\nFrom me\r\n';
  await writer.append(accountId, inbox.id, [{ message: bench.store.staging.stage(Buffer.from(text)), flags: FLAG.flagged, keywords: null, internalDate: at }]);
  assert.ok(bench.read().endsWith('From MAILER-DAEMON  Thu Jan  2 03:04:05 2025\nSubject: new\nStatus: O\nX-Status: F\n\nText\n>From me\n\n'));
  await bench.refresh();
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 a', '3 SR work c', '4 F new']);
  assert.deepEqual(bench.warnings, []);
});

test('other programs append, remove and mark: UIDs stay', async (t) => {
  const bench = await mboxBench(t, message('a'), message('b'), message('b'), message('c'));
  writeFileSync(bench.file, message('a', 'Status: RO\n') + message('b') + message('c', 'X-Status: F\n'));
  appendFileSync(bench.file, message('d'));
  await bench.refresh();
  const shown = await bench.shown();
  assert.deepEqual([shown[0], shown.slice(-2)], ['1 S a', ['4 F c', '5 d']]);
  assert.equal(shown.length, 4, 'one of the two equal ones went');
});

test('what a delivery appends while a session expunges is never lost', async (t) => {
  const bench = await mboxBench(t, message('a'), message('b'), message('c'));
  bench.before = (request) => {
    if (request.op === 'change') appendFileSync(bench.file, message('late'));
  };
  await bench.writer.expunge(bench.accountId, bench.inbox.id, [1, 2], false);
  bench.before = () => {};
  assert.equal(bench.read(), message('c') + message('late'));
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['3 c', '4 late']);
});

test('an append that was written before a crash is not written again', async (t) => {
  for (const stop of ['before', 'after'] as const) {
    const inner = await mboxBench(t, message('a'));
    inner[stop] = (request) => {
      if (request.op === 'add') throw new Error('killed');
    };
    const staged = inner.store.staging.stage(messageText('e'));
    await inner.writer.append(inner.accountId, inner.inbox.id, [{ message: staged, flags: 0, keywords: null, internalDate: 1e12 }]);
    inner[stop] = () => {};
    await inner.another().refresh(inner.accountId, { kind: 'all' });
    await inner.another().refresh(inner.accountId, { kind: 'all' });
    assert.deepEqual(await inner.shown(), ['1 a', '2 e'], stop);
    assert.equal(readFileSync(join(inner.home, 'mbox'), 'latin1').split('Subject: e').length, 2, stop);
  }
});

test('files below ~/mail are mailboxes; what is no mbox is left alone', async (t) => {
  const bench = await mboxBench(t, message('in'));
  const { writer, store, accountId } = bench;
  mkdirSync(join(bench.home, 'mail', 'Lists'), { recursive: true });
  writeFileSync(join(bench.home, 'mail', 'Lists', 'Cars'), message('cars'));
  writeFileSync(join(bench.home, 'mail', 'notes.txt'), 'Not mail.\n');
  await bench.refresh();
  assert.deepEqual(await bench.shown('Lists/Cars'), ['1 cars']);
  assert.equal(store.reader.mailboxByName(accountId, 'notes.txt'), null);
  const cars = store.reader.mailboxByName(accountId, 'Lists/Cars')!;
  await writer.copy(accountId, bench.inbox.id, [1], cars.id, true);
  assert.match(readFileSync(join(bench.home, 'mail/Lists/Cars'), 'latin1'), /Subject: cars[\s\S]*Subject: in/);
  assert.equal(bench.read(), '');
  await writer.renameMailbox(accountId, cars.id, 'Autos');
  assert.ok(existsSync(join(bench.home, 'mail/Autos')));
  await writer.deleteMailbox(accountId, cars.id);
  assert.ok(!existsSync(join(bench.home, 'mail/Autos')));
  assert.deepEqual(bench.warnings, []);
});
