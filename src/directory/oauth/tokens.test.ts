import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import { defaultsOf, SettingError } from '../../system/declare.ts';
import { loginRules } from '../check.ts';
import { IssuerError } from './http.ts';
import { OAUTH_SETTINGS, type OAuthSettings, wrongIssuerUrl } from './settings.ts';
import { TestIssuer } from './testing.ts';
import { TokenChecker } from './tokens.ts';

const issuer = new TestIssuer();
let dir = '';
before(async () => {
  await issuer.start();
  await issuer.rotate('one');
  dir = mkdtempSync(join(tmpdir(), 'posthorn-oauth-'));
});
after(async () => {
  await issuer.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  issuer.mood = 'well';
  for (const path of Object.keys(issuer.asked)) delete issuer.asked[path];
});

const signed = (): Partial<OAuthSettings> => ({
  'oauth.keys': `${issuer.url}/keys`,
  'oauth.issuer': 'https://login.example.org',
  'oauth.audience': ['posthorn'],
});
const introspected = (): Partial<OAuthSettings> => ({ 'oauth.introspection': `${issuer.url}/introspect`, 'oauth.timeout': 300 });

/** A checker under a clock of its own; `check` answers "user …", "bad …" or "unavailable". */
function checker(changes: Partial<OAuthSettings>) {
  const settings: OAuthSettings = { ...defaultsOf(OAUTH_SETTINGS), ...changes };
  const time = { ms: Date.now() };
  const made = new TokenChecker(
    () => time.ms,
    () => time.ms,
  );
  const check = async (token: string): Promise<string> => {
    try {
      const answer = await made.check(token, settings, 100);
      return answer.kind === 'good' ? `user ${answer.user}` : `bad ${answer.why}`;
    } catch (error) {
      assert.ok(error instanceof IssuerError, String(error));
      assert.ok(!error.message.includes(token));
      return 'unavailable';
    }
  };
  return { check, time };
}

test('a signed token of the issuer for this server names its user; the keys are asked for once', async () => {
  const { check } = checker(signed());
  assert.equal(await check(await issuer.sign({ email: 'anna@example.org' })), 'user anna@example.org');
  assert.equal(
    await check(await issuer.sign({ email: 'bert@example.org', aud: ['other', 'posthorn'], email_verified: true }, { typ: 'at+jwt' })),
    'user bert@example.org',
  );
  assert.equal(issuer.asked['/keys'], 1);
});

for (const [what, claims, header, why] of [
  ['for another audience', { aud: 'webmail' }, {}, /"aud"/],
  ['whose audience only contains the name', { aud: 'not posthorn' }, {}, /"aud"/],
  ['of another issuer', { iss: 'https://login.example.net' }, {}, /"iss"/],
  ['that has expired', { exp: 1_000_000_000 }, {}, /JWT_EXPIRED/],
  ['that never expires', { exp: undefined }, {}, /"exp"/],
  ['that is not valid yet', { nbf: 4_000_000_000 }, {}, /"nbf"/],
  ['of another kind', {}, { typ: 'logout+jwt' }, /another kind/],
  ['with a critical header', {}, { crit: ['x'], x: 1 }, /ERR_/],
  ['without the claim', { email: undefined }, {}, /no claim "email"/],
  ['whose claim is no text', { email: { a: 1 } }, {}, /no claim "email"/],
  ['whose address is not verified', { email_verified: false }, {}, /not verified/],
] as const)
  test(`a signed token ${what} is refused`, async () => {
    const { check } = checker(signed());
    const token = await issuer.sign({ email: 'anna@example.org', ...claims }, header).catch(() => null);
    if (token === null) return assert.equal(what, 'with a critical header', 'jose does not sign this');
    assert.match(await check(token), new RegExp(`^bad .*${why.source}`));
  });

test('tokens that nobody signed, that a shared secret signed, or that were changed are refused', async () => {
  const { check } = checker(signed());
  const claims = { email: 'anna@example.org', iss: 'https://login.example.org', aud: 'posthorn', exp: 4_000_000_000 };
  assert.match(await check(new UnsecuredJWT(claims).encode()), /^bad it is not signed/);
  assert.match(await check(`${new UnsecuredJWT(claims).encode()}AAAA`), /^bad /);
  // The public key as HMAC secret (CVE-2015-9235): the algorithm is not one that counts.
  const secret = Buffer.from(JSON.stringify(issuer.keySet().keys[0]));
  assert.match(await check(await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret)), /^bad ERR_JOSE_ALG_NOT_ALLOWED/);
  const token = await issuer.sign({ email: 'anna@example.org' });
  const [head, , signature] = token.split('.') as [string, string, string];
  const forged = Buffer.from(JSON.stringify({ ...claims, email: 'root@example.org' })).toString('base64url');
  assert.match(await check(`${head}.${forged}.${signature}`), /^bad ERR_JWS_SIGNATURE/);
  for (const nonsense of ['ey.ey.ey', 'eyJ.eyJ.eyJ', 'x', 'a.b.c', 'ey'.repeat(5000)]) assert.match(await check(nonsense), /^bad /);
});

