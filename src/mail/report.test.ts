import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestMessage } from './digest.ts';
import { composeDsn, type DsnInput, type DsnRecipient, unitext } from './report.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const bob: DsnRecipient = {
  address: { local: 'bob', domain: 'example.net' },
  orcpt: 'rfc822;robert@example.net',
  action: 'failed',
  status: '5.1.1',
  remoteMta: 'mx.example.net',
  reply: '550-5.1.1 No such user\r\n550 5.1.1 \u0007Try elsewhere',
  lastAttemptAt: AT,
  willRetryUntil: null,
};
const input: DsnInput = {
  id: 'abc123',
  at: AT,
  reportingMta: 'mail.example.org',
  to: { local: 'alice', domain: 'example.org' },
  from: null,
  envid: 'QQ314159',
  arrivalAt: AT - 60_000,
  recipients: [bob],
  originalHeader: Buffer.from('Subject: =?utf-8?Q?Hello?= there\r\nDate: Fri, 2 Jan 2026 03:00:00 +0000\r\n\r\n'),
  isFull: false,
  has8bit: false,
  utf8: false,
};
async function compose(over: Partial<DsnInput> = {}, message: string | null = null): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of composeDsn({ ...input, ...over }, message === null ? null : one(message))) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

describe('a failure report', () => {
  test('has the three parts of a multipart/report', async () => {
    const { bodyStructure, envelope, isTruncated } = digestMessage(Buffer.from(await compose()));
    assert.match(
      bodyStructure,
      /^\(\("text" "plain" .*\("message" "delivery-status" .*\("text" "rfc822-headers" .* "report" \("report-type" "delivery-status" "boundary" /,
    );
    assert.match(envelope, /"Not delivered: Hello there" \(\("Mail Delivery System" NIL "MAILER-DAEMON" "mail.example.org"\)\)/);
    assert.equal(isTruncated, false);
  });

  test('tells programs the fields of RFC 3464', async () => {
    const text = await compose();
    assert.ok(
      text.includes(
        [
          'Original-Envelope-Id: QQ314159',
          'Reporting-MTA: dns; mail.example.org',
          'Arrival-Date: Fri, 02 Jan 2026 03:03:05 +0000',
          '',
          'Original-Recipient: rfc822; robert@example.net',
          'Final-Recipient: rfc822; bob@example.net',
          'Action: failed',
          'Status: 5.1.1',
          'Remote-MTA: dns; mx.example.net',
          'Diagnostic-Code: smtp; 550-5.1.1 No such user 550 5.1.1 ?Try elsewhere',
          'Last-Attempt-Date: Fri, 02 Jan 2026 03:04:05 +0000',
          '',
        ].join('\r\n'),
      ),
      text,
    );
    assert.ok(text.includes('Auto-Submitted: auto-replied\r\n'));
  });

  test('tells people what happened, what was said and what to do', async () => {
    const text = await compose();
    for (const words of [
      'Your message "Hello there"',
      '<bob@example.net>',
      '(sent to <robert@example.net>)',
      'The server mx.example.net answered:',
      '550-5.1.1 No such user',
      'There is no such mailbox.',
    ]) {
      assert.ok(text.includes(words), words);
    }
  });

  test('holds the whole message when asked for', async () => {
    const text = await compose({ isFull: true }, 'Subject: x\r\n\r\nbody');
    assert.match(text, /Content-Type: message\/rfc822\r\n\r\nSubject: x\r\n\r\nbody\r\n--=_abc123_0--\r\n$/);
  });

  test('hostile words cannot add fields or parts', async () => {
    const evil = 'x\r\nEvil: yes\r\n\r\n--=_abc123_0--\r\n';
    const text = await compose({ envid: evil, recipients: [{ ...bob, remoteMta: evil, reply: evil, orcpt: `rfc822;${evil}`, status: evil }] });
    assert.doesNotMatch(text, /^Evil:/m);
    assert.match(digestMessage(Buffer.from(text)).bodyStructure, /^\(\("text".*\)\("message" "delivery-status".*\)\("text" "rfc822-headers".*\) "report"/);
  });

  test('a boundary that stands in the message header is not used', async () => {
    assert.ok((await compose({ originalHeader: Buffer.from('A: =_abc123_0\r\n\r\n') })).includes('boundary="=_abc123_1"'));
  });
});

test('a delay report says until when', async () => {
  const text = await compose({ recipients: [{ ...bob, action: 'delayed', status: '4.4.1', reply: null, remoteMta: null, willRetryUntil: AT + 86_400_000 }] });
  assert.ok(text.includes('Will-Retry-Until: Sat, 03 Jan 2026 03:04:05 +0000'));
  assert.ok(text.includes('We go on trying until Sat, 03 Jan 2026'));
  assert.ok(text.includes('Subject: Delayed, still trying'));
});

test('several outcomes are told apart', async () => {
  const text = await compose({
    recipients: [bob, { ...bob, action: 'delivered', status: '2.0.0', reply: null }, { ...bob, action: 'relayed', status: '2.0.0', reply: null }],
  });
  assert.ok(text.includes('Subject: Not delivered'));
  for (const action of ['failed', 'delivered', 'relayed']) assert.ok(text.includes(`Action: ${action}\r\n`));
});

test('international addresses use the forms of RFC 6533', async () => {
  const recipients = [{ ...bob, address: { local: 'jörg', domain: 'example.net' }, orcpt: 'utf-8;jörg@example.net' }];
  const global = await compose({ utf8: true, recipients });
  assert.ok(
    global.includes('message/global-delivery-status') &&
      global.includes('message/global-headers') &&
      global.includes('Final-Recipient: utf-8; jörg@example.net'),
  );
  const ascii = await compose({ recipients });
  assert.ok(ascii.includes('Final-Recipient: utf-8; j\\x{F6}rg@example.net') && ascii.includes('Original-Recipient: utf-8; j\\x{F6}rg@example.net'));
  assert.match(ascii, /^[\0-\x7f]*$/);
  assert.equal(unitext('a+b ü'), 'a\\x{2B}b\\x{20}\\x{FC}');
});
