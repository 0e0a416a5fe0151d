/**
 * Packets: four bytes length (of what follows), one byte code, data. Inside the data, texts end in NUL.
 * Texts are strings with one character per byte here, so that nothing is lost; whoever uses one decodes it.
 */
import { MILTER_LIMITS } from './limits.ts';

export interface Packet {
  /** The command's or response's letter. */
  readonly code: number;
  /** What follows the letter; memory of its own or of the chunk it came in. */
  readonly data: Buffer;
}

const LENGTH_BYTES = 4;
const NONE = Buffer.alloc(0);
/** First guess for a packet that comes in pieces; grows as bytes really arrive. */
const ASSEMBLY_BYTES = 16 * 1024;

/** Cuts a byte stream into packets. A length that is zero or too large makes `failure` a sentence; nothing more is read then. */
export class PacketReader {
  failure: string | null = null;
  readonly #bytesMax: number;
  #chunk: Buffer = NONE;
  #at = 0;
  /** Start of a packet whose end has not arrived. */
  #partial: Buffer = NONE;
  #partialBytes = 0;

  constructor(bytesMax: number = MILTER_LIMITS.packetBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Gives the next bytes; call `next` until it answers null before giving more. The chunk must not be written to afterwards. */
  push(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  next(): Packet | null {
    if (this.failure !== null) return null;
    if (this.#partialBytes === 0) {
      const length = this.#chunk.length - this.#at;
      if (length >= LENGTH_BYTES) {
        const size = this.#size(this.#chunk, this.#at);
        if (size === -1) return null;
        const end = this.#at + LENGTH_BYTES + size;
        if (end <= this.#chunk.length) {
          const start = this.#at + LENGTH_BYTES;
          this.#at = end;
          return { code: this.#chunk[start]!, data: this.#chunk.subarray(start + 1, end) };
        }
      } else if (length === 0) return null;
    }
    return this.#assemble();
  }

  #assemble(): Packet | null {
    if (this.#partialBytes < LENGTH_BYTES) {
      this.#take(LENGTH_BYTES);
      if (this.#partialBytes < LENGTH_BYTES) return null;
    }
    const size = this.#size(this.#partial, 0);
    if (size === -1) return null;
    const whole = LENGTH_BYTES + size;
    this.#take(whole);
    if (this.#partialBytes < whole) return null;
    const packet = { code: this.#partial[LENGTH_BYTES]!, data: this.#partial.subarray(LENGTH_BYTES + 1, whole) };
    this.#partial = NONE;
    this.#partialBytes = 0;
    return packet;
  }

  /** Moves bytes of the chunk into the partial packet until that has `whole`, or the chunk is empty. */
  #take(whole: number): void {
    const count = Math.min(whole - this.#partialBytes, this.#chunk.length - this.#at);
    const needed = this.#partialBytes + count;
    if (needed > this.#partial.length) {
      // Doubling: a peer that announces a megabyte and sends ten bytes costs no megabyte.
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(whole, Math.max(ASSEMBLY_BYTES, 2 * this.#partial.length))));
      this.#partial.copy(grown, 0, 0, this.#partialBytes);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialBytes, this.#at, this.#at + count);
    this.#partialBytes = needed;
    this.#at += count;
  }

  #size(bytes: Buffer, at: number): number {
    const size = bytes.readUInt32BE(at);
    if (size > 0 && size <= this.#bytesMax) return size;
    this.failure = size === 0 ? 'a packet without a code' : `a packet of ${size} bytes, more than ${this.#bytesMax}`;
    return -1;
  }
}

/** One packet around raw data. */
export function packet(code: number, data: Uint8Array = NONE): Buffer {
  const out = Buffer.allocUnsafe(LENGTH_BYTES + 1 + data.length);
  out.writeUInt32BE(1 + data.length, 0);
  out[LENGTH_BYTES] = code;
  out.set(data, LENGTH_BYTES + 1);
  return out;
}

/** One packet of texts, each ended by NUL. A NUL inside a text would make two of it: it becomes a space. `index` goes before them. */
export function textPacket(code: number, texts: readonly string[], index: number | null = null): Buffer {
  let size = 1 + (index === null ? 0 : 4);
  for (const text of texts) size += text.length + 1;
  const out = Buffer.allocUnsafe(LENGTH_BYTES + size);
  out.writeUInt32BE(size, 0);
  out[LENGTH_BYTES] = code;
  let at = LENGTH_BYTES + 1;
  if (index !== null) at = out.writeUInt32BE(index >>> 0, at);
  for (const text of texts) {
    at += out.write(text.includes('\0') ? text.replaceAll('\0', ' ') : text, at, 'latin1');
    out[at] = 0;
    at += 1;
  }
  return out;
}

/** The texts in `data` from `at` on. A last one without its NUL counts; null when there are too many. */
export function readTexts(data: Buffer, at = 0): string[] | null {
  const texts: string[] = [];
  let start = at;
  while (start < data.length) {
    if (texts.length === MILTER_LIMITS.textsMax) return null;
    const nul = data.indexOf(0, start);
    const end = nul === -1 ? data.length : nul;
    texts.push(data.toString('latin1', start, end));
    start = end + 1;
  }
  return texts;
}
