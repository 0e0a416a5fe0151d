import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { version } from '../../system/version.ts';
import { house, plain, talk } from './testing.ts';

const GREETING = (more: string): string => `
  S: "IMPLEMENTATION" "Posthorn ${version()}"
  S: "SIEVE" "fileinto vacation"
  ${more}
  S: "NOTIFY" "mailto"
  S: "MAXREDIRECTS" "4"
  S: "LANGUAGE" "en"
  S: "UNAUTHENTICATE"
  S: "VERSION" "1.0"
  S: OK "Posthorn is ready"
`;

test('capabilities come with the connection, and again after STARTTLS, without what was said in clear', async (t) => {
  const client = (await house(t, { hasCertificate: true })).connect(false);
  await talk(client, GREETING('S: "SASL" ""\n S: "STARTTLS"'));
  const clear = client.socket;
  client.send('StartTls\r\nAUTHENTICATE "PLAIN" "AGEAYg=="\r\n');
  await client.settled();
  assert.equal(Buffer.concat(clear.heard).toString(), 'OK "Begin TLS negotiation"\r\n');
  // The session speaks on the new socket now.
  await talk(
    client,
    `
    C: CAPABILITY
    ${GREETING('S: "SASL" "PLAIN TWOSTEP"')}
    C: STARTTLS
    S: NO "TLS is on already"
  `,
  );
});

test('after the login the owner is named and STARTTLS is not', async (t) => {
  const client = await (await house(t)).enter();
  assert.match(await client.exchange('CAPABILITY\r\n'), /"OWNER" "anna@example\.org"\r\n/);
  await talk(
    client,
    `
    C: AUTHENTICATE "PLAIN" "${plain('anna')}"
    S: NO "Logged in already"
    C: STARTTLS
    S: NO "Not after login"
  `,
  );
});

test('before the login only a few commands are obeyed', async (t) => {
  const client = (await house(t)).connect();
  await client.settled();
  await talk(
    client,
    `
    C: LISTSCRIPTS
    C: PUTSCRIPT "a" {4+}
    C: keep
    C: UNAUTHENTICATE
    C: NOOP
    C: CONSTRUCTOR
    C:
    C: LOGOUT
    C: NOOP
    S: NO "Log in first"
    S: NO "Log in first"
    S: NO "Log in first"
    S: OK "Nothing was done"
    S: NO "Unknown command"
    S: NO "A command is expected"
    S: OK "Goodbye"
  `,
  );
  assert.ok(client.isClosed);
});

test('without TLS a client is told to begin with it', async (t) => {
  const client = (await house(t, { hasCertificate: true })).connect(false);
  await client.settled();
  await talk(client, `C: AUTHENTICATE "PLAIN" "${plain('anna')}"\n S: NO (ENCRYPT-NEEDED) "Log in after STARTTLS"`);
});

test('AUTHENTICATE with a challenge, answers as quoted string or literal, and cancelling', async (t) => {
  const { connect } = await house(t);
  const client = connect();
  await client.settled();
  const response = plain('anna');
  await talk(
    client,
    `
    C: AUTHENTICATE "PLAIN"
    S: ""
    C: "*"
    S: NO "Cancelled"
    C: Authenticate "plain"
    S: ""
    C: "no base64!"
    S: NO "Response is not base64"
    C: AUTHENTICATE "PLAIN"
    S: ""
    C: two words
    S: NO "A string is expected"
    C: AUTHENTICATE "PLAIN" "YQ=="
    S: NO "Response is malformed"
    C: AUTHENTICATE "GSSAPI"
    S: NO "Mechanism is not offered"
    C: AUTHENTICATE {5+}
    C: PLAIN
    S: ""
    C: {${response.length}+}
    C: ${response}
    S: OK "Logged in"
  `,
  );
});

test("the server's last word travels with the OK", async (t) => {
  const client = (await house(t)).connect();
  await client.settled();
  await talk(client, `C: AUTHENTICATE "TWOSTEP" ""\n S: OK (SASL "${Buffer.from('v=final').toString('base64')}") "Logged in"`);
});

test('failed logins are told apart only where that helps, and end the connection after some', async (t) => {
  const client = (await house(t, { settings: { 'managesieve.loginsMax': 4 } })).connect();
  await client.settled();
  await talk(
    client,
    `
    C: AUTHENTICATE "PLAIN" "${plain('anna', 'wrong')}"
    S: NO "Wrong name or password"
    C: AUTHENTICATE "PLAIN" "${plain('locked')}"
    S: NO (TRYLATER) "Too many failed logins, try again in 2 seconds"
    C: AUTHENTICATE "PLAIN" "${plain('busy')}"
    S: NO (TRYLATER) "Login is not possible now, try again later"
    C: AUTHENTICATE "PLAIN" "${plain('nobody')}"
    S: BYE "Too many failed logins"
  `,
  );
  assert.ok(client.isClosed);
});

