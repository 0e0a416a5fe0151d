import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resolution } from '../ports.ts';
import { createDirectory } from './embedded.ts';
import { addTestAccount, testSettings, testStore } from './testing.ts';
import type { DirectorySettings } from './settings.ts';

function house(changes: Partial<DirectorySettings> = {}) {
  const store = testStore();
  const anna = addTestAccount(store, 'anna@example.org');
  const berta = addTestAccount(store, 'berta@example.org');
  const off = addTestAccount(store, 'off@example.org');
  store.run('account.disable', { id: off, isDisabled: true });
  store.run('domain.add', { name: 'example.net' });
  store.run('domain.add', { name: 'closed.example' });
  store.run('domain.disable', { name: 'closed.example', isDisabled: true });
  const settings = testSettings({ 'directory.addressLiterals': ['[192.0.2.1]'], domain: 'example.org', ...changes });
  const directory = createDirectory(store.reader, store.announcements, () => settings);
  const alias = (address: string, ...targets: string[]) => store.run('alias.add', { address, targets });
  const resolve = (address: string): Resolution => {
    const at = address.lastIndexOf('@');
    return directory.resolve({ local: address.slice(0, at), domain: address.slice(at + 1) });
  };
  /** "deliver anna@example.org+detail x@remote", sorted. */
  const where = (address: string): string => {
    const resolution = resolve(address);
    if (resolution.kind !== 'deliver') return resolution.kind;
    const local = resolution.local.map(({ address: a, detail }) => `${a.local}@${a.domain}${detail === null ? '' : '+' + detail}`);
    return [...local, ...resolution.remote.map((a) => `${a.local}@${a.domain}`)].sort().join(' ');
  };
  return { store, directory, alias, where, anna, berta, off };
}

test('addresses lead where the tables say', () => {
  const { alias, where, store } = house();
  alias('info@example.org', 'anna@example.org', 'berta@example.org', 'Someone@remote.example');
  alias('sales+eu@example.org', 'berta@example.org');
  alias('team@example.net', 'info@example.org', 'anna@example.org');
  alias('berta@example.org', 'berta@example.org', 'copy@remote.example');
  alias('forward@example.org', 'gone@remote.example');
  alias('dead@example.org', 'nobody@example.org');
  alias('asleep@example.org', 'off@example.org');
  alias('a@example.org', 'b@example.org');
  alias('b@example.org', 'a@example.org');
  alias('c@example.org', 'b@example.org', 'anna@example.org');
  store.run('domain.catchall', { name: 'example.net', target: 'anna@example.org' });
  for (const [address, expected] of [
    ['anna@example.org', 'anna@example.org'],
    ['ANNA@example.org', 'anna@example.org'],
    ['anna@EXAMPLE.org', 'anna@example.org'],
    ['anna+shop@example.org', 'anna@example.org+shop'],
    ['anna+shop+b@example.org', 'anna@example.org+shop+b'],
    ['anna+@example.org', 'anna@example.org+'],
    ['+anna@example.org', 'unknown'],
    ['nobody@example.org', 'unknown'],
    ['nobody+anna@example.org', 'unknown'],
    ['off@example.org', 'disabled'],
    ['any@closed.example', 'disabled'],
    ['any@foreign.example', 'foreign'],
    ['any@[192.0.2.2]', 'foreign'],
    ['anna@[192.0.2.1]', 'anna@example.org'],
    ['info@example.org', 'Someone@remote.example anna@example.org berta@example.org copy@remote.example'],
    ['info+x@example.org', 'Someone@remote.example anna@example.org+x berta@example.org+x copy@remote.example'],
    ['sales+eu@example.org', 'berta@example.org copy@remote.example'],
    ['sales@example.org', 'unknown'],
    ['team@example.net', 'Someone@remote.example anna@example.org berta@example.org copy@remote.example'],
    ['whoever@example.net', 'anna@example.org'],
    ['berta@example.org', 'berta@example.org copy@remote.example'],
    ['forward@example.org', 'gone@remote.example'],
    ['dead@example.org', 'unknown'],
    ['asleep@example.org', 'disabled'],
    ['a@example.org', 'loop'],
    ['c@example.org', 'anna@example.org'],
    ['postmaster@example.org', 'anna@example.org'],
    ['Abuse@example.net', 'anna@example.org'],
    ['postmaster@', 'anna@example.org'],
    ['anna@', 'foreign'],
  ] as const)
    assert.equal(where(address), expected, address);
});

