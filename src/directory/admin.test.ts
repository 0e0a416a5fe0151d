import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminContext } from '../ports.ts';
import { DIRECTORY_ADMIN } from './admin.ts';
import { createDirectory } from './embedded.ts';
import { verifyPassword } from './password.ts';
import { testSettings, testStore } from './testing.ts';

function house() {
  const store = testStore();
  const settings = testSettings({ 'auth.argon2Memory': 65536, 'auth.argon2Passes': 1, 'auth.scramIterations': 4096 });
  const silent = () => {};
  const context = {
    reader: store.reader,
    writer: store.writer,
    directory: createDirectory(store.reader, store.announcements, () => settings),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    settings: () => settings,
    now: () => store.now,
  } as unknown as AdminContext;
  const call = (name: string, args: unknown = {}): Promise<any> => DIRECTORY_ADMIN[name]!(context, args, () => {}, new AbortController().signal);
  return { store, call };
}

test('domains, users and aliases are added, listed and removed', async () => {
  const { call } = house();
  assert.deepEqual(await call('domain.add', { domain: 'Bücher.example.' }), { domain: 'xn--bcher-kva.example' });
  await call('domain.add', { domain: 'example.org' });
  assert.equal((await call('user.add', { login: 'Anna@Example.org', password: 'long enough', quotaBytes: 1000 })).password, null);
  await call('alias.add', { address: 'info@bücher.example', targets: ['anna@example.org', 'Other@Remote.example'] });
  await call('domain.catchall', { domain: 'example.org', target: 'anna@example.org' });
  assert.deepEqual(
    (await call('domain.list')).map((row: any) => [row.name, row.users, row.aliases, row.catchAll]),
    [
      ['example.org', 1, 0, 'anna@example.org'],
      ['xn--bcher-kva.example', 0, 1, null],
    ],
  );
  assert.deepEqual(await call('alias.list', { domain: 'xn--bcher-kva.example' }), [
    { address: 'info@xn--bcher-kva.example', targets: ['Other@remote.example', 'anna@example.org'], isForwarding: false },
  ]);
  assert.deepEqual(await call('alias.list', { domain: 'example.org' }), []);
  const [user] = await call('user.list', { domain: 'example.org' });
  assert.deepEqual([user.login, user.isDisabled, user.quotaBytes, user.lastLoginAt], ['anna@example.org', false, 1000, null]);
  await call('user.disable', { login: 'anna@example.org' });
  assert.equal((await call('user.list'))[0].isDisabled, true);
  await call('user.enable', { login: 'anna@example.org' });
  assert.deepEqual(await call('user.quota', { login: 'anna@example.org', quotaMessages: 7 }), {
    login: 'anna@example.org',
    quotaBytes: 1000,
    quotaMessages: 7,
  });
  await call('alias.remove', { address: 'info@bücher.example', targets: ['Other@Remote.example'] });
  assert.deepEqual(await call('user.remove', { login: 'anna@example.org' }), { login: 'anna@example.org', messages: 0 });
  assert.deepEqual(await call('alias.list'), []);
  await call('domain.remove', { domain: 'example.org' });
});

test('a made password has at least 96 bits, is answered once and works', async () => {
  const { call, store } = house();
  const made = await call('user.add', { login: 'anna@example.org', withDomain: true });
  assert.match(made.password, /^[a-z2-9]{4}(-[a-z2-9]{4}){5}$/);
  const [[hash, scram]] = store.reader.rows('SELECT hash, scram FROM credential') as [string, string][] as [[string, string]];
  assert.equal(await verifyPassword(hash, made.password), true);
  assert.match(scram, /^SCRAM-SHA-256\$4096:/);
  const again = await call('user.passwd', { login: 'anna@example.org' });
  assert.notEqual(again.password, made.password);
});

test('app passwords share the SCRAM salt, also with a later main password', async () => {
  const { call, store } = house();
  await call('user.add', { login: 'anna@example.org', withDomain: true });
  const app = await call('apppassword.add', { login: 'anna@example.org', label: 'phone', scopes: 'smtp,imap' });
  assert.equal(app.scopes, 'imap smtp');
  await call('user.passwd', { login: 'anna@example.org', password: 'another one' });
  const salts = store.reader.rows('SELECT scram FROM credential').map(([scram]) => (scram as string).split('$')[1]);
  assert.equal(salts.length, 2);
  assert.equal(salts[0], salts[1]);
  assert.deepEqual(
    (await call('apppassword.list', { login: 'anna@example.org' })).map((row: any) => [row.label, row.scopes, row.usedAt]),
    [['phone', 'imap smtp', null]],
  );
  await call('apppassword.remove', { login: 'anna@example.org', label: 'phone' });
  await assert.rejects(call('apppassword.remove', { login: 'anna@example.org', label: 'phone' }), { code: 'noSuchEntry' });
});

