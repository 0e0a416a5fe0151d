import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLAG } from '../../ports.ts';
import { addAccount, messageText, openTestStore } from '../../store/testing.ts';
import { settle, talk, TestServer } from './testing.ts';
import { MailboxView } from './view.ts';

const MANY = 40;

function server(): TestServer {
  const made = new TestServer();
  for (let i = 1; i <= MANY; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n`, { flags: i % 2 === 0 ? FLAG.seen : 0 });
  made.store.claimRecent(1, made.inbox, MANY + 1);
  return made;
}

const lines = (line: (n: number) => string, from = 1, to = MANY): string => Array.from({ length: to - from + 1 }, (_, i) => `S: ${line(from + i)}\n`).join('');

test('STORE of many messages answers for each of them, and tells the client no second time', async () => {
  const made = server();
  const client = await made.client('INBOX');
  const seen = (n: number): string => (n % 2 === 0 ? ' \\Seen' : '');
  await talk(client, `C: a STORE 1:* +FLAGS (\\Flagged)\n${lines((n) => `* ${n} FETCH (FLAGS (\\Flagged${seen(n)}))`)}S: a OK STORE completed`);
  await talk(client, `C: b UID STORE 1:* -FLAGS (\\Seen)\n${lines((n) => `* ${n} FETCH (UID ${n} FLAGS (\\Flagged))`)}S: b OK STORE completed`);
  await talk(client, 'C: c STORE 1:* -FLAGS.SILENT (\\Flagged)\nS: c OK STORE completed\nC: d NOOP\nS: d OK NOOP completed');
  await talk(client, 'C: e FETCH 7:8 FLAGS\nS: * 7 FETCH (FLAGS ())\nS: * 8 FETCH (FLAGS ())\nS: e OK FETCH completed');
});

test('other sessions hear what a STORE of many messages has changed, and nothing of what was so before', async () => {
  const made = server();
  const one = await made.client('INBOX');
  const two = await made.client('INBOX');
  await talk(one, 'C: a STORE 1:35 +FLAGS.SILENT (\\Seen)\nS: a OK STORE completed');
  const odd = Array.from({ length: 18 }, (_, i) => `S: * ${2 * i + 1} FETCH (FLAGS (\\Seen))\n`).join('');
  await talk(two, `C: a NOOP\n${odd}S: a OK NOOP completed`);
  await talk(one, 'C: b NOOP\nS: b OK NOOP completed\nC: c STATUS INBOX (UNSEEN)\nS: * STATUS INBOX (UNSEEN 2)\nS: c OK STATUS completed');
});

test('with CONDSTORE the mod-sequence is told, with .SILENT for what was changed alone', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await client.exchange('a FETCH 1 (MODSEQ)\r\n');
  const text = await client.exchange('b STORE 1:* +FLAGS.SILENT (\\Seen)\r\n');
  const told = text.split('\r\n').filter((line) => /^\* \d+ FETCH \(UID \d+ MODSEQ \(\d+\)\)$/.test(line));
  assert.equal(told.length, MANY / 2);
  assert.equal(new Set(told.map((line) => /MODSEQ \((\d+)\)/.exec(line)![1])).size, 1);
  assert.equal(await client.exchange('c NOOP\r\n'), 'c OK NOOP completed\r\n');
});

test('a change by another session in between is told in spite of .SILENT', async () => {
  const made = server();
  const client = await made.client('INBOX');
  const { sweep } = made.store;
  made.store.sweep = async (...args) => {
    await made.store.flags(1, made.inbox, [3], 'add', FLAG.draft, []);
    return sweep.apply(made.store, args);
  };
  const text = await client.exchange('a STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n');
  assert.match(text, /\* 3 FETCH \(FLAGS \(\\Flagged \\Draft\)\)\r\n/);
  assert.match(text, /a OK STORE completed\r\n$/);
});

test('a change of nothing tells no mod-sequence with .SILENT', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await client.exchange('a ENABLE CONDSTORE\r\n');
  await client.exchange('b STORE 1:* +FLAGS.SILENT (\\Seen)\r\n');
  await talk(client, 'C: c STORE 1:* +FLAGS.SILENT (\\Seen)\nS: c OK STORE completed');
});

test('a change by another session is told in spite of .SILENT when the mailbox is being read again', async () => {
  const made = server();
  const client = await made.client('INBOX');
  const { sweep } = made.store;
  made.store.sweep = async (...args) => {
    made.store.announceResync(made.inbox);
    await made.store.flags(1, made.inbox, [3], 'add', FLAG.draft, []);
    return sweep.apply(made.store, args);
  };
  const text = await client.exchange('a STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n');
  assert.match(text + (await client.exchange('b NOOP\r\n')), /\* 3 FETCH \(FLAGS \(\\Flagged \\Draft\)\)\r\n/);
});

test('a change by another session between two pages of a STORE is told in spite of .SILENT', async () => {
  const made = new TestServer();
  const last = 10_040;
  for (let i = 0; i < last; i += 1) made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  made.store.claimRecent(1, made.inbox, last + 1);
  const client = await made.client('INBOX');
  const { sweep } = made.store;
  let pages = 0;
  made.store.sweep = async (...args) => {
    pages += 1;
    const result = await sweep.apply(made.store, args);
    if (pages === 1) await made.store.flags(1, made.inbox, [last], 'add', FLAG.draft, []);
    return result;
  };
  const text = await client.exchange('a STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n');
  assert.equal(pages, 2);
  assert.match(text, new RegExp(`\\* ${last} FETCH \\(FLAGS \\(\\\\Flagged \\\\Draft\\)\\)\r\n`));
});

test('messages that are gone by the time are a NO for sequence numbers, and passed over by UID', async () => {
  for (const [command, end] of [
    ['STORE', 'NO [EXPUNGEISSUED] Some of the messages no longer exist'],
    ['UID STORE', 'OK STORE completed'],
  ]) {
    const made = server();
    const client = await made.client('INBOX');
    const { sweep } = made.store;
    made.store.sweep = async (...args) => {
      await made.store.expunge(1, made.inbox, [2], false);
      return sweep.apply(made.store, args);
    };
    const text = await client.exchange(`a ${command} 1:* +FLAGS (\\Flagged)\r\n`);
    assert.doesNotMatch(text, /^\* 2 FETCH/m);
    assert.match(text, /^\* 3 FETCH .*\\Flagged/m);
    assert.ok(text.endsWith(`a ${end}\r\n`), text.slice(-200));
  }
});

test('the answer is true also while announcements are still on their way', async () => {
  const made = server();
  const client = await made.client('INBOX');
  const late: (() => void)[] = [];
  made.store.announce = (send) => void late.push(send);
  const text = await client.exchange('a STORE 1:* +FLAGS (\\Deleted)\r\n');
  assert.equal(text.match(/\\Deleted/g)!.length, MANY);
  for (const send of late) send();
  await settle();
  assert.equal(await client.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
});

test('property: whatever is changed in one commit, views brought forward by announcements end equal to the rows, and the counts are true', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  const range = fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 0, max: 30 }));
  const bits = fc.integer({ min: 1, max: 31 });
  const mode = fc.constantFrom('add' as const, 'remove' as const);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('sweep' as const), range, bits, mode }),
    fc.record({ kind: fc.constant('flags' as const), range, bits, mode }),
    fc.record({ kind: fc.constant('expunge' as const), range }),
    fc.record({ kind: fc.constant('append' as const), bits }),
    fc.record({ kind: fc.constant('copy' as const), range, move: fc.boolean() }),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
  const append = (flags: number): Promise<unknown> => {
    const message = store.staging.stage(messageText('x', flags));
    return store.writer.append(id, inbox.id, [{ message, flags, keywords: null, internalDate: 1 }]);
  };
  const uidsOf = ([from, more]: [number, number]): number[] => Array.from({ length: more + 1 }, (_, i) => from + i);
  const perform = (one: Step): Promise<unknown> => {
    switch (one.kind) {
      case 'sweep':
        return store.writer.sweep(id, inbox.id, [one.range[0], one.range[0] + one.range[1], 95, 100], one.mode, one.bits);
      case 'flags':
        return store.writer.flags(id, inbox.id, uidsOf(one.range), one.mode, one.bits, []);
      case 'expunge':
        return store.writer.expunge(id, inbox.id, uidsOf(one.range), true);
      case 'append':
        return append(one.bits);
      default:
        return store.writer.copy(id, inbox.id, uidsOf(one.range).slice(0, 3), inbox.id, one.move);
    }
  };
  const open = (): MailboxView => {
    const view = new MailboxView(store.reader, store.reader.mailboxById(id, inbox.id)!);
    view.stopWatching = store.announcements.watchMailbox(id, inbox.id, (announcement) => view.apply(announcement));
    void view.load();
    return view;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 4 }), async (commits) => {
      await store.writer.run('test.sql', 'UPDATE mailbox SET uid_next=1');
      for (const table of ['message', 'email', 'blob', 'expunged']) await store.writer.run('test.sql', `DELETE FROM ${table}`);
      await store.writer.run('test.sql', 'UPDATE mailbox SET message_count=0, unseen_count=0, deleted_count=0, bytes=0');
      await Promise.all(Array.from({ length: 60 }, (_, i) => append(i % 32)));
      const view = open();
      for (const commit of commits) await Promise.all(commit.map(perform));
      const rows = store.reader.states(id, inbox.id, 0, 0xffffffff, 1000);
      const found = Array.from({ length: view.count }, (_, i) => [view.uids[i], view.modseqs[i], view.flags[i], null]);
      assert.deepEqual(found, rows);
      const { exists, unseen, deleted, bytes } = store.reader.mailboxById(id, inbox.id)!;
      const [sums] = store.reader.rows('SELECT count(*), total(flags & 1 = 0), total(flags & 8 <> 0), total(size) FROM message');
      assert.deepEqual([exists, unseen, deleted, bytes], sums);
      // Nobody refers to what nobody has, and nobody has what is not there.
      assert.deepEqual(store.reader.rows('SELECT id FROM email e WHERE refs<>(SELECT count(*) FROM message WHERE email_id=e.id)'), []);
      assert.deepEqual(store.reader.rows('SELECT id FROM blob b WHERE refs<>(SELECT count(*) FROM email WHERE blob_id=b.id)'), []);
      assert.deepEqual(store.reader.rows('SELECT uid FROM message WHERE email_id NOT IN (SELECT id FROM email)'), []);
      view.stopWatching();
    }),
    { seed: 7, numRuns: 25 },
  );
});
