import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle, talk, TestServer } from './testing.ts';

const GREETING = 'S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN AUTH=TWOSTEP LOGIN-REFERRALS LANGUAGE] Posthorn is ready';
/** As the table has them after login; which stand in it, docs/imap-extensions.md shows. */
const [, CAPABILITY] = /^\* (CAPABILITY IMAP4rev1 IMAP4rev2 .*)\r\n/.exec(await (await new TestServer().client()).exchange('a CAPABILITY\r\n'))!;
const LOGGED_IN = `OK [${CAPABILITY}] Logged in`;

test('the greeting has the capabilities, LOGIN answers with those after it, LOGOUT says goodbye', async () => {
  const client = new TestServer().connect();
  await talk(
    client,
    `${GREETING}
    C: a LOGIN alice@example.org wonderland
    S: a ${LOGGED_IN}
    C: b CAPABILITY
    S: * ${LOGGED_IN.slice(4, LOGGED_IN.indexOf(']'))}
    S: b OK CAPABILITY completed
    C: c LOGIN alice@example.org wonderland
    S: c BAD LOGIN is not possible after login
    C: d LOGOUT
    S: * BYE Logging out
    S: d OK LOGOUT completed`,
  );
  assert.ok(client.isClosed);
});

test('AUTHENTICATE PLAIN: with an initial response, after a challenge, cancelled, malformed, refused', () =>
  talk(
    new TestServer().connect(),
    `${GREETING}
    C: a AUTHENTICATE PLAIN
    S: + 
    C: *
    S: a BAD Authentication cancelled
    C: b AUTHENTICATE PLAIN
    S: + 
    C: !!!
    S: b BAD Response is not base64
    C: c AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n
    S: c NO [AUTHENTICATIONFAILED] User name or password is wrong
    C: d AUTHENTICATE PLAIN =
    S: d BAD Response is malformed
    C: e AUTHENTICATE CRAM-MD5
    S: e NO [CANNOT] Mechanism is not offered
    C: f AUTHENTICATE PLAIN
    S: + 
    C: AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=
    S: f ${LOGGED_IN}`,
  ));

test('data that comes with success is a challenge of its own', () =>
  talk(
    new TestServer().connect(),
    `${GREETING}
    C: a AUTHENTICATE TWOSTEP
    S: + dj1maW5hbA==
    C:
    S: a ${LOGGED_IN}`,
  ));

test('without TLS there is no login, and STARTTLS is offered', async () => {
  const server = new TestServer();
  server.hasTls = true;
  const client = server.connect({ isLoopback: false });
  await talk(
    client,
    `S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS LOGINDISABLED LOGIN-REFERRALS LANGUAGE] Posthorn is ready
    C: a LOGIN alice@example.org wonderland
    S: a NO [PRIVACYREQUIRED] Passwords are taken over TLS only
    C: b AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=
    S: b NO [PRIVACYREQUIRED] Passwords are taken over TLS only`,
  );
});

test('commands sent before the TLS handshake are dropped (CVE-2011-0411)', async () => {
  const server = new TestServer();
  server.hasTls = true;
  const client = server.connect({ isLoopback: false });
  client.output();
  await talk(
    client,
    `C: a STARTTLS
    C: b NOOP
    S: a OK Begin TLS negotiation
    C: c CAPABILITY
    S: * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN AUTH=TWOSTEP LOGIN-REFERRALS LANGUAGE
    S: c OK CAPABILITY completed
    C: d STARTTLS
    S: d BAD TLS is active already`,
  );
});

test('a locked account and a broken directory have their own answers', () =>
  talk(
    new TestServer().connect(),
    `${GREETING}
    C: a LOGIN locked@example.org x
    S: a NO [AUTHENTICATIONFAILED] Too many failed logins, try again in 30 seconds
    C: b LOGIN broken@example.org x
    S: b NO [UNAVAILABLE] Logins cannot be checked now, try again later`,
  ));

test('an account that has moved is answered with a referral, once the password was right (RFC 2221)', async () => {
  const server = new TestServer();
  server.store.options.set('imap.referral', 'imap://alice;AUTH=*@mail2.example.org/');
  await talk(
    server.connect(),
    `${GREETING}
    C: a LOGIN alice@example.org wrong
    S: a NO [AUTHENTICATIONFAILED] User name or password is wrong
    C: b LOGIN alice@example.org wonderland
    S: b NO [REFERRAL imap://alice;AUTH=*@mail2.example.org/] The account has moved
    C: c AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=
    S: c NO [REFERRAL imap://alice;AUTH=*@mail2.example.org/] The account has moved
    C: d SELECT INBOX
    S: d BAD SELECT needs a login first`,
  );
});

test('an account of which some is elsewhere logs in here beside the referral, when the administrator says so (RFC 2221 section 4.1)', async () => {
  const server = new TestServer();
  server.store.options.set('imap.referral', 'imap://alice;AUTH=*@mail2.example.org/');
  server.store.options.set('imap.referralLogin', 'allow');
  await talk(
    server.connect(),
    `${GREETING}
    C: a LOGIN alice@example.org wrong
    S: a NO [AUTHENTICATIONFAILED] User name or password is wrong
    C: b AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=
    S: * ${CAPABILITY}
    S: b OK [REFERRAL imap://alice;AUTH=*@mail2.example.org/] Logged in; the account's own mailboxes are elsewhere
    C: c STATUS INBOX (MESSAGES)
    S: * STATUS INBOX (MESSAGES 0)
    S: c OK STATUS completed`,
  );
});

