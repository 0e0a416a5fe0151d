/** Bytes of a client to whole commands: lines and the literals they announce. Holds nothing while nothing has arrived. */
import { LINE_OCTETS_MAX, SKIPPED_OCTETS_MAX } from './limits.ts';
import { literalMark, parseLine, type Word } from './line.ts';

export interface ReaderLimits {
  /** Octets of all literals of one command. */
  literalOctetsMax: number;
}

export type ReaderEvent =
  /** One command, or one answer of a SASL exchange. Empty for an empty line. */
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  /** Not in the grammar; all of it has been passed over. */
  | { readonly kind: 'wrong'; readonly text: string }
  /** A literal is too large; all of the command has been passed over. `words` are those before it. */
  | { readonly kind: 'literalTooBig'; readonly words: readonly Word[] }
  /** More than anybody wants to pass over: close. */
  | { readonly kind: 'flood' };

const LF = 0x0a;
const CR = 0x0d;
const NOTHING = Buffer.alloc(0);

export class CommandReader {
  readonly #limits: ReaderLimits;
  #buffer: Buffer = NOTHING;
  #words: Word[] = [];
  /** The command continues after a literal. */
  #isContinued = false;
  /** The literal being read, grown as it arrives: what is announced only costs nothing. Null between literals. */
  #literal: Buffer | null = null;
  #literalSize = 0;
  #literalFilled = 0;
  #literalOctets = 0;
  /** What will be answered once the rest of a refused command has been passed over. */
  #refusal: ReaderEvent | null = null;
  #skipLeft = 0;
  /** The rest of a line that was too long. */
  #isSkippingLine = false;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  push(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
  }

  /** Forgets everything that arrived (STARTTLS: what was sent in clear must not count). */
  reset(): void {
    this.#buffer = NOTHING;
    this.#isSkippingLine = false;
    this.#begin();
  }

  /** The next event, or null when more bytes are needed. */
  next(): ReaderEvent | null {
    while (this.#buffer.length > 0) {
      if (this.#skipLeft > 0) this.#skip();
      else if (this.#literal !== null) this.#takeLiteral(this.#literal);
      else {
        const event = this.#line();
        if (event === 'more') return null;
        if (event !== null) return event;
      }
    }
    return null;
  }

  #skip(): void {
    const octets = Math.min(this.#skipLeft, this.#buffer.length);
    this.#skipLeft -= octets;
    this.#buffer = this.#buffer.subarray(octets);
  }

  #takeLiteral(literal: Buffer): void {
    const octets = Math.min(this.#literalSize - this.#literalFilled, this.#buffer.length);
    const filled = this.#literalFilled + octets;
    let room = literal;
    if (filled > literal.length) {
      room = Buffer.allocUnsafeSlow(Math.min(this.#literalSize, Math.max(filled, literal.length * 2)));
      literal.copy(room, 0, 0, this.#literalFilled);
    }
    this.#buffer.copy(room, this.#literalFilled, 0, octets);
    this.#buffer = this.#buffer.subarray(octets);
    this.#literal = room;
    this.#literalFilled = filled;
    if (filled === this.#literalSize) this.#endLiteral(room);
  }

  #endLiteral(bytes: Buffer): void {
    this.#words.push({ kind: 'string', bytes });
    this.#literal = null;
  }

  /** A line, if there is one: an event, null to go on, or 'more'. A bare LF ends it too: people type into such a session. */
  #line(): ReaderEvent | null | 'more' {
    const buffer = this.#buffer;
    const lf = buffer.indexOf(LF);
    if ((lf < 0 ? buffer.length : lf) > LINE_OCTETS_MAX) this.#isSkippingLine = true;
    if (lf < 0) {
      // The announcement of a literal at the line's end must still be seen.
      if (this.#isSkippingLine) this.#buffer = Buffer.from(buffer.subarray(-MARK_OCTETS));
      return 'more';
    }
    const line = buffer.subarray(0, lf > 0 && buffer[lf - 1] === CR ? lf - 1 : lf);
    this.#buffer = lf + 1 === buffer.length ? NOTHING : buffer.subarray(lf + 1);
    if (this.#isSkippingLine) {
      this.#isSkippingLine = false;
      this.#refusal ??= { kind: 'wrong', text: 'Line is too long' };
    }
    return this.#refusal === null ? this.#take(line) : this.#passOver(line);
  }

  #take(line: Buffer): ReaderEvent | null {
    const parsed = parseLine(line, this.#isContinued, this.#words.length);
    if (parsed.kind === 'wrong') {
      this.#refusal = parsed;
      return this.#passOver(line);
    }
    this.#words.push(...parsed.words);
    if (parsed.literalOctets === null) return this.#finish({ kind: 'words', words: this.#words });
    if (this.#literalOctets + parsed.literalOctets > this.#limits.literalOctetsMax) {
      this.#refusal = { kind: 'literalTooBig', words: this.#words };
      return this.#passOver(line);
    }
    this.#isContinued = true;
    this.#literalOctets += parsed.literalOctets;
    this.#literalSize = parsed.literalOctets;
    this.#literalFilled = 0;
    this.#literal = NOTHING;
    if (this.#literalSize === 0) this.#endLiteral(NOTHING);
    return null;
  }

  /** Of a refused command: goes on after the literal that the line announces, or ends. */
  #passOver(line: Buffer): ReaderEvent | null {
    let end = line.length;
    while (end > 0 && line[end - 1] === 0x20) end -= 1;
    const mark = literalMark(line, end);
    if (mark === null) return this.#finish(this.#refusal!);
    if (mark.octets > SKIPPED_OCTETS_MAX) return { kind: 'flood' };
    this.#skipLeft = mark.octets;
    return null;
  }

  #finish(event: ReaderEvent): ReaderEvent {
    this.#begin();
    return event;
  }

  #begin(): void {
    this.#words = [];
    this.#isContinued = false;
    this.#literal = null;
    this.#literalOctets = 0;
    this.#refusal = null;
    this.#skipLeft = 0;
  }
}

/** What is kept of a line that is passed over: more than any literal's announcement that is worth reading. */
const MARK_OCTETS = 32;
