import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestMessage } from '../../mail/digest.ts';
import { ENVELOPE, envelopeAddresses, envelopeString } from './envelope-text.ts';

const envelope = (header: string): string => digestMessage(Buffer.from(`${header}\r\n\r\n`)).envelope;

test('strings and addresses of an envelope are found behind quotes, literals and groups', () => {
  const text = envelope(
    `Date: Mon, 1 Jun 2026 10:00:00 +0000\r\nSubject: say "hi" \\ (now) ${'long '.repeat(400)}\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n` +
      'To: friends: a@example.org, "B, \\"C\\"" <b@example.org>;, d@example.org\r\nBcc: z@example.org',
  );
  assert.equal(envelopeString(text, ENVELOPE.date), 'Mon, 1 Jun 2026 10:00:00 +0000');
  assert.ok(envelopeString(text, ENVELOPE.subject).startsWith('say "hi" \\ (now) long long'));
  assert.equal(envelopeAddresses(text, ENVELOPE.from), 'Jürgen <j@example.org>');
  assert.match(envelopeAddresses(text, ENVELOPE.to), /a@example\.org, B, "C" <b@example\.org>, .*d@example\.org$/);
  assert.equal(envelopeAddresses(text, ENVELOPE.cc), '');
  assert.equal(envelopeAddresses(text, ENVELOPE.bcc), 'z@example.org');
});

test('an empty or damaged envelope gives nothing and ends', () => {
  for (const text of ['', '(', '("', '({5', '({5}\r\n', '(((((', envelope('').slice(0, 20)]) {
    for (const place of Object.values(ENVELOPE)) {
      assert.equal(typeof envelopeString(text, place), 'string');
      assert.equal(typeof envelopeAddresses(text, place), 'string');
    }
  }
});
