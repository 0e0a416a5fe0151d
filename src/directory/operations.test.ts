import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../system/failure.ts';
import { addTestAccount, testStore } from './testing.ts';

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('a new account has its six mailboxes, subscribed, with UIDVALIDITYs of its own', () => {
  const store = testStore();
  const id = addTestAccount(store, 'anna@example.org');
  const rows = store.reader.rows(
    'SELECT name, role, is_subscribed, is_selectable, uid_validity, uid_next, highest_modseq FROM mailbox WHERE account_id=? ORDER BY id',
    id,
  );
  assert.deepEqual(
    rows.map(([name, role]) => [name, role]),
    [
      ['INBOX', 'inbox'],
      ['Sent', 'sent'],
      ['Drafts', 'drafts'],
      ['Trash', 'trash'],
      ['Junk', 'junk'],
      ['Archive', 'archive'],
    ],
  );
  for (const [n, row] of rows.entries()) assert.deepEqual(row.slice(2), [1, 1, 1_700_000_000 + n, 1, 1]);
  assert.deepEqual(store.reader.rows('SELECT next_uid_validity FROM account')[0], [1_700_000_006]);
});

test('ids of removed accounts are not given again', () => {
  const store = testStore();
  const first = addTestAccount(store, 'anna@example.org');
  assert.deepEqual(store.run('account.remove', { id: first, limit: 10 }), { isDone: true, messages: 0 });
  assert.ok(addTestAccount(store, 'anna@example.org') > first);
});

test('an account made again under its old name within the same second shares no UIDVALIDITY with the old one', () => {
  const store = testStore();
  const validities = (id: number) => store.reader.rows('SELECT uid_validity FROM mailbox WHERE account_id=?', id).flat();
  const first = addTestAccount(store, 'anna@example.org');
  const before = validities(first);
  store.run('account.remove', { id: first, limit: 10 });
  const after = validities(addTestAccount(store, 'anna@example.org'));
  assert.deepEqual(
    after.filter((value) => before.includes(value)),
    [],
  );
});

test('what exists is not added again, and what is missing not changed', () => {
  const store = testStore();
  addTestAccount(store, 'anna@example.org');
  const account = { displayName: null, hash: 'x', scram: null, quotaBytes: 0, quotaMessages: 0, withDomain: false };
  assert.throws(() => store.run('account.add', { ...account, login: 'anna@example.org' }), failsWith('exists'));
  assert.throws(() => store.run('account.add', { ...account, login: 'anna@example.net' }), failsWith('noSuchEntry'));
  assert.throws(() => store.run('domain.add', { name: 'example.org' }), failsWith('exists'));
  assert.throws(() => store.run('domain.remove', { name: 'example.org' }), failsWith('cannot'));
  assert.throws(() => store.run('domain.remove', { name: 'example.net' }), failsWith('noSuchEntry'));
  assert.throws(() => store.run('account.passwd', { id: 99, hash: 'x', scram: null }), failsWith('noSuchAccount'));
  assert.throws(() => store.run('account.remove', { id: 99, limit: 1 }), failsWith('noSuchAccount'));
  assert.throws(() => store.run('alias.add', { address: 'a@example.net', targets: ['b@c'] }), failsWith('noSuchEntry'));
  store.run('alias.add', { address: 'a@example.org', targets: ['b@c', 'b@c'] });
  assert.throws(() => store.run('alias.add', { address: 'a@example.org', targets: ['b@c'] }), failsWith('exists'));
  assert.throws(() => store.run('alias.remove', { address: 'a@example.org', targets: ['x@y'] }), failsWith('noSuchEntry'));
  assert.throws(() => store.run('alias.remove', { address: 'z@example.org', targets: null }), failsWith('noSuchEntry'));
});

