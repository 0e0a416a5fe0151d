import assert from 'node:assert/strict';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import type { AuthOutcome, SaslStep } from '../../ports.ts';
import { saslprep } from './saslprep.ts';
import { type ScramChannel, scramExchange } from './scram.ts';
import { parseScramSecret, scramSecret, sha256 } from './scram-secret.ts';

const ACCOUNT = { id: 1, login: 'user@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
const OK: AuthOutcome = { kind: 'ok', account: ACCOUNT };
const REFUSED: AuthOutcome = { kind: 'refused' };
const NO_CHANNEL: ScramChannel = { isPlus: false, isPlusOffered: false, hash: 'SHA-256', binding: () => null };
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';

async function exchange(channel: ScramChannel, password = 'pencil') {
  const secret = parseScramSecret(await scramSecret(password, 4096, SALT))!;
  const names: string[] = [];
  const made = scramExchange(
    channel,
    {
      begin: (login, authzid) => {
        names.push(login, authzid);
        return { salt: SALT, iterations: 4096, secrets: [{ id: 7, secret }] };
      },
      finish: async (id) => (id === 7 ? OK : REFUSED),
      refuse: async () => REFUSED,
    },
    NONCE,
  );
  return { step: (text: string) => made.step(Buffer.from(text)), start: () => made.step(null), names };
}
const text = (step: SaslStep): string => (step.kind === 'malformed' || step.data === null ? step.kind : Buffer.from(step.data).toString());

/** The client's last message, computed from the definitions in RFC 5802 section 3. */
function clientFinal(gs2: Buffer, firstBare: string, serverFirst: string, password = 'pencil'): string {
  const nonce = /r=([^,]*)/.exec(serverFirst)![1]!;
  const withoutProof = `c=${gs2.toString('base64')},r=${nonce}`;
  const salted = pbkdf2Sync(password, SALT, 4096, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const signature = createHmac('sha256', sha256(clientKey)).update(`${firstBare},${serverFirst},${withoutProof}`).digest();
  return `${withoutProof},p=${Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')}`;
}

test('the exchange of RFC 7677 section 3', async () => {
  const { step, names } = await exchange(NO_CHANNEL);
  const challenge = await step('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
  assert.equal(text(challenge), 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096');
  const done = await step('c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=');
  assert.equal(done.kind === 'done' && done.outcome.kind, 'ok');
  assert.equal(text(done), 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  assert.deepEqual(names, ['user', '']);
  assert.equal((await step('c=biws')).kind, 'malformed');
});

test('the exchange of RFC 5802 section 5, with SHA-1', async () => {
  const salt = Buffer.from('QSXCR+Q6sek8bf92', 'base64');
  const stored = await scramSecret('pencil', 4096, salt, ['SHA-256', 'SHA-1']);
  const secret = parseScramSecret(stored, 'SHA-1')!;
  const made = scramExchange(
    { ...NO_CHANNEL, hash: 'SHA-1' },
    {
      begin: () => ({ salt, iterations: 4096, secrets: [{ id: 7, secret }] }),
      finish: async (id) => (id === 7 ? OK : REFUSED),
      refuse: async () => REFUSED,
    },
    '3rfcNHYJY1ZVvWVs7j',
  );
  const challenge = await made.step(Buffer.from('n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL'));
  assert.equal(text(challenge), 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096');
  const done = await made.step(Buffer.from('c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='));
  assert.equal(done.kind === 'done' && done.outcome.kind, 'ok');
  assert.equal(text(done), 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
});

test('the stored form has one secret for each hash with one salt; forms of before and damaged ones', async () => {
  const stored = (await scramSecret('pencil', 4096, SALT, ['SHA-256', 'SHA-1']))!;
  assert.match(stored, /^SCRAM-SHA-256\$4096:\S+ SCRAM-SHA-1\$4096:\S+$/);
  assert.deepEqual(parseScramSecret(stored, 'SHA-1')!.salt, parseScramSecret(stored, 'SHA-256')!.salt);
  const before = stored.split(' ')[0]!;
  assert.notEqual(parseScramSecret(before), null);
  assert.equal(parseScramSecret(before, 'SHA-1'), null);
  assert.equal(parseScramSecret(before.replace('SHA-256', 'SHA-1'), 'SHA-1'), null, 'keys of another length');
  for (const damaged of [null, '', ' ', 'SCRAM-SHA-256$', `${stored}${'x'.repeat(1024)}`, before.replace('4096', '99999999')])
    assert.equal(parseScramSecret(damaged), null);
});

test('-PLUS binds to the certificate of the server where the client asks for that', async () => {
  const channel: ScramChannel = {
    ...{ isPlus: true, isPlusOffered: true, hash: 'SHA-256' },
    binding: (type) => (type === 'tls-server-end-point' ? Buffer.from('hash of the certificate') : null),
  };
  for (const [type, bytes, outcome] of [
    ['tls-server-end-point', 'hash of the certificate', 'ok'],
    ['tls-server-end-point', 'hash of another one', 'refused'],
    ['tls-exporter', '', 'refused'],
  ] as const) {
    const { step } = await exchange(channel);
    const serverFirst = text(await step(`p=${type},,n=user,r=abc`));
    const done = await step(clientFinal(Buffer.from(`p=${type},,${bytes}`), 'n=user,r=abc', serverFirst));
    assert.equal(done.kind === 'done' && done.outcome.kind, outcome, `${type} ${bytes}`);
  }
  assert.equal((await (await exchange(channel)).step('p=tls-unique,,n=user,r=abc')).kind, 'malformed');
});

test('without an initial response an empty challenge asks for it', async () => {
  const { start, step } = await exchange(NO_CHANNEL);
  assert.deepEqual(await start(), { kind: 'challenge', data: new Uint8Array(0) });
  assert.equal((await step('n,,n=user,r=abc')).kind, 'challenge');
});

test('a wrong proof, nonce or channel is refused', async () => {
  for (const change of [
    (m: string) => m.replace(/p=...../, 'p=AAAAA'),
    (m: string) => m.replace(',r=abc', ',r=abd'),
    (m: string) => m.replace('c=biws', 'c=eSws'),
  ]) {
    const { step } = await exchange(NO_CHANNEL);
    const serverFirst = text(await step('n,,n=user,r=abc'));
    const done = await step(change(clientFinal(Buffer.from('n,,'), 'n=user,r=abc', serverFirst)));
    assert.equal(done.kind === 'done' && done.outcome.kind, 'refused');
    assert.equal(done.kind === 'done' && done.data, null);
  }
});

test('-PLUS binds the exchange to the TLS channel', async () => {
  for (const [bytes, outcome] of [
    ['exported by both', 'ok'],
    ['another channel', 'refused'],
  ] as const) {
    const { step } = await exchange({ isPlus: true, isPlusOffered: true, hash: 'SHA-256', binding: () => Buffer.from('exported by both') });
    const serverFirst = text(await step('p=tls-exporter,,n=user,r=abc'));
    const done = await step(clientFinal(Buffer.from('p=tls-exporter,,' + bytes), 'n=user,r=abc', serverFirst));
    assert.equal(done.kind === 'done' && done.outcome.kind, outcome);
  }
});

test('a client that was made to believe there is no -PLUS is refused', async () => {
  const { step } = await exchange({ isPlus: false, isPlusOffered: true, hash: 'SHA-256', binding: () => null });
  const done = await step('y,,n=user,r=abc');
  assert.equal(done.kind === 'done' && done.outcome.kind, 'refused');
});

for (const message of [
  '',
  'n,,',
  'n,,n=user',
  'n,,r=abc,n=user',
  'n,,m=ext,n=user,r=abc',
  'p=tls-exporter,,n=user,r=abc',
  'n,,n=us=er,r=abc',
  'n,,n=,r=abc',
  'x,,n=user,r=abc',
  'n,b=x,n=user,r=abc',
  'n,,n=user,r=a\u0001c',
])
  test(`the first message ${JSON.stringify(message)} is malformed`, async () => {
    const { step } = await exchange(NO_CHANNEL);
    assert.equal((await step(message)).kind, 'malformed');
  });

test('names may hold commas and equals signs, and another identity', async () => {
  const { step, names } = await exchange(NO_CHANNEL);
  await step('n,a=o=2Cther,n=us=3Der,r=abc,ext=1');
  assert.deepEqual(names, ['us=er', 'o,ther']);
});

for (const [input, output] of [
  ['I\u00adX', 'IX'],
  ['user', 'user'],
  ['USER', 'USER'],
  ['\u00aa', 'a'],
  ['\u2168', 'IX'],
  ['a\u00a0b', 'a b'],
  ['\u0007', null],
  ['\u0627\u0031', null],
  ['\u0627\u0031\u0628', '\u0627\u0031\u0628'],
  ['a\ue000', null],
] as const)
  test(`SASLprep of ${JSON.stringify(input)} is ${JSON.stringify(output)}`, () => assert.equal(saslprep(input), output));
