import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Account, AuthContext, Connection, PeerCertificate, Protocol, SaslExchange } from '../ports.ts';
import { createAuthenticator } from './authenticator.ts';
import { createDirectory } from './embedded.ts';
import { TestIssuer } from './oauth/testing.ts';
import type { DirectorySettings } from './settings.ts';
import type { AccountSources } from './sources/types.ts';
import { addTestAccount, testSettings, testStore } from './testing.ts';

const issuer = new TestIssuer();
before(() => issuer.start());
after(() => issuer.stop());
beforeEach(() => {
  issuer.mood = 'well';
  issuer.known.clear();
});

const CERTIFICATE: PeerCertificate = {
  isTrusted: true,
  subject: 'Anna',
  issuer: 'Our authority',
  fingerprint: 'AB',
  publicKeyFingerprint: 'CD',
  names: ['anna@example.org'],
};
const OAUTH = { 'auth.mechanisms': ['EXTERNAL', 'OAUTHBEARER', 'XOAUTH2', 'PLAIN', 'ANONYMOUS'], domain: 'example.org', 'tls.clientCaFile': '/ca.pem' };

interface On {
  readonly protocol?: Protocol;
  readonly certificate?: PeerCertificate | null;
  readonly isClear?: boolean;
}

function house(changes: Partial<DirectorySettings> = {}, sources?: Partial<AccountSources>) {
  const store = testStore();
  const anna = addTestAccount(store, 'anna@example.org');
  addTestAccount(store, 'bert@example.org');
  store.run('alias.add', { address: 'info@example.org', targets: ['anna@example.org'] });
  const settings = testSettings({ ...OAUTH, 'oauth.introspection': `${issuer.url}/introspect`, ...changes });
  const events: { event: string; fields: any }[] = [];
  const note = (event: string, fields: any) => void events.push({ event, fields });
  const directory = createDirectory(store.reader, store.announcements, () => settings);
  const authenticator = createAuthenticator({
    ...{ directory, reader: store.reader, writer: store.writer, announcements: store.announcements },
    settings: () => settings,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count: () => {}, gauge: () => {} },
    now: () => store.now,
    secret: Buffer.alloc(32, 7),
    delay: async () => {},
    ...(sources === undefined ? {} : { sources: { isActive: () => true, nameOf: (name: string) => name, ...sources } as AccountSources }),
  });
  const connection = ({ protocol = 'imap', certificate = null, isClear = false }: On): Connection =>
    ({ tls: isClear ? null : { exporter: () => null, certificate }, protocol, isLoopback: false }) as unknown as Connection;
  const begin = (mechanism: string, on: On = {}, ip = '198.51.100.1'): SaslExchange | null => {
    const context: AuthContext = { protocol: on.protocol ?? 'imap', client: { ip, port: 1, name: null }, session: 's1' };
    return authenticator.sasl(mechanism, connection(on), context);
  };
  /** The outcome of an exchange: the login, or what became of it. */
  const login = async (mechanism: string, response: string, on: On = {}, ip?: string): Promise<string> => {
    const exchange = begin(mechanism, on, ip);
    if (exchange === null) return 'not offered';
    let next = await exchange.step(Buffer.from(response));
    if (next.kind === 'challenge') next = await exchange.step(Buffer.from('\x01'));
    if (next.kind !== 'done') return next.kind;
    return next.outcome.kind === 'ok' ? next.outcome.account.login : next.outcome.kind;
  };
  const token = (name: string, claims: Record<string, unknown> = {}): void => void issuer.known.set(name, { active: true, ...claims });
  const bearer = (name: string, user = ''): string => `n,${user === '' ? '' : `a=${user}`},\x01auth=Bearer ${name}\x01\x01`;
  return { store, anna, authenticator, events, login, token, bearer, begin, offered: (on: On = {}) => authenticator.mechanisms(connection(on)) };
}

