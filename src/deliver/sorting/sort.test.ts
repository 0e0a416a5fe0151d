import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../../system/declare.ts';
import { bestHit, listPattern, type ListHit, patternsFor } from './address-lists.ts';
import { parseThreshold, sortingPreferences } from './preferences.ts';
import { SORTING_SETTINGS } from './settings.ts';
import { type Sorted, sortByScore, type SortingVerdict } from './sort.ts';
import { spamHeaders } from './spam-headers.ts';

const settings = defaultsOf(SORTING_SETTINGS);
const usual = sortingPreferences(new Map(), settings);
const BOB = { local: 'bob', domain: 'example.com' };
const symbol = (name: string): { name: string; score: number; text: string } => ({ name, score: 0, text: `text of ${name}` });
const verdict = (score: number, ...names: string[]): SortingVerdict => ({ score, symbols: names.map(symbol), isQuarantined: false });
const sort = (v: SortingVerdict | null, hits: readonly ListHit[] = [], preferences = usual, author: string | null = 'bob@example.com'): Sorted =>
  sortByScore(preferences, hits, v, BOB, author);
const allow = (pattern: string): ListHit => ({ kind: 'allow', pattern });
const block = (pattern: string): ListHit => ({ kind: 'block', pattern });

test('points decide by the thresholds of the account', () => {
  assert.deepEqual(
    [5.9, 6, 100].map((score) => sort(verdict(score)).target),
    ['inbox', 'junk', 'junk'],
  );
  const own = sortingPreferences(
    new Map([
      ['spam.junk', '3.5'],
      ['spam.discard', '10'],
    ]),
    settings,
  );
  assert.deepEqual(
    [3.4, 3.5, 9.9, 10].map((score) => sort(verdict(score), [], own).target),
    ['inbox', 'junk', 'junk', 'discard'],
  );
  assert.equal(sort(verdict(1e6), [], sortingPreferences(new Map([['spam.junk', 'off']]), settings)).target, 'inbox');
});

test('without a choice of its own an account follows the threshold of the judge', () => {
  assert.deepEqual(
    [3, 4].map((score) => sort({ ...verdict(score), threshold: 4 }).target),
    ['inbox', 'junk'],
  );
  assert.equal(sort({ ...verdict(5), threshold: 4 }, [], sortingPreferences(new Map(), { ...settings, 'sorting.junk': '8' })).target, 'inbox');
  assert.equal(sortingPreferences(new Map([['spam.junk', 'judge']]), { ...settings, 'sorting.junk': '8' }).junkAt, null);
});

test('thresholds are numbers or "off"', () => {
  for (const text of ['6', '4.5', '-2', '0', '9999.125']) assert.equal(parseThreshold(text), Number(text));
  assert.equal(parseThreshold('off'), Number.POSITIVE_INFINITY);
  for (const text of ['', 'on', '6 ', '1e3', '99999', 'NaN', '.5']) assert.equal(parseThreshold(text), null, text);
  // A preference that makes no sense counts as none.
  assert.equal(sortingPreferences(new Map([['spam.junk', 'much']]), settings).junkAt, null);
});

describe('the allow list beats points only for a proven sender', () => {
  const rows: readonly (readonly [name: string, symbols: string[], hits: ListHit[], target: string])[] = [
    ['the author, proven by DMARC', ['DMARC_PASS'], [allow('bob@example.com')], 'inbox'],
    ['the author before a trusted forwarder', ['ARC_TRUSTED'], [allow('@example.com')], 'inbox'],
    ['the author, SPF alone: the envelope is of the same domain', ['SPF_PASS'], [allow('bob@example.com')], 'inbox'],
    ['nothing proven', ['SPF_NONE', 'DMARC_NONE'], [allow('bob@example.com')], 'junk'],
    ['DMARC failed', ['DMARC_FAIL', 'SPF_FAIL'], [allow('@.com')], 'junk'],
  ];
  for (const [name, symbols, hits, target] of rows) test(name, () => assert.equal(sort(verdict(20, ...symbols), hits).target, target));
  test('an envelope that passes SPF does not vouch for another author', () => {
    assert.equal(sort(verdict(20, 'SPF_PASS'), [allow('bob@example.com')], usual, 'boss@bank.example').target, 'junk');
  });
  test('the account may take it unproven', () => {
    const own = sortingPreferences(new Map([['spam.allowUnproven', 'yes']]), settings);
    assert.equal(sort(verdict(20), [allow('bob@example.com')], own).target, 'inbox');
  });
  test('the reason says that it did not count', () => {
    assert.match(sort(verdict(20), [allow('bob@example.com')]).reason, /bob@example\.com is on the allow list, but nothing proves/);
  });
});

