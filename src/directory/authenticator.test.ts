import assert from 'node:assert/strict';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import type { AuthContext, AuthOutcome, Connection, SaslStep } from '../ports.ts';
import { type AuthenticatorParts, createAuthenticator } from './authenticator.ts';
import { createDirectory } from './embedded.ts';
import { hashGenerated } from './password.ts';
import { digest, parseScramSecret, type ScramHash, scramSecret } from './sasl/scram-secret.ts';
import type { DirectorySettings } from './settings.ts';
import { addTestAccount, testSettings, testStore } from './testing.ts';

const IMAP: AuthContext = { protocol: 'imaps', client: { ip: '198.51.100.1', port: 1, name: null }, session: 's1' };
const QUICK = { 'auth.argon2Memory': 65536, 'auth.argon2Passes': 1, 'auth.scramIterations': 4096, domain: 'example.org' };
const SECRET = Buffer.alloc(32, 7);

function connection(kind: 'tls' | 'tls12' | 'clear' | 'loopback', protocol: Connection['protocol'] = 'imap'): Connection {
  const exporter = kind === 'tls' ? Buffer.alloc(32, 1) : null;
  const tls = kind.startsWith('tls') ? { version: '', cipher: '', bits: 256, servername: null, exporter: () => exporter } : null;
  return { tls, protocol, isLoopback: kind === 'loopback' } as unknown as Connection;
}

function house(changes: Partial<DirectorySettings> = {}) {
  const store = testStore();
  const anna = addTestAccount(store, 'anna@example.org');
  const settings = testSettings({ ...QUICK, ...changes });
  const events: { event: string; fields: any }[] = [];
  const waits: number[] = [];
  const note = (event: string, fields: any) => void events.push({ event, fields });
  const parts: AuthenticatorParts = {
    directory: createDirectory(store.reader, store.announcements, () => settings),
    reader: store.reader,
    writer: store.writer,
    announcements: store.announcements,
    settings: () => settings,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count: () => {}, gauge: () => {} },
    now: () => store.now,
    secret: SECRET,
    delay: async (ms) => void waits.push(ms),
  };
  return { store, anna, authenticator: createAuthenticator(parts), events, waits, parts };
}
const settled = async (store: { log: string[] }, operation: string): Promise<void> => {
  while (!store.log.includes(operation)) await new Promise((resolve) => setImmediate(resolve));
};

test('the right password logs in, a wrong one and an unknown name are refused alike', async () => {
  const { authenticator, events, waits, anna } = house();
  const ok = await authenticator.password('Anna@example.org', 'secret', IMAP);
  assert.equal(ok.kind === 'ok' && ok.account.id, anna);
  assert.deepEqual(await authenticator.password('anna@example.org', 'Secret', IMAP), { kind: 'refused' });
  assert.deepEqual(await authenticator.password('nobody@example.org', 'secret', IMAP), { kind: 'refused' });
  assert.deepEqual(await authenticator.password('', '', IMAP), { kind: 'refused' });
  assert.deepEqual(await authenticator.password('anna@example.org', 'x'.repeat(2000), IMAP), { kind: 'refused' });
  assert.deepEqual(
    events.map(({ event }) => event).filter((event) => event !== 'auth.rehashed'),
    ['auth.ok', ...Array(4).fill('auth.refused')],
  );
  assert.equal(waits.length, 4);
  assert.ok(!JSON.stringify(events).includes('ecret'));
});

test('a disabled user is refused even with the right password', async () => {
  const { authenticator, store, anna } = house();
  store.run('account.disable', { id: anna, isDisabled: true });
  assert.deepEqual(await authenticator.password('anna@example.org', 'secret', IMAP), { kind: 'refused' });
});

