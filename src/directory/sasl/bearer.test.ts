import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuthOutcome } from '../../ports.ts';
import { anonymousExchange } from './anonymous.ts';
import { bearerExchange, type BearerMessage, parseOauthBearer, parseXoauth2 } from './bearer.ts';
import { externalExchange } from './external.ts';

const ACCOUNT = { id: 1, login: 'user@example.com', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
const OK: AuthOutcome = { kind: 'ok', account: ACCOUNT };
const EXAMPLE = 'n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01';

for (const [message, user, token] of [
  // RFC 7628 section 4.1
  [EXAMPLE, 'user@example.com', 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=='],
  ['n,,\x01auth=Bearer abc\x01\x01', '', 'abc'],
  ['y,,\x01auth=bearer  abc\x01\x01', '', 'abc'],
  ['n,a=o=2Cther=3D,\x01later=1\x01auth=Bearer abc\x01\x01', 'o,ther=', 'abc'],
  // RFC 7628 section 4.3: where are tokens to be had?
  ['n,a=user@example.com,\x01host=server.example.com\x01port=993\x01auth=\x01\x01', 'user@example.com', ''],
] as const)
  test(`OAUTHBEARER ${JSON.stringify(message)}`, () => assert.deepEqual(parseOauthBearer(message), { user, token }));

for (const message of [
  '',
  '\x01',
  'n,,',
  'n,,\x01\x01',
  'n,,\x01auth=Bearer abc\x01',
  'n,,\x01auth=Bearer abc',
  'n,,\x01auth=Basic abc\x01\x01',
  'n,,\x01auth=Bearer a b\x01\x01',
  'n,,\x01auth=Bearer abc\x01auth=Bearer def\x01\x01',
  'n,,\x01host=x\x01\x01',
  'n,,\x01=x\x01auth=Bearer abc\x01\x01',
  'n,,\x01auth=Bearer \u00e4bc\x01\x01',
  'n,a=us=er,\x01auth=Bearer abc\x01\x01',
  'n,b=x,\x01auth=Bearer abc\x01\x01',
  'p=tls-exporter,,\x01auth=Bearer abc\x01\x01',
])
  test(`OAUTHBEARER ${JSON.stringify(message)} is malformed`, () => assert.equal(parseOauthBearer(message), null));

for (const [message, expected] of [
  ['user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01', 'ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg'],
  ['user=a@b\x01auth=Bearer abc\x01', null],
  ['user=\x01auth=Bearer abc\x01\x01', null],
  ['auth=Bearer abc\x01\x01', null],
  ['user=a@b\x01auth=abc\x01\x01', null],
  ['user=a@b\x01auth=Bearer abc\x01\x01x', null],
] as const)
  test(`XOAUTH2 ${JSON.stringify(message)}`, () => assert.equal(parseXoauth2(message)?.token ?? null, expected));

function bearer(mechanism: 'OAUTHBEARER' | 'XOAUTH2', outcome: AuthOutcome, reason: 'invalid_token' | 'insufficient_scope' = 'invalid_token') {
  const asked: BearerMessage[] = [];
  const exchange = bearerExchange(mechanism, {
    verify: async (message) => {
      asked.push(message);
      return { outcome, reason };
    },
    hints: () => ({ scope: 'mail', configuration: 'https://login.example.com/.well-known/openid-configuration' }),
  });
  const step = async (text: string | null) => {
    const next = await exchange.step(text === null ? null : Buffer.from(text));
    if (next.kind === 'challenge') return Buffer.from(next.data).toString();
    return next.kind === 'done' ? next.outcome.kind : next.kind;
  };
  return { step, asked };
}

test('a good token logs in, with and without an initial response', async () => {
  for (const mechanism of ['OAUTHBEARER', 'XOAUTH2'] as const) {
    const message = mechanism === 'XOAUTH2' ? 'user=user@example.com\x01auth=Bearer abc\x01\x01' : EXAMPLE;
    assert.equal(await bearer(mechanism, OK).step(message), 'ok');
    const { step, asked } = bearer(mechanism, OK);
    assert.equal(await step(null), '');
    assert.equal(await step(message), 'ok');
    assert.equal(await step(message), 'malformed');
    assert.equal(asked.length, 1);
  }
});

test('a bad token is answered with the reason as JSON, and after any answer refused (RFC 7628 section 3.2.3)', async () => {
  for (const dummy of ['\x01', '', 'AQ==']) {
    const { step, asked } = bearer('OAUTHBEARER', { kind: 'refused' });
    assert.deepEqual(JSON.parse(await step(EXAMPLE)), {
      status: 'invalid_token',
      scope: 'mail',
      'openid-configuration': 'https://login.example.com/.well-known/openid-configuration',
    });
    assert.equal(await step(dummy), 'refused');
    assert.equal(await step(dummy), 'malformed');
    assert.equal(asked.length, 1);
  }
  const { step } = bearer('XOAUTH2', { kind: 'refused' }, 'insufficient_scope');
  const challenge = JSON.parse(await step('user=a@b\x01auth=Bearer abc\x01\x01'));
  assert.deepEqual([challenge.status, challenge.schemes, challenge.scope], ['403', 'bearer', 'mail']);
  assert.equal(await step(''), 'refused');
});

test('what is temporary is no challenge: it would make a client throw its token away', async () => {
  assert.equal(await bearer('XOAUTH2', { kind: 'unavailable', cause: null }).step('user=a@b\x01auth=Bearer abc\x01\x01'), 'unavailable');
  assert.equal(await bearer('OAUTHBEARER', { kind: 'locked', retryAfterMs: 1 }).step(EXAMPLE), 'locked');
});

test('a token of eight kilobytes is read, a message beyond all bounds is not', async () => {
  const message = (length: number): string => `n,,\x01auth=Bearer ${'t'.repeat(length)}\x01\x01`;
  assert.equal(await bearer('OAUTHBEARER', OK).step(message(8192)), 'ok');
  assert.equal(await bearer('OAUTHBEARER', OK).step(message(20_000)), 'malformed');
});

test('whatever bytes come, each step has an answer, and nothing but a well-formed message is verified', async () => {
  const piece = fc.oneof(fc.constantFrom('n,', 'y,', ',', '\x01', 'a=', 'auth=', 'Bearer ', 'user=', 'x', '\0', '\u00e4', '='), fc.string({ maxLength: 5 }));
  const text = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('OAUTHBEARER', 'XOAUTH2') as fc.Arbitrary<'OAUTHBEARER' | 'XOAUTH2'>,
      fc.array(text, { maxLength: 3 }),
      async (mechanism, lines) => {
        const { step, asked } = bearer(mechanism, { kind: 'refused' });
        for (const line of lines) assert.match(await step(line), /^(\{.*\}|refused|malformed)$/);
        for (const { token } of asked) assert.match(token, /^[A-Za-z0-9._~+/-]*=*$/);
      },
    ),
    { seed: 7628, numRuns: 300 },
  );
});

