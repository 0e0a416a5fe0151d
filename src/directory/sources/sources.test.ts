import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuthContext, Connection } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { createAuthenticator } from '../authenticator.ts';
import { createDirectory } from '../embedded.ts';
import { hashGenerated } from '../password.ts';
import { TableError } from '../tables/errors.ts';
import { createTables } from '../tables/open.ts';
import { TABLES_SETTINGS } from '../tables/settings.ts';
import type { TableOpener } from '../tables/types.ts';
import { addTestAccount, testSettings, testStore } from '../testing.ts';
import { sourcesRules } from './check.ts';
import { createSources } from './sources.ts';
import type { SourcesSettings } from './types.ts';

const IMAP: AuthContext = { protocol: 'imaps', client: { ip: '198.51.100.1', port: 1, name: null }, session: 's1' };
const TLS = { tls: { exporter: () => null }, protocol: 'imap', isLoopback: false } as unknown as Connection;
const SECRET_SHA512 = '$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1';

/** An ISP: isp.test is in "sql:" tables, which answer later and can be taken down; rita and Dora are users of the machine. */
function isp(changes: Partial<SourcesSettings> = {}) {
  const rows = {
    domains: new Map([['isp.test', '1']]),
    mailboxes: new Map([
      ['ann@isp.test', 'isp.test/ann/'],
      ['bob@isp.test', 'bob@isp.test'],
    ]),
    passwords: new Map([
      ['ann@isp.test', '{SSHA256}' + hashGenerated('secret').slice('{SSHA256}'.length)],
      ['bob@isp.test', SECRET_SHA512],
    ]),
    quotas: new Map([['ann@isp.test', '1000']]),
  };
  const server = { isDown: false, asked: 0, isPasswordRight: 'right', systemAnswers: [] as string[], stamp: '1' };
  const sql: TableOpener = (source, { name }) => ({
    name,
    kind: 'fixed',
    find: async (key) => {
      server.asked += 1;
      if (server.isDown) throw new TableError(name, 'the server is down');
      return rows[source as keyof typeof rows].get(key.toLowerCase()) ?? null;
    },
  });
  const store = testStore();
  store.run('domain.add', { name: 'own.test' });
  let settings: SourcesSettings = {
    ...testSettings({ 'auth.argon2Memory': 65536, 'auth.argon2Passes': 1 }),
    ...defaultsOf(TABLES_SETTINGS),
    domain: 'host.test',
    'policy.localDomains': ['host.test', 'other.test'],
    'policy.virtualMailboxDomains': ['sql:domains'],
    'policy.virtualMailboxMaps': ['sql:mailboxes'],
    'auth.passwordMaps': ['sql:passwords'],
    'auth.quotaMaps': ['sql:quotas'],
    'local.uidMin': 1000,
    'local.usersAllowed': [],
    ...changes,
  };
  const events: { event: string; fields: any }[] = [];
  const note = (event: string, fields: any) => void events.push({ event, fields });
  const log = { debug: note, info: note, warn: note, error: note };
  const current = (): SourcesSettings => settings;
  const tables = createTables({ log, settings: current, now: () => store.now, servers: { sql } });
  const directory = createDirectory(store.reader, store.announcements, current);
  const users = new Map([
    ['rita', 1000],
    ['Dora', 1001],
    ['daemon', 1],
    ['root', 0],
  ]);
  const sources = createSources({
    ...{ tables, passwordTables: tables, directory, log, settings: current, writer: store.writer, now: () => store.now },
    systemUsers: { find: (name) => (users.has(name) ? { name, uid: users.get(name)! } : null) },
    passwordStamp: () => server.stamp,
    checkSystemPassword: async (user, password) => {
      server.systemAnswers.push(user);
      return server.isDown ? 'unavailable' : password === server.isPasswordRight ? 'ok' : 'refused';
    },
  });
  const authenticator = createAuthenticator({
    ...{ directory, log, sources, settings: current, reader: store.reader, writer: store.writer, announcements: store.announcements },
    metrics: { count: () => {}, gauge: () => {} },
    now: () => store.now,
    secret: Buffer.alloc(32, 7),
    delay: async () => {},
  });
  const login = async (name: string, password: string): Promise<string> => {
    const outcome = await authenticator.password(name, password, IMAP);
    return outcome.kind === 'ok' ? outcome.account.login : outcome.kind;
  };
  return {
    ...{ store, rows, server, directory, sources, authenticator, login, events, users },
    set: (more: Partial<SourcesSettings>) => void (settings = { ...settings, ...more }),
    accounts: () => store.reader.rows('SELECT login, source, system_user, quota_bytes FROM account ORDER BY id'),
  };
}

