/** Sessions and the real judge together, against clients that say anything: nothing may break, stay open or be relayed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeHouse } from '../judge/testing.ts';
import type { LoopContext } from '../ports.ts';
import { dial, serve, TestContext } from '../receive/testing.ts';

const SAID: readonly string[] = [
  'EHLO a.example',
  'HELO a.example',
  'EHLO [1.2.3.4]',
  'MAIL FROM:<rita@good.test>',
  'MAIL FROM:<>',
  'MAIL FROM:<x@strict.test> SIZE=10',
  'MAIL FROM:<"a\\"b"@good.test>',
  'MAIL FROM:<ü@good.test> SMTPUTF8',
  'RCPT TO:<alice@example.org>',
  'RCPT TO:<x@elsewhere.test>',
  'RCPT TO:<postmaster>',
  'RCPT TO:<"a b"@example.org>',
  'RCPT TO:<nobody@example.org>',
  'DATA',
  'From: a@strict.test',
  'From: rita@good.test',
  'From: =?utf-8?B?AAAA?= <x@good.test>, y@strict.test',
  'From: <<<>>>,,,;;;("',
  'Authentication-Results: mx.us.test; dmarc=pass',
  'DKIM-Signature: v=1; a=rsa-sha256; d=good.test; s=x; h=from; bh=AAAA; b=AAAA',
  'ARC-Seal: i=1; cv=none; a=rsa-sha256; d=good.test; s=x; b=AA',
  'X-Spam-Status: No',
  'Subject: hello',
  '\t folded',
  ': nothing',
  ' ',
  '',
  'body',
  '.',
  'BDAT 10\r\n0123456\r\n',
  'BDAT 0 LAST',
  'BDAT 4 LAST\r\na\r\n',
  'RSET',
  'NOOP',
  'ETRN good.test',
  'ETRN example.org',
  'QUIT',
  'VRFY alice',
  'AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==',
  'XCLIENT ADDR=192.0.2.20 NAME=client.test',
  'XCLIENT ADDR=10.1.2.3',
  'XCLIENT ADDR=127.0.0.1 LOGIN=alice@example.org',
  '\0\xff\xfe',
  'x'.repeat(3000),
  'RSET\r\nMAIL FROM:<rita@good.test>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA',
  'EHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT 8\r\na: b\r\n\r\n',
  'From: rita@good.test\r\n\r\nhello\r\n.',
];

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('whatever a client says, no session breaks, no writer stays open, and nothing is relayed for strangers', async (t) => {
  const house = judgeHouse(t, {
    'judge.exempt': [],
    'greylist.mode': 'off',
    'policy.relayDomains': ['example.org'],
    'policy.heloRestrictions': [],
    'policy.dataRestrictions': [],
    'patterns.headerChecks': ['inline:{ {Subject: hello = WARN hm} {X-Spam-Status: No = REJECT spam} }'],
    'patterns.bodyChecks': ['inline:{ {body = HOLD look} }'],
    'policy.senderRestrictions': [
      'check_sender_access inline:{ {x@strict.test = PREPEND X-A: b} }',
      'check_recipient_access inline:{ {bob@example.org = BCC anna@us.test} }',
    ],
  });
  let accepted = 0;
  const conversation = async (said: readonly string[], isSlow: boolean, isAtOnce: boolean, isCut: boolean): Promise<void> => {
    const context = new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'], 'smtp.auth': true, 'smtp.errorsMax': 1000, 'smtp.junkMax': 1000 });
    context.isSlowStaging = isSlow;
    (context.loop as { reader: Pick<LoopContext['reader'], 'rows'> }).reader = { rows: (sql) => (sql.includes('queue_recipient') ? [] : [[7]]) };
    context.judge = house.judge;
    const listener = await serve(context);
    const socket = await dial(listener);
    socket.on('error', () => {}); // the server may have closed before us
    const greeted = new Promise((resolve) => socket.once('data', resolve));
    socket.on('data', () => {});
    await greeted;
    const text = ['EHLO a.example', ...said, ''].join('\r\n');
    for (const piece of isAtOnce ? [text] : text.split(/(?<=\n)/)) {
      if (socket.destroyed) break;
      await new Promise<void>((resolve) => socket.write(Buffer.from(piece), () => setImmediate(resolve)));
    }
    if (isCut) socket.destroy();
    else socket.end('\r\n.\r\nQUIT\r\n');
    while (listener.connections > 0 && !socket.closed) await nextTurn();
    await listener.drain(0);
    // What was handed to the judge or the intake comes back.
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    const bugs = [...context.logged, ...house.logged.splice(0)].filter(({ event }) => /bug|judge\.failed|staging/.test(event));
    assert.deepEqual(bugs, []);
    assert.equal(context.openWriters, 0);
    accepted += context.accepted.length;
    for (const { envelope } of context.accepted)
      for (const { address, resolution } of envelope.recipients)
        if (resolution.kind === 'foreign' && address.domain !== 'us.test')
          assert.ok(envelope.auth !== null || envelope.client!.ip.startsWith('10.'), `relayed to ${address.domain}`);
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...SAID), { minLength: 3, maxLength: 40 }), fc.boolean(), fc.boolean(), fc.boolean(), conversation),
    { seed: 7, numRuns: 400 },
  );
  assert.ok(accepted > 10, `${accepted} messages went all the way`);
});