test('capabilities hidden for one account are not announced to it and cannot be enabled', async () => {
  const server = new TestServer();
  server.store.options.set('imap.hide', 'CONDSTORE utf8=accept');
  const client = server.connect();
  const [, line] = /\[(CAPABILITY [^\]]*)\] Logged in/.exec(await client.exchange('a LOGIN alice@example.org wonderland\r\n'))!;
  assert.ok(line!.includes(' ESEARCH') && !line!.includes('CONDSTORE') && !line!.includes('UTF8'));
  await talk(
    client,
    `C: b CAPABILITY
    S: * ${line}
    S: b OK CAPABILITY completed
    C: c ENABLE CONDSTORE UTF8=ACCEPT
    S: * ENABLED
    S: c OK ENABLE completed`,
  );
});

test('a client gets its AUTHENTICATE with a token of eight kilobytes read', async () => {
  const client = new TestServer().connect();
  client.output();
  const response = Buffer.from(`\0alice@example.org\0${'t'.repeat(8 * 1024)}`).toString('base64');
  assert.match(await client.exchange(`a AUTHENTICATE PLAIN ${response}\r\n`), /^a NO \[AUTHENTICATIONFAILED\]/);
});

test('after too many failed logins the connection is closed', async () => {
  const client = new TestServer({ 'imap.loginFailuresMax': 2 }).connect();
  await talk(
    client,
    `${GREETING}
    C: a LOGIN alice@example.org wrong
    S: a NO [AUTHENTICATIONFAILED] User name or password is wrong
    C: b LOGIN alice@example.org wrong
    S: b NO [AUTHENTICATIONFAILED] User name or password is wrong
    S: * BYE Too many failed logins`,
  );
  assert.ok(client.isClosed);
});

test('an account has so many connections from one address, and gets them back', async () => {
  const server = new TestServer({ 'imap.connectionsPerUserMax': 1 });
  const first = await server.client();
  const second = server.connect();
  second.output();
  await talk(second, 'C: a LOGIN alice@example.org wonderland\nS: a NO [LIMIT] Too many connections of this account');
  assert.match(await server.connect({ ip: '192.0.2.9' }).exchange('a LOGIN alice@example.org wonderland\r\n'), /a OK/);
  first.disconnect();
  await settle();
  await talk(second, `C: b LOGIN alice@example.org wonderland\nS: b ${LOGGED_IN}`);
});

test('commands need their state', () =>
  talk(
    new TestServer().connect(),
    `${GREETING}
    C: a SELECT INBOX
    S: a BAD SELECT needs a login first
    C: b LOGIN alice@example.org wonderland
    S: b ${LOGGED_IN}
    C: c FETCH 1 FLAGS
    S: c BAD FETCH needs a selected mailbox
    C: d CONSTRUCTOR
    S: d BAD Unknown command
    C: e UID NOOP
    S: e BAD Unknown command
    C: f
    S: f BAD There is no command behind the tag
    C: (g) NOOP
    S: * BAD A command begins with a tag and a space
    C: h NOOP x
    S: h BAD end of command expected at byte 8
    C:
    S: * BAD Empty line`,
  ));

test('too many bad commands in a row close the connection, and HTTP does at once', async () => {
  const client = new TestServer({ 'imap.badCommandsMax': 3 }).connect();
  await talk(
    client,
    `${GREETING}
    C: a NONSENSE
    C: b NOOP
    C: c NONSENSE
    C: d NONSENSE
    C: e NONSENSE
    C: f NOOP
    S: a BAD Unknown command
    S: b OK NOOP completed
    S: c BAD Unknown command
    S: d BAD Unknown command
    S: e BAD Unknown command
    S: * BYE Too many bad commands`,
  );
  assert.ok(client.isClosed);
  await talk(new TestServer().connect(), `${GREETING}\nC: GET / HTTP/1.1\nS: * BYE This is an IMAP server`);
});

test('a megabyte in one line is BAD, and the next command is read', async () => {
  const client = await new TestServer().client();
  await talk(client, `C: a SEARCH ${'x'.repeat(1_000_000)}\nC: b NOOP\nS: a BAD [TOOBIG] Command line is too long\nS: b OK NOOP completed`);
});

test('a literal that is too large is BAD before it is sent', () =>
  talk(
    new TestServer().connect(),
    `${GREETING}
    C: a LOGIN {5000}
    S: a BAD [TOOBIG] Literal is too large
    C: b NOOP
    S: b OK NOOP completed`,
  ));

test('ID, ENABLE and NAMESPACE', async () => {
  const client = await new TestServer().client();
  await talk(
    client,
    `C: a ID ("name" "test" "version" NIL)
    S: * ID ("name" "Posthorn")
    S: a OK ID completed
    C: b ENABLE CONDSTORE UTF8=ACCEPT X-UNKNOWN IMAP4rev2
    S: * ENABLED CONDSTORE UTF8=ACCEPT IMAP4rev2
    S: b OK ENABLE completed
    C: c ENABLE CONDSTORE
    S: * ENABLED
    S: c OK ENABLE completed
    C: d NAMESPACE
    S: * NAMESPACE (("" "/")) (("Other Users/" "/")) NIL
    S: d OK NAMESPACE completed`,
  );
});

test('a session is logged out when its account is switched off', async () => {
  const server = new TestServer();
  const client = await server.client();
  server.accounts = [];
  server.store.publish({ kind: 'directory' });
  assert.equal(client.output(), '* BYE The login is no longer valid\r\n');
  assert.ok(client.isClosed);
});

test('at shutdown a session says goodbye once its command is done', async () => {
  const server = new TestServer();
  const client = await server.client('INBOX');
  client.send('a EXPUNGE\r\nb NOOP\r\n');
  client.session.drain();
  await settle();
  assert.equal(client.output(), 'a OK EXPUNGE completed\r\n* BYE Server is shutting down\r\n');
});