test('the life of a script', async (t) => {
  const client = await (await house(t)).enter();
  await talk(
    client,
    `
    C: LISTSCRIPTS
    S: OK
    C: HAVESPACE "summer" 100
    S: OK "There is room"
    C: PUTSCRIPT "summer" {13+}
    C: # sun
    C: keep
    C:
    S: OK "The script is stored"
    C: PUTSCRIPT {13+}
    C: clever"script "keep"
    S: OK "The script is stored"
    C: Setactive "summer"
    S: OK "The script is active"
    C: listscripts
    S: "clever\\"script"
    S: "summer" ACTIVE
    S: OK
    C: GETSCRIPT "summer"
    S: {13}
    S: # sun
    S: keep
    S:
    S: OK
    C: DELETESCRIPT "summer"
    S: NO (ACTIVE) "Not possible for the active script"
    C: RENAMESCRIPT "summer" "clever\\"script"
    S: NO (ALREADYEXISTS) "There is a script by that name already"
    C: RENAMESCRIPT "summer" "winter"
    S: OK "The script is renamed"
    C: LISTSCRIPTS
    S: "clever\\"script"
    S: "winter" ACTIVE
    S: OK
    C: SETACTIVE "clever\\"script"
    C: SETACTIVE ""
    C: SETACTIVE ""
    C: LISTSCRIPTS
    S: OK "The script is active"
    S: OK "No script is active"
    S: OK "No script is active"
    S: "clever\\"script"
    S: "winter"
    S: OK
    C: DELETESCRIPT "winter"
    S: OK "The script is deleted"
    C: LOGOUT
    S: OK "Goodbye"
  `,
  );
});

test('what is not there is NONEXISTENT', async (t) => {
  const client = await (await house(t)).enter();
  for (const command of ['GETSCRIPT "x"', 'DELETESCRIPT "x"', 'SETACTIVE "x"', 'RENAMESCRIPT "x" "y"'])
    assert.equal(await client.exchange(`${command}\r\n`), 'NO (NONEXISTENT) "There is no script by that name"\r\n', command);
});

test('nobody sees or changes the scripts of others', async (t) => {
  const { enter } = await house(t);
  const [anna, bert] = [await enter('anna'), await enter('bert')];
  await anna.exchange('PUTSCRIPT "mine" "keep"\r\nSETACTIVE "mine"\r\n');
  assert.equal(await bert.exchange('LISTSCRIPTS\r\nGETSCRIPT "mine"\r\n'), 'OK\r\nNO (NONEXISTENT) "There is no script by that name"\r\n');
  await bert.exchange('PUTSCRIPT "mine" "hm"\r\nSETACTIVE "mine"\r\n');
  assert.equal(await anna.exchange('GETSCRIPT "mine"\r\n'), '{4}\r\nkeep\r\nOK\r\n');
});

test('errors are told with their line, several as a literal; nothing is stored then', async (t) => {
  const client = await (await house(t)).enter();
  await talk(
    client,
    `
    C: PUTSCRIPT "a" "keep"
    S: OK "The script is stored"
    C: PUTSCRIPT "a" {31+}
    C: #comment
    C: InvalidSieveCommand
    C:
    S: NO "line 2: \\"InvalidSieveCommand\\" is unknown"
    C: CHECKSCRIPT {7+}
    C: x
    C: y
    C: z
    S: NO {70}
    S: line 1: "x" is unknown
    S: line 2: "y" is unknown
    S: line 3: "z" is unknown
    C: GETSCRIPT "a"
    S: {4}
    S: keep
    S: OK
    C: CHECKSCRIPT "hm"
    S: OK (WARNINGS) "line 1: hm has no effect"
    C: PUTSCRIPT "a" "hm"
    S: OK (WARNINGS) "line 1: hm has no effect"
    C: CHECKSCRIPT "keep"
    S: OK "The script is valid"
    C: PUTSCRIPT "a" ""
    S: NO "The script is empty"
  `,
  );
});