test('choices of one user are set, shown, changed and taken away, and gone with the user', async () => {
  const { call, store } = house();
  const login = 'anna@example.org';
  await call('user.add', { login, withDomain: true });
  assert.deepEqual(await call('user.option', { login }), { login, options: [] });
  const set = (name: string, value: string | null) => call('user.option', { login, name, value });
  await set('pop3.shows', 'unseen');
  await set('imap.hide', 'CONDSTORE');
  assert.deepEqual((await set('imap.hide', 'CONDSTORE UIDONLY')).options, [
    { name: 'imap.hide', value: 'CONDSTORE UIDONLY' },
    { name: 'pop3.shows', value: 'unseen' },
  ]);
  let announced = 0;
  store.announcements.on('directory', () => (announced += 1));
  await set('imap.hide', 'CONDSTORE UIDONLY');
  assert.equal(announced, 0, 'nothing changed');
  assert.deepEqual((await set('imap.hide', null)).options, [{ name: 'pop3.shows', value: 'unseen' }]);
  assert.equal(announced, 1);
  await call('user.remove', { login });
  assert.deepEqual(store.reader.rows('SELECT * FROM account_option'), []);
});

test('accounts that tables name and users of the machine have choices too', async () => {
  const { call, store } = house();
  store.run('account.ensure', { login: 'carl@isp.test', source: 'table', systemUser: null, quotaBytes: 0, quotaMessages: 0 });
  const { options } = await call('user.option', { login: 'carl@isp.test', name: 'pop3.deletes', value: 'trash' });
  assert.deepEqual(options, [{ name: 'pop3.deletes', value: 'trash' }]);
});

test('a hash of another server is taken as it is', async () => {
  const { call, store } = house();
  await call('user.add', {
    login: 'anna@example.org',
    withDomain: true,
    hash: '{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1',
  });
  assert.deepEqual(store.reader.rows('SELECT scram FROM credential'), [[null]]);
  await assert.rejects(call('user.passwd', { login: 'anna@example.org', hash: 'nonsense' }), { code: 'cannot' });
});

for (const [name, args, message] of [
  ['user.add', { login: 'anna' }, /not an address/],
  ['user.add', {}, /give the user/],
  ['user.add', { login: 'an na@example.org' }, /not an address/],
  ['user.add', { login: 'anna@example.net' }, /not a domain of this server/],
  ['user.add', { login: 'new@example.org', password: 'short' }, /too short/],
  ['user.add', { login: 'new@example.org', password: ' long enough' }, /space/],
  ['user.add', { login: 'new@example.org', password: 'long\tenough' }, /control/],
  ['user.add', { login: 'new@example.org', password: 'x'.repeat(1025) }, /longer/],
  ['user.add', { login: 'new@example.org', quotaBytes: -1 }, /whole number/],
  ['user.add', { login: 'anna@example.org' }, /already/],
  ['user.remove', { login: 'nobody@example.org' }, /no user/],
  ['user.option', { login: 'nobody@example.org' }, /no user/],
  ['user.option', { login: 'anna@example.org', name: 'constructor', value: 'x' }, /no option of a user; there are imap.hide/],
  ['user.option', { login: 'anna@example.org', name: 'pop3.shows', value: 'some' }, /will not do for pop3.shows: it must be one of/],
  ['user.option', { login: 'anna@example.org', name: 'pop3.since', value: '2026-13-45' }, /must be a date/],
  ['user.option', { login: 'anna@example.org', name: 'imap.referral', value: 'imap://x]/' }, /without "]"/],
  ['user.option', { login: 'anna@example.org', name: 'imap.hide', value: 7 }, /must be text/],
  ['domain.add', { domain: 'exa mple.org' }, /not a domain/],
  ['domain.add', { domain: '192.0.2.1' }, /not a domain/],
  ['domain.catchall', { domain: 'example.org', target: 'nobody@example.org' }, /does not exist/],
  ['alias.add', { address: 'a@example.org', targets: [] }, /at least one/],
  ['alias.add', { address: 'a@example.org', targets: ['nobody@example.org'] }, /does not exist/],
  ['alias.add', { address: 'a@example.net', targets: ['anna@example.org'] }, /not a domain/],
  ['apppassword.add', { login: 'anna@example.org', label: '' }, /label/],
  ['apppassword.add', { login: 'anna@example.org', label: 'x', scopes: 'ftp' }, /no protocol/],
] as const)
  test(`${name} ${JSON.stringify(args).slice(0, 80)} is refused with a sentence`, async () => {
    const { call } = house();
    await call('user.add', { login: 'anna@example.org', withDomain: true });
    await assert.rejects(call(name, args), message);
  });
