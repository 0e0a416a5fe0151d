import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { loggedIn, pop3House, type Stored } from './testing.ts';
import { POP3_OPERATIONS } from './operations.ts';

const text = (value: string): Buffer => Buffer.from(value.replaceAll('\n', '\r\n'), 'latin1');
const THREE: Stored[] = [
  { uid: 2, bytes: text('Subject: one\n\nfirst\n.dot\n..two\nlast\n'), prefix: 'Return-Path: <>\r\n' },
  { uid: 5, bytes: text('Subject: two\n\nno end') },
  { uid: 9, bytes: Buffer.concat([text('Subject: nul\n\na'), Buffer.from([0, 10]), text('.\n')]) },
];
/** Locks live in the module, as they do in the writer's thread. */
afterEach(() => {
  for (let n = 1; n < 10; n += 1) POP3_OPERATIONS['pop3.unlock']({} as never, { accountId: 1, session: `c${n}` });
});

/** One conversation: "C: " lines are sent, one packet each; "S: " lines must follow exactly, "*" stands for the rest of a line. */
async function talk(client: { receive(text: string): void; sent(): Promise<string> }, script: string): Promise<void> {
  const lines = script
    .trim()
    .split('\n')
    .map((line) => line.trim());
  let expected: string[] = [];
  let transcript = '';
  const check = async (): Promise<void> => {
    const got = (await client.sent()).split('\r\n').slice(0, -1);
    transcript += got.map((line) => `S: ${line}\n`).join('');
    const isSame =
      got.length === expected.length && expected.every((want, i) => (want.endsWith('*') ? got[i]!.startsWith(want.slice(0, -1)) : got[i] === want));
    assert.ok(isSame, `expected\n${expected.join('\n')}\n\ntranscript\n${transcript}`);
    expected = [];
  };
  for (const line of lines) {
    if (line.startsWith('S:')) expected.push(line.slice(3));
    else {
      await check();
      transcript += line + '\n';
      client.receive(line.slice(3) + '\r\n');
    }
  }
  await check();
}

