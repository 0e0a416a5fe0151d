/** Line endings of local programs: whatever they wrote becomes CRLF. */

const CR = 13;
const LF = 10;
const DOT = 46;
const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from('\r\n');

/** LF, CRLF and a CR on its own become CRLF; NUL is dropped. Bytes may be split anywhere. */
export class CrlfLines {
  #isAfterCr = false;
  #isAtStart = true;

  push(chunk: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(chunk.length * 2 + 2);
    let length = 0;
    let isAfterCr = this.#isAfterCr;
    for (let i = 0; i < chunk.length; i += 1) {
      const byte = chunk[i]!;
      if (isAfterCr) {
        isAfterCr = false;
        out[length++] = CR;
        out[length++] = LF;
        if (byte === LF) continue;
      }
      if (byte === CR) isAfterCr = true;
      else if (byte === LF) {
        out[length++] = CR;
        out[length++] = LF;
      } else if (byte !== 0) out[length++] = byte;
    }
    this.#isAfterCr = isAfterCr;
    if (length > 0) this.#isAtStart = out[length - 1] === LF;
    return out.subarray(0, length);
  }

  /** What a last line without ending lacks. */
  end(): Buffer {
    if (!this.#isAfterCr && this.#isAtStart) return EMPTY;
    this.#isAfterCr = false;
    this.#isAtStart = true;
    return CRLF;
  }
}

/** Without -i, a line with a single dot ends the input, as it did on the terminals sendmail was made for. */
export class DotEnd {
  /** Bytes of a line that was only a dot so far; 0 = within a line, 1 = at its start, 2 = dot, 3 = dot and CR. */
  #matched = 1;
  /** A dot, or a dot and CR, that may yet be the end. */
  #kept: Buffer = EMPTY;

  /** The bytes before the end; `isEnd` when it was found. */
  push(chunk: Uint8Array): { bytes: Uint8Array; isEnd: boolean } {
    const input = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    let matched = this.#kept.length === 0 ? this.#matched : 1;
    for (let i = 0; i < input.length; i += 1) {
      const byte = input[i]!;
      if (matched >= 2 && byte === LF) return { bytes: input.subarray(0, i - matched + 1), isEnd: true };
      if (byte === LF) matched = 1;
      else if (byte === DOT && matched === 1) matched = 2;
      else matched = byte === CR && matched === 2 ? 3 : 0;
    }
    const kept = matched >= 2 ? matched - 1 : 0;
    this.#matched = matched;
    this.#kept = Buffer.from(input.subarray(input.length - kept));
    return { bytes: input.subarray(0, input.length - kept), isEnd: false };
  }

  /** At the end of the input: what was kept back. */
  end(): Uint8Array {
    return this.#kept;
  }
}
