import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseImapUrl } from './url.ts';

/** What stands out of the ordinary in a URL. */
function short(text: string): unknown {
  const url = parseImapUrl(text);
  if (url === null) return null;
  const { server, mailbox, uid, uidValidity, section, partial, expiresAt, auth } = url;
  const spec = [section.path.join('.'), section.text === 'all' ? '' : section.text, ...section.fields].filter((piece) => piece !== '').join(' ');
  return [server?.user ?? '-', mailbox, uidValidity ?? '-', uid, spec, partial, expiresAt, auth?.access ?? '-'];
}

const TOKEN = '91354a473744909de610943775f92038';
const GOOD: readonly [string, unknown][] = [
  ['/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER', ['-', 'Drafts', 385759045, 20, 'HEADER', null, null, '-']],
  ['/inbox/;uid=20/;section=1.2.MIME', ['-', 'INBOX', '-', 20, '1.2 MIME', null, null, '-']],
  [';UID=4294967295', ['-', '', '-', 4294967295, '', null, null, '-']],
  ['a/b/;UID=1/;PARTIAL=0.1024', ['-', 'a/b', '-', 1, '', { start: 0, count: 1024 }, null, '-']],
  ['/x/;UID=1/;SECTION=1/;PARTIAL=7', ['-', 'x', '-', 1, '1', { start: 7, count: Number.POSITIVE_INFINITY }, null, '-']],
  ['/Gr%C3%BC%C3%9Fe%2Fx/;UID=1/;SECTION=HEADER.FIELDS%20(To%20cc)', ['-', 'Grüße/x', '-', 1, 'HEADER.FIELDS to cc', null, null, '-']],
  ['imap://joe@example.com/INBOX/;uid=20', ['joe', 'INBOX', '-', 20, '', null, null, '-']],
  ['IMAP://joe%40a.b;AUTH=*@[2001:db8::1]:143/INBOX/;uid=20', ['joe@a.b', 'INBOX', '-', 20, '', null, null, '-']],
  ['imap://;AUTH=PLAIN@example.com/INBOX/;uid=20', ['-', 'INBOX', '-', 20, '', null, null, '-']],
  ['//example.com/INBOX/;uid=20', ['-', 'INBOX', '-', 20, '', null, null, '-']],
  ['imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred', ['joe', 'INBOX', '-', 20, '1.2', null, null, { kind: 'submit', user: 'fred' }]],
  [
    `imap://joe@example.com/INBOX/;uid=20;expire=2026-01-02T03:04:05.5+01:00;urlauth=anonymous:INTERNAL:${TOKEN}`,
    ['joe', 'INBOX', '-', 20, '', null, Date.UTC(2026, 0, 2, 2, 4, 5, 500), { kind: 'anonymous' }],
  ],
];
for (const [text, expected] of GOOD) test(`${text} is understood`, () => assert.deepEqual(short(text), expected));

const BAD: readonly string[] = [
  '',
  '/',
  'imap://',
  'imap://example.com',
  'imap://example.com/',
  'imap://exa mple.com/x/;uid=1',
  'imap://@example.com/x/;uid=1',
  'imap://example.com:123456/x/;uid=1',
  'imaps://example.com/x/;uid=1',
  'mailto:a@b',
  '/x',
  '/x;UIDVALIDITY=1',
  '/;UID=1',
  '/x;UID=1',
  '/x/;UID=',
  '/x/;UID=0',
  '/x/;UID=01',
  '/x/;UID=4294967296',
  '/x/;UID=1:2',
  '/x/;UID=1/',
  '/x/;UID=1/;UID=2',
  '/x/;SECTION=1/;UID=1',
  '/x;UIDVALIDITY=0/;UID=1',
  '/x/;UID=1/;SECTION=',
  '/x/;UID=1/;SECTION=0',
  '/x/;UID=1/;SECTION=1.',
  '/x/;UID=1/;SECTION=MIME',
  '/x/;UID=1/;SECTION=1]',
  `/x/;UID=1/;SECTION=${'1.'.repeat(101)}1`,
  '/x/;UID=1/;PARTIAL=.5',
  '/x/;UID=1/;PARTIAL=1.0',
  '/x/;UID=1/;PARTIAL=9999999999999999',
  '/x/;UID=1;EXPIRE=2026-01-02T03:04:05Z',
  '/x/;UID=1;EXPIRE=2026-13-02T03:04:05Z;URLAUTH=anonymous',
  '/x/;UID=1;EXPIRE=tomorrow;URLAUTH=anonymous',
  '/x/;UID=1/;URLAUTH=anonymous',
  '/x/;UID=1;URLAUTH=',
  '/x/;UID=1;URLAUTH=user+',
  '/x/;UID=1;URLAUTH=stream',
  '/x/;UID=1;URLAUTH=anonymous:internal',
  '/x/;UID=1;URLAUTH=anonymous:internal:1234',
  `/x/;UID=1;URLAUTH=anonymous:internal:${TOKEN}:x`,
  `/x/;UID=1;URLAUTH=anonymous;UID=2`,
  '/%zz/;UID=1',
  '/%/;UID=1',
  '/%00/;UID=1',
  '/%C3/;UID=1',
  '/a\u00e9/;UID=1',
  '/a b/;UID=1',
  `/${'x'.repeat(5000)}/;UID=1`,
];
for (const text of BAD) test(`${text.slice(0, 80)} is no URL of a message`, () => assert.equal(parseImapUrl(text), null));

test('what is signed ends with who may use it', () => {
  const rump = 'imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=user+fred';
  assert.equal(parseImapUrl(rump)!.auth!.rump, rump);
  const { auth } = parseImapUrl(`${rump}:internal:${TOKEN.toUpperCase()}`)!;
  assert.deepEqual([auth!.rump, auth!.mechanism, auth!.token], [rump, 'internal', TOKEN]);
});

test('no text makes it throw, and what it takes it takes in linear time', () => {
  const piece = fc.constantFrom(
    '/',
    ';',
    'UID=',
    '1',
    'imap:',
    '%',
    '%41',
    '@',
    'URLAUTH=',
    'anonymous',
    ':',
    'internal',
    'SECTION=',
    'HEADER',
    'PARTIAL=',
    '.',
    'x',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const url = parseImapUrl(pieces.join(''));
      assert.ok(url === null || url.uid > 0);
    }),
    { seed: 5092, numRuns: 3000 },
  );
});
