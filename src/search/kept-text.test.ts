import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidateQuery, GramCutter, trigrams } from './grams.ts';
import { DamagedText, decodeKept, encodeKept, Needle } from './kept-text.ts';

const TEXTS = [
  '',
  'PLAIN',
  'GR\u00dc\u00dfE',
  '中文',
  '😀',
  '\ud83d',
  'a\ud83db\ude00',
  'nul \0 nul',
  '\ufffd',
  'x'.repeat(700_000),
  '中'.repeat(300_000),
  '\udc00'.repeat(200_000),
];

test('kept texts come back exactly, of any length and with any characters', () => {
  for (const text of TEXTS) assert.equal(decodeKept(encodeKept(text)), text);
});

test('a needle is in a kept text when it is in the text', () => {
  for (const text of TEXTS) {
    const kept = encodeKept(text);
    for (const needle of ['A', '中', '\ud83d', '\ude00', '😀', '\0', '\ufffd', 'L \0 N', 'xxxx', '\u00dc']) {
      assert.equal(new Needle(needle).isIn(kept), text.includes(needle), `${JSON.stringify(needle)} in ${JSON.stringify(text.slice(0, 20))}`);
    }
  }
  // Across the border of two frames.
  const long = `${'x'.repeat(262_142)}BORDER${'y'.repeat(1000)}`;
  assert.equal(new Needle('xBORDERy').isIn(encodeKept(long)), true);
});

test('damage is noticed', () => {
  const kept = encodeKept('a text that is long enough to be damaged');
  for (let at = 1; at < kept.length; at += 1) {
    const damaged = new Uint8Array(kept);
    damaged[at]! ^= 0x55;
    assert.throws(() => decodeKept(damaged), DamagedText, `byte ${at}`);
    assert.throws(() => decodeKept(kept.subarray(0, at + 1 === kept.length ? at : at + 1)), DamagedText);
  }
});

test('each trigram of a text is one word, once; odd characters are in none', () => {
  const cutter = new GramCutter();
  assert.equal(cutter.words('ABCABC').trim().split(' ').length, 3);
  assert.equal(cutter.words('ABCABC'), cutter.words('ABCABC'));
  assert.equal(cutter.words('AB'), '');
  assert.equal(cutter.words('AB\0C'), '');
  assert.equal(cutter.words('AB\ud83dCDE').trim().split(' ').length, 1);
  assert.equal(cutter.words('A😀B').trim().split(' ').length, 1);
  const many = Array.from({ length: 10_000 }, (_, n) => `${String.fromCharCode(33 + (n % 90), 33 + (Math.floor(n / 90) % 90))}~`).join('');
  assert.ok(cutter.words(many).split(' ').length > 8000);
});

test('all trigrams of a needle are words of every text that has it', () => {
  const cutter = new GramCutter();
  const needle = 'A 中😀"B\u0100Z';
  const words = new Set(cutter.words(`xx${needle}yy`).trim().split(/ +/));
  for (const gram of trigrams(needle)) assert.ok(words.has(gram), JSON.stringify(gram));
  assert.equal(candidateQuery('AB'), null);
  assert.equal(candidateQuery('A\0B\0C'), null);
  assert.equal(candidateQuery('ABC'), '"\u0141\u0142\u0143"');
  assert.equal(candidateQuery('X'.repeat(100_000))?.split(' AND ').length, 1);
  assert.equal(candidateQuery('THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG')?.split(' AND ').length, 12);
});
