import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDirectory } from './embedded.ts';
import { watchLogin } from './logins.ts';
import { addTestAccount, testSettings, testStore } from './testing.ts';

/** Anna with her main password (credential 1) and an app password, berta with hers; each has a session. */
function house() {
  const store = testStore();
  const settings = testSettings();
  const directory = createDirectory(store.reader, store.announcements, () => settings);
  const context = { directory, reader: store.reader, announcements: store.announcements };
  const anna = addTestAccount(store, 'anna@example.org');
  const berta = addTestAccount(store, 'berta@example.org');
  const { id: app } = store.run('credential.add', { accountId: anna, label: 'phone', hash: '{PLAIN}x', scram: null, scopes: 'imap' });
  const ended: string[] = [];
  const open = (accountId: number, credentialId: number | undefined, name: string) =>
    watchLogin(context, directory.account(accountId)!, credentialId, () => ended.push(name));
  open(anna, 1, 'main');
  open(anna, app, 'phone');
  open(anna, undefined, 'proxy');
  open(berta, 2, 'berta');
  return { store, anna, berta, app, ended, open };
}

test('a switched off account ends all its sessions and no others', () => {
  const { store, anna, ended } = house();
  store.run('account.disable', { id: anna, isDisabled: true });
  assert.deepEqual(ended, ['main', 'phone', 'proxy']);
});

test('a removed account ends its sessions with the first step', () => {
  const { store, berta, ended } = house();
  store.run('account.remove', { id: berta, limit: 10 });
  assert.ok(ended.includes('berta'));
});

test('a new password ends the sessions of the old one; an app password its own', () => {
  const { store, anna, app, ended } = house();
  store.run('account.passwd', { id: anna, hash: '{PLAIN}new', scram: null });
  assert.deepEqual(ended, ['main']);
  store.run('credential.remove', { accountId: anna, id: app, label: null });
  assert.ok(ended.includes('phone'));
  assert.ok(!ended.includes('berta'));
});

test('a password kept in a better form, an alias, a quota and a new user end nothing', () => {
  const { store, anna, ended } = house();
  store.run('credential.rehash', { id: 1, oldHash: '{PLAIN}secret', hash: '{PLAIN}better', scram: null });
  store.run('alias.add', { address: 'info@example.org', targets: ['anna@example.org'] });
  store.run('account.quota', { id: anna, quotaBytes: 1, quotaMessages: 1 });
  addTestAccount(store, 'carl@example.org');
  assert.deepEqual(ended, []);
});

test('a domain that is switched off ends the sessions of its accounts', () => {
  const { store, ended } = house();
  store.run('domain.disable', { name: 'example.org', isDisabled: true });
  assert.deepEqual(ended.sort(), ['berta', 'main', 'phone', 'proxy']);
});

test('a session that has closed is not told any more', () => {
  const { store, anna, ended, open } = house();
  open(anna, 1, 'closed')();
  store.run('account.disable', { id: anna, isDisabled: true });
  assert.ok(!ended.includes('closed'));
});
