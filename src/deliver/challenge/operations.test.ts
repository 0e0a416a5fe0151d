import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { digestMessage } from '../../mail/digest.ts';
import type { AdminContext } from '../../ports.ts';
import { openLocalStore, type LocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { accept, acceptInput, delivery, testDirectory } from '../../store/testing.ts';
import { DAY, defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { REPLY_OPERATIONS } from '../reply/operations.ts';
import { SORTING_ADMIN } from '../sorting/admin.ts';
import { findListed } from '../sorting/address-lists.ts';
import { SORTING_OPERATIONS } from '../sorting/operations.ts';
import { SORTING_SETTINGS } from '../sorting/settings.ts';
import { CHALLENGE_ADMIN } from './admin.ts';
import { CHALLENGE_OPERATIONS } from './operations.ts';
import { challengeStore } from './read.ts';
import { CHALLENGE_SETTINGS } from './settings.ts';
import { tokenHash, waitingKeyword } from './token.ts';

const NOW = 20_000 * DAY;

async function open(
  t: TestContext,
): Promise<{ store: LocalStore; accountId: number; clock: { now: number }; admin(name: string, args: object): Promise<any> }> {
  const clock = { now: NOW };
  const store = openLocalStore({
    dataDir: testDirectory(t),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: () => clock.now,
    operations: {
      ...REPLY_OPERATIONS,
      ...SORTING_OPERATIONS,
      ...CHALLENGE_OPERATIONS,
      'test.ofMachine': (tx, id: number) => void tx.run("UPDATE account SET source='system' WHERE id=?", id),
      'test.account': (tx, login: string) => {
        const id = tx.nextId('account');
        tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
        return id;
      },
    },
    journey: () => {},
  });
  t.after(() => store.close());
  const accountId = await store.writer.run<number>('test.account', 'anna@example.org');
  await store.writer.createMailbox(accountId, 'INBOX', 'inbox');
  const settings = { ...defaultsOf(CHALLENGE_SETTINGS), ...defaultsOf(SORTING_SETTINGS) };
  const context = { reader: store.reader, writer: store.writer, log: SILENT_LOG, settings: () => settings, now: () => clock.now } as unknown as AdminContext;
  const handlers = { ...CHALLENGE_ADMIN, ...SORTING_ADMIN };
  return { store, accountId, clock, admin: (name, args) => handlers[name]!(context, args, () => {}, new AbortController().signal) };
}

async function hold(store: LocalStore, accountId: number, author: string, subject: string): Promise<void> {
  const message = store.staging.stage(Buffer.from(`From: ${author}\r\nSubject: ${subject}\r\n\r\nx\r\n`));
  await accept(store, acceptInput(message, [delivery(accountId, { mailbox: { name: 'Waiting' }, keywords: `Other ${waitingKeyword(author)}` })]));
}
const subjects = (store: LocalStore, accountId: number, name: string): string[] => {
  const mailbox = store.reader.mailboxByName(accountId, name)!;
  return store.reader.envelopes(accountId, mailbox.id, 1, 1e9, 100).map(([, envelope]) => /^\(\S+ "([^"]*)"/.exec(envelope)![1]!);
};

test('nothing is switched on for users of this machine, whose own files sort their mail', async (t) => {
  const { store, accountId, admin } = await open(t);
  await store.writer.run('test.ofMachine', accountId);
  const user = 'anna@example.org';
  await assert.rejects(admin('challenge.on', { user }), /a user of this machine/);
  await assert.rejects(admin('spam.set', { user, values: { 'spam.junk': '5' } }), /a user of this machine/);
  await assert.rejects(admin('list.add', { user, kind: 'block', patterns: ['eve@example.com'] }), /a user of this machine/);
});

test('a challenge is opened once for each author, and found by token and author until its time is over', async (t) => {
  const { store, accountId, clock } = await open(t);
  const ask = (token: string, sender = 'bob@example.com'): Promise<boolean> =>
    store.writer.run('challenge.ask', { accountId, tokenHash: tokenHash(token), sender, until: clock.now + DAY });
  assert.deepEqual([await ask('one'), await ask('two'), await ask('three', 'eve@example.com')], [true, false, true]);
  const view = (): ReturnType<typeof challengeStore> => challengeStore(store.reader, accountId, clock.now);
  assert.equal(view().asked(tokenHash('one')), 'bob@example.com');
  assert.equal(view().asked(tokenHash('two')), null);
  assert.equal(challengeStore(store.reader, accountId + 1, clock.now).asked(tokenHash('one')), null);
  assert.deepEqual([view().isWaiting('bob@example.com'), view().isWaiting('carl@example.com')], [true, false]);
  clock.now += DAY;
  assert.deepEqual([view().asked(tokenHash('one')), view().isWaiting('bob@example.com')], [null, false]);
  assert.equal(await store.writer.run('challenge.answer', { accountId, mailbox: 'Waiting', tokenHash: tokenHash('one') }), null);
  assert.equal(await ask('four'), true);
  assert.equal(await store.writer.run('challenge.prune', { rowsMax: 10 }), 2);
});

test('an answer moves what waits of that author to the inbox, takes the keyword away, and puts the author on the allow list', async (t) => {
  const { store, accountId, clock } = await open(t);
  for (const [author, subject] of [
    ['bob@example.com', 'one'],
    ['eve@example.com', 'two'],
    ['bob@example.com', 'three'],
  ] as const)
    await hold(store, accountId, author, subject);
  await store.writer.run('challenge.ask', { accountId, tokenHash: tokenHash('t'), sender: 'bob@example.com', until: NOW + DAY });
  const answer = { accountId, mailbox: 'Waiting', tokenHash: tokenHash('t') };
  assert.deepEqual(await store.writer.run('challenge.answer', answer), { sender: 'bob@example.com', moved: 2, isPartial: false });
  assert.deepEqual(subjects(store, accountId, 'INBOX'), ['one', 'three']);
  assert.deepEqual(subjects(store, accountId, 'Waiting'), ['two']);
  const inbox = store.reader.mailboxByName(accountId, 'INBOX')!;
  assert.deepEqual([inbox.exists, store.reader.mailboxByName(accountId, 'Waiting')!.exists], [2, 1]);
  assert.deepEqual(
    store.reader.messages(accountId, inbox.id, 1, 1e9, 10).map((row) => row[3]),
    ['Other', 'Other'],
  );
  assert.equal(challengeStore(store.reader, accountId, clock.now).isKnown('bob@example.com'), true);
  assert.equal(await store.writer.run('challenge.answer', answer), null, 'a token works once');
});

test('whoever is written to is known, and need not answer any more', async (t) => {
  const { store, accountId, clock } = await open(t);
  await store.writer.run('challenge.ask', { accountId, tokenHash: tokenHash('t'), sender: 'bob@example.com', until: NOW + DAY });
  await store.writer.run('challenge.wrote', { accountId, to: ['bob@example.com'], until: NOW + DAY });
  const view = challengeStore(store.reader, accountId, clock.now);
  assert.deepEqual([view.isKnown('bob@example.com'), view.isWaiting('bob@example.com')], [true, false]);
});

test('switching on learns from the sent folder; list and release', async (t) => {
  const { store, accountId, admin } = await open(t);
  const sent = await store.writer.createMailbox(accountId, 'Sent', 'sent');
  const bytes = Buffer.from('From: anna@example.org\r\nTo: Carl <Carl@example.com>, d@example.com\r\nCc: e@example.com\r\n\r\nx\r\n');
  assert.ok(digestMessage(bytes).headerBytes > 0);
  await store.writer.append(accountId, sent.id, [{ message: store.staging.stage(bytes), flags: 0, keywords: null, internalDate: NOW }]);
  assert.deepEqual(await admin('challenge.on', { user: 'anna@example.org' }), { login: 'anna@example.org', known: 3 });
  assert.equal(challengeStore(store.reader, accountId, NOW).isKnown('carl@example.com'), true);
  await store.writer.run('challenge.ask', { accountId, tokenHash: tokenHash('t'), sender: 'bob@example.com', until: NOW + DAY });
  await hold(store, accountId, 'bob@example.com', 'one');
  const list = await admin('challenge.list', { user: 'anna@example.org' });
  assert.deepEqual([list.isOn, list.waiting.map((row: { sender: string }) => row.sender)], [true, ['bob@example.com']]);
  assert.equal((await admin('challenge.release', { user: 'anna@example.org', sender: 'Bob@example.com' })).moved, 1);
  await admin('challenge.off', { user: 'anna@example.org' });
  assert.equal((await admin('challenge.list', { user: 'anna@example.org' })).isOn, false);
});

test('preferences and lists by administration; an address is on one list only', async (t) => {
  const { store, accountId, admin } = await open(t);
  const user = 'anna@example.org';
  await admin('spam.set', { user, values: { 'spam.junk': '4', 'spam.discard': 'off' } });
  const view = await admin('spam.show', { user });
  assert.deepEqual([view.junk, view.discard, view.own], [4, null, ['spam.discard', 'spam.junk']]);
  await admin('spam.set', { user, values: { 'spam.junk': null } });
  assert.equal((await admin('spam.show', { user })).junk, 'judge');
  await assert.rejects(admin('spam.set', { user, values: { 'spam.junk': 'much' } }), /cannot be spam\.junk/);
  await assert.rejects(admin('spam.set', { user, values: { other: '1' } }), /no preference/);
  await assert.rejects(admin('spam.show', { user: 'nobody@example.org' }), /no user/);
  assert.equal((await admin('list.add', { user, kind: 'allow', patterns: ['Bob@example.com', '@.example.net'] })).added, 2);
  assert.equal((await admin('list.add', { user, kind: 'block', patterns: ['bob@example.com'] })).added, 1);
  assert.deepEqual(
    findListed(store.reader, accountId, ['bob@example.com', 'x@sub.example.net']).sort((a, b) => a.pattern.localeCompare(b.pattern)),
    [
      { kind: 'allow', pattern: '@.example.net' },
      { kind: 'block', pattern: 'bob@example.com' },
    ],
  );
  assert.deepEqual(
    (await admin('list.show', { user, kind: 'allow' })).map((row: { pattern: string }) => row.pattern),
    ['@.example.net'],
  );
  assert.equal((await admin('list.remove', { user, kind: 'block', patterns: ['bob@example.com'] })).removed, 1);
  await assert.rejects(admin('list.add', { user, kind: 'allow', patterns: ['x'] }), /neither an address/);
  await store.writer.run('preference.forgetAccount', { accountId });
  const left = await admin('spam.show', { user });
  assert.deepEqual([left.own, left.allowed], [[], 0]);
});
