/** Bytes of a stored message, from the database or from a file of frames; at most one frame is held. */
import { close, open, read } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MessageReader } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { decompressFrame, FRAME_BYTES, frameOffsets } from './codec.ts';

export interface BlobRow {
  readonly bytes: number;
  readonly codec: number;
  readonly data: Uint8Array | null;
  readonly file: string | null;
  readonly frames: Uint8Array | null;
}

const PIECE_BYTES = 64 * 1024;
const openFile = promisify(open);
const readFile = promisify(read);
const ignore = (): void => {};

/** A reader that somebody forgot to close must not keep its descriptor for ever. */
const forgotten = new FinalizationRegistry<Promise<number>>((file) => {
  file.then((descriptor) => close(descriptor, ignore)).catch(ignore); // a failed open has nothing to close
});
const NOTHING = new Uint8Array(0);

class InlineReader implements MessageReader {
  readonly size: number;
  readonly prefixBytes: number;
  #row: BlobRow | null;
  #prefix: Uint8Array;
  #bytes: Uint8Array | null = null;

  constructor(row: BlobRow, prefix: Uint8Array) {
    this.size = row.bytes + prefix.length;
    this.prefixBytes = prefix.length;
    this.#row = row;
    this.#prefix = prefix;
  }

  #all(): Uint8Array {
    if (this.#bytes === null) {
      const blob = this.#blob();
      this.#bytes = this.#prefix.length === 0 ? blob : Buffer.concat([this.#prefix, blob]);
      this.#row = null;
    }
    return this.#bytes;
  }

  #blob(room?: Buffer): Uint8Array {
    const row = this.#row!;
    const blob = decompressFrame(row.data!, row.codec, row.bytes, room);
    if (blob.length !== row.bytes) throw new Failure('corruptBlob', `stored message has ${blob.length} bytes instead of ${row.bytes}`);
    return blob;
  }

  copyTo(target: Buffer, at: number): void {
    if (this.#bytes !== null) {
      target.set(this.#bytes, at);
      return;
    }
    const start = at + this.prefixBytes;
    const room = target.subarray(start);
    const blob = this.#blob(room);
    if (blob.byteOffset !== room.byteOffset || blob.buffer !== room.buffer) target.set(blob, start);
    target.set(this.#prefix, at);
  }

  slice(start: number, end: number): Uint8Array {
    return this.#all().subarray(Math.max(0, start), Math.max(0, end));
  }

  async *stream(start: number, end: number): AsyncIterable<Uint8Array> {
    const bytes = this.slice(start, end);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }

  close(): void {
    this.#bytes = NOTHING;
  }
}

class FileReader implements MessageReader {
  readonly size: number;
  readonly prefixBytes: number;
  readonly #row: BlobRow;
  readonly #prefix: Uint8Array;
  readonly #path: string;
  readonly #offsets: Float64Array;
  /** Held open: a message that is expunged while it is being fetched is still delivered whole. */
  #file: Promise<number> | null = null;
  #isClosed = false;
  /** The frame last read: FETCH reads forward in small pieces. */
  #frameIndex = -1;
  #frame: Uint8Array = NOTHING;

  constructor(row: BlobRow, prefix: Uint8Array, blobDir: string) {
    this.size = row.bytes + prefix.length;
    this.prefixBytes = prefix.length;
    this.#row = row;
    this.#prefix = prefix;
    this.#path = join(blobDir, row.file!);
    this.#offsets = frameOffsets(row.frames ?? NOTHING);
  }

  async #readFrame(index: number): Promise<Uint8Array> {
    if (index === this.#frameIndex) return this.#frame;
    if (this.#isClosed) throw new Failure('corruptBlob', 'reader is closed');
    const start = this.#offsets[index]!;
    const length = this.#offsets[index + 1]! - start;
    const stored = Buffer.allocUnsafe(length);
    try {
      if (this.#file === null) {
        this.#file = openFile(this.#path, 'r');
        forgotten.register(this, this.#file, this);
      }
      const { bytesRead } = await readFile(await this.#file, stored, 0, length, start);
      if (bytesRead !== length) throw new Error(`short file: ${bytesRead} of ${length} bytes at ${start}`);
    } catch (cause) {
      throw new Failure('corruptBlob', `cannot read ${this.#path}: ${(cause as Error).message}`, { cause });
    }
    this.#frame = decompressFrame(stored, this.#row.codec);
    this.#frameIndex = index;
    return this.#frame;
  }

  async slice(start: number, end: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.stream(start, end)) pieces.push(piece);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  async *stream(start: number, end: number): AsyncIterable<Uint8Array> {
    let at = Math.max(0, start);
    const stop = Math.min(end, this.size);
    if (at < this.prefixBytes && at < stop) {
      yield this.#prefix.subarray(at, Math.min(stop, this.prefixBytes));
      at = Math.min(stop, this.prefixBytes);
    }
    while (at < stop) {
      const inBlob = at - this.prefixBytes;
      const index = Math.floor(inBlob / FRAME_BYTES);
      const frame = await this.#readFrame(index);
      const from = inBlob - index * FRAME_BYTES;
      const to = Math.min(frame.length, from + (stop - at), from + PIECE_BYTES);
      if (to <= from) throw new Failure('corruptBlob', `${this.#path}: frame ${index} is short`);
      yield frame.subarray(from, to);
      at += to - from;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#frame = NOTHING;
    this.#frameIndex = -1;
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    forgotten.unregister(this);
    file.then((descriptor) => close(descriptor, ignore)).catch(ignore); // a failed open has nothing to close
  }
}

export function openBlobRow(row: BlobRow, prefix: Uint8Array, blobDir: string): MessageReader {
  return row.file === null ? new InlineReader(row, prefix) : new FileReader(row, prefix, blobDir);
}