test('a user whom a table knows logs in with the stored password of whatever form; the account is made then', async () => {
  const { login, accounts, store } = isp();
  assert.equal(await login('ann@isp.test', 'wrong'), 'refused');
  assert.deepEqual(accounts(), [], 'a wrong password makes nothing');
  assert.equal(await login('ANN@ISP.test', 'secret'), 'ann@isp.test');
  assert.equal(await login('bob@isp.test', 'secret'), 'bob@isp.test');
  assert.equal(await login('bob@isp.test', 'secret'), 'bob@isp.test');
  assert.deepEqual(accounts(), [
    ['ann@isp.test', 'table', null, 1000],
    ['bob@isp.test', 'table', null, 0],
  ]);
  assert.equal(store.log.filter((operation) => operation === 'account.ensure').length, 2);
  const mailboxes = store.reader.rows('SELECT name, role FROM mailbox WHERE account_id=1 ORDER BY id');
  assert.deepEqual(mailboxes[0], ['INBOX', 'inbox']);
  assert.equal(mailboxes.length, 6);
});

test('nobody, empty passwords and domains that are not in the tables are refused, and leave no account', async () => {
  const { login, accounts, rows } = isp();
  rows.passwords.set('eve@elsewhere.test', '{PLAIN}secret');
  rows.passwords.set('empty@isp.test', '{PLAIN}');
  for (const [name, password] of [
    ['nobody@isp.test', 'secret'],
    ['eve@elsewhere.test', 'secret'],
    ['empty@isp.test', ''],
    ["x' OR '1'='1@isp.test", 'secret'],
    ['@isp.test', 'secret'],
    ['ann@isp.test@isp.test', 'secret'],
  ] as const)
    assert.equal(await login(name, password), 'refused', name);
  assert.deepEqual(accounts(), []);
});

test('a user taken out of the table or locked there cannot log in from then on, not even with an app password', async () => {
  const { login, rows, store, directory } = isp();
  assert.equal(await login('ann@isp.test', 'secret'), 'ann@isp.test');
  const { id } = directory.accountByLogin('ann@isp.test')!;
  store.run('credential.add', { accountId: id, label: 'phone', hash: hashGenerated('app-pass'), scram: null, scopes: '*' });
  assert.equal(await login('ann@isp.test', 'app-pass'), 'ann@isp.test');
  const stored = rows.passwords.get('ann@isp.test')!;
  rows.passwords.set('ann@isp.test', `!${stored}`);
  assert.equal(await login('ann@isp.test', 'secret'), 'refused');
  assert.equal(await login('ann@isp.test', 'app-pass'), 'refused');
  rows.passwords.delete('ann@isp.test');
  assert.equal(await login('ann@isp.test', 'secret'), 'refused');
  assert.equal(await login('ann@isp.test', 'app-pass'), 'refused');
  rows.passwords.set('ann@isp.test', '{PLAIN}changed');
  assert.equal(await login('ann@isp.test', 'secret'), 'refused');
  assert.equal(await login('ann@isp.test', 'changed'), 'ann@isp.test');
});

test('an account that the administrator switched off stays off, whatever the table says', async () => {
  const { login, store, directory, sources } = isp();
  await login('ann@isp.test', 'secret');
  const { id } = directory.accountByLogin('ann@isp.test')!;
  store.run('account.disable', { id, isDisabled: true });
  assert.equal(await login('ann@isp.test', 'secret'), 'refused');
  assert.equal(sources.accountFor('ann@isp.test'), null);
});

