/**
 * The message in DATA (RFC 5321 sections 4.1.1.4 and 4.5.2): finds its end, removes the stuffed dots, and notes what is wrong with it.
 * Only CRLF.CRLF ends the data. A bare LF, a bare CR and all their combinations with a dot ("SMTP smuggling") never do.
 */
const START = 0; // at the start of a line: just after CRLF, or at the first byte
const MIDDLE = 1; // within a line
const AFTER_CR = 2; // within a line, just after CR
const DOT = 3; // a dot at the start of the line; dropped already
const DOT_CR = 4; // such a dot and CR; the CR is held back
type State = typeof START | typeof MIDDLE | typeof AFTER_CR | typeof DOT | typeof DOT_CR;

const CRLF = Buffer.from('\r\n');
const CR = CRLF.subarray(0, 1);
const LF = CRLF.subarray(1);

/** What was seen of one message's bytes; all of it counts only the message itself, after the dots were removed. */
export interface Findings {
  hasBareLf: boolean;
  hasBareCr: boolean;
  hasNul: boolean;
  has8bit: boolean;
  /** Longest line, in bytes, without its ending. */
  longestLineBytes: number;
}

export class DataReader implements Findings {
  hasBareLf = false;
  hasBareCr = false;
  hasNul = false;
  has8bit = false;
  longestLineBytes = 0;
  /** Bytes of the message so far. */
  size = 0;
  #state: State = START;
  /** Bytes of the current line in earlier chunks, and whether a CR is held back from one. */
  #column = 0;
  #isCrHeld = false;
  readonly #isNormalizing: boolean;

  /** `isNormalizing`: a bare LF in the message is given on as CRLF (it still never ends anything). */
  constructor(isNormalizing = false) {
    this.#isNormalizing = isNormalizing;
  }

  /**
   * Takes `chunk` from offset `from` and appends the message's bytes to `pieces` as views of `chunk` (valid until the chunk is reused).
   * Answers the offset just past the final dot's CRLF, or -1 while the data goes on.
   */
  push(chunk: Uint8Array, from: number, pieces: Uint8Array[]): number {
    const length = chunk.length;
    let state = this.#state;
    let at = from;
    let run = from; // start of bytes not given on yet
    let lineStart = from - this.#column;
    let bits = 0;
    let end = -1;
    while (at < length) {
      if (state === MIDDLE) {
        // The hot loop: everything above CR is ordinary.
        let byte = 0;
        while (at < length && (byte = chunk[at]!) > 13) {
          bits |= byte;
          at += 1;
        }
        if (at === length) break;
        at += 1;
        if (byte === 13) state = AFTER_CR;
        else if (byte === 0) this.hasNul = true;
        else if (byte === 10) {
          this.hasBareLf = true;
          this.#endLine(at - 1 - lineStart);
          lineStart = at;
          if (this.#isNormalizing) {
            this.#give(chunk, run, at - 1, pieces);
            this.#give(CRLF, 0, 2, pieces);
            run = at;
          }
        }
        continue;
      }
      const byte = chunk[at]!;
      if (state === AFTER_CR) {
        if (byte === 10) {
          this.#endLine(at - 1 - lineStart);
          at += 1;
          lineStart = at;
          state = START;
        } else {
          this.hasBareCr = true;
          state = MIDDLE;
        }
      } else if (state === START) {
        if (byte === 46) {
          this.#give(chunk, run, at, pieces);
          at += 1;
          run = at;
          lineStart = at;
          state = DOT;
        } else state = MIDDLE;
      } else if (state === DOT) {
        if (byte === 13) {
          at += 1;
          state = DOT_CR;
        } else state = MIDDLE;
      } else if (byte === 10) {
        at += 1;
        run = at;
        end = at;
        break;
      } else {
        // A dot, a CR and no LF: the CR was part of the message after all.
        this.hasBareCr = true;
        if (this.#isCrHeld) this.#give(CR, 0, 1, pieces);
        state = MIDDLE;
      }
      if (state !== DOT_CR) this.#isCrHeld = false;
    }
    if ((bits & 0x80) !== 0) this.has8bit = true;
    if (end !== -1) {
      this.#state = START;
      this.#column = 0;
      this.#isCrHeld = false;
      return end;
    }
    if (state === DOT_CR) this.#isCrHeld = true;
    else this.#give(chunk, run, length, pieces);
    this.#state = state;
    this.#column = length - lineStart;
    return -1;
  }

  #give(chunk: Uint8Array, from: number, to: number, pieces: Uint8Array[]): void {
    if (to <= from) return;
    pieces.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
    this.size += to - from;
  }

