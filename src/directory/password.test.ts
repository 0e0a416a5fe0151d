import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashGenerated, hashPassword, needsRehash, parseStored, verifyPassword } from './password.ts';

/** Small enough for tests; the smallest RFC 9106 allows for one lane is 8 KiB. */
const QUICK = { memoryKiB: 64, passes: 1, lanes: 1 };

/** Made by crypt(3), openssl passwd, coreutils and the argon2 command; all for "secret" unless said otherwise. */
const STORED: [form: string, stored: string, password?: string][] = [
  ['md5-crypt', '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1'],
  ['md5-crypt of an empty password', '$1$abcdefgh$M55TzYaaccxVGbptZWaxX/', ''],
  ['sha256-crypt', '$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA'],
  ['sha256-crypt with rounds', '$5$rounds=1500$xyz$ENJhtCpDcrzF99LzKwlG/oX3ruYX77/K6Km9LKfZrZ8'],
  ['sha512-crypt', '$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1'],
  [
    'sha512-crypt of more than a block',
    '$6$saltsalt$X3o7grtgNMlKnvX6Hy5dFvTf.ljCUX.FUzxkLyK97HkOPHkaeFDthdddmExvqKqJ29HrDZmZFJqOm5QRVacNX1',
    'correct horse battery staple that is rather long, longer than sixty-four bytes indeed, 1234',
  ],
  ['sha512-crypt of UTF-8', '$6$rounds=1234$abcdefghijklmnop$qbIaKJ8CqzHRmsNrIetvYBtfwqfkSZEcqS7YZfM0IGmr7SZevEgGLWev4nKLEI0bKxEMY0STcFw/alzaPj6Mq1', 'grüße'],
  ['bcrypt 2b', '$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW'],
  ['bcrypt 2a', '$2a$05$......................35w9tBXOiWEqF4YNx8Fn9rPUbxS7RTu'],
  ['bcrypt 2y', '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a'],
  ['bcrypt of an empty password', '$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq', ''],
  [
    'bcrypt cuts at 72 bytes',
    '$2b$04$abcdefghijklmnopqrstuuLwihaKmEMJadI2MUi3l7a9jjEo9jkSa',
    'correct horse battery staple that is rather long, longer than sixty-four bytes',
  ],
  ['Dovecot {CRYPT}', '{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1'],
  ['Dovecot {SHA512-CRYPT}', '{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1'],
  ['Dovecot {BLF-CRYPT}', '{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a'],
  ['{PLAIN}', '{PLAIN}secret'],
  ['{clear} in lower case', '{clear}secret'],
  ['{SHA}', '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='],
  ['{SHA256.hex}', '{SHA256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'],
  ['MD5 in hex', '5ebe2294ecd0e0f08eab7690d2a6ee69'],
  ['Dovecot {PBKDF2}', '{PBKDF2}$1$xYSgBhfLqfSZjW4Q$5000$e770511b59052174631bb1eef7ee5a0cafe5d9f9'],
  [
    'Dovecot {SCRAM-SHA-256}',
    '{SCRAM-SHA-256}4096,4Uhqa/uaiT8Oeo8fR9MIhA==,+szpb3ytEnsRsd7o8cMkc3wquwDLngYmlib9whaWSAA=,aqIlANLcYNXW8xXMkmUMGDEUAUK5be7X9d5eObzeosI=',
  ],
  ['Dovecot {SCRAM-SHA-1}', '{SCRAM-SHA-1}4096,bcNT4Qf1dC0+G+7f//qLpg==,wu2nomZHfTvB/ETB2dmdXT78B40=,xzVYSIdVRV6edI1IWSxgDKbj6J4='],
];

for (const [form, stored, password = 'secret'] of STORED)
  test(`${form} is verified, and a wrong password is not`, async () => {
    assert.equal(await verifyPassword(stored, password), true);
    assert.equal(await verifyPassword(stored, password === '' ? 'x' : 'x' + password), false);
    assert.equal(needsRehash(stored, QUICK), true);
  });

test('salted digests of LDAP and Dovecot are verified', async () => {
  const { createHash } = await import('node:crypto');
  for (const [scheme, algorithm] of [
    ['SSHA', 'sha1'],
    ['SSHA256', 'sha256'],
    ['SSHA512', 'sha512'],
    ['SMD5', 'md5'],
  ] as const) {
    const digest = createHash(algorithm).update('secretNaCl').digest();
    const stored = `{${scheme}}${Buffer.concat([digest, Buffer.from('NaCl')]).toString('base64')}`;
    assert.equal(await verifyPassword(stored, 'secret'), true, scheme);
    assert.equal(await verifyPassword(stored, 'Secret'), false, scheme);
  }
});

test('a new hash is argon2id in PHC form, differs each time, and is verified', async () => {
  const [one, two] = await Promise.all([hashPassword('Grüße', QUICK), hashPassword('Grüße', QUICK)]);
  assert.match(one, /^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(one, two);
  assert.equal(await verifyPassword(one, 'Grüße'), true);
  assert.equal(await verifyPassword(`{ARGON2ID}${one}`, 'Grüße'), true);
  assert.equal(await verifyPassword(one, 'Grusse'), false);
  assert.equal(needsRehash(one, QUICK), false);
  assert.equal(needsRehash(one, { ...QUICK, passes: 2 }), true);
});

test('the argon2id vector of the reference implementation is verified', async () => {
  const stored = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
  assert.equal(await verifyPassword(stored, 'password'), true);
});

test('a generated secret is kept as a fast salted digest', async () => {
  const stored = hashGenerated('bcdf-ghjk');
  assert.match(stored, /^\{SSHA256\}/);
  assert.equal(await verifyPassword(stored, 'bcdf-ghjk'), true);
});

for (const stored of [
  '',
  'secret',
  '{UNKNOWN}secret',
  '$7$whatever',
  '$2x$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
  '$2b$15$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
  '$6$rounds=999999999$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1',
  '$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  '$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  '{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
  '{SHA}AAAA',
])
  test(`the stored form ${JSON.stringify(stored.slice(0, 40))} fits no password`, async () => {
    assert.equal(parseStored(stored), null);
    assert.equal(await verifyPassword(stored, 'secret'), false);
  });

test('any text is a stored form or none, without an exception', () => {
  const piece = fc.constantFrom('{', '}', '$', 'SSHA', 'CRYPT', 'argon2id', 'v=19', 'm=8,t=1,p=1', '5', '6', '2y', '1', 'rounds=1000', '=', 'AAAA', '\0', 'é');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      parseStored(pieces.join(''));
    }),
    { seed: 8018, numRuns: 3000 },
  );
});
