import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DamagedText } from './kept-text.ts';
import { decodeListing, encodeListing, type Listed, PIECE_CHARACTERS_MAX } from './listing.ts';

const some: Listed[] = [
  [3, '("date" NIL)', '("TEXT" "PLAIN" NIL)'],
  [4, '', ''],
  [2 ** 45, '(\u0000 \u00ff)', 'x'],
];

test('a piece has all its emails, with every character of their texts', () => {
  for (const emails of [some, [], [[1, '', ''] as const], [...some, [2 ** 46, 'Grüße 中文 😀 \ufffd', '("😀")'] as const]]) {
    assert.deepEqual(decodeListing(encodeListing(emails, 2), 2), emails);
    const firsts = emails.map(([email, text]) => [email, text] as const);
    assert.deepEqual(decodeListing(encodeListing(firsts, 1), 1), firsts);
  }
});

test('as many characters as may be in one piece fit into it, in any script', () => {
  for (const char of ['a', 'ä', '中', '😀']) {
    const emails = Array.from(
      { length: 128 },
      (_, n): Listed => [n + 1, char.repeat(100 / char.length), char.repeat((PIECE_CHARACTERS_MAX / 128 - 100) / char.length)],
    );
    assert.deepEqual(decodeListing(encodeListing(emails, 2), 2), emails);
  }
});

test('a damaged piece is said to be so, whichever byte it is', () => {
  const piece = encodeListing(some, 2);
  for (let at = 0; at < piece.length; at += 1) {
    const damaged = Uint8Array.from(piece);
    damaged[at]! ^= 0x5a;
    try {
      // A bit that zstd does not use may be another without any harm.
      assert.deepEqual(decodeListing(damaged, 2), some);
    } catch (error) {
      assert.ok(error instanceof DamagedText, `byte ${at}: ${error}`);
    }
    assert.throws(() => decodeListing(piece.subarray(0, at), 2), DamagedText);
  }
  assert.throws(() => decodeListing('text' as never, 2), DamagedText);
  assert.deepEqual(decodeListing(piece, 2), some);
});
