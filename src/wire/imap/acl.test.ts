import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIdentifier, formatRights, identifierArguments, readRights, setAclArguments } from './acl.ts';
import { Cursor, ImapSyntaxError } from './cursor.ts';
import { quotaRootArgument, setQuotaArguments } from './quota.ts';

const cursor = (text: string): Cursor => new Cursor(Buffer.from(text, 'utf8'));

const SETACL: readonly (readonly [line: string, expected: unknown])[] = [
  [' INBOX bert lrs', { name: 'INBOX', identifier: 'bert', mode: 'replace', rights: 'lrs' }],
  [' inbox/Work "bert" +srl', { name: 'INBOX/Work', identifier: 'bert', mode: 'add', rights: 'lrs' }],
  [' INBOX -bert -x', { name: 'INBOX', identifier: '-bert', mode: 'remove', rights: 'x' }],
  [' INBOX {5}\r\nJürg "c"', { name: 'INBOX', identifier: 'Jürg', mode: 'replace', rights: 'kx' }],
  [' INBOX bert dd', { name: 'INBOX', identifier: 'bert', mode: 'replace', rights: 'te' }],
  [' INBOX bert ""', { name: 'INBOX', identifier: 'bert', mode: 'replace', rights: '' }],
  [' INBOX bert +', { name: 'INBOX', identifier: 'bert', mode: 'add', rights: '' }],
  [' INBOX bert L', 'Uppercase rights are not allowed'],
  [' INBOX bert l0', 'The 0 right is not supported'],
  [' INBOX bert lz', 'The z right is not supported'],
  [' INBOX bert l+r', 'The + right is not supported'],
  [' INBOX bert "l\u00e9"', 'The ? right is not supported'],
  [' INBOX bert', 'more arguments expected'],
  [' INBOX bert lr x', 'end of command expected'],
];

for (const [line, expected] of SETACL) {
  test(`SETACL${JSON.stringify(line).slice(1, -1)}`, () => {
    if (typeof expected === 'string')
      assert.throws(
        () => setAclArguments(cursor(line)),
        (error) => error instanceof ImapSyntaxError && error.message.includes(expected),
      );
    else assert.deepEqual(setAclArguments(cursor(line)), expected);
  });
}

test('an identifier is UTF-8 and not without end', () => {
  assert.throws(() => identifierArguments(new Cursor(Buffer.from(' INBOX {2}\r\n\xc3\x28', 'latin1'))), ImapSyntaxError);
  assert.throws(() => identifierArguments(cursor(` INBOX ${'a'.repeat(1001)}`)), ImapSyntaxError);
  assert.deepEqual(identifierArguments(cursor(' INBOX "a b"')), { name: 'INBOX', identifier: 'a b' });
});

test('rights are read in any order and number, and written in one', () => {
  assert.deepEqual(readRights('cdxl'.repeat(1000)), { rights: 'lkxte', unknown: '' });
  assert.deepEqual(['', 'lr', 'k', 'e', 'lrswipkxtea'].map(formatRights), ['""', 'lr', 'kc', 'ed', 'lrswipkxteacd']);
});

test('identifiers are written as atoms where they can be', () => {
  assert.deepEqual(['bert@example.org', '-anyone', 'a b', 'nil', 'Jürg', ''].map(formatIdentifier), [
    'bert@example.org',
    '-anyone',
    '"a b"',
    '"nil"',
    '{5}\r\nJÃ¼rg',
    '""',
  ]);
});

test('GETQUOTA and SETQUOTA', () => {
  assert.equal(quotaRootArgument(cursor(' "User quota"')), 'User quota');
  assert.equal(quotaRootArgument(cursor(' ""')), '');
  assert.deepEqual(setQuotaArguments(cursor(' "" (storage 10 MESSAGE 5)')), {
    root: '',
    limits: [
      ['STORAGE', 10],
      ['MESSAGE', 5],
    ],
  });
  for (const wrong of [' ""', ' "" (STORAGE)', ' "" (STORAGE -1)', ' "" (STORAGE 99999999999999999999)', ` "" (${'A 1 '.repeat(30).trim()})`])
    assert.throws(() => setQuotaArguments(cursor(wrong)), ImapSyntaxError, wrong);
});