test('quotas: too large, too many, too much together; the old script stays', async (t) => {
  const client = await (await house(t, { settings: { 'sieve.scriptBytesMax': 50, 'scripts.totalBytesMax': 80, 'scripts.countMax': 2 } })).enter();
  const of = (bytes: number): string => `{${bytes}+}\r\n${'#'.repeat(bytes)}`;
  assert.equal(await client.exchange(`PUTSCRIPT "a" ${of(50)}\r\n`), 'OK "The script is stored"\r\n');
  assert.equal(await client.exchange(`PUTSCRIPT "a" ${of(51)}\r\n`), 'NO (QUOTA/MAXSIZE) "The script is too large"\r\n');
  assert.equal(await client.exchange(`PUTSCRIPT "b" ${of(31)}\r\n`), 'NO (QUOTA/MAXSIZE) "All scripts together would be too large"\r\n');
  assert.equal(await client.exchange(`PUTSCRIPT "b" ${of(30)}\r\n`), 'OK "The script is stored"\r\n');
  assert.equal(await client.exchange(`PUTSCRIPT "c" ${of(1)}\r\n`), 'NO (QUOTA/MAXSCRIPTS) "There are too many scripts"\r\n');
  assert.equal(await client.exchange(`PUTSCRIPT "a" ${of(40)}\r\n`), 'OK "The script is replaced"\r\n');
  assert.equal(await client.exchange('HAVESPACE "c" 1\r\n'), 'NO (QUOTA/MAXSCRIPTS) "There are too many scripts"\r\n');
  assert.equal(await client.exchange('HAVESPACE "a" 4294967295\r\n'), 'NO (QUOTA/MAXSIZE) "The script is too large"\r\n');
  assert.equal(await client.exchange('HAVESPACE "a" 50\r\n'), 'OK "There is room"\r\n');
  // So large that it is not even gathered.
  assert.equal(await client.exchange(`PUTSCRIPT "a" ${of(20_000)}\r\nNOOP\r\n`), 'NO (QUOTA/MAXSIZE) "The script is too large"\r\nOK "Nothing was done"\r\n');
  // A check says nothing about quotas (RFC 5804 section 2.12), but nobody compiles more than could be stored.
  assert.equal(await client.exchange(`CHECKSCRIPT ${of(51)}\r\n`), 'NO "The script is too large"\r\n');
});

