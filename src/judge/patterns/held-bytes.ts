/** Bytes that wait for more: a buffer that grows by doubling, so that a message coming byte by byte costs no more than one in large pieces. */

const LEAST_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

export class HeldBytes {
  #buffer: Buffer = NOTHING;
  length = 0;

  /** What is held with `piece` behind it: `piece` itself when nothing is held. Valid until the next call of `keep`. */
  with(piece: Uint8Array): Buffer {
    if (this.length === 0) return Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const length = this.length + piece.length;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(LEAST_BYTES, 2 * length));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.length);
    this.length = length;
    return this.#buffer.subarray(0, length);
  }

  /** Holds `input` from `at` on; `input` is what `with` gave. What stands before has gone out and is not touched again. */
  keep(input: Buffer, at: number): void {
    const rest = input.length - at;
    if (rest > 0 && at === 0 && this.length === input.length) return;
    this.#buffer = NOTHING;
    this.length = 0;
    if (rest === 0) return;
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(LEAST_BYTES, rest));
    input.copy(this.#buffer, 0, at);
    this.length = rest;
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.length = 0;
  }
}
