import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Failure } from '../../system/failure.ts';
import { CODEC, compressFrame, decompressFrame, encodeFrames, frameOffsets } from './codec.ts';
import { MAIL_DICTIONARY } from './dictionary.ts';
import { behavesAsExpected, isKept } from './zstd.ts';

test('the dictionary is for ever: stored mail needs exactly these bytes', () => {
  assert.equal(hash('sha256', MAIL_DICTIONARY), '301f4175ec3b83b196e148cc19300e0872f9b82eb862a5b9c69c7065bea073a3');
});

for (const [name, codec] of Object.entries(CODEC)) {
  test(`what was stored as ${name} comes back, of any length`, () => {
    for (const length of [0, 1, 100, 5000, 262_144]) {
      const bytes = length === 5000 ? Buffer.from('Subject: the meeting\r\n'.repeat(227)).subarray(0, 5000) : randomBytes(length);
      const stored = codec === CODEC.raw ? bytes : compressFrame(bytes, codec);
      assert.deepEqual(Buffer.from(decompressFrame(stored, codec, length)), Buffer.from(bytes));
    }
  });
}

test('every changed byte of a frame is noticed', () => {
  const bytes = Buffer.from('Subject: hello\r\n\r\nHello there, how are you today?\r\n'.repeat(3));
  const stored = Buffer.from(compressFrame(bytes, CODEC.zstdMail));
  for (let i = 0; i < stored.length; i += 1) {
    const damaged = Buffer.from(stored);
    damaged[i]! ^= 0x55;
    let back: Uint8Array | null = null;
    try {
      back = decompressFrame(damaged, CODEC.zstdMail, bytes.length);
    } catch (error) {
      assert.ok(error instanceof Failure && error.code === 'corruptBlob');
    }
    // A bit of the frame's header may be without meaning; then the bytes are right all the same.
    if (back !== null) assert.deepEqual(Buffer.from(back), bytes);
  }
});

for (const codec of [CODEC.zstd, CODEC.zstdMail]) {
  test(`a damaged frame harms no other message: codec ${codec}`, () => {
    const good = Buffer.from('Subject: good\r\n\r\nAs it was.\r\n'.repeat(20));
    const goodFrame = compressFrame(good, codec);
    const isWell = (): void => assert.deepEqual(Buffer.from(decompressFrame(goodFrame, codec, good.length)), good);
    const other = Buffer.from(randomBytes(3000).toString('hex'));
    const frame = Buffer.from(compressFrame(other, codec));
    // Cut anywhere, also within the checksum; with something behind it; of too little room, of which it fills any part.
    for (let length = 0; length < frame.length; length += length < 20 || length > frame.length - 20 ? 1 : 97) {
      assert.throws(() => decompressFrame(frame.subarray(0, length), codec, other.length), Failure);
      isWell();
    }
    assert.throws(() => decompressFrame(Buffer.concat([frame, frame.subarray(0, 9)]), codec, 2 * other.length), Failure);
    isWell();
    assert.throws(() => decompressFrame(Buffer.concat([frame, goodFrame]), codec, 2 * other.length), Failure);
    isWell();
    for (const room of [0, 1, 100, other.length - 1]) {
      assert.throws(() => decompressFrame(frame, codec, room), Failure);
      isWell();
    }
    assert.throws(() => decompressFrame('text' as never, codec, 100), Failure);
    isWell();
  });
}

test('a frame that says it is larger than allowed is refused', () => {
  assert.throws(() => decompressFrame(compressFrame(Buffer.alloc(100_000)), CODEC.zstd, 1000), Failure);
});

test('frame lengths become offsets', () => {
  assert.deepEqual([...frameOffsets(encodeFrames([10, 0, 7]))], [0, 10, 10, 17]);
});

test('kept contexts are in use: the runtime behaves as they expect', () => {
  const careless = { compress: (bytes: Uint8Array) => bytes, decompress: (frame: Uint8Array) => frame };
  assert.equal(behavesAsExpected(careless, careless), false); // what does not notice damage is not used
  assert.equal(isKept(), true);
});