test('no name that is nobody makes an account or breaks anything, however it looks', async () => {
  const { login, sources, accounts } = isp({ 'auth.systemUsers': true });
  const part = fc.string({ unit: fc.constantFrom(...'ab.@+"\\ %\'\0\u00e9\u{1f600}[]:'), maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(part, fc.constantFrom('', '@isp.test', '@host.test', '@ISP.test.', '@other.test'), async (local, domain) => {
      assert.equal(await login(local + domain, 'x'), 'refused');
      const found = sources.nameOf(local + domain);
      assert.equal(typeof found, 'string');
    }),
    { seed: 44, numRuns: 60 },
  );
  assert.deepEqual(accounts(), []);
});

test('while the table cannot answer, logins are put off and mail waits; whoever has an account gets mail all the same', async () => {
  const { login, server, sources, events } = isp();
  const known = await sources.accountFor('ann@isp.test');
  server.isDown = true;
  assert.equal(await login('ann@isp.test', 'secret'), 'unavailable');
  assert.equal(await login('nobody@isp.test', 'secret'), 'unavailable');
  assert.equal(sources.accountFor('ann@isp.test'), known, 'at once, for the router has asked the table already');
  await assert.rejects(async () => sources.accountFor('bob@isp.test'), TableError);
  assert.ok(events.some(({ event }) => event === 'auth.unavailable'));
});

test('mail makes an account once, however much of it comes at a time', async () => {
  const { sources, store, accounts } = isp();
  const ids = await Promise.all([1, 2, 3].map(() => sources.accountFor('ann@isp.test')));
  assert.equal(new Set(ids).size, 1);
  assert.equal(sources.accountFor('ann@isp.test'), ids[0]);
  assert.equal(store.log.filter((operation) => operation === 'account.ensure').length, 1);
  assert.deepEqual(accounts(), [['ann@isp.test', 'table', null, 1000]]);
  assert.equal(await sources.accountFor('"quoted local"@isp.test'), null);
});

test('without a table of mailboxes the passwords tell who is there', async () => {
  const { sources, accounts } = isp({ 'policy.virtualMailboxMaps': [] });
  assert.equal(await sources.accountFor('nobody@isp.test'), null);
  assert.equal(await sources.accountFor('bob@isp.test'), 1);
  assert.equal(accounts().length, 1);
});

test('a quota that changes in the table is read again after a while; a slip there keeps the old one and makes no account', async () => {
  const { sources, store, rows, accounts, events } = isp();
  await sources.accountFor('ann@isp.test');
  rows.quotas.set('ann@isp.test', '2000');
  sources.accountFor('ann@isp.test');
  store.now += 300_000;
  sources.accountFor('ann@isp.test');
  while (accounts()[0]![3] === 1000) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(accounts()[0], ['ann@isp.test', 'table', null, 2000]);
  rows.quotas.set('ann@isp.test', 'much');
  store.now += 300_000;
  sources.accountFor('ann@isp.test');
  while (!events.some(({ event }) => event === 'auth.quota.failed')) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(accounts()[0], ['ann@isp.test', 'table', null, 2000]);
  rows.quotas.set('bob@isp.test', 'much');
  await assert.rejects(async () => sources.accountFor('bob@isp.test'), TableError);
});

test('an account of our own has its own password only; its address in a table changes nothing', async () => {
  const { login, store, rows, server } = isp();
  addTestAccount(store, 'own@isp.test', 'mine');
  rows.passwords.set('own@isp.test', '{PLAIN}theirs');
  assert.equal(await login('own@isp.test', 'theirs'), 'refused');
  assert.equal(server.asked, 0);
  assert.equal(await login('own@isp.test', 'mine'), 'own@isp.test');
  assert.deepEqual(store.run('account.ensure', { login: 'own@isp.test', source: 'table', systemUser: null, quotaBytes: 7, quotaMessages: 0 }), {
    id: 1,
    isNew: false,
  });
  assert.deepEqual(store.reader.rows('SELECT source, quota_bytes FROM account'), [['own', 0]]);
});

test('whoever is known by a token or a certificate is found in the tables and among the users of the machine, and made', async () => {
  const { sources, rows, server, accounts } = isp({ 'auth.systemUsers': true });
  assert.equal((await sources.find('ANN@isp.test'))?.login, 'ann@isp.test');
  assert.equal((await sources.find('rita'))?.login, 'rita@host.test');
  assert.equal((await sources.find('rita@other.test'))?.login, 'rita@host.test');
  assert.deepEqual(
    accounts().map(([login, source]) => [login, source]),
    [
      ['ann@isp.test', 'table'],
      ['rita@host.test', 'system'],
    ],
  );
  for (const name of ['nobody@isp.test', 'root', 'daemon@host.test', 'ann@elsewhere.test', '', '@']) assert.equal(await sources.find(name), null, name);
  rows.passwords.set('bob@isp.test', '!locked');
  assert.equal(await sources.find('bob@isp.test'), null);
  server.isDown = true;
  await assert.rejects(sources.find('ann@isp.test'), TableError);
  assert.equal(await isp().sources.find('rita'), null, 'not unless users of the machine may log in');
});

test('SCRAM is not offered while somebody else knows passwords', () => {
  assert.deepEqual(isp().authenticator.mechanisms(TLS), ['PLAIN', 'LOGIN']);
  assert.deepEqual(isp({ 'auth.passwordMaps': [] }).authenticator.mechanisms(TLS), ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN']);
});

test('a right password is not hashed again, but looked up again', async () => {
  const { login, server } = isp();
  await login('bob@isp.test', 'secret');
  const before = server.asked;
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => login('bob@isp.test', 'secret'))), Array(20).fill('bob@isp.test'));
  assert.equal(server.asked - before, 40, 'domain and password, each time');
});