test('removing an account takes its messages in steps, keeps shared blobs, and leaves nothing behind', () => {
  const store = testStore();
  const anna = addTestAccount(store, 'anna@example.org');
  const berta = addTestAccount(store, 'berta@example.org');
  store.run('alias.add', { address: 'info@example.org', targets: ['anna@example.org', 'berta@example.org'] });
  store.run('domain.catchall', { name: 'example.org', target: 'anna@example.org' });
  const exec = (sql: string) => store.db.exec(sql);
  // Blob 1 belongs to anna alone and twice (a copy), blob 2 to both.
  exec("INSERT INTO blob (id, refs, bytes, codec, data) VALUES (1, 1, 3, 0, 'abc'), (2, 2, 3, 0, 'def')");
  const email = (id: number, account: number, refs: number, blob: number) =>
    exec(
      `INSERT INTO email (id, account_id, refs, blob_id, prefix, blob_bytes, header_bytes, envelope, body_structure, saved_at) VALUES (${id}, ${account}, ${refs}, ${blob}, '', 3, 3, '', '', 0)`,
    );
  const message = (account: number, mailbox: number, uid: number, emailId: number) =>
    exec(
      `INSERT INTO message (account_id, mailbox_id, uid, modseq, flags, internal_date, saved_at, size, email_id) VALUES (${account}, ${mailbox}, ${uid}, 1, 0, 0, 0, 3, ${emailId})`,
    );
  email(1, anna, 2, 1);
  email(2, anna, 1, 2);
  email(3, berta, 1, 2);
  message(anna, 1, 1, 1);
  message(anna, 1, 2, 2);
  message(anna, 2, 1, 1);
  message(berta, 7, 1, 3);

  assert.deepEqual(store.run('account.remove', { id: anna, limit: 2 }), { isDone: false, messages: 2 });
  assert.deepEqual(store.reader.rows('SELECT is_disabled FROM account WHERE id=?', anna), [[1]]);
  assert.deepEqual(store.run('account.remove', { id: anna, limit: 2 }), { isDone: true, messages: 1 });
  assert.deepEqual(store.reader.rows('SELECT id, refs FROM blob'), [[2, 1]]);
  assert.deepEqual(store.reader.rows('SELECT id FROM email'), [[3]]);
  assert.deepEqual(store.reader.rows('SELECT account_id FROM message'), [[berta]]);
  assert.deepEqual(store.reader.rows('SELECT count(*) FROM mailbox WHERE account_id=?', anna), [[0]]);
  assert.deepEqual(store.reader.rows('SELECT count(*) FROM credential WHERE account_id=?', anna), [[0]]);
  assert.deepEqual(store.reader.rows('SELECT target FROM alias'), [['berta@example.org']]);
  assert.deepEqual(store.reader.rows('SELECT catch_all FROM domain'), [[null]]);
});

test('a hash is only renewed while it is the one that was checked', () => {
  const store = testStore();
  addTestAccount(store, 'anna@example.org');
  assert.deepEqual(store.run('credential.rehash', { id: 1, oldHash: '{PLAIN}other', hash: 'new', scram: null }), { isChanged: false });
  assert.deepEqual(store.run('credential.rehash', { id: 1, oldHash: '{PLAIN}secret', hash: 'new', scram: 's' }), { isChanged: true });
  assert.deepEqual(store.reader.rows('SELECT hash, scram FROM credential'), [['new', 's']]);
});

test('an app password is added and removed; the main password is not removed with it', () => {
  const store = testStore();
  const accountId = addTestAccount(store, 'anna@example.org');
  const app = { accountId, label: 'phone', hash: 'h', scram: null, scopes: 'imap' };
  const { id } = store.run('credential.add', app);
  assert.throws(() => store.run('credential.add', app), failsWith('exists'));
  store.run('credential.remove', { accountId, id, label: null });
  assert.throws(() => store.run('credential.remove', { accountId, id: 1, label: null }), failsWith('noSuchEntry'));
  assert.throws(() => store.run('credential.remove', { accountId, id: null, label: '' }), failsWith('noSuchEntry'));
  assert.equal(store.reader.rows('SELECT 1 FROM credential').length, 1);
});
