import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestMessage } from './digest.ts';
import { decodeParts } from './part-index.ts';
import { previewText } from './preview.ts';
import { readerOf } from './slices.ts';

function preview(message: string | Buffer): string {
  const bytes = typeof message === 'string' ? Buffer.from(message.replaceAll('\n', '\r\n')) : message;
  const digest = digestMessage(bytes);
  const text = previewText(readerOf(bytes), decodeParts(digest.parts, digest.headerBytes, bytes.length));
  assert.equal(typeof text, 'string');
  return text as string;
}

test('plain text becomes one line without quotations, rulers and signature', () => {
  assert.equal(preview('Subject: x\n\nHello   Bob,\n\nsee\tyou.\n-- \nAnna\nCEO\n'), 'Hello Bob, see you.');
  assert.equal(preview('Subject: x\n\nOn Monday, 3 May 2026, Bob Example wrote:\n> when?\n> where?\n\nAt ten.\n> ok\n'), 'At ten.');
  assert.equal(preview('Subject: x\n\n========\nNews\n--------\nfirst'), 'News first');
});

test('a message that only quotes shows what it quotes', () => {
  assert.equal(preview('Subject: x\n\n> all of it\n'), '> all of it');
});

test('HTML is shown as a reader sees it, without what it quotes', () => {
  const html = '<html><head><style>p {color: red}</style><title>t</title></head><body><p>Dear&nbsp;Bob &amp; all</p><blockquote>old</blockquote></body></html>';
  assert.equal(preview(`Content-Type: text/html\n\n${html}`), 'Dear Bob & all');
  assert.equal(preview('Content-Type: text/html\n\n<blockquote>old only</blockquote>'), 'old only');
});

test('of alternatives the first with text counts, attachments and messages inside never', () => {
  const alternative = (plain: string): string =>
    `Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n${plain}\n--b\nContent-Type: text/html\n\n<b>rich</b>\n--b--\n`;
  assert.equal(preview(alternative('poor')), 'poor');
  assert.equal(preview(alternative('  ')), 'rich');
  assert.equal(
    preview('Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Disposition: attachment\n\nsecret\n--b\n\nshown\n--b--\n'),
    'shown',
  );
  assert.equal(preview('Content-Type: message/rfc822\n\nSubject: inner\n\ninner text\n'), '');
  assert.equal(preview('Content-Type: image/png\n\nabc\n'), '');
});

test('charset and transfer encoding are undone', () => {
  assert.equal(preview('Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n'), 'Grüße');
  assert.equal(preview(`Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n${Buffer.from('日本').toString('base64')}\n`), '日本');
});

test('200 characters at most, whole ones', () => {
  assert.equal(preview(`Subject: x\n\n${'a'.repeat(500)}`), 'a'.repeat(200));
  assert.equal([...preview(`Content-Type: text/plain; charset=utf-8\n\n${'😀'.repeat(300)}`)].length, 200);
});

test('whatever the bytes are, the preview is one well-formed line of at most 200 characters', () => {
  fc.assert(
    fc.property(fc.constantFrom('text/html', 'text/plain', 'text/plain; charset=utf-8'), fc.uint8Array({ maxLength: 2000 }), (type, body) => {
      const text = preview(Buffer.concat([Buffer.from(`Content-Type: ${type}\r\n\r\n`), body]));
      return [...text].length <= 200 && !/[\x00-\x1f\x7f-\x9f]/.test(text) && text.isWellFormed();
    }),
    { seed: 5, numRuns: 300 },
  );
});
