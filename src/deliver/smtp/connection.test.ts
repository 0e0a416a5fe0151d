import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliverTo, scriptedServer, testJob } from '../testing.ts';
import type { Job } from '../agent.ts';
import type { Delivered } from '../testing.ts';
import type { OpenOptions } from './open.ts';

const OPENING = `
  S: 220 mx.test ESMTP
  C: EHLO us.test
  S: 250-mx.test`;
const PIPELINING = `${OPENING}
  S: 250-8BITMIME
  S: 250 PIPELINING`;

async function talk(script: string | string[], jobs: readonly Job[], more: Partial<OpenOptions> = {}): Promise<Delivered & { messages: string[] }> {
  const server = await scriptedServer(Array.isArray(script) ? script : [script]);
  try {
    const delivered = await deliverTo(server.port, jobs, more);
    assert.deepEqual(server.mistakes, [], server.transcripts.map((lines) => lines.join('\n')).join('\n---\n'));
    return { ...delivered, messages: server.messages };
  } finally {
    await server.close();
  }
}

test('without extensions each command waits for its reply', async () => {
  const { fates, messages, isOpen } = await talk(
    `S: 220 mx.test
     C: EHLO us.test
     S: 250 mx.test
     C: MAIL FROM:<from@us.test>
     S: 250 ok
     C: RCPT TO:<a@them.test>
     S: 250 ok
     C: RCPT TO:<b@them.test>
     S: 550 5.1.1 nobody
     C: DATA
     S: 354 go
     M
     S: 250 2.6.0 taken`,
    [testJob(['a@them.test', 'b@them.test'], { text: 'Subject: x\r\n\r\n.dot\r\n..two\r\n' })],
  );
  assert.deepEqual(fates, [['delivered 250 2.6.0', 'failed 550 5.1.1']]);
  assert.deepEqual(messages, ['Subject: x\r\n\r\n.dot\r\n..two\r\n']);
  assert.equal(isOpen, true);
});

test('a server that knows only HELO is spoken to in HELO', async () => {
  const { fates } = await talk(
    `S: 220 old.test
     C: EHLO us.test
     S: 502 what
     C: HELO us.test
     S: 250 old.test
     C: MAIL FROM:<>
     S: 250 ok
     C: RCPT TO:<a@them.test>
     S: 250 ok
     C: DATA
     S: 354 go
     M
     S: 250 taken`,
    [testJob(['a@them.test'], { sender: null })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
});

test('with PIPELINING the next envelope travels with the end of the message', async () => {
  const { fates, messages } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<b@them.test>
     C: DATA
     S: 250 2.0.0 first
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 second`,
    [testJob(['a@them.test'], { text: 'Subject: 1\r\n\r\none' }), testJob(['b@them.test'], { text: 'Subject: 2\r\n\r\ntwo\r\n' })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0'], ['delivered 250 2.0.0']]);
  // A message that does not end in a line end gets one: the final dot needs it.
  assert.deepEqual(messages, ['Subject: 1\r\n\r\none\r\n', 'Subject: 2\r\n\r\ntwo\r\n']);
});

test('pipelined: some recipients refused, the others get the message', async () => {
  const { fates } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: RCPT TO:<b@them.test>
     C: RCPT TO:<c@them.test>
     C: DATA
     S: 250 ok
     S: 550 5.1.1 no a
     S: 250 ok
     S: 451 4.7.1 later
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test', 'b@them.test', 'c@them.test'])],
  );
  assert.deepEqual(fates, [['failed 550 5.1.1', 'delivered 250 2.0.0', 'deferred 451 4.7.1']]);
});

test('pipelined: all recipients refused but DATA accepted ends with an empty message', async () => {
  const { fates, messages } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 550 5.1.1 no a
     S: 354 go
     M
     S: 554 5.5.1 no recipients`,
    [testJob(['a@them.test'])],
  );
  assert.deepEqual(fates, [['failed 550 5.1.1']]);
  assert.deepEqual(messages, ['']);
});

test('MAIL refused without PIPELINING: each recipient gets that answer', async () => {
  const { fates } = await talk(
    `S: 220 mx.them.test
     C: EHLO us.test
     S: 250 mx.them.test
     C: MAIL FROM:<from@us.test>
     S: 550 5.7.1 not you`,
    [testJob(['a@them.test', 'b@them.test'])],
  );
  assert.deepEqual(fates, [['failed 550 5.7.1', 'failed 550 5.7.1']]);
});

test('MAIL refused: the refusal counts for all, and RSET precedes the next message', async () => {
  const { fates } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: RCPT TO:<b@them.test>
     C: DATA
     S: 550 5.7.1 we do not like you
     S: 503 5.5.1 need MAIL
     S: 503 5.5.1 need MAIL
     S: 503 5.5.1 need RCPT
     C: RSET
     C: MAIL FROM:<other@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test', 'b@them.test']), testJob(['a@them.test'], { sender: 'other@us.test' })],
  );
  assert.deepEqual(fates, [['failed 550 5.7.1', 'failed 550 5.7.1'], ['delivered 250 2.0.0']]);
});

