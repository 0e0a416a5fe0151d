import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { headerFields } from '../access/imap/section.ts';
import { isInShortHeader, pickFields, shortHeader } from './short-header.ts';

const NAMES = ['From', 'to', 'Subject', 'References', 'X-Odd', 'Received', 'DKIM-Signature', 'ARC-Seal', 'X-MS-Has-Attach', 'a', 'Content-Type'];

test('the short header answers for every field it keeps what the whole header answers', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'B', ':', ' ', '\t', '=', '?', 'ä', '"', '\0', '\x7f'), maxLength: 12 });
  const end = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n');
  const field = fc.tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom(':', ': ', ' :', ''),
    line,
    end,
    fc.array(fc.tuple(fc.constantFrom(' ', '\t'), line, end), { maxLength: 2 }),
  );
  const header = fc
    .tuple(fc.array(field, { maxLength: 8 }), fc.constantFrom('\r\n', '\n', ''))
    .map(
      ([fields, blank]) =>
        fields.map(([name, colon, value, e, folds]) => `${name}${colon}${value}${e}${folds.map(([s, v, x]) => s + v + x).join('')}`).join('') + blank,
    );
  fc.assert(
    fc.property(header, fc.subarray(NAMES), (text, asked) => {
      const bytes = Buffer.from(text, 'latin1');
      const names = asked.map((name) => name.toLowerCase()).filter(isInShortHeader);
      const short = shortHeader(bytes);
      assert.equal(short === null, bytes.includes(0));
      if (short === null) return;
      assert.equal(pickFields(short, new Set(names)), headerFields(bytes, names, false).toString('latin1'));
    }),
    { seed: 5, numRuns: 3000 },
  );
});

test('traces and signatures are left out, long headers are not shortened', () => {
  assert.equal(shortHeader(Buffer.from('Received: a\r\n b\r\nFrom: x\r\nARC-Seal: y\r\nno field\r\nX-A: 1\r\n\r\n'))!.toString(), 'From: x\r\nX-A: 1\r\n\r\n');
  assert.equal(shortHeader(Buffer.from(`Subject: ${'x'.repeat(9000)}\r\n\r\n`)), null);
  assert.equal(shortHeader(Buffer.from('Subject: a\0b\r\n\r\n')), null);
  assert.equal(isInShortHeader('received'), false);
  assert.equal(isInShortHeader('arc-anything'), false);
  assert.equal(isInShortHeader('list-id'), true);
});