test('an old hash becomes argon2id with a SCRAM secret at the next login, and the use is noted once an hour', async () => {
  const { authenticator, store } = house();
  await authenticator.password('anna@example.org', 'secret', IMAP);
  await settled(store, 'credential.rehash');
  const [row] = store.reader.rows('SELECT hash, scram, used_from FROM credential');
  assert.match(row![0] as string, /^\$argon2id\$/);
  assert.match(row![1] as string, /^SCRAM-SHA-256\$4096:/);
  assert.equal(row![2], '198.51.100.1');
  await authenticator.password('anna@example.org', 'secret', IMAP);
  assert.equal(store.log.filter((operation) => operation === 'credential.used').length, 1);
  store.now += 3_600_000;
  await authenticator.password('anna@example.org', 'secret', IMAP);
  assert.equal(store.log.filter((operation) => operation === 'credential.used').length, 2);
  assert.equal(store.log.filter((operation) => operation === 'credential.rehash').length, 1);
});

test('a changed password counts at once, whatever was remembered', async () => {
  const { authenticator, store, anna } = house();
  assert.equal((await authenticator.password('anna@example.org', 'secret', IMAP)).kind, 'ok');
  store.run('account.passwd', { id: anna, hash: '{PLAIN}changed', scram: null });
  assert.equal((await authenticator.password('anna@example.org', 'secret', IMAP)).kind, 'refused');
  assert.equal((await authenticator.password('anna@example.org', 'changed', IMAP)).kind, 'ok');
});

test('an app password opens only the protocols it is for', async () => {
  const { authenticator, store, anna } = house();
  store.run('credential.add', { accountId: anna, label: 'phone', hash: hashGenerated('app-pass'), scram: null, scopes: 'imap smtp' });
  for (const [protocol, kind] of [
    ['imap', 'ok'],
    ['imaps', 'ok'],
    ['submission', 'ok'],
    ['submissions', 'ok'],
    ['pop3', 'refused'],
    ['pop3s', 'refused'],
  ] as const)
    assert.equal((await authenticator.password('anna@example.org', 'app-pass', { ...IMAP, protocol })).kind, kind, protocol);
});

test('too many failures lock the name for strangers', async () => {
  const { authenticator } = house({ 'auth.accountFailuresMax': 3 });
  for (let n = 0; n < 3; n += 1)
    await authenticator.password('anna@example.org', `wrong${n}`, { ...IMAP, client: { ip: `192.0.2.${n}`, port: 1, name: null } });
  const outcome = await authenticator.password('anna@example.org', 'secret', IMAP);
  assert.deepEqual(outcome, { kind: 'locked', retryAfterMs: 900_000 });
});

