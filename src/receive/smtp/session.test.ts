import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import test from 'node:test';
import fc from 'fast-check';
import { IdleSweeper } from '../../net/idle.ts';
import { Failure } from '../../system/failure.ts';
import { viewOf } from '../../mail/view.ts';
import type { Reply } from '../../ports.ts';
import { dial, judgeWith, serve, TestContext, talk } from '../testing.ts';

async function exchange(transcript: string, context = new TestContext(), mode: 'smtp' | 'submission' | 'lmtp' = 'smtp', splitEvery = 0): Promise<TestContext> {
  const listener = await serve(context, mode);
  try {
    await talk(listener, transcript, splitEvery);
  } finally {
    await listener.drain(0);
  }
  assert.equal(context.openWriters, 0, 'every writer was finished or aborted');
  assert.deepEqual(
    context.logged.filter(({ event }) => event === 'smtp.session.bug'),
    [],
  );
  return context;
}

async function conversation(...given: Parameters<typeof exchange>): Promise<void> {
  await exchange(...given);
}

const HELLO = `
  S: 220 mx.example.org ESMTP
  C: EHLO client.example
  S: 250 *
`;
const MAIL = `
  C: MAIL FROM:<a@example.com>
  S: 250 2.1.0 *
`;
const RCPT = `
  C: RCPT TO:<alice@example.org>
  S: 250 2.1.5 *
`;
const START = HELLO + MAIL + RCPT;
const DATA = `
  C: DATA
  S: 354 *
`;

test('a message is taken and handed over with its envelope', async () => {
  const context = await exchange(`${START}${DATA}
    C: Subject: hello
    C:
    C: ..dot
    C: .
    S: 250 2.0.0 *
    C: QUIT
    S: 221 2.0.0 *
    S: <closed>
  `);
  assert.equal(context.accepted.length, 1);
  const { envelope, message, bytes } = context.accepted[0]!;
  assert.equal(message, 'Subject: hello\r\n\r\n.dot\r\n');
  assert.deepEqual(envelope.sender, { local: 'a', domain: 'example.com' });
  assert.deepEqual(
    envelope.recipients.map(({ address }) => address),
    [{ local: 'alice', domain: 'example.org' }],
  );
  assert.equal(envelope.source, 'smtp');
  assert.match(
    bytes.toString(),
    /^Received: from client\.example \(unknown \[127\.0\.0\.1\]\)\r\n\tby mx\.example\.org \(Posthorn\) with ESMTP id \w{16}\r\n\tfor <alice@example\.org>;\r\n\t\w{3}, /,
  );
});

test('EHLO announces what the table offers', () =>
  conversation(`
    S: 220 *
    C: EHLO client.example
    S: 250-mx.example.org greets client.example
    S: 250-PIPELINING
    S: 250-ENHANCEDSTATUSCODES
    S: 250-SIZE 52428800
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-DSN
    S: 250-LIMITS MAILMAX=10000 RCPTMAX=1000
    S: 250-CHUNKING
    S: 250 HELP
  `));

test('HELP lists the commands and explains one', () =>
  conversation(`
    S: 220 *
    C: HELP
    S: 214-2.0.0 EHLO host.name
    S: 214-2.0.0 DATA
    S: 214 2.0.0 QUIT
    C: HELP mail
    S: 214 2.0.0 MAIL FROM:<address> [parameters]
    C: HELP LHLO
    S: 504 5.5.4 *
  `));