test('a key that the issuer took into use since is fetched at once, but not again and again', async () => {
  const { check, time } = checker(signed());
  assert.equal(await check(await issuer.sign({ email: 'anna@example.org' })), 'user anna@example.org');
  await issuer.rotate('two');
  const token = await issuer.sign({ email: 'bert@example.org' });
  time.ms += 11_000;
  assert.equal(await check(token), 'user bert@example.org');
  assert.equal(issuer.asked['/keys'], 2);
  for (let n = 0; n < 20; n += 1)
    assert.match(await check(await issuer.sign({ email: `x${n}@example.org` }, { kid: `made-up-${n}` })), /^bad ERR_JWKS_NO_MATCHING_KEY/);
  assert.equal(issuer.asked['/keys'], 2);
});

test('keys without names are all tried', async () => {
  const other = await new TestIssuer().start();
  try {
    await other.rotate('');
    await other.addKey('');
    const { check } = checker({ ...signed(), 'oauth.keys': `${other.url}/keys` });
    assert.equal(await check(await other.sign({ email: 'anna@example.org' })), 'user anna@example.org');
    assert.match(await check(await issuer.sign({ email: 'anna@example.org' }, { kid: undefined })), /^bad ERR_JWKS_MULTIPLE/);
  } finally {
    await other.stop();
  }
});

test('keys that cannot be had are a temporary failure, asked for again after a while; those that are there stay in use', async () => {
  issuer.mood = 'error';
  const { check, time } = checker(signed());
  const token = await issuer.sign({ email: 'anna@example.org' });
  assert.equal(await check(token), 'unavailable');
  assert.equal(await check(token), 'unavailable');
  assert.equal(issuer.asked['/keys'], 1, 'not at once');
  issuer.mood = 'well';
  time.ms += 2_000;
  assert.equal(await check(token), 'user anna@example.org');
  issuer.mood = 'nonsense';
  time.ms += 600_000;
  assert.equal(await check(await issuer.sign({ email: 'bert@example.org' })), 'user bert@example.org');
  assert.equal(await check(await issuer.sign({ email: 'bert@example.org' }, { kid: 'newer' })), 'unavailable', 'it may be among the new ones');
});

test('keys in a file are read again when it changes', async () => {
  const file = join(dir, 'keys.json');
  const { check, time } = checker({ ...signed(), 'oauth.keys': file });
  const token = await issuer.sign({ email: 'anna@example.org' });
  assert.equal(await check(token), 'unavailable', 'no such file');
  writeFileSync(file, JSON.stringify(issuer.keySet()));
  time.ms += 5_000;
  assert.equal(await check(token), 'user anna@example.org');
  writeFileSync(file, JSON.stringify({ keys: [] }));
  time.ms += 61_000;
  assert.match(await check(await issuer.sign({ email: 'bert@example.org' })), /^bad ERR_JWKS_NO_MATCHING_KEY/);
});

test('introspection is asked with our name and secret; an active token names its user', async () => {
  const file = join(dir, 'secret');
  writeFileSync(file, 'p:ss wörd\nmore\n');
  const { check } = checker({ ...introspected(), 'oauth.clientId': 'mail server', 'oauth.clientSecretFile': file });
  issuer.known.set('opaque-1', { active: true, email: 'anna@example.org' });
  assert.equal(await check('opaque-1'), 'user anna@example.org');
  assert.equal(Buffer.from(issuer.authorization.slice(6), 'base64').toString(), 'mail+server:p%3Ass+w%C3%B6rd');
  assert.equal(issuer.form.get('token'), 'opaque-1');
  assert.equal(issuer.form.get('token_type_hint'), 'access_token');
  assert.equal(await check('opaque-2'), 'bad it is not active');
});

for (const [what, answer, changes, expected] of [
  ['expired', { exp: 1 }, {}, /^bad it has expired/],
  ['not valid yet', { nbf: 4_000_000_000 }, {}, /^bad it is not valid yet/],
  ['for another audience', { aud: 'webmail' }, { 'oauth.audience': ['posthorn'] }, /^bad .*"aud"/],
  ['for one of our audiences', { aud: ['webmail', 'posthorn'] }, { 'oauth.audience': ['posthorn'] }, /^user/],
  ['of another issuer', { iss: 'https://x' }, { 'oauth.issuer': 'https://y' }, /^bad .*"iss"/],
  ['without a scope', { scope: 'profile email' }, { 'oauth.scopes': ['mail'] }, /^bad the scope "mail" is missing/],
  ['with all scopes', { scope: 'profile mail' }, { 'oauth.scopes': ['mail', 'profile'] }, /^user/],
  ['whose user is in another claim', { sub: 'anna', email: undefined }, { 'oauth.userClaim': 'sub' }, /^user anna$/],
  ['that does not say whether it is active', { active: undefined }, {}, /^unavailable/],
] as const)
  test(`introspection of a token ${what}`, async () => {
    const { check } = checker({ ...introspected(), ...changes });
    issuer.known.set('opaque', { active: true, email: 'anna@example.org', ...answer });
    assert.match(await check('opaque'), expected);
  });