test('mechanisms depend on TLS, loopback and on every credential having a SCRAM secret', async () => {
  const { authenticator, store, anna } = house();
  assert.deepEqual(authenticator.mechanisms(connection('clear')), []);
  assert.deepEqual(authenticator.mechanisms(connection('loopback')), ['PLAIN', 'LOGIN']);
  store.run('account.passwd', { id: anna, hash: '{PLAIN}secret', scram: await scramSecret('secret', 4096) });
  store.now += 5_000;
  assert.deepEqual(authenticator.mechanisms(connection('tls')), ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
  assert.deepEqual(authenticator.mechanisms(connection('tls12')), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
  // mutt 2.2 would choose -PLUS at submission, fail, and try nothing else: there it is taken, but not announced.
  assert.deepEqual(authenticator.mechanisms(connection('tls', 'submission')), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
  assert.notEqual(authenticator.sasl('SCRAM-SHA-256-PLUS', connection('tls', 'submission'), IMAP), null);
  assert.equal(authenticator.sasl('SCRAM-SHA-256-PLUS', connection('tls12'), IMAP), null);
  assert.equal(authenticator.sasl('GSSAPI', connection('tls'), IMAP), null);
  assert.deepEqual(house({ 'auth.plainOnLoopback': false }).authenticator.mechanisms(connection('loopback')), []);
});

const step = (exchange: { step(r: Uint8Array | null): Promise<SaslStep> }, text: string | null) => exchange.step(text === null ? null : Buffer.from(text));
const words = (answer: SaslStep): string =>
  answer.kind === 'challenge' ? `challenge ${Buffer.from(answer.data).toString()}` : answer.kind === 'done' ? answer.outcome.kind : 'malformed';

test('PLAIN with and without initial response, and as somebody else', async () => {
  const { authenticator } = house();
  const run = async (...responses: (string | null)[]): Promise<string> => {
    const exchange = authenticator.sasl('plain', connection('tls'), IMAP)!;
    let last = '';
    for (const response of responses) last = words(await step(exchange, response));
    return last;
  };
  assert.equal(await run(null), 'challenge ');
  assert.equal(await run(null, '\0anna@example.org\0secret'), 'ok');
  assert.equal(await run('\0anna@example.org\0secret'), 'ok');
  assert.equal(await run('anna@example.org\0anna\0secret'), 'ok');
  assert.equal(await run('berta@example.org\0anna@example.org\0secret'), 'refused');
  assert.equal(await run('\0anna@example.org\0wrong'), 'refused');
  for (const bad of ['', 'anna', '\0anna', '\0\0secret', '\0anna\0', '\0anna\0sec\0ret', 'x'.repeat(3000)]) assert.equal(await run(bad), 'malformed', bad);
});

test('LOGIN asks with the exact words, and takes the name as initial response', async () => {
  const { authenticator } = house();
  const exchange = authenticator.sasl('LOGIN', connection('tls'), IMAP)!;
  assert.equal(words(await step(exchange, null)), 'challenge Username:');
  assert.equal(words(await step(exchange, 'anna@example.org')), 'challenge Password:');
  assert.equal(words(await step(exchange, 'secret')), 'ok');
  const short = authenticator.sasl('LOGIN', connection('tls'), IMAP)!;
  assert.equal(words(await step(short, 'anna@example.org')), 'challenge Password:');
  assert.equal(words(await step(short, 'secret')), 'ok');
});

/** A client of SCRAM; answers the outcome and the salt it was given. */
async function scramClient(
  parts: AuthenticatorParts,
  login: string,
  password: string,
  hash: ScramHash = 'SHA-256',
): Promise<{ outcome: AuthOutcome | null; salt: string; isServerRight: boolean }> {
  const [algorithm, octets] = hash === 'SHA-1' ? (['sha1', 20] as const) : (['sha256', 32] as const);
  const exchange = createAuthenticator(parts).sasl(`SCRAM-${hash}`, connection('tls'), IMAP)!;
  const first = await step(exchange, `n,,n=${login},r=abc`);
  if (first.kind !== 'challenge') return { outcome: first.kind === 'done' ? first.outcome : null, salt: '', isServerRight: false };
  const serverFirst = Buffer.from(first.data).toString();
  const [, nonce, salt, iterations] = /^r=([^,]*),s=([^,]*),i=(\d+)$/.exec(serverFirst) as unknown as [string, string, string, string];
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), octets, algorithm);
  const clientKey = createHmac(algorithm, salted).update('Client Key').digest();
  const authMessage = `n=${login},r=abc,${serverFirst},c=biws,r=${nonce}`;
  const signature = createHmac(algorithm, digest(clientKey, hash)).update(authMessage).digest();
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
  const done = await step(exchange, `c=biws,r=${nonce},p=${proof}`);
  assert.equal(done.kind, 'done');
  const serverKey = createHmac(algorithm, salted).update('Server Key').digest();
  const expected = `v=${createHmac(algorithm, serverKey).update(authMessage).digest('base64')}`;
  const isServerRight = done.kind === 'done' && done.data !== null && Buffer.from(done.data).toString() === expected;
  return { outcome: done.kind === 'done' ? done.outcome : null, salt, isServerRight };
}

test('SCRAM logs in with the main password and with app passwords, and unknown users have a stable salt', async () => {
  const { store, anna, parts } = house();
  const salt = Buffer.alloc(16, 3);
  store.run('account.passwd', { id: anna, hash: '{PLAIN}secret', scram: await scramSecret('secret', 4096, salt) });
  store.run('credential.add', {
    accountId: anna,
    label: 'phone',
    hash: hashGenerated('app-pass'),
    scram: await scramSecret('app-pass', 4096, salt),
    scopes: 'imap',
  });
  for (const password of ['secret', 'app-pass']) {
    const { outcome, isServerRight } = await scramClient(parts, 'anna@example.org', password);
    assert.equal(outcome?.kind, 'ok');
    assert.equal(isServerRight, true);
  }
  assert.equal((await scramClient(parts, 'anna@example.org', 'wrong')).outcome?.kind, 'refused');
  const [one, two, other] = [
    await scramClient(parts, 'nobody@example.org', 'x'),
    await scramClient(parts, 'nobody@example.org', 'y'),
    await scramClient(parts, 'noone@example.org', 'x'),
  ];
  assert.equal(one.outcome?.kind, 'refused');
  assert.equal(one.salt, two.salt);
  assert.notEqual(one.salt, other.salt);
});

test('a secret of before gets its SHA-1 companion at the next login, also that of an app password; then SCRAM-SHA-1 is announced', async () => {
  const { authenticator, store, anna, parts } = house();
  const salt = Buffer.alloc(16, 3);
  const stored = (await scramSecret('secret', 4096, salt))!;
  store.run('account.passwd', { id: anna, hash: '{PLAIN}secret', scram: stored });
  store.run('credential.add', {
    ...{ accountId: anna, label: 'phone', hash: hashGenerated('app-pass') },
    ...{ scram: await scramSecret('app-pass', 4096, salt), scopes: '*' },
  });
  assert.deepEqual(authenticator.mechanisms(connection('tls')), ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
  for (const [password, renewed] of [
    ['secret', 1],
    ['app-pass', 2],
  ] as const) {
    await authenticator.password('anna@example.org', password, IMAP);
    while (store.log.filter((operation) => operation === 'credential.rehash').length < renewed) await new Promise((resolve) => setImmediate(resolve));
  }
  store.now += 5_000;
  assert.deepEqual(authenticator.mechanisms(connection('tls')), [
    ...['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1'],
    ...['PLAIN', 'LOGIN'],
  ]);
  const forms = store.reader.rows("SELECT scram FROM credential WHERE kind='password'").map(([scram]) => scram as string);
  assert.ok(forms[0]!.startsWith(`${stored} SCRAM-SHA-1$`), 'what clients know the keys of stays');
  assert.deepEqual(parseScramSecret(forms[0]!, 'SHA-1')!.salt, salt);
  for (const hash of ['SHA-1', 'SHA-256'] as const)
    for (const password of ['secret', 'app-pass']) {
      const { outcome, isServerRight } = await scramClient(parts, 'anna@example.org', password, hash);
      assert.deepEqual([outcome?.kind, isServerRight], ['ok', true], `${hash} ${password}`);
    }
  assert.equal((await scramClient(parts, 'anna@example.org', 'wrong', 'SHA-1')).outcome?.kind, 'refused');
  assert.equal((await scramClient(parts, 'nobody@example.org', 'wrong', 'SHA-1')).outcome?.kind, 'refused');
});

test('no secret for SHA-1 is kept where no SCRAM-SHA-1 is offered', async () => {
  const { authenticator, store } = house({ 'auth.mechanisms': ['SCRAM-SHA-256', 'PLAIN'] });
  await authenticator.password('anna@example.org', 'secret', IMAP);
  await settled(store, 'credential.rehash');
  const [[scram]] = store.reader.rows('SELECT scram FROM credential') as [[string]];
  assert.match(scram, /^SCRAM-SHA-256\$\S+$/);
});

test('before TLS 1.3 -PLUS is not announced, but a client that binds to our certificate is taken', () => {
  const { authenticator, store, anna } = house();
  store.run('account.passwd', { id: anna, hash: '{PLAIN}secret', scram: 'SCRAM-SHA-256$ SCRAM-SHA-1$' });
  const old = { ...connection('tls12') } as { tls: object };
  old.tls = { ...old.tls, endPoint: () => Buffer.alloc(32, 2) };
  const bound = old as unknown as Connection;
  assert.deepEqual(authenticator.mechanisms(bound), ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN']);
  for (const name of ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS']) {
    assert.notEqual(authenticator.sasl(name, bound, IMAP), null);
    assert.equal(authenticator.sasl(name, connection('tls12'), IMAP), null);
  }
});

test('more logins than may wait are told to come back', async () => {
  const { authenticator } = house({ 'auth.pendingMax': 1 });
  const outcomes = await Promise.all(['a', 'b', 'c'].map((name) => authenticator.password(name, 'x', IMAP)));
  assert.deepEqual(outcomes.map((outcome) => outcome.kind).sort(), ['refused', 'unavailable', 'unavailable']);
});
