import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JudgeSymbol } from '../ports.ts';
import { readWeights, ThresholdTable, wrongOverride } from './thresholds.ts';
import { spamStatus, sumUp, weighed } from './verdict.ts';

const USUAL = { greylist: 4, addHeader: 6, reject: 15 };
const symbols = (...scores: number[]): JudgeSymbol[] => scores.map((score, i) => ({ name: `TEST_${i}`, score, text: '' }));
const address = (text: string) => ({ local: text.split('@')[0]!, domain: text.split('@')[1]! });

test('scores add up and the highest threshold reached says what happens', () => {
  assert.deepEqual(sumUp(symbols(), [], USUAL), { action: 'accept', score: 0, by: 'score' });
  assert.equal(sumUp(symbols(0.1, 0.2), [], USUAL).score, 0.3);
  assert.equal(sumUp(symbols(3.9), [], USUAL).action, 'accept');
  assert.equal(sumUp(symbols(2, 2), [], USUAL).action, 'greylist');
  assert.equal(sumUp(symbols(7, -1), [], USUAL).action, 'addHeader');
  assert.equal(sumUp(symbols(15), [], USUAL).action, 'reject');
});

test('a hard refusal bypasses the sum, a good score does not outweigh it, and the hardest decides', () => {
  assert.deepEqual(sumUp(symbols(-20), [{ action: 'reject', by: 'DMARC_REJECT' }], USUAL), { action: 'reject', score: -20, by: 'DMARC_REJECT' });
  assert.equal(
    sumUp(
      [],
      [
        { action: 'quarantine', by: 'A' },
        { action: 'defer', by: 'B' },
      ],
      USUAL,
    ).by,
    'B',
  );
  assert.equal(sumUp(symbols(15), [{ action: 'quarantine', by: 'A' }], USUAL).action, 'reject');
});

test('a message to several takes the mildest threshold of its recipients', () => {
  const table = new ThresholdTable(USUAL, ['example.org reject=10', 'ann@example.org reject=off addHeader=5']);
  assert.deepEqual(table.for([address('bob@example.org')]), { ...USUAL, reject: 10 });
  assert.deepEqual(table.for([address('ann@example.org')]), { ...USUAL, reject: Infinity, addHeader: 5 });
  assert.deepEqual(table.for([address('bob@example.org'), address('ann@example.org')]), { ...USUAL, reject: Infinity });
  assert.deepEqual(table.for([address('x@example.net')]), USUAL);
});

test('wrong overrides are named', () => {
  assert.equal(wrongOverride('example.org reject=10'), undefined);
  assert.match(wrongOverride('example.org')!, /names no threshold/);
  assert.match(wrongOverride('example.org refuse=10')!, /"refuse=10"/);
});

test('the administrator weighs symbols anew, and the header is as recipes expect it', () => {
  const found = weighed(symbols(3, 4), readWeights(['TEST_1=0.5']));
  const sum = sumUp(found, [], USUAL);
  assert.equal(sum.score, 3.5);
  assert.equal(spamStatus(sum, found, USUAL), 'No, score=3.5 required=6.0\r\n\ttests=TEST_0,\r\n\tTEST_1');
});
