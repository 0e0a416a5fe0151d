/**
 * zstd with a context that is kept. node:zlib's one-shot calls make a context of some 200 KB for each message, which costs
 * more than the compression itself (33 instead of 14 µs, and 21 instead of 6 µs back, for 4 KB) and makes the garbage
 * collector believe that memory is short. The handle below is not documented: it is tried when the thread starts, and where it
 * does not behave as expected the one-shot calls are used.
 */
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };

/** What node:zlib's streams keep under `_handle`, as far as we use it. */
interface Handle {
  writeSync(flush: number, input: Uint8Array, inputAt: number, inputBytes: number, output: Uint8Array, outputAt: number, outputBytes: number): void;
  onerror: (message: string, number: number, code: string) => void;
}
interface Stream {
  readonly _handle?: Handle;
  /** [room left in the output, input left], after each call. */
  readonly _writeState?: Uint32Array;
  close(): void;
}

/** One direction with one dictionary. Throws Error when the input is not what zstd can read. */
class Context {
  readonly #make: () => Stream;
  readonly #flush: number;
  #stream: Stream | null = null;
  #failure: string | null = null;

  constructor(make: () => Stream, flush: number) {
    this.#make = make;
    this.#flush = flush;
  }

  /** Fills `output`; answers how much of it. Throws when input is left over or damaged; the next call begins anew. */
  run(input: Uint8Array, output: Uint8Array): number {
    if (this.#stream === null) {
      this.#stream = this.#make();
      this.#stream._handle!.onerror = (message) => {
        this.#failure = message;
      };
    }
    // The handle takes nothing else, and ends the process rather than throw. (A damaged row may hold text.)
    if (!(input instanceof Uint8Array)) throw new TypeError('not bytes');
    const { _handle: handle, _writeState: state } = this.#stream;
    this.#failure = null;
    handle!.writeSync(this.#flush, input, 0, input.length, output, 0, output.length);
    if (this.#failure !== null || state![1] !== 0) {
      const failure = this.#failure ?? 'more data than expected';
      this.forget();
      throw new Error(failure);
    }
    return output.length - state![0]!;
  }

  /** What it remembers of a damaged frame must not meet the next one. */
  forget(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}

/** Four bytes at the beginning of every frame, as a number in little endian. */
const MAGIC = 0xfd2fb528;
/** By their flags: bytes of the dictionary's id, and of the content's size. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/**
 * Is this one frame from its first to its last byte (RFC 8878 section 3.1.1)? A kept context that was given part of one waits for the rest:
 * it would take the next message for it.
 */
export function isWholeFrame(bytes: Uint8Array): boolean {
  if (!(bytes instanceof Uint8Array) || bytes.length < 5) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) return false;
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingle ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  const checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
  let at = 5 + (isSingle ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return false;
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    isLast = (header & 1) !== 0;
    // A block of one repeated byte has this byte alone.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  return at + checksumBytes === bytes.length;
}

export interface Zstd {
  /** One frame; the result owns its memory. */
  compress(bytes: Uint8Array): Uint8Array;
  /** The content of one frame of at most `bytesMax`; in `room`, when that is given and larger than `bytesMax`. Throws Error. */
  decompress(frame: Uint8Array, bytesMax: number, room?: Buffer): Uint8Array;
}

/** The largest input of compress(). */
export const ZSTD_INPUT_BYTES_MAX = 256 * 1024;
/** Room for input that does not compress (ZSTD_COMPRESSBOUND). */
const OUTPUT_BYTES = ZSTD_INPUT_BYTES_MAX + (ZSTD_INPUT_BYTES_MAX >> 8) + 1024;
let scratch: Buffer | null = null;

function kept(dictionary: Buffer | undefined): Zstd {
  const compressor = new Context(() => createZstdCompress({ params: PARAMS, dictionary }) as unknown as Stream, constants.ZSTD_e_end);
  const decompressor = new Context(() => createZstdDecompress({ dictionary }) as unknown as Stream, constants.ZSTD_e_flush);
  return {
    compress(bytes) {
      scratch ??= Buffer.allocUnsafeSlow(OUTPUT_BYTES);
      return new Uint8Array(scratch.subarray(0, compressor.run(bytes, scratch)));
    },
    decompress(frame, bytesMax, room) {
      if (!isWholeFrame(frame)) throw new Error('not a whole frame');
      // A byte more than may be: a frame that fills it is larger than it should be.
      const output = room !== undefined && room.length > bytesMax ? room.subarray(0, bytesMax + 1) : Buffer.allocUnsafeSlow(bytesMax + 1);
      const length = decompressor.run(frame, output);
      if (length > bytesMax) {
        // There may be more, which would come out before the next message.
        decompressor.forget();
        throw new Error('more data than expected');
      }
      return output.subarray(0, length);
    },
  };
}

function oneShot(dictionary: Buffer | undefined): Zstd {
  return {
    compress: (bytes) => new Uint8Array(zstdCompressSync(bytes, { pledgedSrcSize: bytes.length, params: PARAMS, dictionary })),
    decompress: (frame, bytesMax) => zstdDecompressSync(frame, { maxOutputLength: Math.max(1, bytesMax), dictionary }),
  };
}

/** True when kept contexts do what the one-shot calls do, twice, and after damage. */
export function behavesAsExpected(zstd: Zstd, reference: Zstd): boolean {
  try {
    const samples = [Buffer.from('Subject: a\r\n\r\nSome text, some text.\r\n'.repeat(50)), Buffer.alloc(0), Buffer.from('x')];
    for (const sample of [...samples, ...samples]) {
      if (Buffer.compare(reference.decompress(zstd.compress(sample), sample.length), sample) !== 0) return false;
      if (Buffer.compare(zstd.decompress(reference.compress(sample), sample.length), sample) !== 0) return false;
    }
    const damaged = Buffer.from(reference.compress(samples[0]!));
    damaged[damaged.length - 1]! ^= 1;
    try {
      zstd.decompress(damaged, samples[0]!.length);
      return false;
    } catch {
      return Buffer.compare(zstd.decompress(reference.compress(samples[0]!), samples[0]!.length), samples[0]!) === 0;
    }
  } catch {
    return false;
  }
}

/** Whether this runtime lets contexts be kept; for the test that notices when a new one does not. */
export function isKept(): boolean {
  return behavesAsExpected(kept(undefined), oneShot(undefined));
}

/** zstd level 1 with checksums, over `dictionary` when given. */
export function createZstd(dictionary?: Buffer): Zstd {
  const reference = oneShot(dictionary);
  const zstd = kept(dictionary);
  return behavesAsExpected(zstd, reference) ? zstd : reference;
}