const LINES: readonly (readonly [line: string, reply: string])[] = [
  ['HELO', '501 5.5.4 *'],
  ['EHLO (evil)', '501 5.5.4 *'],
  ['CONSTRUCTOR', '500 5.5.2 *'],
  ['', '500 5.5.2 *'],
  ['LHLO client.example', '500 5.5.2 *'],
  ['ETRN example.org', '500 5.5.2 *'],
  ['NOOP whatever', '250 2.0.0 *'],
  ['VRFY alice', '252 2.1.5 *'],
  ['VRFY', '501 5.5.4 *'],
  ['EXPN staff', '502 5.5.1 *'],
  ['RSET', '250 2.0.0 *'],
  ['STARTTLS', '454 4.7.0 *'],
  ['AUTH PLAIN AAA=', '502 5.5.1 *'],
  ['XCLIENT ADDR=192.0.2.1', '550 5.7.0 *'],
  ['XFORWARD ADDR=192.0.2.1', '550 5.7.0 *'],
  ['RCPT TO:<alice@example.org>', '503 5.5.1 *'],
  ['DATA', '503 5.5.1 *'],
  ['DATA now', '501 5.5.4 *'],
  ['MAIL FROM:<>', '250 2.1.0 *'],
  ['mail from:<a@example.com>', '250 2.1.0 *'],
  ['MAIL FROM: <a@example.com>', '250 2.1.0 *'],
  ['MAIL FROM:<@relay.example,@other.example:a@example.com>', '250 2.1.0 *'],
  ['MAIL FROM:<"a b"@example.com> SIZE=1000 BODY=8BITMIME', '250 2.1.0 *'],
  ['MAIL FROM:<a@example.com> RET=HDRS ENVID=QQ+2B314159', '250 2.1.0 *'],
  ['MAIL FROM:<a@example.com> AUTH=<>', '250 2.1.0 *'],
  ['MAIL FROM:<a@[192.0.2.1]>', '250 2.1.0 *'],
  ['MAIL FROM:<gr\\xc3\\xbc\\xc3\\x9fe@example.com> SMTPUTF8', '250 2.1.0 *'],
  ['MAIL FROM:<gr\\xc3\\xbc\\xc3\\x9fe@example.com>', '550 5.6.7 *'],
  ['MAIL FROM:a@example.com', '501 5.1.7 *'],
  ['MAIL FROM <a@example.com>', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com', '501 5.1.7 *'],
  ['MAIL FROM:<a@@example.com>', '501 5.1.7 *'],
  ['MAIL FROM:<a@example.com>SIZE=1', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> SIZE=x', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> SIZE=1 SIZE=2', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> SIZE=99999999', '552 5.3.4 *'],
  ['MAIL FROM:<a@example.com> BODY=BINARYMIME', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> RET=ALL', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> ENVID=+ZZ', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> SMTPUTF8=yes', '501 5.5.4 *'],
  ['MAIL FROM:<a@example.com> COLOUR=red', '555 5.5.4 *'],
];
for (const [line, reply] of LINES) test(`after EHLO: "${line}" gets ${reply}`, () => conversation(`${HELLO}\nC: ${line}\nS: ${reply}`));

const RECIPIENTS: readonly (readonly [line: string, reply: string])[] = [
  ['RCPT TO:<alice@example.org>', '250 2.1.5 *'],
  ['RCPT TO: <Alice+shop@EXAMPLE.ORG>', '250 2.1.5 *'],
  ['RCPT TO:<postmaster>', '250 2.1.5 *'],
  ['RCPT TO:<PostMaster>', '250 2.1.5 *'],
  ['RCPT TO:<far@example.org>', '250 2.1.5 *'],
  ['RCPT TO:<alice@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Alice+40example.org', '250 2.1.5 *'],
  ['RCPT TO:<nobody@example.org>', '550 5.1.1 <nobody@example.org> *'],
  ['RCPT TO:<off@example.org>', '550 5.2.1 *'],
  ['RCPT TO:<round@example.org>', '550 5.4.6 *'],
  ['RCPT TO:<full@example.org>', '452 4.2.2 *'],
  ['RCPT TO:<a@example.net>', '554 5.7.1 Relay access denied'],
  ['RCPT TO:<alice%example.net@example.com>', '554 5.7.1 *'],
  ['RCPT TO:<"alice@example.org"@example.net>', '554 5.7.1 *'],
  ['RCPT TO:<>', '501 5.1.3 *'],
  ['RCPT TO:alice@example.org', '501 5.1.3 *'],
  ['RCPT TO:<alice>', '501 5.1.3 *'],
  ['RCPT TO:<gr\\xc3\\xbc\\xc3\\x9fe@example.org>', '553 5.6.7 *'],
  ['RCPT TO:<alice@example.org> NOTIFY=NEVER,SUCCESS', '501 5.5.4 *'],
  ['RCPT TO:<alice@example.org> NOTIFY=', '501 5.5.4 *'],
  ['RCPT TO:<alice@example.org> ORCPT=alice', '501 5.5.4 *'],
  ['RCPT TO:<alice@example.org> ORCPT=rfc822;a+0D+0Ab', '501 5.5.4 *'],
  ['RCPT TO:<alice@example.org> SIZE=1', '555 5.5.4 *'],
  ['MAIL FROM:<b@example.com>', '503 5.5.1 *'],
  ['DATA', '554 5.5.1 *'],
];
for (const [line, reply] of RECIPIENTS) test(`after MAIL: "${line}" gets ${reply}`, () => conversation(`${HELLO}${MAIL}\nC: ${line}\nS: ${reply}`));

test('commands before EHLO are out of order', () =>
  conversation(`
    S: 220 *
    C: MAIL FROM:<a@example.com>
    S: 503 5.5.1 Send EHLO first
  `));

test('HELO gives plain SMTP in the trace', async () => {
  const context = await exchange(`
    S: 220 *
    C: HELO client.example
    S: 250 mx.example.org
    ${MAIL}${RCPT}${DATA}
    C: .
    S: 250 *
  `);
  assert.match(context.accepted[0]!.bytes.toString(), / with SMTP id /);
  assert.equal(context.accepted[0]!.message, '');
});

test('a pipelined transaction is answered in order, and a repeated recipient is merged', async () => {
  const context = await exchange(`${HELLO}
    C: MAIL FROM:<a@example.com>
    C: RCPT TO:<alice@example.org>
    C: RCPT TO:<nobody@example.org>
    C: RCPT TO:<bob@example.org>
    C: RCPT TO:<alice@example.org>
    C: DATA
    S: 250 2.1.0 *
    S: 250 2.1.5 *
    S: 550 5.1.1 *
    S: 250 2.1.5 *
    S: 250 2.1.5 *
    S: 354 *
    C: one
    C: .
    C: NOOP
    C: QUIT
    S: 250 2.0.0 OK queued
    S: 250 2.0.0 OK
    S: 221 *
    S: <closed>
  `);
  assert.deepEqual(
    context.accepted[0]!.envelope.recipients.map(({ address }) => address.local),
    ['alice', 'bob'],
  );
  assert.doesNotMatch(context.accepted[0]!.bytes.toString(), / for </, 'recipients do not learn of each other');
});

test('commands that come while a message is being stored wait for its reply', async () => {
  const context = new TestContext();
  let open = () => {};
  context.gate = new Promise((resolve) => {
    open = resolve;
  });
  const listener = await serve(context);
  const socket = await dial(listener);
  await talk(socket, `${START}${DATA}\nC: x\nC: .\nC: NOOP\nC: HELP QUIT`);
  open();
  await talk(
    socket,
    `
    S: 250 2.0.0 OK queued
    S: 250 2.0.0 OK
    S: 214 *`,
  );
  socket.destroy();
  await listener.drain(0);
});

test('slow staging is waited for, and the bytes stay in order', async () => {
  const context = new TestContext();
  context.isSlowStaging = true;
  const lines = Array.from({ length: 300 }, (_, i) => `C: ..line ${i}`).join('\n');
  await conversation(`${START}${DATA}\n${lines}\nC: .\nS: 250 *\nC: QUIT\nS: 221 *`, context);
  assert.equal(context.accepted[0]!.message, Array.from({ length: 300 }, (_, i) => `.line ${i}\r\n`).join(''));
});

test('a whole session may be split at any byte', async () => {
  const transcript = `${HELLO}
    C: MAIL FROM:<a@example.com> SIZE=100
    C: RCPT TO:<alice@example.org>
    S: 250 *
    S: 250 *
    C: DATA
    S: 354 *
    C: Subject: x
    C:
    C: ..
    C: .x
    C: \\r\\n.\\r\\n\\
    S: 250 *
    C: MAIL FROM:<b@example.com>
    C: RCPT TO:<bob@example.org>
    C: BDAT 7
    C: abc
    C: de\\
    C: BDAT 4 LAST
    C: fg
    S: 250 *
    S: 250 *
    S: 250 *
    S: 250 *
    C: QUIT
    S: 221 *
  `;
  for (let every = 1; every <= 9; every += 1) {
    const context = await exchange(transcript, new TestContext(), 'smtp', every);
    assert.deepEqual(
      context.accepted.map(({ message }) => message),
      ['Subject: x\r\n\r\n.\r\nx\r\n\r\n', 'abc\r\ndefg\r\n'],
    );
  }
});

const SMUGGLING: readonly (readonly [name: string, bytes: string, why: string])[] = [
  ['LF dot LF', 'a\\n.\\nMAIL FROM:<evil@example.com>', 'LF'],
  ['LF dot CR LF (Cisco, Sendmail)', 'a\\n.\\r\\nMAIL FROM:<evil@example.com>', 'LF'],
  ['CR LF dot LF', 'a\\r\\n.\\nMAIL FROM:<evil@example.com>', 'LF'],
  ['CR dot CR (GMX, Exchange)', 'a\\r.\\rMAIL FROM:<evil@example.com>', 'CR'],
  ['CR LF dot CR', 'a\\r\\n.\\rMAIL FROM:<evil@example.com>', 'CR'],
  ['CR dot CR LF', 'a\\r.\\r\\nMAIL FROM:<evil@example.com>', 'CR'],
  ['CR CR LF dot CR LF', 'a\\r\\r\\nb', 'CR'],
  ['NUL before CR LF', 'a\\0\\r\\nb', 'NUL'],
  ['LF LF dot LF LF', 'a\\n\\n.\\n\\nMAIL FROM:<evil@example.com>', 'LF'],
];
for (const [name, bytes, why] of SMUGGLING)
  test(`SMTP smuggling, ${name}: the data goes on, and the message is refused`, async () => {
    const context = await exchange(`${START}${DATA}
      C: ${bytes}
      C: .
      S: 550 5.6.0 Message contains a *${why}*
      C: NOOP
      S: 250 2.0.0 OK
    `);
    assert.equal(context.accepted.length, 0);
  });

test('with bareLf = normalize a bare LF becomes CRLF and still ends nothing', async () => {
  const context = await exchange(
    `${START}${DATA}
    C: a\\n.\\r\\nb
    C: .
    S: 250 *
  `,
    new TestContext({ 'smtp.bareLf': 'normalize' }),
  );
  assert.equal(context.accepted[0]!.message, 'a\r\n.\r\nb\r\n');
});

test('a command that ends in a bare LF is refused', () => conversation(`${HELLO}\nC: NOOP\\n\\\nS: 500 5.5.2 *`));

test('a message that is too large is refused after its end', async () => {
  const line = 'x'.repeat(1000);
  const context = await exchange(
    `${START}${DATA}\n${`C: ${line}\n`.repeat(70)}\nC: .\nS: 552 5.3.4 *\nC: NOOP\nS: 250 *`,
    new TestContext({ 'smtp.messageBytesMax': 65_536 }),
  );
  assert.equal(context.accepted.length, 0);
});

test('a client that sends far more than it may is hung up on', () =>
  conversation(`${START}${DATA}\n${`C: ${'x'.repeat(1000)}\n`.repeat(250)}\nS: 421 4.3.0 *\nS: <closed>`, new TestContext({ 'smtp.messageBytesMax': 65_536 })));

test('a line that is too long for a message is refused after its end', () =>
  conversation(`${START}${DATA}\nC: ${'x'.repeat(5000)}\nC: .\nS: 550 5.6.0 *`, new TestContext({ 'smtp.lineBytesMax': 4096 })));

test('a command line that is too long is skipped and refused', () =>
  conversation(`${HELLO}\nC: NOOP ${'x'.repeat(40_000)}\nS: 500 5.5.6 *\nC: NOOP\nS: 250 *`));

test('a full disk is a temporary refusal', async () => {
  const context = new TestContext();
  context.stagingError = new Failure('diskFull');
  await conversation(`${START}${DATA}\nC: x\nC: .\nS: 452 4.3.1 *\nC: NOOP\nS: 250 *`, context);
});

test('the refusal of the intake is the reply', async () => {
  const context = new TestContext();
  context.reply = { code: 451, enhanced: '4.3.0', text: 'Store busy' };
  await conversation(`${START}${DATA}\nC: x\nC: .\nS: 451 4.3.0 Store busy`, context);
});

test('too many Received fields are a loop', () =>
  conversation(
    `${START}${DATA}\n${'C: Received: by x; Thu, 1 Jan 2026 00:00:00 +0000\n'.repeat(9)}\nC:\nC: .\nS: 554 5.4.6 *`,
    new TestContext({ 'smtp.receivedMax': 9 }),
  ));

test('a message that was delivered to the recipient before is a loop', () =>
  conversation(`${START}${DATA}\nC: Delivered-To: Alice@example.org\nC:\nC: .\nS: 554 5.4.6 *`));

test('RSET forgets the transaction', () => conversation(`${START}\nC: RSET\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 503 *`));

test('EHLO forgets the transaction', () => conversation(`${START}\nC: EHLO again.example\nS: 250 *\nC: DATA\nS: 503 *`));

test('recipients beyond the limit are put off', () =>
  conversation(
    `${HELLO}${MAIL}\n${Array.from({ length: 100 }, (_, i) => `C: RCPT TO:<alice+${i}@example.org>\nS: 250 *`).join('\n')}\nC: RCPT TO:<bob@example.org>\nS: 452 4.5.3 *`,
    new TestContext({ 'smtp.recipientsMax': 100 }),
  ));

test('too many errors end the connection with 421', () =>
  conversation(`${HELLO}\n${'C: BAD\nS: 500 *\n'.repeat(3)}C: BAD\nS: 500 *\nS: 421 4.7.0 *\nS: <closed>`, new TestContext({ 'smtp.errorsMax': 3 })));

test('idle chatter counts as errors after a while', () =>
  conversation(
    `${HELLO}\n${'C: NOOP\nS: 250 *\n'.repeat(7)}C: NOOP\nS: 421 4.7.0 *\nS: <closed>`,
    new TestContext({ 'smtp.junkMax': 5, 'smtp.errorsMax': 2 }),
  ));

test('transactions beyond the limit end the connection', () =>
  conversation(`${HELLO}${MAIL}C: RSET\nS: 250 *\nC: MAIL FROM:<>\nS: 421 4.5.3 *\nS: <closed>`, new TestContext({ 'smtp.transactionsMax': 1 })));

test('a browser made to post to this port is sent away', () =>
  conversation(`
    S: 220 *
    C: POST / HTTP/1.1
    C: Host: mx.example.org
    C:
    C: EHLO evil
    S: 554 5.5.1 *
    S: <closed>
  `));

test('a client that talks before a delayed greeting is turned away', async () => {
  const context = new TestContext({ 'net.proxyFrom': ['127.0.0.1'] });
  const told: string[] = [];
  context.judge = judgeWith({ greet: () => new Promise(() => {}), talkedEarly: () => void told.push('early'), close: () => void told.push('closed') });
  await conversation('C: PROXY TCP4 192.0.2.9 192.0.2.1 40000 25\nC: EHLO spam.example\nS: 554 5.5.1 *\nS: <closed>', context);
  assert.deepEqual(told.slice(0, 2), ['early', 'closed']);
});

test('what the judge answers is said at each step, at once or late, and 421 ends the connection', async () => {
  const refusal = (code: number, enhanced: string): Reply => ({ code, enhanced, text: 'no' });
  const context = new TestContext();
  let turns = 0;
  context.judge = judgeWith({
    mail: () => (turns++ === 0 ? Promise.resolve(refusal(450, '4.7.1')) : null),
    rcpt: (recipient) => (recipient.address.local === 'bob' ? refusal(554, '5.7.1') : null),
    data: () => (turns === 2 ? refusal(550, '5.7.1') : null),
    message: () => Promise.resolve({ reply: refusal(421, '4.3.0'), discard: null, orders: {}, before: null, message: null }),
  });
  await conversation(
    `S: 220 *
    C: EHLO mail.example.net
    S: 250 *
    C: MAIL FROM:<a@example.net>
    S: 450 4.7.1 *
    C: MAIL FROM:<a@example.net>
    S: 250 *
    C: RCPT TO:<bob@example.org>
    S: 554 5.7.1 *
    C: RCPT TO:<alice@example.org>
    S: 250 *
    C: DATA
    S: 550 5.7.1 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<a@example.net>
    S: 250 *
    C: RCPT TO:<alice@example.org>
    S: 250 *
    C: DATA
    S: 354 *
    C: Subject: x
    C:
    C: .
    S: 421 4.3.0 *
    S: <closed>`,
    context,
  );
  assert.equal(context.accepted.length, 0);
});

test('a message is kept as the judge has it, below what it puts on top', async () => {
  const context = new TestContext();
  context.judge = judgeWith({
    message: (view) => ({
      reply: null,
      discard: null,
      orders: { hold: 'look at it' },
      before: Buffer.from('X-Above: 1\r\n'),
      message: viewOf(Buffer.concat([Buffer.from('X-Within: 1\r\n'), view.bytes!])),
      sender: null,
    }),
  });
  await exchange(`${START}${DATA}C: Subject: x\nC:\nC: .\nS: 250 *`, context);
  assert.match(context.accepted[0]!.bytes.toString(), /^X-Above: 1\r\nReceived: .*\r\nX-Within: 1\r\nSubject/s);
  assert.equal(context.accepted[0]!.envelope.sender, null);
  assert.equal(context.orders[0]?.hold, 'look at it');
});

test('BDAT takes a message in chunks and adds the last line end', async () => {
  const context = await exchange(`${START}
    C: BDAT 6
    C: abcd
    S: 250 2.0.0 6 octets received
    C: BDAT 3
    C: .\\r\\n\\
    S: 250 *
    C: BDAT 1 LAST
    C: z\\
    S: 250 2.0.0 OK queued
  `);
  assert.equal(context.accepted[0]!.message, 'abcd\r\n.\r\nz\r\n');
});

test('BDAT 0 LAST may be the whole message, on a slow disk too', async () => {
  const context = new TestContext();
  context.isSlowStaging = true;
  await conversation(`${START}\nC: BDAT 0 LAST\nS: 250 *\n${MAIL}${RCPT}\nC: BDAT 1\nC: aBDAT 1 LAST\nC: b\\\nS: 250 *\nS: 250 *`, context);
  assert.deepEqual(
    context.accepted.map(({ message }) => message),
    ['', 'ab\r\n'],
  );
});

test('BDAT 0 LAST ends a message', async () => {
  const context = await exchange(`${START}\nC: BDAT 4\nC: ab\nS: 250 *\nC: BDAT 0 LAST\nS: 250 *`);
  assert.equal(context.accepted[0]!.message, 'ab\r\n');
});

test('the octets of a refused chunk are no commands', () => conversation(`${HELLO}\nC: BDAT 6 LAST\nC: QUIT\nS: 503 5.5.1 *\nC: NOOP\nS: 250 *`));

test('DATA and RCPT are out of order after BDAT', () =>
  conversation(`${START}\nC: BDAT 2\nC:\nS: 250 *\nC: DATA\nS: 503 *\nC: RCPT TO:<bob@example.org>\nS: 503 *\nC: BDAT 0 LAST\nS: 250 *`));

test('a malformed BDAT ends the connection: its octets cannot be told from commands', () =>
  conversation(`${START}\nC: BDAT x LAST\nS: 421 5.5.4 *\nS: <closed>`));

test('a bare LF in BDAT is refused', () => conversation(`${START}\nC: BDAT 4 LAST\nC: a\\nb\\n\\\nS: 550 5.6.0 *`));

test('a chunk far larger than a message is not read', () => conversation(`${START}\nC: BDAT 999999999999 LAST\nS: 552 5.3.4 *\nS: 421 *\nS: <closed>`));

test('relaying is allowed from the listed networks', () =>
  conversation(`${HELLO}${MAIL}\nC: RCPT TO:<a@example.net>\nS: 250 *`, new TestContext({ 'smtp.relayFrom': ['127.0.0.0/8'] })));

test('VRFY tells of recipients when it is told to', () =>
  conversation(`${HELLO}\nC: VRFY <alice@example.org>\nS: 252 *\nC: VRFY nobody@example.org\nS: 550 5.1.1 *`, new TestContext({ 'smtp.vrfy': 'recipients' })));

test('XCLIENT names the client, and trust does not pass to it', async () => {
  const context = await exchange(
    `${HELLO}
    C: XCLIENT NAME=spike.example ADDR=IPV6:2001:DB8::1 PORT=4242 HELO=spike.example
    S: 220 *
    C: EHLO spike.example
    S: 250 *
    ${MAIL}${RCPT}${DATA}
    C: .
    S: 250 *
    C: XCLIENT ADDR=nonsense
    S: 501 *
    C: XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 PROTO=ESMTP SOURCE=REMOTE
    S: 250 *
    C: XFORWARD COLOUR=red
    S: 501 *
    C: XCLIENT LOGIN=alice@example.org
    S: 220 *
    C: EHLO proxy.example
    S: 250 *
    C: MAIL FROM:<stranger@example.com>
    S: 553 5.7.1 *
    C: MAIL FROM:<alice@example.org>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
  `,
    new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'], 'smtp.relayFrom': ['127.0.0.1'] }),
  );
  assert.deepEqual(context.accepted[0]!.envelope.client, {
    ip: '2001:db8::1',
    port: 4242,
    name: 'spike.example',
    told: { name: 'spike.example', nameStatus: 'ok', reverseName: 'spike.example', reverseStatus: 'ok' },
  });
  assert.match(context.accepted[0]!.bytes.toString(), /\(spike\.example \[IPv6:2001:db8::1\]\)/);
});

test('a client named by XCLIENT does not inherit the right to relay', () =>
  conversation(
    `${HELLO}${`
    C: XCLIENT ADDR=192.0.2.1
    S: 220 *
    C: EHLO x.example
    S: 250 *`}${MAIL}
    C: RCPT TO:<a@example.net>
    S: 554 5.7.1 *`,
    new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'], 'smtp.relayFrom': ['127.0.0.1'] }),
  ));

/** A session whose clock the test turns. */
async function timed(settings: Record<string, unknown>, play: (socket: Socket, pass: (ms: number) => void) => Promise<void>): Promise<void> {
  let now = 0;
  const sweeper = new IdleSweeper(() => now);
  const context = new TestContext(settings);
  const listener = await serve(context, 'smtp', false, sweeper);
  const socket = await dial(listener);
  await play(socket, (ms) => {
    now += ms;
    sweeper.sweep();
  });
  socket.destroy();
  await listener.drain(0);
  sweeper.stop();
  assert.equal(context.openWriters, 0);
}

test('a silent client is sent away, one that speaks is not', () =>
  timed({ 'smtp.commandTimeout': 60_000 }, async (socket, pass) => {
    await talk(socket, HELLO);
    pass(59_000);
    await talk(socket, 'C: NOOP\nS: 250 *');
    pass(59_000);
    await talk(socket, 'C: NOOP\nS: 250 *');
    pass(60_000);
    await talk(socket, 'S: 421 4.4.2 *\nS: <closed>');
  }));

test('a message that drips for too long is ended, however steadily it comes', () =>
  timed({ 'smtp.dataTimeout': 600_000, 'smtp.messageTimeout': 90_000 }, async (socket, pass) => {
    await talk(socket, `${START}${DATA}`);
    pass(50_000);
    await talk(socket, 'C: drip');
    pass(41_000);
    await talk(socket, 'S: 421 4.4.2 *\nS: <closed>');
  }));

test('a connection that has lasted too long ends at the next command', () =>
  timed({ 'smtp.sessionTimeout': 60_000 }, async (socket, pass) => {
    await talk(socket, HELLO);
    pass(61_000);
    await talk(socket, 'C: NOOP\nS: 421 4.4.2 *\nS: <closed>');
  }));

test('shutdown says goodbye between commands and lets a message finish', async () => {
  const context = new TestContext();
  let open = () => {};
  context.gate = new Promise((resolve) => {
    open = resolve;
  });
  // The intake is asked: the message is complete.
  const { intake } = context.loop;
  const handedOver = new Promise<void>((resolve) => {
    const { accept } = intake;
    intake.accept = (envelope, message) => {
      resolve();
      return accept(envelope, message);
    };
  });
  const listener = await serve(context);
  const idle = await dial(listener);
  const busy = await dial(listener);
  await talk(idle, HELLO);
  await talk(busy, `${START}${DATA}\nC: x\nC: .`);
  await handedOver;
  const drained = listener.drain(10_000);
  await talk(idle, 'S: 421 4.3.2 *\nS: <closed>');
  open();
  await talk(busy, 'S: 250 2.0.0 *\nS: 421 4.3.2 *\nS: <closed>');
  idle.destroy();
  busy.destroy();
  await drained;
});

test('random bytes never break a session', async () => {
  const context = new TestContext({ 'smtp.errorsMax': 10_000, 'smtp.junkMax': 10_000 });
  const listener = await serve(context);
  const word = fc.constantFrom(
    'EHLO a\r\n',
    'MAIL FROM:<a@b>\r\n',
    'RCPT TO:<alice@example.org>\r\n',
    'DATA\r\n',
    'BDAT 5\r\n',
    'BDAT 3 LAST\r\n',
    'RSET\r\n',
    '.\r\n',
    '\r\n',
    '\r',
    '\n',
    '.',
    '<>',
    '\0',
    'AUTH ',
  );
  const junk = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(word, word, junk), { maxLength: 40 }), async (words) => {
      const socket = await dial(listener);
      socket.on('error', () => {});
      socket.resume();
      for (const text of words) socket.write(Buffer.from(text, 'latin1'));
      socket.end('\r\n.\r\nQUIT\r\n');
      await new Promise((resolve) => socket.once('close', resolve));
    }),
    { seed: 20_261_120, numRuns: 150 },
  );
  await listener.drain(0);
  assert.equal(context.openWriters, 0);
  assert.deepEqual(
    context.logged.filter(({ event }) => event.endsWith('.bug') || event.endsWith('.failed')),
    [],
  );
});

