import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldForSearch } from '../mail/text.ts';
import type { SimilarEmail } from '../ports.ts';
import { soughtWords } from './fuzzy.ts';
import { noPause, SearchWorld } from './testing.ts';
import { editDistance, likeness } from './word-likeness.ts';

const DISTANCES: readonly (readonly [a: string, b: string, edits: number])[] = [
  ['ABC', 'ABC', 0],
  ['ABC', 'ABD', 1],
  ['ABC', 'ACB', 1],
  ['ABC', 'AB', 1],
  ['ABC', 'ABCD', 1],
  ['KITTEN', 'SITTING', 3],
  ['ABCDEF', 'UVWXYZ', 4],
  ['', 'AB', 2],
];
for (const [a, b, edits] of DISTANCES) {
  test(`${edits} edits make ${b} of ${a}`, () => {
    assert.equal(editDistance(a, b, 3), edits);
    assert.equal(editDistance(b, a, 3), edits);
  });
}

const LIKE: readonly (readonly [sought: string, word: string, isLike: boolean])[] = [
  ['INVOICE', 'INVOICE', true],
  ['INVOICE', 'INVOICES', true],
  ['INVOICES', 'INVOICE', true],
  ['INVIOCE', 'INVOICE', true],
  ['INVOISE', 'INVOICE', true],
  ['INVOICE', 'INVERSE', false],
  ['RECHNUNG', 'STROMRECHNUNG', true],
  ['CAT', 'CAR', false],
  ['CAT', 'CATS', true],
  ['AB', 'ABOUT', true],
  ['AB', 'CAB', false],
  ['文', '中文字', true],
  ['中文字', '简体中文字体', true],
];
for (const [sought, word, isLike] of LIKE) test(`${word} is ${isLike ? '' : 'not '}like ${sought}`, () => assert.equal(likeness(sought, word) > 0, isLike));

test('words are cut where letters end, and bounded', () => {
  assert.deepEqual(soughtWords(foldForSearch('Grüße, aus  "Köln"! aus')), ['GRU\u0308ßE', 'AUS', 'KO\u0308LN']);
  assert.equal(soughtWords(Array.from({ length: 100 }, (_, n) => `w${n}`).join(' ')).length, 16);
  assert.equal(soughtWords('x'.repeat(1000))[0]!.length, 40);
  assert.deepEqual(soughtWords(' ,;\0'), []);
});

test('misspelt, inflected and swapped words find emails, the best first', async (t) => {
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account('a@example.org');
  const add = async (subject: string, body: string): Promise<number> => (await world.add(id, inbox.id, `Subject: ${subject}\r\n\r\n${body}\r\n`)).email;
  const exact = await add('one', 'The quarterly report of the committee');
  const inflected = await add('two', 'Quarterly reports and more');
  const half = await add('three', 'a quarter past');
  const header = await add('quarterly report', 'nothing');
  await add('four', 'something else entirely');
  await world.indexer.catchUp();
  const similar = (scope: 'header' | 'body' | 'text', words: string, limit = 10): Promise<SimilarEmail[]> =>
    world.index.similar(id, scope, foldForSearch(words), limit, noPause);
  const found = await similar('body', 'reprot quarterly');
  assert.deepEqual(
    found.map((one) => one.email),
    [exact, inflected],
  );
  assert.ok(found[0]!.relevancy <= 100 && found[1]!.relevancy >= 1);
  assert.deepEqual(
    (await similar('body', 'quarterly report')).map((one) => [one.email, one.relevancy]),
    [
      [exact, 100],
      [inflected, 98],
    ],
  );
  assert.deepEqual(
    (await similar('header', 'quartely report')).map((one) => one.email),
    [header],
  );
  assert.deepEqual(
    (await similar('text', 'comittee')).map((one) => one.email),
    [exact],
  );
  assert.deepEqual((await similar('body', 'q')).map((one) => one.email).sort(), [exact, inflected, half].sort());
  assert.equal((await similar('text', 'quarterly', 2)).length, 2);
  assert.deepEqual(await similar('text', 'zzzzzz'), []);
  assert.deepEqual(await similar('text', ' !'), []);
});
