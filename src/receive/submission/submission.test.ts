import assert from 'node:assert/strict';
import test from 'node:test';
import { type Accepted, dial, judgeWith, serve, TestContext, talk } from '../testing.ts';

async function exchange(transcript: string, context = new TestContext()): Promise<TestContext> {
  const listener = await serve(context, 'submission');
  try {
    await talk(listener, transcript);
  } finally {
    await listener.drain(0);
  }
  assert.equal(context.openWriters, 0);
  return context;
}
async function conversation(...given: Parameters<typeof exchange>): Promise<void> {
  await exchange(...given);
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const PLAIN = base64('\0alice@example.org\0secret');
const HELLO = `
  S: 220 *
  C: EHLO client.example
  S: 250 *
`;
const LOGIN = `${HELLO}
  C: AUTH PLAIN ${PLAIN}
  S: 235 2.7.0 *
`;
const DATA = `
  C: MAIL FROM:<alice@example.org>
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
`;

test('MAIL needs a login', () => conversation(`${HELLO}\nC: MAIL FROM:<alice@example.org>\nS: 530 5.7.0 *`));

const LOGINS: readonly (readonly [name: string, lines: string])[] = [
  ['PLAIN with initial response', `C: AUTH PLAIN ${PLAIN}\nS: 235 2.7.0 *`],
  ['PLAIN without', `C: AUTH plain\nS: 334 *\nC: ${PLAIN}\nS: 235 2.7.0 *`],
  [
    'LOGIN without initial response',
    `C: AUTH LOGIN\nS: 334 ${base64('Username:')}\nC: ${base64('alice@example.org')}\nS: 334 ${base64('Password:')}\nC: ${base64('secret')}\nS: 235 *`,
  ],
  ['LOGIN with it', `C: AUTH LOGIN ${base64('alice@example.org')}\nS: 334 ${base64('Password:')}\nC: ${base64('secret')}\nS: 235 *`],
  [
    'a mechanism whose server has the last word',
    `C: AUTH SCRAM-TEST\nS: 334 ${base64('first')}\nC: ${base64('secret')}\nS: 334 ${base64('v=server')}\nC:\nS: 235 *`,
  ],
  ['an empty initial response', `C: AUTH LOGIN =\nS: 334 ${base64('Password:')}\nC: *\nS: 501 5.7.0 *`],
  ['a cancelled exchange', 'C: AUTH LOGIN\nS: 334 *\nC: *\nS: 501 5.7.0 *\nC: NOOP\nS: 250 *'],
  ['bad base64', 'C: AUTH LOGIN\nS: 334 *\nC: !!!\nS: 501 5.5.2 *\nC: AUTH PLAIN a\nS: 501 5.5.2 *'],
  ['a response that is no PLAIN message', `C: AUTH PLAIN ${base64('x')}\nS: 501 5.5.2 *`],
  ['a wrong password', `C: AUTH PLAIN ${base64('\0alice@example.org\0wrong')}\nS: 535 5.7.8 *`],
  ['too many failures', `C: AUTH PLAIN ${base64('\0alice@example.org\0locked')}\nS: 454 4.7.0 * 62 seconds`],
  ['a directory that is away', `C: AUTH PLAIN ${base64('\0alice@example.org\0down')}\nS: 454 4.7.0 *`],
  ['an unknown mechanism', 'C: AUTH CRAM-MD5\nS: 504 5.5.4 *'],
  ['no mechanism', 'C: AUTH\nS: 501 5.5.4 *'],
  ['a response that is far too long', `C: AUTH LOGIN\nS: 334 *\nC: ${'A'.repeat(20_000)}\nS: 500 5.5.6 *\nC: NOOP\nS: 250 *`],
  ['a second login', `C: AUTH PLAIN ${PLAIN}\nS: 235 *\nC: AUTH PLAIN ${PLAIN}\nS: 503 5.5.1 *`],
  ['commands pipelined behind AUTH', `C: AUTH PLAIN ${PLAIN}\nC: MAIL FROM:<alice@example.org>\nC: RCPT TO:<a@example.net>\nS: 235 *\nS: 250 *\nS: 250 *`],
];
for (const [name, lines] of LOGINS) test(`AUTH: ${name}`, () => conversation(`${HELLO}\n${lines}`));

test('AUTH before TLS is refused where credentials need it', async () => {
  const context = new TestContext({ 'net.proxyFrom': ['127.0.0.1'] });
  await conversation(
    `
    C: PROXY TCP4 192.0.2.9 192.0.2.1 40000 587
    S: 220 *
    C: EHLO client.example
    S: 250 HELP
    C: AUTH PLAIN ${PLAIN}
    S: 538 5.7.11 *
    C: MAIL FROM:<alice@example.org>
    S: 530 5.7.0 Send STARTTLS first, then AUTH
  `,
    context,
  );
});

test('the envelope sender must be the account or one of its aliases', () =>
  conversation(`${LOGIN}
    C: MAIL FROM:<bob@example.org>
    S: 553 5.7.1 *
    C: MAIL FROM: <sales@example.org>
    S: 250 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<>
    S: 250 *
  `));

async function submitted(message: string, settings: Record<string, unknown> = {}): Promise<Accepted> {
  const context = await exchange(`${LOGIN}${DATA}\n${message}\nC: .\nS: 250 *`, new TestContext(settings));
  return context.accepted[0]!;
}

test('a message that has everything is not changed', async () => {
  const { message, envelope } = await submitted(`
    C: From: Alice <alice@example.org>
    C: Date: Thu, 1 Jan 2026 00:00:00 +0000
    C: Message-ID: <1@x>
    C:
    C: text`);
  assert.equal(message, 'From: Alice <alice@example.org>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n');
  assert.equal(envelope.auth!.login, 'alice@example.org');
  assert.equal(envelope.source, 'submission');
});

test('Date, Message-ID and From are added when they are missing', async () => {
  const { message, envelope } = await submitted('C: Subject: x\nC:\nC: text');
  assert.match(
    message,
    new RegExp(
      `^From: alice@example\\.org\r\nDate: \\w{3}, \\d+ Nov 2023 [0-9:]{8} [+-]\\d{4}\r\nMessage-ID: <${envelope.id}@mx\\.example\\.org>\r\nSubject: x\r\n\r\ntext\r\n$`,
    ),
  );
});

test('Bcc is removed in all its forms', async () => {
  const { message } = await submitted(`
    C: From: alice@example.org
    C: bCC : secret@example.net,
    C: \\tother@example.net
    C: To: a@example.net
    C: Bcc:
    C: Resent-Bcc: x@example.net
    C: Date: Thu, 1 Jan 2026 00:00:00 +0000
    C: Message-ID: <1@x>
    C:
    C: Bcc: not a header`);
  assert.equal(
    message,
    'From: alice@example.org\r\nTo: a@example.net\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nBcc: not a header\r\n',
  );
});

test('a message without header gets one and keeps its text', async () => {
  const { message } = await submitted('C: Hello there\nC: more');
  assert.match(message, /^From: [^\r]+\r\nDate: [^\r]+\r\nMessage-ID: [^\r]+\r\n\r\nHello there\r\nmore\r\n$/);
});

test('an empty message and one that begins with a blank line get a header too', async () => {
  assert.match((await submitted('')).message, /^From: [^\r]+\r\nDate: [^\r]+\r\nMessage-ID: [^\r]+\r\n\r\n$/);
  assert.match((await submitted('C:\nC: x')).message, /^From: [^\r]+\r\nDate: [^\r]+\r\nMessage-ID: [^\r]+\r\n\r\nx\r\n$/);
});

for (const from of ['bob@example.org', 'Alice <alice@example.org>, bob@example.org', '"alice@example.org" <ceo@example.com>', 'nonsense'])
  test(`From: ${from} is refused after the data`, () => conversation(`${LOGIN}${DATA}\nC: From: ${from}\nC:\nC: x\nC: .\nS: 553 5.7.1 *`));

test('a second From field is looked at too', () =>
  conversation(`${LOGIN}${DATA}\nC: From: alice@example.org\nC: from: bob@example.org\nC:\nC: .\nS: 553 5.7.1 *`));

test('the From header is not looked at when checkFromHeader is off', async () => {
  assert.match((await submitted('C: From: bob@example.org\nC:', { 'submission.checkFromHeader': false })).message, /From: bob/);
});

const AS_BOSS = `${LOGIN}\nC: MAIL FROM:<boss@example.com>\nS: `;
const owned = (ownsSender: () => boolean | Promise<boolean>): TestContext => {
  const context = new TestContext();
  context.judge = judgeWith({ ownsSender });
  return context;
};

test('an address that the table of logins gives to the account may stand in the envelope and in From', () =>
  conversation(
    `${AS_BOSS}250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: DATA
    S: 354 *
    C: From: Boss@example.com
    C:
    C: .
    S: 250 *
    C: MAIL FROM:<boss@example.com>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: DATA
    S: 354 *
    C: From: other@example.com
    C:
    C: .
    S: 553 5.7.1 *`,
    owned(() => true),
  ));

test('an address that neither the directory nor the table of logins gives is refused', () =>
  conversation(
    `${AS_BOSS}553 5.7.1 *`,
    owned(async () => false),
  ));

test('a table of logins that does not answer refuses for now', () =>
  conversation(
    `${AS_BOSS}451 4.3.0 *`,
    owned(() => Promise.reject(new Error('the table is away'))),
  ));

test('a header that is too large is refused', () =>
  conversation(
    `${LOGIN}${DATA}\n${`C: X: ${'x'.repeat(900)}\n`.repeat(40)}\nC:\nC: text\nC: .\nS: 552 5.3.4 *`,
    new TestContext({ 'submission.headerBytesMax': 16_384 }),
  ));

test('an open session ends when the account is switched off', async () => {
  const context = new TestContext();
  const listener = await serve(context, 'submission');
  const socket = await dial(listener);
  await talk(socket, LOGIN);
  context.accounts.clear();
  context.announcements.publish([{ kind: 'directory', accounts: [1] }]);
  await talk(socket, 'S: 421 4.7.0 *\nS: <closed>');
  await listener.drain(0);
});

test('a message under way is not accepted when the password changed meanwhile', async () => {
  const context = new TestContext();
  const listener = await serve(context, 'submission');
  const socket = await dial(listener);
  await talk(socket, `${LOGIN}${DATA}`);
  context.credentials = [8];
  context.announcements.publish([{ kind: 'directory', accounts: [1] }]);
  await talk(socket, 'C: Subject: late\nC:\nC: .\nS: 421 4.7.0 *\nS: <closed>');
  await listener.drain(0);
  assert.deepEqual(context.accepted, []);
  assert.equal(context.openWriters, 0);
});

test('a message that the intake has already is answered before the session ends', async () => {
  const context = new TestContext();
  let open = (): void => {};
  context.gate = new Promise((resolve) => {
    open = resolve;
  });
  const listener = await serve(context, 'submission');
  const socket = await dial(listener);
  await talk(socket, `${LOGIN}${DATA}\nC: Subject: x\nC:\nC: .`);
  while (context.openWriters > 0 || context.finished === 0) await new Promise((resolve) => setImmediate(resolve));
  context.credentials = [];
  context.announcements.publish([{ kind: 'directory', accounts: [1] }]);
  open();
  await talk(socket, 'S: 250 *\nS: 421 4.7.0 *\nS: <closed>');
  await listener.drain(0);
  assert.equal(context.accepted.length, 1);
});

test('iOS: a message in UTF-8 with SMTPUTF8 but without BODY=8BITMIME is taken', () =>
  conversation(`${LOGIN}
    C: MAIL FROM:<alice@example.org> SMTPUTF8
    S: 250 *
    C: RCPT TO:<bob@example.org>
    S: 250 *
    C: DATA
    S: 354 *
    C: From: alice@example.org
    C: Subject: Grüße
    C:
    C: schön
    C: .
    S: 250 *
  `));