test('452 after accepted recipients means: the rest in the next transaction', async () => {
  const { fates } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: RCPT TO:<b@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 452 4.5.3 too many
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test', 'b@them.test'])],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0', 'again 452 4.5.3']]);
});

test('with CHUNKING envelope and message are one write', async () => {
  const text = 'Subject: x\r\n\r\n.no stuffing\r\n';
  const { fates, messages } = await talk(
    `${OPENING}
     S: 250-PIPELINING
     S: 250-8BITMIME
     S: 250-SIZE 100000
     S: 250 CHUNKING
     C: MAIL FROM:<from@us.test> SIZE=${text.length}
     C: RCPT TO:<a@them.test>
     C: BDAT ${text.length} LAST
     B: ${text.length}
     S: 250 ok
     S: 250 ok
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test'], { text })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
  assert.deepEqual(messages, [text]);
});

test('a large message waits for the recipients and is streamed, with BDAT and with DATA', async () => {
  const line = `${'0123456789'.repeat(7)}\r\n`;
  const text = `Subject: big\r\n\r\n${line.repeat(6000)}.x\r\n`;
  const bdat = await talk(
    `${OPENING}
     S: 250-PIPELINING
     S: 250 CHUNKING
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     S: 250 ok
     S: 250 ok
     C: BDAT ${text.length} LAST
     B: ${text.length}
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test'], { text })],
  );
  assert.equal(bdat.messages[0], text);
  const data = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test'], { text })],
  );
  assert.equal(data.messages[0], text);
  assert.deepEqual([bdat.fates, data.fates], [[['delivered 250 2.0.0']], [['delivered 250 2.0.0']]]);
});

test('a message larger than SIZE is refused here with 5.3.4, and nothing is sent', async () => {
  const { fates } = await talk(`${OPENING}\n S: 250 SIZE 10`, [testJob(['a@them.test'])]);
  assert.deepEqual(fates, [['failed 552 5.3.4']]);
});

