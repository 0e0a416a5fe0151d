/**
 * The stored form of message bytes: zstd frames of at most 256 KiB of input each. Every frame carries a checksum,
 * so that damage is noticed at the next reading.
 */
import { Failure } from '../../system/failure.ts';
import { MAIL_DICTIONARY } from './dictionary.ts';
import { createZstd, type Zstd, ZSTD_INPUT_BYTES_MAX } from './zstd.ts';

/** Input bytes of one frame. A partial FETCH of a large message decompresses only the frames it needs. */
export const FRAME_BYTES = ZSTD_INPUT_BYTES_MAX;

export const CODEC = { raw: 0, zstd: 1, zstdMail: 2 } as const;

/** Made when first needed: not every thread compresses. */
let plain: Zstd | null = null;
let withDictionary: Zstd | null = null;

function zstdOf(codec: number): Zstd {
  if (codec === CODEC.zstdMail) {
    withDictionary ??= createZstd(MAIL_DICTIONARY);
    return withDictionary;
  }
  plain ??= createZstd();
  return plain;
}

/** Compresses one frame. The result owns its memory. `codec` 'zstdMail' is for a whole small message, where a dictionary pays. */
export function compressFrame(bytes: Uint8Array, codec: number = CODEC.zstd): Uint8Array {
  return zstdOf(codec).compress(bytes);
}

/** The input of one frame; in `room` where that is possible: it is given, larger than `bytesMax`, and there is anything to decompress. Throws Failure 'corruptBlob'. */
export function decompressFrame(frame: Uint8Array, codec: number, bytesMax: number = FRAME_BYTES, room?: Buffer): Uint8Array {
  if (codec === CODEC.raw) return frame;
  try {
    return zstdOf(codec).decompress(frame, bytesMax, room);
  } catch (cause) {
    throw new Failure('corruptBlob', 'stored message does not decompress', { cause });
  }
}

/** Compressed frame lengths, as the column blob.frames keeps them. */
export function encodeFrames(lengths: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(lengths.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < lengths.length; i += 1) view.setUint32(i * 4, lengths[i]!, true);
  return bytes;
}

/** Offsets of the frames in the file: one more than there are frames, the last being the file's size. */
export function frameOffsets(frames: Uint8Array): Float64Array {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
  const frameCount = frames.byteLength >> 2;
  const offsets = new Float64Array(frameCount + 1);
  for (let i = 0; i < frameCount; i += 1) offsets[i + 1] = offsets[i]! + view.getUint32(i * 4, true);
  return offsets;
}