test('the block list needs no proof, and goes to junk or is thrown away', () => {
  assert.equal(sort(verdict(-5, 'DMARC_PASS'), [block('@example.com')]).target, 'junk');
  assert.equal(sort(null, [block('@example.com')]).target, 'junk');
  assert.equal(sort(verdict(0), [block('@example.com')], sortingPreferences(new Map([['spam.blocked', 'discard']]), settings)).target, 'discard');
});

test('a blocked envelope does not hide behind an author on the allow list, unless that author is proven', () => {
  const hits = [block('@example.com'), allow('friend@other.example')];
  assert.equal(sort(verdict(0), hits, usual, 'friend@other.example').target, 'junk');
  assert.equal(sort(verdict(0, 'DMARC_PASS'), hits, usual, 'friend@other.example').target, 'inbox');
});

test('the most exact entry counts, of two alike the block list', () => {
  const key = 'bob@mail.example.com';
  assert.deepEqual(bestHit(key, [block('@.example.com'), allow('bob@mail.example.com')]), allow('bob@mail.example.com'));
  assert.deepEqual(bestHit(key, [allow('@.example.com'), block('@mail.example.com')]), block('@mail.example.com'));
  assert.deepEqual(bestHit(key, [allow('@mail.example.com'), block('@mail.example.com')]), block('@mail.example.com'));
  assert.equal(bestHit(key, [allow('@example.com')]), null);
  assert.equal(sort(verdict(0, 'DMARC_PASS'), [block('@.example.com'), allow('bob@example.com')]).target, 'inbox');
});

test('list entries are addresses, @domain and @.domain, in one form', () => {
  const rows: readonly (readonly [string, string | null])[] = [
    ['Bob@Example.COM', 'bob@example.com'],
    ['@Example.com', '@example.com'],
    ['@.Example.com', '@.example.com'],
    ['@bücher.example', '@xn--bcher-kva.example'],
    [' bob@example.com ', 'bob@example.com'],
    ['example.com', null],
    ['@', null],
    ['@.', null],
    ['@a b', null],
    ['bob', null],
    ['*@example.com', '*@example.com'],
  ];
  for (const [text, pattern] of rows) assert.equal(listPattern(text), pattern, text);
});

test('what is looked up for an address is bounded', () => {
  assert.deepEqual(patternsFor('bob@a.b.example'), ['bob@a.b.example', '@a.b.example', '@.a.b.example', '@.b.example', '@.example']);
  assert.ok(patternsFor(`x@${'a.'.repeat(120)}example`).length <= 14);
});

test('DMARC’s quarantine stays in junk whatever the points', () => {
  const found = sort({ ...verdict(0, 'DMARC_QUARANTINE') });
  assert.deepEqual([found.target, found.reason], ['junk', 'text of DMARC_QUARANTINE']);
  assert.equal(sort({ ...verdict(0), isQuarantined: true }).target, 'junk');
  assert.equal(sort({ ...verdict(0, 'ARC_TRUSTED'), isQuarantined: true }, [allow('bob@example.com')]).target, 'inbox');
});

test('what nobody judged goes to the inbox', () => assert.equal(sort(null).target, 'inbox'));

test('the classic header fields follow the account’s threshold', () => {
  const text = spamHeaders({ score: 6.25, symbols: [symbol('SPF_FAIL'), symbol('RDNS_NONE')] }, 6).toString();
  assert.equal(
    text,
    'X-Spam-Flag: YES\r\nX-Spam-Level: ******\r\nX-Spam-Score: 6.3\r\nX-Spam-Status: Yes, score=6.3 required=6.0\r\n\ttests=SPF_FAIL,\r\n\tRDNS_NONE\r\n',
  );
  assert.equal(
    spamHeaders({ score: -1, symbols: [] }, Number.POSITIVE_INFINITY).toString(),
    'X-Spam-Score: -1.0\r\nX-Spam-Status: No, score=-1.0 required=off\r\n\ttests=none\r\n',
  );
});

test('an allow entry never makes things worse, a block entry never better', () => {
  const rank = { inbox: 0, junk: 1, discard: 2 };
  const names = fc.subarray(['DMARC_PASS', 'SPF_PASS', 'DMARC_FAIL', 'DMARC_QUARANTINE']);
  fc.assert(
    fc.property(
      fc.double({ min: -20, max: 50, noNaN: true }),
      names,
      fc.constantFrom('bob@example.com', '@example.com', '@.com'),
      (score, symbols, pattern) => {
        const plain = rank[sort(verdict(score, ...symbols)).target];
        assert.ok(rank[sort(verdict(score, ...symbols), [allow(pattern)]).target] <= plain);
        assert.ok(rank[sort(verdict(score, ...symbols), [block(pattern)]).target] >= Math.min(plain, 1));
      },
    ),
    { seed: 43, numRuns: 200 },
  );
});