for (const mood of ['error', 'silent', 'nonsense', 'huge', 'elsewhere'] as const)
  test(`an authorization server that is ${mood} is a temporary failure`, async () => {
    const { check } = checker(introspected());
    issuer.known.set('opaque', { active: true, email: 'anna@example.org' });
    issuer.mood = mood;
    assert.equal(await check('opaque'), 'unavailable');
    assert.equal(issuer.asked['/introspect2'], undefined);
    issuer.mood = 'well';
    assert.equal(await check('opaque'), 'user anna@example.org');
  });

test('an authorization server that is not there is a temporary failure', async () => {
  const gone = await new TestIssuer().start();
  await gone.stop();
  assert.equal(await checker({ 'oauth.introspection': `${gone.url}/introspect` }).check('opaque'), 'unavailable');
});

test('a good token is asked about once for a while, never beyond its end; a bad one each time', async () => {
  const { check, time } = checker(introspected());
  issuer.known.set('long', { active: true, email: 'anna@example.org', exp: Math.floor(time.ms / 1000) + 3600 });
  issuer.known.set('short', { active: true, email: 'anna@example.org', exp: Math.floor(time.ms / 1000) + 10 });
  for (let n = 0; n < 3; n += 1) assert.equal(await check('long'), 'user anna@example.org');
  assert.equal(issuer.asked['/introspect'], 1);
  await Promise.all([check('short'), check('short'), check('short')]);
  assert.equal(issuer.asked['/introspect'], 2, 'those at the same time ask once');
  issuer.known.clear();
  time.ms += 9_000;
  assert.equal(await check('short'), 'user anna@example.org');
  time.ms += 2_000;
  assert.equal(await check('short'), 'bad it is not active');
  assert.equal(await check('long'), 'user anna@example.org');
  time.ms += 60_000;
  assert.equal(await check('long'), 'bad it is not active');
  await check('long');
  assert.equal(issuer.asked['/introspect'], 5);
});

test('signed tokens are not shown to introspection where keys are set; others are', async () => {
  const { check } = checker({ ...signed(), ...introspected(), 'oauth.issuer': 'https://login.example.org', 'oauth.audience': ['posthorn'] });
  assert.equal(await check(await issuer.sign({ email: 'anna@example.org' })), 'user anna@example.org');
  assert.equal(issuer.asked['/introspect'], undefined);
  issuer.known.set('opaque', { active: true, email: 'bert@example.org', iss: 'https://login.example.org', aud: 'posthorn' });
  assert.equal(await check('opaque'), 'user bert@example.org');
});

for (const [url, isRight] of [
  ['https://login.example.org/introspect', true],
  ['http://127.0.0.1:8080/introspect', true],
  ['http://[::1]/x', true],
  ['http://localhost/x', true],
  ['http://login.example.org/introspect', false],
  ['http://127.0.0.1.example.org/', false],
  ['https://user:secret@login.example.org/', false],
  ['ftp://login.example.org/', false],
  ['login.example.org', false],
] as const)
  test(`the address ${url} of an issuer is ${isRight ? 'taken' : 'refused'}`, () => assert.equal(wrongIssuerUrl(url) === undefined, isRight));

test('keys without issuer or audience, and a secret without a name, are mistakes of the configuration', () => {
  const wrong = (changes: Partial<OAuthSettings>): string[] => loginRules({ ...defaultsOf(OAUTH_SETTINGS), ...changes }).map(({ key }) => key);
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ 'oauth.keys': '/keys.json', 'oauth.issuer': 'x' }), ['oauth.keys']);
  assert.deepEqual(wrong({ 'oauth.keys': '/keys.json', 'oauth.issuer': 'x', 'oauth.audience': ['y'] }), []);
  assert.deepEqual(wrong({ 'oauth.clientSecretFile': '/secret' }), ['oauth.clientSecretFile']);
});

test('algorithms with shared secrets, and none, cannot be allowed', () => {
  for (const name of ['none', 'HS256']) assert.throws(() => OAUTH_SETTINGS['oauth.algorithms'].parse([name]), SettingError);
});

test('a token judged by settings that changed meanwhile is not remembered under the new ones', async () => {
  const before: OAuthSettings = { ...defaultsOf(OAUTH_SETTINGS), ...signed() };
  const changed: OAuthSettings = { ...before, 'oauth.audience': ['elsewhere'] };
  const token = await issuer.sign({ email: 'anna@example.org' });
  const made = new TokenChecker(() => Date.now());
  await made.check(await issuer.sign({ email: 'bert@example.org' }), before, 100); // From here on the keys are known.
  const asked = made.check(token, before, 100);
  const other = made.check('another', changed, 100);
  assert.equal((await asked).kind, 'good');
  assert.equal((await other).kind, 'bad');
  assert.equal((await made.check(token, changed, 100)).kind, 'bad');
});
