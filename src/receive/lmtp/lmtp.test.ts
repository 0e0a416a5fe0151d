import assert from 'node:assert/strict';
import test from 'node:test';
import { serve, TestContext, talk } from '../testing.ts';

async function exchange(transcript: string, context = new TestContext()): Promise<TestContext> {
  const listener = await serve(context, 'lmtp');
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

const HELLO = `
  S: 220 mx.example.org LMTP
  C: LHLO relay.example
  S: 250-PIPELINING
  S: 250 HELP
`;
const START = `${HELLO}
  C: MAIL FROM:<a@example.com>
  C: RCPT TO:<alice@example.org>
  C: RCPT TO:<nobody@example.org>
  C: RCPT TO:<bob@example.org>
  C: RCPT TO:<alice@example.org>
  S: 250 *
  S: 250 *
  S: 550 5.1.1 *
  S: 250 *
  S: 250 *
`;

test('HELO and EHLO belong to SMTP', () => conversation(`S: 220 *\nC: EHLO a\nS: 500 *\nC: HELO a\nS: 500 *\nC: MAIL FROM:<>\nS: 503 5.5.1 Send LHLO first`));

test('after DATA there is a reply for each accepted RCPT, in order, repeated ones too', async () => {
  const context = new TestContext();
  context.perRecipient = { bob: { code: 452, enhanced: '4.2.2', text: 'Full' } };
  await exchange(`${START}\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 2.0.0 *\nS: 452 4.2.2 Full\nS: 250 2.0.0 *\nC: NOOP\nS: 250 2.0.0 OK`, context);
  assert.equal(context.accepted[0]!.envelope.recipients.length, 2);
  assert.equal(context.accepted[0]!.envelope.source, 'lmtp');
  assert.match(context.accepted[0]!.bytes.toString(), / with LMTP id /);
});

test('BDAT LAST answers for each recipient too', () =>
  conversation(`${START}\nC: BDAT 3 LAST\nC: x\nS: 250 *\nS: 250 *\nS: 250 *\nC: QUIT\nS: 221 *\nS: <closed>`));

test('a refused message is refused for each recipient', () =>
  conversation(`${START}\nC: DATA\nS: 354 *\nC: a\\nb\nC: .\nS: 550 5.6.0 *\nS: 550 5.6.0 *\nS: 550 5.6.0 *\nC: NOOP\nS: 250 2.0.0 OK`));

test('mail for others is not relayed, whoever asks', () =>
  conversation(`${HELLO}\nC: MAIL FROM:<>\nS: 250 *\nC: RCPT TO:<a@example.net>\nS: 554 5.7.1 *`, new TestContext({ 'smtp.relayFrom': ['127.0.0.1'] })));

test('many unknown users are no reason to hang up on a relay', () =>
  conversation(`${HELLO}\nC: MAIL FROM:<>\nS: 250 *\n${'C: RCPT TO:<nobody@example.org>\nS: 550 *\n'.repeat(30)}`, new TestContext({ 'smtp.errorsMax': 3 })));