test('names and arguments that cannot be are refused', async (t) => {
  const client = await (await house(t)).enter();
  for (const command of ['GETSCRIPT ""', 'GETSCRIPT "a\tb"', `GETSCRIPT "${'x'.repeat(129)}"`, 'PUTSCRIPT "" "keep"', 'RENAMESCRIPT "a" ""'])
    assert.match(await client.exchange(`${command}\r\n`), /^NO "No script can have this name/, command);
  client.send(Buffer.from('GETSCRIPT "\xff\xfe"\r\n', 'latin1'));
  assert.match(await client.settled(), /^NO "No script can have this name/);
  await talk(
    client,
    `
    C: GETSCRIPT
    S: NO "An argument is missing"
    C: GETSCRIPT "a" "b"
    S: NO "Too many arguments"
    C: LOGOUT "now"
    S: NO "Takes no arguments"
    C: HAVESPACE "a" "b"
    S: NO "A number is expected"
    C: GETSCRIPT a
    S: NO "A string is expected"
  `,
  );
});

test('NOOP gives its tag back', async (t) => {
  const client = (await house(t)).connect();
  await client.settled();
  await talk(
    client,
    'C: NOOP "STARTTLS-SYNC-42"\n S: OK (TAG "STARTTLS-SYNC-42") "Nothing was done"\n C: NOOP {3+}\n C: a"b\n S: OK (TAG "a\\"b") "Nothing was done"',
  );
});

test('UNAUTHENTICATE leads back, for somebody else to log in', async (t) => {
  const { enter } = await house(t);
  const client = await enter('anna');
  await talk(
    client,
    `
    C: PUTSCRIPT "of-anna" "keep"
    C: UNAUTHENTICATE
    C: LISTSCRIPTS
    C: AUTHENTICATE "PLAIN" "${plain('bert')}"
    C: LISTSCRIPTS
    S: OK "The script is stored"
    S: OK "Logged out"
    S: NO "Log in first"
    S: OK "Logged in"
    S: OK
  `,
  );
});

test('what a client that does nothing or only nonsense hears', async (t) => {
  const { connect, enter, pass } = await house(t, { settings: { 'managesieve.errorsMax': 3 } });
  const silent = connect();
  await silent.settled();
  pass(60_000);
  assert.equal(await silent.settled(), 'BYE "Login took too long"\r\n');

  const talker = connect();
  await talker.settled();
  for (let n = 0; n < 3; n += 1) {
    pass(50_000);
    await talker.exchange('NOOP\r\n');
  }
  pass(30_000);
  assert.equal(await talker.settled(), 'BYE "Login took too long"\r\n', 'NOOP does not keep a stranger');

  const idle = await enter();
  pass(29 * 60_000);
  assert.equal(await idle.exchange('NOOP\r\n'), 'OK "Nothing was done"\r\n');
  pass(30 * 60_000);
  assert.equal(await idle.settled(), 'BYE "Logged out after inactivity"\r\n');

  const nonsense = connect();
  await nonsense.settled();
  assert.equal(await nonsense.exchange('A\r\nB\r\nC\r\nD\r\n'), 'NO "Unknown command"\r\nNO "Unknown command"\r\nBYE "Too many errors"\r\n');
  const browser = connect();
  await browser.settled();
  assert.equal(await browser.exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'BYE "This is a ManageSieve server"\r\n');
});

test('at shutdown a client is asked to come again, or sent elsewhere', async (t) => {
  const first = await house(t);
  const client = await first.enter();
  client.session.drain();
  assert.equal(await client.settled(), 'BYE (TRYLATER) "Server is shutting down, try again later"\r\n');
  assert.ok(client.isClosed);
  const second = await house(t, { settings: { 'managesieve.referral': 'sieve://b.example' } });
  const other = await second.enter();
  other.send('PUTSCRIPT "a" "keep"\r\n');
  other.session.drain();
  assert.equal(
    await other.settled(),
    'OK "The script is stored"\r\nBYE (REFERRAL "sieve://b.example") "Server is shutting down, try again later"\r\n',
    'what was begun is finished',
  );
});

test('a session ends with its login, not with a change of its scripts', async (t) => {
  const { enter, store, id, logged } = await house(t);
  const [first, second] = [await enter(), await enter()];
  assert.equal(await first.exchange('PUTSCRIPT "a" "keep"\r\nSETACTIVE "a"\r\n'), 'OK "The script is stored"\r\nOK "The script is active"\r\n');
  assert.equal(await second.exchange('NOOP\r\n'), 'OK "Nothing was done"\r\n');
  await store.writer.run('test.disable', id('anna'));
  assert.equal(await first.settled(), 'BYE "This login has ended"\r\n');
  assert.ok(first.isClosed && second.isClosed);
  assert.deepEqual(
    logged.map(({ event }) => event),
    ['script.put', 'script.activated', 'managesieve.login.ended', 'managesieve.login.ended'],
  );
});

test('a client that does not read its answers is waited for', async (t) => {
  const { enter, pass } = await house(t);
  const client = await enter();
  await client.exchange(`PUTSCRIPT "big" {300000+}\r\n${'#'.repeat(300_000)}\r\n`);
  client.socket.isStalled = true;
  client.send('GETSCRIPT "big"\r\n'.repeat(50));
  await client.settled();
  const waiting = client.socket.writableLength;
  assert.ok(waiting < 2_000_000, `${waiting} bytes wait`);
  client.socket.unstall();
  let got = 0;
  for (let n = 0; n < 200 && got < 50 * 300_000; n += 1) got += (await client.settled()).length;
  assert.ok(got > 50 * 300_000);
  client.socket.isStalled = true;
  client.send('GETSCRIPT "big"\r\n'.repeat(2));
  await client.settled();
  pass(31 * 60_000);
  assert.ok(client.socket.destroyed);
});

test('whatever is sent, however it is cut, every session answers or ends, and there is no bug in the log', async (t) => {
  const { connect, logged } = await house(t, { settings: { 'managesieve.errorsMax': 1000 } });
  const word = fc.constantFrom(
    'NOOP',
    'PUTSCRIPT',
    'AUTHENTICATE',
    '"PLAIN"',
    '"a"',
    '{3+}\r\nabc',
    '{2}\r\nkeep',
    '"',
    '0',
    '99',
    '*',
    '""',
    '\r\n',
    ' ',
    `"${plain('anna')}"`,
    'LISTSCRIPTS',
    'SETACTIVE',
    'RENAMESCRIPT',
    'GETSCRIPT',
    'HAVESPACE',
    'CHECKSCRIPT',
    'UNAUTHENTICATE',
    'DELETESCRIPT',
  ); // prettier-ignore
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 30 }), fc.nat(200), async (words, cut) => {
      const client = connect();
      await client.settled();
      const input = `${words.join(' ')}\r\n`;
      client.send(input.slice(0, cut));
      client.send(input.slice(cut));
      client.send('\r\nxyz\r\nLOGOUT\r\n');
      const said = await client.settled();
      for (const line of said.split('\r\n')) assert.match(line, /^(?:OK|NO|BYE|"|\{|$|a|k|e|p|b|c)/);
    }),
    { seed: 58041, numRuns: 150 },
  );
  assert.deepEqual(
    logged.filter(({ event }) => event.endsWith('.bug')),
    [],
  );
});