test('EXTERNAL: an identity, an empty one, one that is asked for, and what is none', async () => {
  const run = async (...responses: (Uint8Array | null)[]) => {
    const names: string[] = [];
    const exchange = externalExchange(async (authzid) => {
      names.push(authzid);
      return OK;
    });
    const kinds: string[] = [];
    for (const response of responses) {
      const next = await exchange.step(response);
      kinds.push(next.kind === 'done' ? next.outcome.kind : next.kind);
    }
    return [...kinds, ...names.map((name) => `<${name}>`)].join(' ');
  };
  assert.equal(await run(Buffer.from('info@example.org')), 'ok <info@example.org>');
  assert.equal(await run(Buffer.alloc(0)), 'ok <>');
  assert.equal(await run(null, Buffer.alloc(0)), 'challenge ok <>');
  assert.equal(await run(null, null), 'challenge malformed');
  assert.equal(await run(Buffer.from('a\0b')), 'malformed');
  assert.equal(await run(Buffer.alloc(5000, 'a')), 'malformed');
  assert.equal(await run(Buffer.alloc(0), Buffer.alloc(0)), 'ok malformed <>');
});

test('ANONYMOUS: the trace of RFC 4505 section 4, and traces that would spoil a log', async () => {
  const run = async (trace: Uint8Array | null): Promise<string> => {
    let seen = '';
    const next = await anonymousExchange(async (given) => {
      seen = given;
      return OK;
    }).step(trace);
    return next.kind === 'done' ? `${next.outcome.kind} ${seen}` : next.kind;
  };
  assert.equal(await run(Buffer.from('c2lyaGM=', 'base64')), 'ok sirhc');
  assert.equal(await run(Buffer.alloc(0)), 'ok ');
  assert.equal(await run(null), 'challenge');
  for (const bad of ['a\nb', 'a\u202eb', 'a\u0000', 'x'.repeat(1100)]) assert.equal(await run(Buffer.from(bad)), 'malformed');
});