test('DSN parameters are passed on where DSN is offered, and then reports are not ours', async () => {
  const recipient = { n: 0, address: 'a@them.test', orcpt: 'rfc822;o+x@us.test', notify: 'success,failure' };
  const { fates, outcomes } = await talk(
    `${OPENING}
     S: 250-PIPELINING
     S: 250 DSN
     C: MAIL FROM:<from@us.test> RET=HDRS ENVID=id+20one
     C: RCPT TO:<a@them.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@us.test
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob([recipient], { envid: 'id one', ret: 'HDRS' })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
  assert.equal(outcomes[0]![0]!.isDsnPassed, true);
});

test('SMTPUTF8 is declared only when needed, and refused with 5.6.7 where the server lacks it', async () => {
  const utf8 = testJob(['ü@them.test'], { smtputf8: true });
  assert.deepEqual((await talk(`${PIPELINING}`, [utf8])).fates, [['failed 553 5.6.7']]);
  const { fates } = await talk(
    `${OPENING}
     S: 250-PIPELINING
     S: 250-8BITMIME
     S: 250 SMTPUTF8
     C: MAIL FROM:<from@us.test> SMTPUTF8
     C: RCPT TO:<ü@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 2.0.0 taken
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [utf8, testJob(['a@them.test'], { smtputf8: true })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0'], ['delivered 250 2.0.0']]);
});

test('an address that needs SMTPUTF8 is declared though the message came without', async () => {
  const job = testJob(['ü@them.test'], { smtputf8: false });
  const { fates } = await talk(
    `${OPENING}
     S: 250-SMTPUTF8
     S: 250 PIPELINING
     C: MAIL FROM:<from@us.test> SMTPUTF8
     C: RCPT TO:<ü@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [job],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
  assert.deepEqual((await talk(PIPELINING, [job])).fates, [['failed 553 5.6.7']]);
});

test('an 8-bit message for a server without 8BITMIME is converted', async () => {
  const text = 'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrün\r\n';
  const { fates, messages } = await talk(
    `${OPENING}
     S: 250 PIPELINING
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [testJob(['a@them.test'], { text })],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
  assert.match(messages[0]!, /gr=C3=BCn/);
  assert.match(messages[0]!, /quoted-printable/);
});

test('addresses that would break the command line are refused here', async () => {
  const { fates } = await talk(PIPELINING, [testJob(['a\r\nDATA@them.test', 'b> SIZE=1<@x y'])]);
  assert.deepEqual(fates, [['failed 553 5.1.3', 'failed 553 5.1.3']]);
});

test('a local part with spaces is quoted', async () => {
  const { fates } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<"a b\\"c"@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 ok`,
    [testJob(['a b"c@them.test'])],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0']]);
});

test('LMTP answers for each recipient', async () => {
  const { fates } = await talk(
    `S: 220 lmtp
     C: LHLO us.test
     S: 250-lmtp
     S: 250 PIPELINING
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: RCPT TO:<b@them.test>
     C: RCPT TO:<c@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 550 5.1.1 no b
     S: 250 ok
     S: 354 go
     M
     S: 250 2.1.5 a
     S: 452 4.2.2 c is full`,
    [testJob(['a@them.test', 'b@them.test', 'c@them.test'])],
    { isLmtp: true },
  );
  assert.deepEqual(fates, [['delivered 250 2.1.5', 'failed 550 5.1.1', 'deferred 452 4.2.2']]);
});

// Every point at which a server can vanish: nothing is lost, nothing is taken for delivered.
const STEPS = ['C: MAIL FROM:<from@us.test>', 'S: 250 ok', 'C: RCPT TO:<a@them.test>', 'S: 250 ok', 'C: DATA', 'S: 354 go', 'M', 'S: 250 2.0.0 taken'];
for (let cut = 0; cut < STEPS.length; cut++)
  test(`connection cut ${cut === 0 ? 'before MAIL' : `after "${STEPS[cut - 1]}"`} puts the message off`, async () => {
    const { fates, isOpen } = await talk(`${OPENING}\n S: 250 8BITMIME\n${STEPS.slice(0, cut).join('\n')}\nX`, [testJob(['a@them.test'])]);
    assert.deepEqual(fates, [['deferred 421 4.4.2']]);
    assert.equal(isOpen, false);
  });

test('a message whose connection is lost after the dot says that it may arrive twice', async () => {
  const { outcomes } = await talk(`${OPENING}\n S: 250 8BITMIME\n${STEPS.slice(0, 7).join('\n')}\nX`, [testJob(['a@them.test'])]);
  assert.match(outcomes[0]![0]!.reply, /may arrive twice/);
});

test('cut while a second envelope waits: the first is put off, the second goes elsewhere at once', async () => {
  const { fates } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     X`,
    [testJob(['a@them.test']), testJob(['b@them.test'])],
  );
  assert.deepEqual(fates, [['deferred 421 4.4.2'], ['again 421 4.4.2']]);
});

test('421 instead of an answer to a later MAIL sends the message to another connection', async () => {
  const { fates, isOpen } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken
     S: 421 4.7.0 enough`,
    [testJob(['a@them.test']), testJob(['b@them.test'])],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0'], ['again 421 4.4.2']]);
  assert.equal(isOpen, false);
});

test('421 to a first MAIL is a try', async () => {
  const { fates } = await talk(`${PIPELINING}\n C: MAIL FROM:<from@us.test>\n S: 421 4.7.0 go away`, [testJob(['a@them.test'])]);
  assert.deepEqual(fates, [['deferred 421 4.7.0']]);
});

for (const [name, line] of [
  ['text that is no reply', 'hello there'],
  ['a reply line that is too long', `250 ${'x'.repeat(200_000)}`],
  ['a code out of range', '999 what'],
])
  test(`${name} ends the connection and puts the message off`, async () => {
    const { fates } = await talk(`${PIPELINING}\n C: MAIL FROM:<from@us.test>\n S: ${line}`, [testJob(['a@them.test'])]);
    assert.deepEqual(fates, [['deferred 421 4.4.2']]);
  });

test('when the time is up the message is put off', async () => {
  const server = await scriptedServer([`${PIPELINING}\n C: MAIL FROM:<from@us.test>`]);
  let connected: { deadline: number; expire(): void } | null = null;
  const promise = deliverTo(server.port, [
    testJob(['a@them.test'], {
      open() {
        throw new Error('not yet');
      },
    }),
  ]);
  const first = await promise;
  assert.deepEqual(first.fates, [['deferred 451 4.3.0']]);
  connected = first.connection;
  const { engage } = await import('../testing.ts');
  const second = engage(first.connection, [testJob(['a@them.test'])]);
  assert.equal(connected.deadline, 5000);
  connected.expire();
  const { fates, outcomes } = await second;
  assert.deepEqual(fates, [['deferred 421 4.4.2']]);
  assert.match(outcomes[0]![0]!.reply, /timed out while waiting for the answer to MAIL/);
  await server.close();
});

test('a stored message that cannot be read is put off, and the next one goes out', async () => {
  const damaged = testJob(['a@them.test'], {
    open: () => ({
      size: 24,
      prefixBytes: 0,
      slice: () => {
        throw new Error('does not decompress');
      },
      async *stream() {},
      close: () => {},
    }),
  });
  const { fates, isOpen } = await talk(
    `${PIPELINING}
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<b@them.test>
     C: DATA
     S: 250 ok
     S: 250 ok
     S: 354 go
     M
     S: 250 2.0.0 taken`,
    [damaged, testJob(['b@them.test'])],
  );
  assert.deepEqual(fates, [['deferred 451 4.3.0'], ['delivered 250 2.0.0']]);
  assert.equal(isOpen, true);
});

test('a reply too many is not taken for the answer to the next message', async () => {
  const { fates, isOpen } = await talk(
    `${OPENING}
     S: 250-CHUNKING
     S: 250 PIPELINING
     C: MAIL FROM:<from@us.test>
     C: RCPT TO:<a@them.test>
     C: BDAT 24 LAST
     B: 24
     S: 250 ok
     S: 250 ok
     S: 250 2.0.0 taken
     S: 250 2.0.0 taken once more`,
    [testJob(['a@them.test']), testJob(['b@them.test'])],
  );
  assert.deepEqual(fates, [['delivered 250 2.0.0'], ['again 421 4.4.2']]);
  assert.equal(isOpen, false);
});