test('a whole session: login, list, fetch, delete, quit', async () => {
  const house = pop3House({ messages: THREE });
  const client = house.connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: USER anna
    S: +OK
    C: PASS pass word
    S: +OK 3 messages (103 octets)
    C: STAT
    S: +OK 3 103
    C: LIST
    S: +OK 3 messages (103 octets)
    S: 1 59
    S: 2 22
    S: 3 22
    S: .
    C: list 2
    S: +OK 2 22
    C: UIDL
    S: +OK
    S: 1 00001a2b00000002
    S: 2 00001a2b00000005
    S: 3 00001a2b00000009
    S: .
    C: UIDL 3
    S: +OK 3 00001a2b00000009
    C: RETR 1
    S: +OK 59 octets
    S: Return-Path: <>
    S: Subject: one
    S:
    S: first
    S: ..dot
    S: ...two
    S: last
    S: .
    C: RETR 2
    S: +OK 22 octets
    S: Subject: two
    S:
    S: no end
    S: .
    C: DELE 1
    S: +OK Marked to be deleted
    C: DELE 1
    S: -ERR Message is deleted
    C: RETR 1
    S: -ERR Message is deleted
    C: STAT
    S: +OK 2 44
    C: LIST
    S: +OK 2 messages (44 octets)
    S: 2 22
    S: 3 22
    S: .
    C: RSET
    S: +OK
    C: STAT
    S: +OK 3 103
    C: NOOP
    S: +OK
    C: DELE 3
    S: +OK Marked to be deleted
    C: QUIT
    S: +OK Bye, 1 messages deleted
    `.replace(/S:$/gm, 'S: '),
  );
  assert.equal(client.socket().writableEnded, true);
  assert.deepEqual(
    house.calls.map(([name, ...rest]) => [name, ...(name.startsWith('pop3') ? [] : rest)]),
    [['pop3.lock'], ['flags', 1, 5, [2, 5], 'add', 1, []], ['expunge', 1, 5, [9], false], ['pop3.unlock']],
  );
});

test('TOP gives the header, the blank line and so many lines', async () => {
  const client = await loggedIn({ messages: [...THREE, { uid: 10, bytes: text('Subject: bare\n') }, { uid: 11, bytes: text('Subject: cut') }] });
  await talk(
    client,
    `
    C: TOP 1 0
    S: +OK
    S: Return-Path: <>
    S: Subject: one
    S:
    S: .
    C: TOP 1 2
    S: +OK
    S: Return-Path: <>
    S: Subject: one
    S:
    S: first
    S: ..dot
    S: .
    C: TOP 2 100
    S: +OK
    S: Subject: two
    S:
    S: no end
    S: .
    C: TOP 4 5
    S: +OK
    S: Subject: bare
    S:
    S: .
    C: TOP 5 5
    S: +OK
    S: Subject: cut
    S:
    S: .
    C: TOP 1
    S: -ERR TOP needs *
    C: TOP 99 1
    S: -ERR No such message
    `.replace(/S:$/gm, 'S: '),
  );
});

test('NUL becomes 0x80, and a dot after a bare LF is stuffed', async () => {
  const client = await loggedIn({ messages: THREE });
  client.receive('RETR 3\r\n');
  assert.equal(await client.sent(), '+OK 22 octets\r\nSubject: nul\r\n\r\na\x80\n..\r\n.\r\n');
});

test('pipelined commands are answered in order, in one write', async () => {
  const client = await loggedIn({ messages: THREE });
  const before = client.socket().writes;
  client.receive('STAT\r\nLIST 1\r\nUIDL 1\r\nDELE 1\r\nNOOP\r\n');
  assert.equal(await client.sent(), '+OK 3 103\r\n+OK 1 59\r\n+OK 1 00001a2b00000002\r\n+OK Marked to be deleted\r\n+OK\r\n');
  assert.equal(client.socket().writes, before + 1);
});

test('a conversation cut at every byte gives the same answers', async () => {
  const script = 'USER anna\r\nPASS pass word\r\nSTAT\r\nTOP 1 1\r\nNOPE\r\nQUIT\r\n';
  const run = async (cut: number): Promise<string> => {
    const client = pop3House({ messages: THREE }).connect();
    client.receive(script.slice(0, cut));
    client.receive(script.slice(cut));
    return client.sent();
  };
  const whole = await run(0);
  assert.match(whole, /Bye\r\n$/);
  for (let cut = 1; cut < script.length; cut += 1) assert.equal(await run(cut), whole, `cut at ${cut}`);
});

test('a large message comes whole and paced', async () => {
  const body = Buffer.from('Subject: large\r\n\r\n' + '.0123456789\r\n'.repeat(30_000));
  const client = await loggedIn({ messages: [{ uid: 1, bytes: body }] });
  client.receive('RETR 1\r\nSTAT\r\n');
  let got = '';
  for (let n = 0; n < 50 && !got.endsWith(` ${body.length}\r\n`); n += 1) got += await client.sent();
  assert.equal(got, `+OK ${body.length} octets\r\n${body.toString().replaceAll('\r\n.', '\r\n..')}.\r\n+OK 1 ${body.length}\r\n`);
});

test('TOP of a large message stops in time', async () => {
  const body = Buffer.from('Subject: large\r\n\r\n' + 'x\r\n'.repeat(60_000));
  const client = await loggedIn({ messages: [{ uid: 1, bytes: body }] });
  client.receive('TOP 1 2\r\n');
  assert.equal(await client.sent(), '+OK\r\nSubject: large\r\n\r\nx\r\nx\r\n.\r\n');
});

test('a list of thousands is complete', async () => {
  const bytes = text('a\n\nb');
  const client = await loggedIn({ messages: Array.from({ length: 2500 }, (_, n) => ({ uid: n + 1, bytes })) });
  client.receive('UIDL\r\nNOOP\r\n');
  const lines = (await client.sent()).split('\r\n');
  assert.equal(lines.length, 2500 + 4);
  assert.equal(lines[2500], '2500 00001a2b000009c4');
  assert.deepEqual(lines.slice(-3), ['.', '+OK', '']);
});

test('a client that does not read stops the answers until it does', async () => {
  const client = await loggedIn({ messages: THREE });
  client.socket().hasRoom = false;
  client.receive('STAT\r\n');
  client.receive('STAT\r\n');
  assert.equal(await client.sent(), '+OK 3 103\r\n');
  client.socket().hasRoom = true;
  client.socket().emit('drain');
  assert.equal(await client.sent(), '+OK 3 103\r\n');
});

test('a message that is gone, or damaged, is refused; damage in the middle cuts the connection', async () => {
  const large = Buffer.alloc(200_000, 'x');
  const client = await loggedIn({
    messages: [
      { uid: 1, bytes: null, size: 5 },
      { uid: 2, bytes: text('a\n\nb'), damagedAt: 0 },
      { uid: 3, bytes: large, damagedAt: 100_000 },
    ],
  });
  await talk(
    client,
    `
    C: RETR 1
    S: -ERR no such message
    C: RETR 2
    S: -ERR [SYS/PERM] stored message is damaged
    `,
  );
  client.receive('RETR 3\r\n');
  const got = await client.sent();
  assert.ok(!got.endsWith('.\r\n'));
  assert.equal(client.socket().destroyed, true);
  assert.ok(client.events.includes('pop3.message.broken'));
});

test('commands in the wrong state, unknown ones and wrong arguments are refused', async () => {
  const client = pop3House({ messages: THREE }).connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: STAT
    S: -ERR Log in first
    C: PASS x
    S: -ERR USER first
    C: USER
    S: -ERR USER needs a name
    C: CONSTRUCTOR
    S: -ERR Unknown command
    C:
    S: -ERR Unknown command
    C: APOP anna c4c9334bac560ecc979e58001b3e22fb
    S: -ERR Unknown command
    C: USER anna
    S: +OK
    C: PASS pass word
    S: +OK *
    C: USER anna
    S: -ERR Not after login
    C: RETR
    S: -ERR A message number is needed
    C: RETR 0
    S: -ERR No such message
    C: RETR 4
    S: -ERR No such message
    C: RETR 1e3
    S: -ERR A message number is needed
    C: RETR 99999999999999999999
    S: -ERR A message number is needed
    C: LIST 1 2
    S: -ERR A message number is needed
    C: DELE -1
    S: -ERR A message number is needed
    `,
  );
});

