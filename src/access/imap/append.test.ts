import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../system/failure.ts';
import { ALICE, settle, talk, TestServer } from './testing.ts';

test('pipelined APPENDs are stored side by side and answered in order, before the command behind them', async () => {
  const server = new TestServer();
  const client = await server.client('INBOX');
  let atOnce = 0;
  let most = 0;
  const append = server.store.append.bind(server.store);
  server.store.append = async (...args) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    atOnce -= 1;
    return append(...args);
  };
  let sent = '';
  for (let i = 0; i < 100; i += 1) sent += `a${i} APPEND INBOX {3+}\r\nm${String(i).padStart(2, '0')}\r\n`;
  const answer = await client.exchange(`${sent}z UID FETCH 100 FLAGS\r\n`);
  const tags = answer.split('\r\n').filter((line) => /^[az]\d* OK/.test(line));
  assert.equal(tags.length, 101);
  assert.deepEqual(
    tags.map((line) => line.split(' ')[0]),
    [...Array.from({ length: 100 }, (_, i) => `a${i}`), 'z'],
  );
  assert.match(answer, /a99 OK \[APPENDUID \d+ 100\]/);
  assert.match(answer, /\* 100 FETCH \(UID 100 FLAGS/);
  assert.ok(most > 1 && most <= 64, `${most} at once`);
});

test('a refused APPEND among others in flight is answered in its place', async () => {
  const server = new TestServer();
  const client = await server.client();
  const answer = await client.exchange('a APPEND INBOX {1+}\r\nx\r\nb APPEND Nowhere {1+}\r\nx\r\nc APPEND INBOX {1+}\r\ny\r\nd NOOP\r\n');
  assert.deepEqual(
    answer.split('\r\n').map((line) => line.slice(0, 4)),
    ['a OK', 'b NO', 'c OK', 'd OK', ''],
  );
});

test('a failing store refuses the APPENDs it concerns, and the session goes on', async () => {
  const server = new TestServer();
  const client = await server.client();
  server.store.failure = new Failure('diskFull');
  const answer = await client.exchange('a APPEND INBOX {1+}\r\nx\r\nb APPEND INBOX {1+}\r\ny\r\n');
  assert.match(answer, /^a NO \[UNAVAILABLE\] Disk full\r\nb OK \[APPENDUID \d+ 1\] APPEND completed\r\n$/);
  assert.equal(server.aborted, 1);
});

test('a client that goes away while its message is stored has stored it; one that goes before has not', async () => {
  const server = new TestServer();
  const first = await server.client();
  first.send('a APPEND INBOX {1+}\r\nx\r\n');
  first.disconnect();
  const second = await server.client();
  second.send('a APPEND INBOX {1000+}\r\nx');
  await settle();
  second.disconnect();
  await settle();
  assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 1);
  assert.equal(server.aborted, 1);
});

test('literals of an APPEND: waited for or not, binary, of a mailbox name, and refused before they are sent', async () => {
  const server = new TestServer();
  const client = await server.client();
  await talk(
    client,
    `
    C: a APPEND INBOX ~{4+}
    C| a
    C:
    C:
    S: a OK [APPENDUID 1001 1] APPEND completed
    C: b APPEND {5}
    S: + OK
    C: INBOX (\\Seen) {2}
    S: + OK
    C: hi
    S: b OK [APPENDUID 1001 2] APPEND completed
    C: c APPEND {5+}
    C: INBOX () " 1-Feb-2024 01:02:03 +0100" {2+}
    C: hi
    S: c OK [APPENDUID 1001 3] APPEND completed
    C: d APPEND Nowhere {10}
    S: d NO [TRYCREATE] No such mailbox
    C: e APPEND Nowhere {10+}
    C: 0123456789
    S: e NO [TRYCREATE] No such mailbox
    C: f APPEND INBOX {0}
    S: + OK
    C:
    S: f NO APPEND cancelled by an empty message
    C: g APPEND INBOX UTF8 (~{3+}
    C: abc)
    S: g OK [APPENDUID 1001 4] APPEND completed
    C: h APPEND INBOX UTF8 (~{3+}
    C: abc
    S: h BAD ")" expected at byte 1
    C: i APPEND INBOX {99999999999}
    S: i NO [TOOBIG] Message is larger than APPENDLIMIT
    C: j APPEND INBOX (\\Recent \\Nonsense) {1}
    S: j BAD Unknown system flag \\NONSENSE
    C: k NOOP
    S: k OK NOOP completed
  `.replace('C| a\n', 'C| ab\n'),
  );
});

test('several messages in one APPEND: all are stored, or none; more than allowed are refused', async () => {
  const server = new TestServer({ 'imap.appendMessagesMax': 3 });
  const client = await server.client();
  await talk(
    client,
    `
    C: a APPEND INBOX {1+}
    C: x (\\Seen) {1+}
    C: y " 1-Feb-2024 01:02:03 +0100" UTF8 (~{1+}
    C: z)
    S: a OK [APPENDUID 1001 1:3] APPEND completed
    C: b APPEND INBOX {1+}
    C: x {1+}
    C: y {0+}
    C:
    S: b NO APPEND cancelled by an empty message
    C: c APPEND INBOX {1+}
    C: x {1+}
    C: y {1+}
    C: z {1}
    S: c NO [LIMIT] Too many messages in one APPEND
    C: d NOOP
    S: d OK NOOP completed
  `,
  );
  assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 3);
});
