import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cursor, ImapSyntaxError } from './cursor.ts';
import { hasKey, searchArguments, searchCriteria } from './search.ts';
import { type PartialRange, partialBounds, partialRange } from './search-returns.ts';
import { esearchArguments } from './search-sources.ts';

const GOOD: readonly (readonly ['search' | 'esearch', string])[] = [
  ['search', ' RETURN (PARTIAL -1:-100) UNDELETED UNKEYWORD $Junk'],
  ['search', ' RETURN (PARTIAL 23500:24000 COUNT MIN MAX SAVE) ALL'],
  ['search', ' RETURN (RELEVANCY ALL) FUZZY TEXT "Helo"'],
  ['search', ' RETURN (RELEVANCY) FILTER perhaps-fuzzy'],
  ['search', ' RETURN (UPDATE CONTEXT) OR SEEN FUZZY (SUBJECT a FROM b)'],
  ['search', ' SAVEDBEFORE 28-Dec-2014 SAVEDON "1-Jan-2015" SAVEDSINCE 1-Feb-2016 SAVEDATESUPPORTED'],
  ['search', ' EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9 EMAILID a_B-1'],
  ['search', ' FILTER on-the-road SINCE 3-Dec-2002'],
  ['search', ' OLDER 1 YOUNGER 4294967295 $'],
  ['esearch', ' UNSEEN'],
  ['esearch', ' RETURN () UNSEEN'],
  ['esearch', ' IN (selected) RETURN (SAVE) CHARSET UTF-8 ALL'],
  ['esearch', ' IN (mailboxes "folder1" subtree-one folder2) unseen'],
  ['esearch', ' in (Mailboxes (a "b c" {1+}\r\nd) SUBTREE (e) personal inboxes subscribed) return (partial 1:2) all'],
];
const BAD: readonly (readonly ['search' | 'esearch', string])[] = [
  ['search', ' RETURN (PARTIAL) ALL'],
  ['search', ' RETURN (PARTIAL 1) ALL'],
  ['search', ' RETURN (PARTIAL 1:*) ALL'],
  ['search', ' RETURN (PARTIAL -1:2) ALL'],
  ['search', ' RETURN (PARTIAL 1:-2) ALL'],
  ['search', ' RETURN (PARTIAL 0:1) ALL'],
  ['search', ' RETURN (PARTIAL 1:4294967296) ALL'],
  ['search', ' RETURN (PARTIAL 1:2 ALL) ALL'],
  ['search', ' RETURN (PARTIAL 1:2)'],
  ['search', ' RETURN (MIN)ALL'],
  ['search', ' RETURN MIN ALL'],
  ['search', ' RETURN (RELEVANCY) TEXT x'],
  ['search', ' FUZZY'],
  ['search', ' FILTER'],
  ['search', ' FILTER a/b'],
  ['search', ' FILTER "a"'],
  ['search', ' EMAILID'],
  ['search', ' EMAILID a.b'],
  ['search', ` THREADID ${'a'.repeat(256)}`],
  ['search', ' SAVEDON'],
  ['search', ' SAVEDON 31-Feb-2020'],
  ['esearch', ' IN () ALL'],
  ['esearch', ' IN (selected)'],
  ['esearch', ' IN (selected-delayed) ALL'],
  ['esearch', ' IN (subtree) ALL'],
  ['esearch', ' IN (subtree ()) ALL'],
  ['esearch', ' IN (personal (option)) ALL'],
  ['esearch', ' IN personal ALL'],
  ['esearch', ' IN (personal) RETURN (SAVE) ALL'],
  ['esearch', ' IN (selected personal) RETURN (SAVE ALL) ALL'],
];

const parse = (kind: 'search' | 'esearch', text: string): unknown =>
  (kind === 'search' ? searchArguments : esearchArguments)(new Cursor(Buffer.from(text, 'latin1')));

for (const [kind, text] of GOOD) test(`${kind}${text.replace(/\r\n/g, ' ')} is good`, () => assert.ok(parse(kind, text)));
for (const [kind, text] of BAD) test(`${kind}${text.slice(0, 60)} is BAD`, () => assert.throws(() => parse(kind, text), ImapSyntaxError));

test('an empty list of result options stands for ALL', () => {
  assert.deepEqual(searchArguments(new Cursor(Buffer.from(' RETURN () SEEN'))).returns, { options: new Set(['ALL']), partial: null });
  assert.equal(searchArguments(new Cursor(Buffer.from(' SEEN'))).returns, null);
});

test('partial ranges: both ends in any order, kept as they were written', () => {
  const range = (text: string): PartialRange => partialRange(new Cursor(Buffer.from(text)));
  assert.deepEqual(range('500:400'), { first: 400, last: 500, isFromEnd: false, text: '500:400' });
  assert.deepEqual(range('-1:-100 x'), { first: 1, last: 100, isFromEnd: true, text: '-1:-100' });
});

test('a page of results is what counting them one by one gives', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.boolean(), (count, a, b, isFromEnd) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      const results = Array.from({ length: count }, (_, i) => i);
      const counted = results.filter((i) => {
        const place = isFromEnd ? count - i : i + 1;
        return place >= first && place <= last;
      });
      assert.deepEqual(results.slice(...partialBounds({ first, last, isFromEnd, text: '' }, count)), counted);
    }),
    { seed: 9394, numRuns: 500 },
  );
});

test('keys are found wherever they stand', () => {
  const key = searchCriteria(new Cursor(Buffer.from('SEEN OR NOT (FUZZY MODSEQ 5) DELETED')));
  assert.equal(hasKey(key, ['modseq']), true);
  assert.equal(hasKey(key, ['filter', 'body']), false);
});

test('any bytes are a search or BAD, and nothing else', () => {
  const words = [
    'RETURN',
    '(',
    ')',
    ' ',
    'PARTIAL',
    '1:2',
    '-1:-2',
    'FUZZY',
    'NOT',
    'OR',
    'IN',
    'mailboxes',
    'a',
    '"b"',
    '{1+}\r\nc',
    'ALL',
    'SAVEDON',
    '1-Jan-2020',
    'FILTER',
    '$',
    '*',
    '\\',
    'CHARSET',
    'HEADER',
    '\xff',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 14 }), fc.boolean(), (pieces, isMulti) => {
      try {
        parse(isMulti ? 'esearch' : 'search', ` ${pieces.join(' ')}`);
      } catch (error) {
        assert.ok(error instanceof ImapSyntaxError, String(error));
      }
    }),
    { seed: 7377, numRuns: 3000 },
  );
});