test('logins that fail say why only as far as they may, and too many end the connection', async () => {
  const client = pop3House({ settings: { 'pop3.loginsMax': 4 } }).connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: USER anna
    S: +OK
    C: PASS wrong
    S: -ERR [AUTH] Wrong name or password
    C: USER nobody
    S: +OK
    C: PASS wrong
    S: -ERR [AUTH] Wrong name or password
    C: USER locked
    S: +OK
    C: PASS x
    S: -ERR [SYS/TEMP] Too many failed logins, try again in 2 seconds
    C: USER busy
    S: +OK
    C: PASS x
    S: -ERR [SYS/TEMP] Login is not possible now, try again later
    `,
  );
  assert.equal(client.socket().writableEnded, true);
});

test('AUTH PLAIN with and without initial response, cancelled, and malformed', async () => {
  const right = Buffer.from('\0anna\0pass word').toString('base64');
  const client = pop3House().connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: AUTH
    S: +OK
    S: PLAIN
    S: .
    C: AUTH GSSAPI
    S: -ERR Mechanism is not offered
    C: AUTH PLAIN
    S: + *
    C: *
    S: -ERR Cancelled
    C: AUTH PLAIN
    S: + *
    C: !!!
    S: -ERR Response is not base64
    C: AUTH PLAIN =
    S: -ERR [AUTH] Response is malformed
    C: AUTH PLAIN ${Buffer.from('\0anna\0no').toString('base64')}
    S: -ERR [AUTH] Wrong name or password
    C: auth plain ${right}
    S: +OK 0 messages (0 octets)
    `,
  );
  const second = pop3House().connect();
  POP3_OPERATIONS['pop3.unlock']({} as never, { accountId: 1, session: 'c1' });
  await talk(second, `S: +OK POP3 ready\nC: AUTH PLAIN\nS: + *\nC: ${right}\nS: +OK *`);
});

