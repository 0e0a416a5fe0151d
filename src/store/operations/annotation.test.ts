import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Announcement, FailureCode } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { annotationsBelow, entryProblem, imapSieveScripts, readAnnotation } from '../annotations.ts';
import { addAccount, openTestStore, type TestStore } from '../testing.ts';
import type { AnnotationsInput } from './annotation.ts';

const LIMITS = { valueBytesMax: 100, entriesMax: 3, accountEntriesMax: 5 };

function set(store: TestStore, accountId: number, mailboxId: number, values: Record<string, string | null>): Promise<void> {
  const changes = Object.entries(values).map(([entry, value]) => ({ entry, value: value === null ? null : Buffer.from(value) }));
  const input: AnnotationsInput = { accountId, mailboxId, changes, limits: LIMITS, by: 'test' };
  return store.writer.run('metadata.set', input);
}

function get(store: TestStore, accountId: number, mailboxId: number, entry: string): string | null {
  const value = readAnnotation(store.reader, accountId, mailboxId === 0 ? null : store.reader.mailboxById(accountId, mailboxId)!, entry);
  return value === null ? null : Buffer.from(value).toString();
}

const refused =
  (code: FailureCode) =>
  (error: unknown): boolean =>
    error instanceof Failure && error.code === code;

test('annotations are set, replaced and removed, each account and mailbox its own, and announced', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  const other = await addAccount(store, 'b@example.org');
  const heard: Announcement[] = [];
  store.announcements.watchAccount(id, (news) => heard.push(news));
  await set(store, id, inbox.id, { '/private/comment': 'one', '/shared/comment': '' });
  await set(store, id, 0, { '/private/comment': 'server' });
  await set(store, id, inbox.id, { '/private/comment': 'two', '/shared/comment': null });
  assert.equal(get(store, id, inbox.id, '/private/comment'), 'two');
  assert.equal(get(store, id, inbox.id, '/shared/comment'), null);
  assert.equal(get(store, id, 0, '/private/comment'), 'server');
  assert.equal(get(store, other.id, other.inbox.id, '/private/comment'), null);
  assert.deepEqual(heard.at(-1), { kind: 'metadata', accountId: id, mailboxId: inbox.id, entries: ['/private/comment', '/shared/comment'], by: 'test' });
  await assert.rejects(set(store, id, other.inbox.id, { '/private/x': '1' }), refused('noSuchMailbox'));
});

test('bounds: bytes of a value, entries of a mailbox and of an account; removing is always possible', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  await assert.rejects(set(store, id, inbox.id, { '/private/a': '1', '/private/b': 'x'.repeat(101) }), refused('messageTooBig'));
  await set(store, id, inbox.id, { '/private/a': '1', '/private/b': '2', '/private/c': '3' });
  await assert.rejects(set(store, id, inbox.id, { '/private/a': 'x', '/private/d': '4' }), refused('limit'));
  assert.equal(get(store, id, inbox.id, '/private/a'), '1');
  await set(store, id, inbox.id, { '/private/a': null, '/private/d': '4' });
  await set(store, id, 0, { '/private/a': '1', '/private/b': '2' });
  await assert.rejects(set(store, id, 0, { '/private/c': '3' }), refused('limit'));
  await set(store, id, 0, { '/private/a': 'again' });
});

test('they go with the mailbox when it is renamed, are gone with it, and stay on INBOX when that is renamed', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  const work = await store.writer.createMailbox(id, 'work');
  await store.writer.createMailbox(id, 'work/below');
  await set(store, id, work.id, { '/private/comment': 'of work' });
  await store.writer.renameMailbox(id, work.id, 'job');
  assert.equal(get(store, id, store.reader.mailboxByName(id, 'job')!.id, '/private/comment'), 'of work');
  await store.writer.deleteMailbox(id, work.id);
  const left = store.reader.mailboxByName(id, 'job')!;
  assert.equal(left.isSelectable, false);
  assert.equal(get(store, id, left.id, '/private/comment'), null);
  // A name that only holds others may have some.
  await set(store, id, left.id, { '/private/comment': 'of the name' });
  await store.writer.createMailbox(id, 'job');
  assert.equal(get(store, id, store.reader.mailboxByName(id, 'job')!.id, '/private/comment'), null);
  await set(store, id, inbox.id, { '/private/comment': 'of the inbox', '/shared/imapsieve/script': 'main' });
  await store.writer.renameMailbox(id, inbox.id, 'old');
  const [fresh, old] = ['INBOX', 'old'].map((name) => store.reader.mailboxByName(id, name)!);
  assert.deepEqual(
    [fresh, old].map((row) => get(store, id, row!.id, '/private/comment')),
    ['of the inbox', 'of the inbox'],
  );
  assert.deepEqual(
    [...imapSieveScripts(store.reader, id)].sort(),
    [
      [fresh!.id, 'main'],
      [old!.id, 'main'],
    ].sort(),
  );
  assert.deepEqual(store.reader.rows('SELECT count(*) FROM annotation WHERE mailbox_id NOT IN (SELECT id FROM mailbox)'), [[0]]);
});

test('/private/specialuse is the role of the mailbox, within the rules for roles', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  const [spam, other] = [await store.writer.createMailbox(id, 'Spam'), await store.writer.createMailbox(id, 'Other')];
  const entry = '/private/specialuse';
  assert.equal(get(store, id, spam.id, entry), null);
  await set(store, id, spam.id, { [entry]: '\\junk', '/private/comment': 'too' });
  assert.equal(get(store, id, spam.id, entry), '\\Junk');
  assert.equal(store.reader.mailboxByName(id, 'Spam')!.role, 'junk');
  await assert.rejects(set(store, id, other.id, { [entry]: '\\Junk', '/private/comment': 'x' }), refused('cannot'));
  assert.equal(get(store, id, other.id, '/private/comment'), null);
  await assert.rejects(set(store, id, inbox.id, { [entry]: '\\Sent' }), refused('cannot'));
  await assert.rejects(set(store, id, other.id, { [entry]: '\\Sent \\Trash' }), refused('cannot'));
  await set(store, id, spam.id, { [entry]: null });
  await set(store, id, other.id, { [entry]: '\\Junk' });
  assert.equal(store.reader.mailboxByName(id, 'Other')!.role, 'junk');
  const mailbox = store.reader.mailboxById(id, other.id);
  assert.deepEqual(
    annotationsBelow(store.reader, id, mailbox, '/private', Number.POSITIVE_INFINITY).map(([name, value]) => [name, String(value)]),
    [[entry, '\\Junk']],
  );
});

test('names of entries', () => {
  for (const good of ['/private/comment', '/SHARED/Comment', '/shared/vendor/a/b', '/private/a b"c']) assert.equal(entryProblem(good, false), null, good);
  for (const bad of ['', 'x', '/private', '/private/', '/private//x', '/none/x', '/private/*', '/private/ü', '/private/\t', '/shared/vendor/a'])
    assert.notEqual(entryProblem(bad, false), null, bad);
  assert.equal(entryProblem('/private', true), null);
});