test('what the intake refused is thrown away at once, what it kept never is', async () => {
  const refused = new TestContext();
  refused.reply = { code: 452, enhanced: '4.2.2', text: 'Mailbox is full' };
  await conversation(`${START}${DATA}\nC: x\nC: .\nS: 452 *`, refused);
  assert.equal(refused.discarded, 1);
  const kept = await exchange(`${START}${DATA}\nC: x\nC: .\nS: 250 *`);
  assert.equal(kept.discarded, 0);
  // The writer may have committed before it was lost.
  const unknown = new TestContext();
  unknown.reply = { code: 451, enhanced: '4.3.0', text: 'Store busy' };
  await conversation(`${START}${DATA}\nC: x\nC: .\nS: 451 *`, unknown);
  assert.equal(unknown.discarded, 0);
});

test('a refused message is thrown away also when the client has gone', async () => {
  const context = new TestContext();
  context.reply = { code: 452, enhanced: '4.2.2', text: 'Mailbox is full' };
  let open = (): void => {};
  context.gate = new Promise((resolve) => {
    open = resolve;
  });
  const listener = await serve(context);
  const socket = await dial(listener);
  await talk(socket, `${START}${DATA}\nC: x\nC: .`);
  while (context.finished === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  while (listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  open();
  while (context.discarded === 0) await new Promise((resolve) => setImmediate(resolve));
  await listener.drain(0);
});

test('a local part as long as VERP and SRS make it is taken, in both paths', () => {
  const local = `bounce+${'x'.repeat(180)}`;
  return conversation(
    `${HELLO}\nC: MAIL FROM:<${local}@example.com>\nS: 250 *\nC: RCPT TO:<${local}@example.net>\nS: 250 *`,
    new TestContext({ 'smtp.relayFrom': ['127.0.0.1'] }),
  );
});

test('an ENVID that holds a line end is refused', () =>
  conversation(`${HELLO}\nC: MAIL FROM:<a@example.com> ENVID=a+0D+0AX:\nS: 501 5.5.4 *\nC: MAIL FROM:<a@example.com> ENVID=a+20b\nS: 250 *`));