test('failures count for a name in all its spellings', async () => {
  const { authenticator } = isp({ 'auth.systemUsers': true, 'auth.accountFailuresMax': 3 });
  for (const [n, name] of ['rita', 'RITA@host.test', 'rita@other.test'].entries())
    assert.equal((await authenticator.password(name, `wrong${n}`, { ...IMAP, client: { ip: `192.0.2.${n}`, port: 1, name: null } })).kind, 'refused');
  assert.equal((await authenticator.password('rita', 'right', IMAP)).kind, 'locked');
});

test('users of the machine log in by their name, alone or at a domain of the machine, where that is switched on', async () => {
  const off = isp();
  assert.equal(await off.login('rita', 'right'), 'refused');
  const { login, server, accounts, directory } = isp({ 'auth.systemUsers': true });
  for (const name of ['rita', 'rita@host.test', 'rita@other.test', 'Rita@OTHER.test']) assert.equal(await login(name, 'right'), 'rita@host.test', name);
  assert.equal(server.systemAnswers.length, 1, 'the right password is remembered');
  assert.equal(await login('Dora', 'right'), 'dora@host.test');
  for (const name of ['daemon', 'root', 'nobody', 'rita@isp.test', 'rita@elsewhere.test', 'rita+x']) assert.equal(await login(name, 'right'), 'refused', name);
  assert.equal(await login('rita', 'wrong'), 'refused');
  assert.deepEqual(accounts(), [
    ['rita@host.test', 'system', 'rita', 0],
    ['dora@host.test', 'system', 'Dora', 0],
  ]);
  const { id } = directory.accountByLogin('rita')!;
  assert.equal(directory.maySendAs(id, { local: 'rita', domain: 'other.test' }), true);
  assert.equal(directory.maySendAs(id, { local: 'rita+list', domain: 'host.test' }), true);
  assert.equal(directory.maySendAs(id, { local: 'dora', domain: 'host.test' }), false);
  assert.equal(directory.maySendAs(id, { local: 'rita', domain: 'isp.test' }), false);
});

test('a changed password of a system user counts at once, and a helper that cannot tell puts the login off', async () => {
  const { login, server } = isp({ 'auth.systemUsers': true });
  assert.equal(await login('rita', 'right'), 'rita@host.test');
  server.isPasswordRight = 'new';
  server.stamp = '2';
  assert.equal(await login('rita', 'right'), 'refused');
  assert.equal(await login('rita', 'new'), 'rita@host.test');
  server.isDown = true;
  assert.equal(await login('rita', 'other'), 'unavailable');
});

test('an app password of a system user is worth nothing once the user is gone', async () => {
  const { login, store, directory, users, set } = isp({ 'auth.systemUsers': true });
  await login('rita', 'right');
  store.run('credential.add', {
    ...{ accountId: directory.accountByLogin('rita')!.id, label: 'phone', hash: hashGenerated('app-pass') },
    ...{ scram: null, scopes: '*' },
  });
  assert.equal(await login('rita', 'app-pass'), 'rita@host.test');
  set({ 'auth.systemUsers': false });
  assert.equal(await login('rita', 'app-pass'), 'refused');
  set({ 'auth.systemUsers': true });
  users.delete('rita');
  assert.equal(await login('rita', 'app-pass'), 'refused');
});

test('the courier finds the account of a system user, made when it is missing; two users of one name but for case are kept apart', async () => {
  const { sources, users, accounts } = isp({ 'auth.passwordMaps': [] });
  const account = await sources.systemAccount('rita');
  assert.deepEqual([account?.login, account?.source, account?.systemUser], ['rita@host.test', 'system', 'rita']);
  assert.deepEqual(await sources.systemAccount('rita'), account);
  assert.equal(await sources.systemAccount('nobody'), null);
  users.set('dora', 1002);
  await sources.systemAccount('Dora');
  await assert.rejects(async () => void (await sources.systemAccount('dora')), /Dora/);
  assert.equal(accounts().length, 2);
});

