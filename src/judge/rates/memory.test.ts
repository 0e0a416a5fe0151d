import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedHash } from './keyed-hash.ts';
import { createRateMemory, RateMemory } from './memory.ts';

const hashed = (hash: KeyedHash, text: string, salt0 = 0, salt1 = 0): string => {
  hash.of(text, salt0, salt1);
  return `${hash.lo} ${hash.hi}`;
};

test('the hash tells texts, keys and salts apart, and is the same each time', () => {
  const hash = new KeyedHash(1, 2);
  const seen = new Set<string>();
  for (let n = 0; n < 50_000; n += 1) seen.add(hashed(hash, `user${n}@example.org`));
  for (const text of ['', '\0', '\0\0', 'a', 'ab', 'abc', 'b', 'ba', 'é', '\u{1f600}']) seen.add(hashed(hash, text));
  seen.add(hashed(hash, 'user1@example.org', 1, 0));
  seen.add(hashed(hash, 'user1@example.org', 0, 1));
  seen.add(hashed(new KeyedHash(2, 1), 'user1@example.org'));
  assert.equal(seen.size, 50_013);
  assert.equal(hashed(hash, 'user1@example.org'), hashed(new KeyedHash(1, 2), 'user1@example.org'));
});

test('every bit of the hash is set about half the time', () => {
  const hash = new KeyedHash(3, 4);
  const ones = new Array<number>(64).fill(0);
  for (let n = 0; n < 4000; n += 1) {
    hash.of(String(n), 0, 0);
    for (let bit = 0; bit < 32; bit += 1) {
      ones[bit]! += (hash.lo >>> bit) & 1;
      ones[32 + bit]! += (hash.hi >>> bit) & 1;
    }
  }
  for (const count of ones) assert.ok(count > 1800 && count < 2200, `${count}`);
});

test('two views of one memory see the same entries; a bucket owes no more than it holds', () => {
  const shared = createRateMemory(65_536);
  const [one, two] = [new RateMemory(shared), new RateMemory(shared)];
  assert.equal(hashed(one.hash, 'x'), hashed(two.hash, 'x'));
  assert.equal(one.fullAt(7, 8), 0);
  one.take(7, 8, 1000, 50, 120);
  assert.equal(two.fullAt(7, 8), 1050);
  two.take(7, 8, 1000, 500, 120);
  assert.equal(one.fullAt(7, 8), 1120);
  one.set(7, 8, 0);
  assert.equal(two.fullAt(7, 8), 0);
  one.set(9, 9, 0);
  one.set(9, 9, 4711);
  assert.equal(two.fullAt(9, 9), 4711);
});

test('any size makes a memory of at most that size, and no other memory is taken', () => {
  for (const bytes of [0, 1, 2000, 65_536, 1_000_000]) {
    const memory = createRateMemory(bytes);
    assert.ok(memory.byteLength <= Math.max(bytes, 1300), `${bytes}: ${memory.byteLength}`);
    new RateMemory(memory).take(-1, -1, 1000, 1, 1);
  }
  assert.throws(() => new RateMemory(new SharedArrayBuffer(4096)), /not made by createRateMemory/);
});

test('a lock whose holder is no more is taken over and works again', () => {
  const shared = createRateMemory(65_536);
  const words = new Int32Array(shared);
  words.fill(1, 16, 16 + 256);
  const memory = new RateMemory(shared);
  memory.take(5, 6, 1000, 10, 100);
  assert.equal(memory.fullAt(5, 6), 1010);
  assert.equal(words[16 + 5], 0);
});