test("a mechanism's last word is a challenge that wants an empty response", async () => {
  const client = pop3House({ serverFinal: 'v=abc' }).connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: AUTH PLAIN ${Buffer.from('\0anna\0pass word').toString('base64')}
    S: + ${Buffer.from('v=abc').toString('base64')}
    C:
    S: +OK *
    `,
  );
});

test('in clear text there is no login until STLS, and what came before it in clear is forgotten', async () => {
  const clear = pop3House({ tls: false, hasCertificate: true, messages: THREE }).connect();
  await talk(
    clear,
    `
    S: +OK POP3 ready
    C: USER anna
    S: -ERR [SYS/PERM] Log in after STLS
    C: AUTH NTLM
    S: -ERR [SYS/PERM] Not offered; try after STLS
    `,
  );
  clear.receive('CAPA\r\n');
  const before = await clear.sent();
  assert.match(before, /\r\nSTLS\r\n/);
  assert.doesNotMatch(before, /\r\nUSER\r\n|SASL/);
  const cleartext = clear.socket();
  clear.receive('STLS\r\nUSER anna\r\nPASS pass word\r\n');
  assert.equal(await clear.sent(), '');
  assert.equal(cleartext.written.toString(), '+OK Begin TLS negotiation\r\n');
  assert.notEqual(clear.socket(), cleartext);
  await talk(
    clear,
    `
    C: PASS pass word
    S: -ERR USER first
    C: STLS
    S: -ERR TLS is on already
    C: USER anna
    S: +OK
    C: PASS pass word
    S: +OK 3 messages (103 octets)
    `,
  );
});

test('CAPA says what there is', async () => {
  const client = pop3House().connect();
  await talk(
    client,
    `
    S: +OK POP3 ready
    C: CAPA
    S: +OK Capability list follows
    S: TOP
    S: UIDL
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: PIPELINING
    S: EXPIRE NEVER
    S: UTF8 USER
    S: LANG
    S: IMPLEMENTATION Posthorn
    S: USER
    S: SASL PLAIN
    S: .
    C: UTF8
    S: +OK UTF-8 is on
    C: QUIT
    S: +OK Bye
    `,
  );
});

test('only one session has the maildrop, in this thread and in others', async () => {
  const house = pop3House();
  const [first, second] = [house.connect(), house.connect()];
  const login = 'USER anna\r\nPASS pass word\r\n';
  first.receive(login);
  assert.match(await first.sent(), /\+OK 0 messages/);
  second.receive(login);
  assert.match(await second.sent(), /-ERR \[IN-USE\]/);
  const elsewhere = pop3House();
  elsewhere.connect();
  const third = elsewhere.connect(); // another thread, another session id
  third.receive(login);
  assert.match(await third.sent(), /-ERR \[IN-USE\]/);
  first.receive('QUIT\r\n');
  await first.sent();
  second.receive(login);
  assert.match(await second.sent(), /\+OK 0 messages/);
  second.socket().destroy();
  await second.sent();
  third.receive(login);
  assert.match(await third.sent(), /\+OK 0 messages/);
});

test('visitors (ANONYMOUS) delete nothing, mark nothing as read, and keep nobody out', async () => {
  const house = pop3House({ messages: THREE });
  const visitors = [house.connect(), house.connect()];
  for (const visitor of visitors) {
    visitor.receive('USER visitor:lr\r\nPASS x\r\n');
    assert.match(await visitor.sent(), /\+OK 3 messages/);
  }
  const owner = house.connect();
  owner.receive('USER anna\r\nPASS pass word\r\n');
  assert.match(await owner.sent(), /\+OK 3 messages/);
  visitors[0]!.receive('RETR 1\r\nDELE 1\r\nDELE 99\r\nRETR 1\r\nQUIT\r\n');
  assert.match(
    await visitors[0]!.sent(),
    /^\+OK 59 octets.*\.\r\n-ERR \[SYS\/PERM\] Messages cannot be deleted with this login\r\n-ERR No such message\r\n\+OK 59 octets.*\+OK Bye\r\n$/s,
  );
  assert.deepEqual(
    house.calls.map(([operation]) => operation),
    ['pop3.lock'],
  );
});

test('visitors who may not read are shown nothing', async () => {
  const house = pop3House({ messages: THREE });
  for (const rights of ['', 'l', 'lst']) {
    const visitor = house.connect();
    visitor.receive(`USER visitor:${rights}\r\nPASS x\r\nSTAT\r\n`);
    assert.match(await visitor.sent(), /-ERR \[SYS\/PERM\] Messages cannot be read with this login\r\n-ERR/);
  }
  assert.deepEqual(house.calls, []);
});

test('visitors who may delete take the maildrop like its owner', async () => {
  const house = pop3House({ messages: THREE });
  const visitor = house.connect();
  visitor.receive('USER visitor:lrste\r\nPASS x\r\n');
  assert.match(await visitor.sent(), /\+OK 3 messages/);
  const owner = house.connect();
  owner.receive('USER anna\r\nPASS pass word\r\n');
  assert.match(await owner.sent(), /IN-USE/);
  visitor.receive('DELE 2\r\nQUIT\r\n');
  assert.match(await visitor.sent(), /\+OK Marked to be deleted\r\n\+OK Bye, 1 messages deleted/);
});

test('a lost connection deletes nothing and gives the maildrop back', async () => {
  const client = await loggedIn({ messages: THREE });
  client.receive('DELE 1\r\nRETR 2\r\n');
  await client.sent();
  client.socket().destroy();
  await client.sent();
  assert.deepEqual(
    client.calls.map(([name]) => name),
    ['pop3.lock', 'flags', 'pop3.unlock'],
  );
});

test('a failed update is told, and the maildrop given back', async () => {
  const client = await loggedIn({
    messages: THREE,
    expunge: () => {
      throw new Error('disk on fire');
    },
  });
  client.receive('DELE 1\r\nQUIT\r\n');
  assert.equal(await client.sent(), '+OK Marked to be deleted\r\n-ERR [SYS/TEMP] Messages were not deleted\r\n');
  assert.deepEqual(client.calls.at(-1)![0], 'pop3.unlock');
});

test('silence ends a session without a word; its lock is renewed until then', async () => {
  const client = await loggedIn({ messages: THREE });
  client.pass(61_000);
  client.pass(61_000);
  assert.equal(client.calls.filter(([name]) => name === 'pop3.lock').length, 3);
  assert.equal(client.socket().destroyed, false);
  client.receive('NOOP\r\n');
  for (let n = 0; n < 9; n += 1) client.pass(61_000);
  assert.equal(client.socket().destroyed, false);
  client.pass(61_000);
  assert.equal(client.socket().destroyed, true);
  assert.equal(await client.sent(), '+OK\r\n');
  const silent = pop3House().connect();
  assert.equal(await silent.sent(), '+OK POP3 ready\r\n');
});

test('lines without end and errors without end close the connection', async () => {
  const client = pop3House({ settings: { 'pop3.errorsMax': 3 } }).connect();
  await client.sent();
  client.receive('X'.repeat(600));
  client.receive('X'.repeat(6000));
  client.receive('\r\nNOOP\r\n');
  assert.equal(await client.sent(), '-ERR Line too long\r\n-ERR Log in first\r\n');
  client.receive('Y\r\nZ\r\n');
  assert.equal(await client.sent(), '-ERR Unknown command\r\n');
  assert.equal(client.socket().writableEnded, true);
});

test('a shutdown says goodbye when the running command is done', async () => {
  const client = await loggedIn({ messages: THREE });
  client.session.drain();
  assert.match(await client.sent(), /^-ERR \[SYS\/TEMP\] Server is shutting down/);
  assert.equal(client.socket().writableEnded, true);
});

test('whatever bytes come, each line has a reply and nothing breaks', async () => {
  const verb = fc.constantFrom(
    'USER',
    'PASS',
    'AUTH',
    'STAT',
    'LIST',
    'UIDL',
    'RETR',
    'TOP',
    'DELE',
    'RSET',
    'NOOP',
    'CAPA',
    'UTF8',
    'LANG',
    'LAST',
    'STLS',
    'AUTH PLAIN',
    '*',
    '=',
  );
  const argument = fc.oneof(
    fc.constantFrom('', '1', '2 3', '0', 'anna', '\0', '=', 'AGFubmEAcGFzcw=='),
    fc.string({ maxLength: 20 }).map((t) => t.replace(/[\r\n]/g, '')),
  );
  const line = fc.tuple(verb, argument).map(([command, rest]) => `${command} ${rest}\r\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.boolean(), fc.nat(200), async (lines, isLoggedIn, cut) => {
      const settings = { 'pop3.errorsMax': 1000, 'pop3.loginsMax': 100 };
      const options = { messages: THREE, settings };
      const house = pop3House(options);
      const talker = isLoggedIn ? await loggedIn(options) : { ...house, ...house.connect() };
      const bytes = lines.join('');
      talker.receive(bytes.slice(0, cut));
      talker.receive(bytes.slice(cut));
      await talker.sent();
      assert.deepEqual(
        talker.events.filter((event) => event === 'pop3.bug'),
        [],
      );
      talker.socket().destroy();
      await talker.sent();
    }),
    { seed: 1939, numRuns: 150 },
  );
});

test('a session ends when its account is switched off, and deletes nothing', async () => {
  const { accounts, announcements, receive, sent, calls, socket } = await loggedIn({ messages: [{ uid: 1, bytes: Buffer.from('a\r\n\r\n') }] });
  receive('DELE 1\r\n');
  await sent();
  accounts.set(1, { ...accounts.get(1)!, isDisabled: true });
  announcements.publish([{ kind: 'directory', accounts: [1] }]);
  assert.match(await sent(), /^-ERR \[AUTH\] /);
  assert.ok(socket().writableEnded);
  receive('QUIT\r\n');
  await sent();
  assert.equal(
    calls.some(([name]) => name === 'expunge'),
    false,
  );
});

test('a session ends when the password it was opened with is no more, and not with other changes', async () => {
  const { credentials, announcements, receive, sent, socket } = await loggedIn();
  credentials.push(8);
  announcements.publish([{ kind: 'directory', accounts: [1] }, { kind: 'directory', accounts: [2] }, { kind: 'directory' }]);
  receive('NOOP\r\n');
  assert.equal(await sent(), '+OK\r\n');
  credentials.splice(0, 1);
  announcements.publish([{ kind: 'directory', accounts: [1] }]);
  await sent();
  assert.ok(socket().writableEnded);
});
