/**
 * A message as the body of a multi-line response (RFC 1939 section 3): dots at the start of a line doubled, ".CRLF" at the end.
 * Chunks may end anywhere.
 */
const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const NUL = 0x00;
/** What NUL becomes: Outlook stops reading for ever at one (Dovecot's outlook-no-nuls does the same). The size stays. */
const NUL_SUBSTITUTE = 0x80;
const END = Buffer.from('.\r\n');
const END_AFTER_TEXT = Buffer.from('\r\n.\r\n');
const END_AFTER_CR = Buffer.from('\n.\r\n');
const LF_DOT = Buffer.from('\n.');

export class MessageOut {
  /** The two bytes before; at the start of a message we are at the start of a line. */
  #last = LF;
  #lastButOne = CR;
  readonly #replaceNul: boolean;

  constructor(replaceNul: boolean) {
    this.#replaceNul = replaceNul;
  }

  /** The chunk as it goes over the wire: `chunk` itself when nothing had to change (the common case), else a copy. */
  push(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return chunk;
    let input = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (this.#replaceNul && input.indexOf(NUL) >= 0) {
      input = Buffer.from(input);
      for (let at = input.indexOf(NUL); at >= 0; at = input.indexOf(NUL, at + 1)) input[at] = NUL_SUBSTITUTE;
    }
    const startsWithDot = input[0] === DOT && this.#last === LF;
    this.#lastButOne = input.length > 1 ? input[input.length - 2]! : this.#last;
    this.#last = input[input.length - 1]!;
    let at = input.indexOf(LF_DOT);
    if (at < 0 && !startsWithDot) return input;

    // After any LF, with or without CR: clients take either for the end of a line.
    const pieces: Uint8Array[] = [];
    let from = 0;
    if (startsWithDot) pieces.push(END.subarray(0, 1));
    for (; at >= 0; at = input.indexOf(LF_DOT, at + 1)) {
      pieces.push(input.subarray(from, at + 2));
      from = at + 1;
    }
    pieces.push(input.subarray(from));
    return Buffer.concat(pieces);
  }

  /** What ends the response: the last line of the message is completed when it has no CRLF (a bare LF is none: the client looks for CRLF.CRLF). */
  end(): Uint8Array {
    if (this.#last === LF && this.#lastButOne === CR) return END;
    return this.#last === CR ? END_AFTER_CR : END_AFTER_TEXT;
  }
}

/** Counts lines as they pass, to end TOP (RFC 1939 section 7) after `lines` of them. */
export class LineCounter {
  #left: number;
  constructor(lines: number) {
    this.#left = lines;
  }
  get isDone(): boolean {
    return this.#left <= 0;
  }
  /** The part of `chunk` that is still wanted. */
  take(chunk: Uint8Array): Uint8Array {
    let from = 0;
    while (this.#left > 0) {
      const at = chunk.indexOf(LF, from);
      if (at < 0) return chunk;
      this.#left -= 1;
      from = at + 1;
    }
    return chunk.subarray(0, from);
  }
}