test('users of tables may send as themselves, with detail; nobody else may', async () => {
  const { sources, directory } = isp();
  const ann = (await sources.accountFor('ann@isp.test'))!;
  const bob = (await sources.accountFor('bob@isp.test'))!;
  for (const local of ['ann', 'Ann', 'ann+shop']) assert.equal(directory.maySendAs(ann, { local, domain: 'isp.test' }), true);
  assert.equal(directory.maySendAs(bob, { local: 'ann', domain: 'isp.test' }), false);
  assert.equal(directory.maySendAs(ann, { local: 'ann', domain: 'elsewhere.test' }), false);
  assert.equal(directory.accountByLogin('ann@isp.test')?.id, ann);
  assert.deepEqual(directory.resolve({ local: 'ann', domain: 'isp.test' }), { kind: 'foreign' }, 'the router knows, not the directory');
});

test('no customer of a table becomes postmaster', async () => {
  const { sources, directory, store } = isp();
  await sources.accountFor('ann@isp.test');
  assert.equal(directory.resolve({ local: 'postmaster', domain: 'own.test' }).kind, 'unknown');
  const own = addTestAccount(store, 'admin@own.test');
  const found = directory.resolve({ local: 'postmaster', domain: 'own.test' });
  assert.deepEqual(found.kind === 'deliver' && found.local.map(({ accountId }) => accountId), [own]);
});

test('a password of the table is not changed here', async () => {
  const { sources, store } = isp();
  const id = await sources.accountFor('ann@isp.test');
  assert.throws(() => store.run('account.passwd', { id, hash: '{PLAIN}x', scram: null }), /auth\.passwordMaps/);
});

test('what filters remember goes with the account, and a domain takes its scripts along', async () => {
  const { store, sources } = isp();
  const id = (await sources.accountFor('ann@isp.test'))!;
  const other = (await sources.accountFor('bob@isp.test'))!;
  for (const account of [id, other]) {
    store.db.exec(`INSERT INTO filter_script VALUES ('account:${account}', 'main', 'personal', 1, 'keep;', 1, NULL);
      INSERT INTO filter_memory VALUES (${account}, 'vacation', 'x', 1); INSERT INTO account_preference VALUES (${account}, 'a', 'b');
      INSERT INTO address_list VALUES (${account}, 'allow', 'a@b', 1); INSERT INTO forward_count VALUES (${account}, 1, 1);
      INSERT INTO challenge VALUES ('h${account}', ${account}, 'a@b', 1, 2);`);
  }
  store.db.exec("INSERT INTO filter_script VALUES ('domain:own.test', 'main', 'before', 1, 'keep;', 1, NULL)");
  store.run('account.remove', { id, limit: 10 });
  store.run('domain.remove', { name: 'own.test' });
  for (const table of ['filter_memory', 'account_preference', 'address_list', 'forward_count', 'challenge'])
    assert.deepEqual(store.reader.rows(`SELECT account_id FROM ${table}`), [[other]], table);
  assert.deepEqual(store.reader.rows('SELECT scope FROM filter_script'), [[`account:${other}`]]);
});

test('a table that cannot be opened puts logins off; after a reload the tables before stay in use', async () => {
  const bad = isp({ 'auth.passwordMaps': ['nosuch:table'] });
  assert.equal(await bad.login('ann@isp.test', 'secret'), 'unavailable');
  const good = isp();
  assert.equal(await good.login('ann@isp.test', 'secret'), 'ann@isp.test');
  good.set({ 'auth.passwordMaps': ['nosuch:table'] });
  assert.equal(await good.login('ann@isp.test', 'secret'), 'ann@isp.test');
  assert.ok(good.events.some(({ event }) => event === 'auth.sources.failed'));
});

test('mistakes in the options are found before they count', () => {
  const settings = (changes: Partial<SourcesSettings>): SourcesSettings => ({
    ...testSettings(),
    ...defaultsOf(TABLES_SETTINGS),
    ...{ domain: 'host.test', 'policy.localDomains': [], 'policy.virtualMailboxDomains': ['isp.test'], 'policy.virtualMailboxMaps': [] },
    ...{ 'local.uidMin': 100, 'local.usersAllowed': [] },
    ...changes,
  });
  assert.deepEqual(sourcesRules(settings({})), []);
  assert.equal(sourcesRules(settings({ 'auth.passwordMaps': ['nosuch:x'] }))[0]?.key, 'auth.passwordMaps');
  assert.equal(sourcesRules(settings({ 'auth.quotaMaps': ['hash:/nonexistent'] }))[0]?.key, 'auth.quotaMaps');
  assert.match(sourcesRules(settings({ 'auth.passwordMaps': ['inline:{a=b}'], 'policy.virtualMailboxDomains': [] }))[0]!.message, /names no domain/);
});