test('an expansion without end is a loop: too deep, or too wide', () => {
  const { alias, where } = house({ 'directory.aliasTargetsMax': 20 });
  for (let n = 0; n < 12; n += 1) alias(`deep${n}@example.org`, n === 11 ? 'anna@example.org' : `deep${n + 1}@example.org`);
  assert.equal(where('deep0@example.org'), 'loop');
  assert.equal(where('deep3@example.org'), 'anna@example.org');
  alias('wide@example.org', ...Array.from({ length: 21 }, (_, n) => `u${n}@remote.example`));
  assert.equal(where('wide@example.org'), 'loop');
});

test('postmaster and abuse go to the configured address, but an alias of their own comes first', () => {
  const { alias, where } = house({ 'directory.postmaster': 'Berta@example.org' });
  assert.equal(where('postmaster@example.org'), 'berta@example.org');
  assert.equal(where('abuse+x@example.net'), 'berta@example.org');
  alias('abuse@example.net', 'anna@example.org');
  assert.equal(where('abuse@example.net'), 'anna@example.org');
});

test('other delimiters, or none', () => {
  assert.equal(house({ 'directory.recipientDelimiters': '-+' }).where('anna-x@example.org'), 'anna@example.org+x');
  assert.equal(house({ 'directory.recipientDelimiters': '' }).where('anna+x@example.org'), 'unknown');
});

test('a change is seen at once though answers are cached', () => {
  const { store, where, alias, directory } = house();
  assert.equal(where('new@example.org'), 'unknown');
  const id = addTestAccount(store, 'new@example.org');
  assert.equal(where('new@example.org'), 'new@example.org');
  assert.equal(directory.account(id)?.login, 'new@example.org');
  alias('other@example.org', 'new@example.org');
  assert.equal(where('other@example.org'), 'new@example.org');
  store.run('account.remove', { id, limit: 100 });
  assert.equal(where('other@example.org'), 'unknown');
  assert.equal(directory.account(id), null);
});

test('one may log in with the address, an alias of one account only, or without the domain', () => {
  const { directory, alias, anna } = house();
  alias('anna.meier@example.net', 'anna@example.org');
  alias('both@example.org', 'anna@example.org', 'berta@example.org');
  alias('out@example.org', 'anna@example.org', 'x@remote.example');
  assert.equal(directory.accountByLogin('Anna@Example.ORG')?.id, anna);
  assert.equal(directory.accountByLogin('anna.meier@example.net')?.id, anna);
  assert.equal(directory.accountByLogin('anna')?.id, anna);
  for (const login of ['both@example.org', 'out@example.org', 'anna+x@example.org', 'postmaster@example.org', 'nobody', '', '@', 'anna@', '@example.org'])
    assert.equal(directory.accountByLogin(login), null, login);
  assert.equal(directory.accountByLogin('off@example.org')?.isDisabled, true);
});

test('one may send as oneself, with detail, as an alias and as the catch-all, but not as another user', () => {
  const { directory, alias, store, anna, berta } = house();
  alias('info@example.org', 'anna@example.org');
  alias('berta@example.org', 'anna@example.org'); // berta's mail goes to anna
  store.run('domain.catchall', { name: 'example.net', target: 'anna@example.org' });
  const may = (id: number, address: string): boolean => {
    const at = address.lastIndexOf('@');
    return directory.maySendAs(id, { local: address.slice(0, at), domain: address.slice(at + 1) });
  };
  for (const address of ['anna@example.org', 'Anna+x@example.org', 'info@example.org', 'info+y@example.org', 'any@example.net'])
    assert.equal(may(anna, address), true, address);
  for (const address of ['berta@example.org', 'berta+x@example.org', 'nobody@example.org', 'anna@foreign.example', 'off@example.org'])
    assert.equal(may(anna, address), false, address);
  assert.equal(may(berta, 'berta@example.org'), true);
  assert.equal(may(berta, 'info@example.org'), false);
});