  #endLine(bytes: number): void {
    if (bytes > this.longestLineBytes) this.longestLineBytes = bytes;
  }
}

/** The same findings for bytes that need no unstuffing (BDAT, RFC 3030). Line endings may be split between chunks. */
export class ChunkScanner implements Findings {
  hasBareLf = false;
  hasBareCr = false;
  hasNul = false;
  has8bit = false;
  longestLineBytes = 0;
  #isAfterCr = false;
  #column = 0;

  push(chunk: Uint8Array): void {
    let bits = 0;
    let lineStart = -this.#column;
    let isAfterCr = this.#isAfterCr;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (byte > 13 && !isAfterCr) {
        bits |= byte;
        continue;
      }
      bits |= byte;
      if (isAfterCr && byte !== 10) this.hasBareCr = true;
      if (byte === 10) {
        if (!isAfterCr) this.hasBareLf = true;
        const bytes = at - lineStart - (isAfterCr ? 1 : 0);
        if (bytes > this.longestLineBytes) this.longestLineBytes = bytes;
        lineStart = at + 1;
      } else if (byte === 0) this.hasNul = true;
      isAfterCr = byte === 13;
    }
    if ((bits & 0x80) !== 0) this.has8bit = true;
    this.#isAfterCr = isAfterCr;
    this.#column = chunk.length - lineStart;
  }

  /** Call once after the last chunk: a message may not end in CR, and BDAT content need not end in CRLF. */
  finish(): { endsInCrlf: boolean } {
    if (this.#isAfterCr) this.hasBareCr = true;
    if (this.#column > this.longestLineBytes) this.longestLineBytes = this.#column;
    return { endsInCrlf: this.#column === 0 };
  }
}

const DOT_BYTE = Buffer.from('.');
const END_AT_LINE_START = Buffer.from('.\r\n');
const END_IN_LINE = Buffer.from('\r\n.\r\n');

/**
 * The sending side: adds the dots. Lines that begin with a dot are rare, so a chunk usually passes as it is.
 * The message must have CRLF line endings only.
 */
export class DotStuffer {
  /** How many of the last bytes given were CR LF: 2 = at the start of a line. */
  #matched = 2;

  /** `chunk` as pieces to be sent in order; views of `chunk`. */
  push(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return [];
    const pieces: Buffer[] = [];
    let run = 0;
    if (chunk[0] === 46 && this.#matched === 2) pieces.push(DOT_BYTE);
    else if (chunk.length > 1 && this.#matched === 1 && chunk[0] === 10 && chunk[1] === 46) {
      pieces.push(LF, DOT_BYTE);
      run = 1;
    }
    for (let at = chunk.indexOf('\r\n.', run, 'latin1'); at !== -1; at = chunk.indexOf('\r\n.', at + 2, 'latin1')) {
      pieces.push(chunk.subarray(run, at + 2), DOT_BYTE);
      run = at + 2;
    }
    pieces.push(run === 0 ? chunk : chunk.subarray(run));
    const last = chunk[chunk.length - 1];
    const before = chunk.length > 1 ? chunk[chunk.length - 2] === 13 : this.#matched === 1;
    this.#matched = last === 13 ? 1 : last === 10 && before ? 2 : 0;
    return pieces;
  }

  /** What ends the data: the missing CRLF if there is one, and the final dot. */
  end(): Buffer {
    return this.#matched === 2 ? END_AT_LINE_START : END_IN_LINE;
  }
}
