import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestMessage } from './digest.ts';
import { decodeParts } from './part-index.ts';
import { searchableText } from './searchable-text.ts';
import { readerOf } from './slices.ts';

function textOf(message: string): string {
  const bytes = Buffer.from(message);
  const digest = digestMessage(bytes);
  return searchableText(readerOf(bytes), decodeParts(digest.parts, digest.headerBytes, bytes.length)) as string;
}

test('HTML is there as it is, and as it is seen', () => {
  const text = textOf('Content-Type: text/html\r\n\r\n<p>ze<b>bra</b> &amp; <a href="http://x.test/">here</a></p>');
  assert.ok(text.includes('ze<b>bra</b> &amp;'));
  assert.ok(text.includes('zebra & here'));
  assert.ok(text.includes('http://x.test/'));
});

test('plain text is there once, attachments are not', () => {
  const text = textOf(
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nplain <b>te</b>xt\r\n--b\r\nContent-Type: application/json\r\n\r\n{"attached":1}\r\n--b--\r\n',
  );
  assert.equal(text, 'plain <b>te</b>xt');
});