test('each mechanism is announced where it can work, and only there', () => {
  const { offered } = house();
  assert.deepEqual(offered(), ['OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
  assert.deepEqual(offered({ isClear: true }), []);
  assert.deepEqual(offered({ certificate: CERTIFICATE }), ['EXTERNAL', 'OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
  assert.deepEqual(offered({ certificate: { ...CERTIFICATE, isTrusted: false } }), ['OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
  assert.deepEqual(offered({ certificate: { ...CERTIFICATE, names: ['stranger@example.net'] } }), ['OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
  assert.deepEqual(house({ 'tls.clientCaFile': '' }).offered({ certificate: CERTIFICATE }), ['OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
  assert.deepEqual(house({ 'oauth.introspection': '' }).offered(), ['PLAIN']);
  const keys = { 'oauth.introspection': '', 'oauth.keys': '/keys.json', 'oauth.issuer': 'https://x' };
  assert.deepEqual(house(keys).offered(), ['PLAIN'], 'not without an audience');
  assert.deepEqual(house({ ...keys, 'oauth.audience': ['mail'] }).offered(), ['OAUTHBEARER', 'XOAUTH2', 'PLAIN']);
});

test('tokens log in by OAUTHBEARER and XOAUTH2, in every protocol', async () => {
  const { login, token, bearer } = house();
  token('good', { email: 'Anna@Example.org' });
  for (const protocol of ['imap', 'pop3', 'submission', 'sieve'] as const) {
    assert.equal(await login('OAUTHBEARER', bearer('good'), { protocol }), 'anna@example.org');
    assert.equal(await login('xoauth2', 'user=anna@example.org\x01auth=Bearer good\x01\x01', { protocol }), 'anna@example.org');
  }
});

test('a token acts for its own user only, by whichever own address', async () => {
  const { login, token, bearer } = house();
  token('good', { email: 'anna@example.org' });
  assert.equal(await login('OAUTHBEARER', bearer('good', 'ANNA@example.org')), 'anna@example.org');
  assert.equal(await login('OAUTHBEARER', bearer('good', 'info@example.org')), 'anna@example.org');
  assert.equal(await login('OAUTHBEARER', bearer('good', 'bert@example.org')), 'refused');
  assert.equal(await login('XOAUTH2', 'user=bert@example.org\x01auth=Bearer good\x01\x01'), 'refused');
});

test('an alias in a token or certificate is not its target: it may be the address of another person', async () => {
  const { login, token, bearer, offered } = house();
  token('alias', { email: 'info@example.org' });
  assert.equal(await login('OAUTHBEARER', bearer('alias')), 'refused');
  assert.ok(!offered({ certificate: { ...CERTIFICATE, names: ['info@example.org'] } }).includes('EXTERNAL'));
});

test('users who do not exist or are switched off, and bad tokens, are refused and logged without the token', async () => {
  const { login, token, bearer, store, events } = house();
  token('s3cr3t-nobody', { email: 'nobody@example.org' });
  token('s3cr3t-bert', { email: 'bert@example.org' });
  assert.equal(await login('OAUTHBEARER', bearer('s3cr3t-nobody')), 'refused');
  assert.equal(await login('OAUTHBEARER', bearer('s3cr3t-unknown', 'anna@example.org')), 'refused');
  assert.equal(await login('OAUTHBEARER', bearer('s3cr3t-bert')), 'bert@example.org');
  store.run('account.disable', { id: 2, isDisabled: true });
  assert.equal(await login('OAUTHBEARER', bearer('s3cr3t-bert')), 'refused');
  const reasons = events.filter(({ event }) => event === 'auth.refused').map(({ fields }) => fields.reason);
  assert.deepEqual(reasons, ['the user of the token has no account', 'token: it is not active', 'account is disabled']);
  assert.ok(!JSON.stringify(events).includes('s3cr3t'));
});

test('an issuer that cannot be asked is a temporary failure and counts against nobody', async () => {
  const { login, bearer, events } = house({ 'auth.accountFailuresMax': 2, 'auth.networkFailuresMax': 2 });
  issuer.mood = 'error';
  for (let n = 0; n < 5; n += 1) assert.equal(await login('OAUTHBEARER', bearer(`s3cr3t-${n}`, 'anna@example.org')), 'unavailable');
  assert.deepEqual([...new Set(events.map(({ event }) => event))], ['auth.unavailable']);
  assert.ok(!JSON.stringify(events).includes('s3cr3t'));
});

test('guessing tokens locks the name for strangers, and the network', async () => {
  const { login, token, bearer } = house({ 'auth.accountFailuresMax': 3, 'auth.networkFailuresMax': 4 });
  token('good', { email: 'anna@example.org' });
  for (let n = 0; n < 3; n += 1) assert.equal(await login('OAUTHBEARER', bearer(`guess-${n}`, 'anna@example.org'), {}, `192.0.2.${n}`), 'refused');
  assert.equal(await login('OAUTHBEARER', bearer('good', 'anna@example.org'), {}, '192.0.2.9'), 'locked');
  for (let n = 0; n < 4; n += 1) assert.equal(await login('OAUTHBEARER', bearer(`guess-${n}`), {}, '203.0.113.1'), 'refused');
  assert.equal(await login('OAUTHBEARER', bearer('good'), {}, '203.0.113.1'), 'locked');
  assert.equal(await login('OAUTHBEARER', bearer('good'), {}, '203.0.113.2'), 'anna@example.org', 'those without a name are not locked for all');
});

test('a program that asks where tokens are to be had is told, and has not failed', async () => {
  const { begin, events } = house({ 'oauth.configuration': 'https://login.example.org/.well-known/openid-configuration', 'oauth.scopes': ['mail'] });
  const exchange = begin('OAUTHBEARER')!;
  const next = await exchange.step(Buffer.from('n,,\x01auth=\x01\x01'));
  assert.ok(next.kind === 'challenge');
  assert.deepEqual(JSON.parse(Buffer.from(next.data).toString()), {
    status: 'invalid_token',
    scope: 'mail',
    'openid-configuration': 'https://login.example.org/.well-known/openid-configuration',
  });
  assert.deepEqual(events, []);
});

test('users of tables are found, made when missing, and refused once they are gone', async () => {
  const present = new Set(['carl@isp.test']);
  const made: Account = { id: 77, login: 'carl@isp.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0, source: 'table' };
  let isDown = false;
  const { login, token, bearer, store } = house(
    {},
    {
      find: async (name) => {
        if (isDown) throw new Error('the table cannot be asked');
        return present.has(name) ? made : null;
      },
      vouches: (account) => account.source === 'own' || present.has(account.login),
    },
  );
  token('carl', { email: 'carl@isp.test' });
  token('anna', { email: 'anna@example.org' });
  assert.equal(await login('OAUTHBEARER', bearer('carl')), 'carl@isp.test');
  assert.equal(await login('OAUTHBEARER', bearer('anna')), 'anna@example.org');
  isDown = true;
  assert.equal(await login('OAUTHBEARER', bearer('carl')), 'unavailable');
  isDown = false;
  present.clear();
  assert.equal(await login('OAUTHBEARER', bearer('carl')), 'refused');
  store.run('account.ensure', { login: 'dora@isp.test', source: 'table', systemUser: null, quotaBytes: 0, quotaMessages: 0 });
  token('dora', { email: 'dora@isp.test' });
  assert.equal(await login('OAUTHBEARER', bearer('dora')), 'refused');
});

test('EXTERNAL is the user of the certificate, or one of those it names', async () => {
  const { login, events } = house();
  const both = { ...CERTIFICATE, names: ['anna@example.org', 'bert@example.org'] };
  assert.equal(await login('EXTERNAL', '', { certificate: CERTIFICATE, protocol: 'submission' }), 'anna@example.org');
  assert.equal(await login('EXTERNAL', 'info@example.org', { certificate: CERTIFICATE }), 'anna@example.org');
  assert.equal(await login('EXTERNAL', 'bert@example.org', { certificate: both }), 'bert@example.org');
  assert.equal(await login('EXTERNAL', 'bert@example.org', { certificate: CERTIFICATE }), 'refused');
  assert.equal(await login('EXTERNAL', '', { certificate: { ...CERTIFICATE, isTrusted: false } }), 'not offered');
  assert.equal(await login('EXTERNAL', ''), 'not offered');
  assert.deepEqual(events.at(-1)!.fields.reason, 'may not act as another user');
});

test('a common name without a domain is in the default one', async () => {
  const { login } = house({ 'auth.defaultDomain': 'example.org' });
  assert.equal(await login('EXTERNAL', '', { certificate: { ...CERTIFICATE, names: ['bert'] } }), 'bert@example.org');
});

test('who comes by ANONYMOUS is a visitor, with the rights that the administrator gives to all of them', async () => {
  for (const [settings, rights] of [
    [{}, 'lr'],
    [{ 'auth.anonymousRights': 'lrsi' }, 'lrsi'],
    [{ 'auth.anonymousRights': '' }, ''],
  ] as const) {
    const { begin } = house({ 'auth.anonymousAccount': 'bert@example.org', ...settings });
    const step = await begin('ANONYMOUS')!.step(Buffer.from('x'));
    assert.ok(step.kind === 'done' && step.outcome.kind === 'ok');
    assert.equal(step.outcome.account.visitorRights, rights);
  }
});

test('who comes by ANONYMOUS does not clear the failures of who guesses the password of that account', async () => {
  const { login } = house({ 'auth.anonymousAccount': 'bert@example.org', 'auth.accountFailuresMax': 3, 'auth.networkFailuresMax': 0 });
  for (let n = 0; n < 3; n += 1) {
    assert.equal(await login('PLAIN', `\0bert@example.org\0wrong ${n}`), 'refused');
    assert.equal(await login('ANONYMOUS', 'x'), 'bert@example.org');
  }
  assert.equal(await login('PLAIN', '\0bert@example.org\0wrong'), 'locked');
  // Nor is the network one that the user is known to come from.
  assert.equal(await login('ANONYMOUS', 'x'), 'bert@example.org');
  assert.equal(await login('PLAIN', '\0bert@example.org\0wrong'), 'locked');
});

test('ANONYMOUS is there only with an account for it, to read mail and not to send or filter it', async () => {
  assert.equal(await house().login('ANONYMOUS', ''), 'not offered');
  const { login, events, store, offered } = house({ 'auth.anonymousAccount': 'bert@example.org' });
  assert.ok(offered().includes('ANONYMOUS'));
  assert.equal(await login('ANONYMOUS', 'sirhc'), 'bert@example.org');
  assert.deepEqual([events.at(-1)!.event, events.at(-1)!.fields.trace], ['auth.ok', 'sirhc']);
  assert.equal(await login('ANONYMOUS', '', { protocol: 'pop3s' }), 'bert@example.org');
  for (const protocol of ['submission', 'submissions', 'smtp', 'sieve'] as const) assert.equal(await login('ANONYMOUS', '', { protocol }), 'not offered');
  store.run('account.disable', { id: 2, isDisabled: true });
  assert.equal(await login('ANONYMOUS', ''), 'not offered');
});
