/**
 * Bytes from the socket to whole commands. A command's literals are gathered inside it, up to a bound; the message of
 * APPEND is not gathered but handed on in the pieces in which it arrives. Nothing is kept while nothing has arrived:
 * an idle session holds no buffer.
 */
import { CR, isDigit, LF, SP } from './chars.ts';

export interface ReaderLimits {
  /** Bytes of one command without its literals. */
  lineBytesMax: number;
  /** Bytes of all literals of one command (APPEND's message aside). */
  literalBytesMax: number;
}

/**
 * What next() found; `bytes` goes with it.
 * - 'command': one command without its CRLF, literals inline.
 * - 'continue': a synchronising literal is wanted; say "+ " and go on.
 * - 'append': APPEND or REPLACE up to (not including) the literal of a message or of a part of one; see `literal`. Take it with
 *   takeLiteral(), after it 'append' (another literal) or 'appendEnd' follows, with the bytes since.
 * - 'tooLong', 'literalTooBig', 'bareLf': the command was dropped; `bytes` is its beginning (for the tag). With
 *   literalTooBig and isSynchronising the client has not sent the literal and will not.
 * - 'flood': the client sends without end; close.
 */
export type ReaderEvent = 'command' | 'continue' | 'append' | 'appendEnd' | 'tooLong' | 'literalTooBig' | 'bareLf' | 'flood';

export interface LiteralMark {
  readonly size: number;
  /** "{n}": the client waits for "+ ". */
  readonly isSynchronising: boolean;
  /** "~{n}" */
  readonly isLiteral8: boolean;
}

/** The longest literal marker: ~{20 digits+} and CR LF. */
const MARKER_BYTES = 26;
/** Bytes dropped of one command before the connection is not worth keeping. */
const DROPPED_MAX = 64 * 1024 * 1024;
/** What is kept of a dropped command, for its tag; less than any limit on lines. */
const HEAD_BYTES = 128;
const NOTHING = Buffer.alloc(0);

type Dropping = 'none' | 'tooLong' | 'literalTooBig';

export class CommandReader {
  /** Of the last event. A view of the input: used up before the next push(). */
  bytes: Buffer = NOTHING;
  /** Of the last 'append', 'continue' or 'literalTooBig'. */
  literal: LiteralMark | null = null;
  /** Bytes of the APPEND message still to come. */
  literalLeft = 0;
  readonly #limits: ReaderLimits;
  #buffer: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** Where to look for the next LF. */
  #scan = 0;
  #literalBytes = 0;
  #isInAppend = false;
  #dropping: Dropping = 'none';
  #dropLeft = 0;
  #dropped = 0;
  #head: Buffer = NOTHING;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Bytes that arrived and were not given out yet. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Takes a chunk from the socket, which must not be written to afterwards. */
  push(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      // The scan may stand beyond the end, inside a literal; it cannot with nothing buffered.
      this.#scan = 0;
      return;
    }
    const kept = this.#end - this.#start;
    const need = kept + chunk.length;
    if (this.#end + chunk.length > this.#buffer.length || !this.#isOwn) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, need * 2));
      this.#buffer.copy(larger, 0, this.#start, this.#end);
      this.#buffer = larger;
      this.#isOwn = true;
      this.#scan -= this.#start;
      this.#start = 0;
      this.#end = kept;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }
  #isOwn = false;

  /** Forgets everything that arrived (STARTTLS: what was sent in clear must not count). */
  reset(): void {
    this.#release();
    this.#literalBytes = 0;
    this.#isInAppend = false;
    this.#dropping = 'none';
    this.#dropLeft = 0;
    this.literalLeft = 0;
  }

  #release(): void {
    this.#buffer = NOTHING;
    this.#isOwn = false;
    this.#start = 0;
    this.#end = 0;
    this.#scan = 0;
  }

  /** The next event, or null when more bytes are needed. */
  next(): ReaderEvent | null {
    if (this.literalLeft > 0) return null;
    while (this.#start < this.#end) {
      if (this.#dropping !== 'none') {
        const event = this.#drop();
        if (event !== undefined) return event;
        continue;
      }
      if (this.#scan >= this.#end) return null;
      const lf = this.#indexOfLf(this.#scan);
      if (this.#lineBytes(lf === -1 ? this.#end : lf) > this.#limits.lineBytesMax) {
        this.#beginDropping('tooLong', this.#scan);
        continue;
      }
      if (lf === -1) {
        this.#scan = this.#end;
        return null;
      }
      const event = this.#line(lf);
      if (event !== null) return event;
    }
    return null;
  }

  #lineBytes(end: number): number {
    return end - this.#start - this.#literalBytes;
  }

  #indexOfLf(from: number): number {
    const lf = this.#buffer.indexOf(LF, from);
    return lf >= this.#end ? -1 : lf;
  }

  /** A line of the command ends at `lf`. null: go on with the literal that follows. */
  #line(lf: number): ReaderEvent | null {
    if (lf === this.#start || this.#buffer[lf - 1] !== CR) return this.#finish('bareLf', lf, lf + 1);
    const mark = literalMark(this.#buffer, this.#start, lf - 1);
    if (mark === null) return this.#finish(this.#isInAppend ? 'appendEnd' : 'command', lf - 1, lf + 1);
    this.literal = mark;
    const markStart = markerStart(this.#buffer, lf - 1);
    if (this.#isInAppend || isAppendMessage(this.#buffer, this.#start, markStart)) {
      this.bytes = this.#buffer.subarray(this.#start, markStart);
      this.#start = lf + 1;
      this.#scan = this.#start;
      this.#literalBytes = 0;
      this.literalLeft = mark.size;
      this.#isInAppend = true;
      return 'append';
    }
    if (this.#literalBytes + mark.size > this.#limits.literalBytesMax) {
      if (mark.isSynchronising) return this.#finish('literalTooBig', lf + 1, lf + 1);
      this.#beginDropping('literalTooBig', lf + 1);
      this.#dropLeft = mark.size;
      return null;
    }
    this.#literalBytes += mark.size;
    this.#scan = lf + 1 + mark.size;
    return mark.isSynchronising ? 'continue' : null;
  }

  #finish(event: ReaderEvent, end: number, next: number): ReaderEvent {
    this.bytes = this.#buffer.subarray(this.#start, end);
    this.#start = next;
    this.#scan = next;
    this.#literalBytes = 0;
    this.#isInAppend = false;
    if (this.#start === this.#end) this.#release();
    return event;
  }

  #beginDropping(why: Dropping, from: number): void {
    const lf = this.#indexOfLf(this.#start);
    this.#head = Buffer.from(this.#buffer.subarray(this.#start, Math.min(lf === -1 ? this.#end : lf, this.#start + HEAD_BYTES)));
    this.#dropping = why;
    this.#dropped = 0;
    this.#start = from;
    this.#scan = from;
    this.#literalBytes = 0;
    this.#isInAppend = false;
  }

  /** Drops until the command's last line ends. undefined: progress was made; null: more bytes are needed. */
  #drop(): ReaderEvent | null | undefined {
    if (this.#dropped > DROPPED_MAX) return 'flood';
    if (this.#dropLeft > 0) {
      const piece = Math.min(this.#dropLeft, this.#end - this.#start);
      this.#skip(piece);
      this.#dropLeft -= piece;
      return undefined;
    }
    this.#scan = Math.max(this.#scan, this.#start);
    const lf = this.#indexOfLf(this.#scan);
    if (lf === -1) {
      // The marker of a literal at the line's end must still be seen, or its bytes would be taken for commands.
      this.#skip(Math.max(0, this.#end - this.#start - MARKER_BYTES));
      this.#scan = this.#end;
      return null;
    }
    const mark = literalMark(this.#buffer, this.#start, lf - 1);
    this.literal = mark;
    if (mark !== null && !mark.isSynchronising) {
      this.#skip(lf + 1 - this.#start);
      this.#dropLeft = mark.size;
      return undefined;
    }
    const event = this.#dropping as 'tooLong' | 'literalTooBig';
    this.#dropping = 'none';
    this.#start = lf + 1;
    this.#scan = this.#start;
    this.bytes = this.#head;
    this.#head = NOTHING;
    if (this.#start === this.#end) this.#release();
    return event;
  }

  #skip(count: number): void {
    this.#dropped += count;
    this.#start += count;
    this.#scan = Math.max(this.#scan, this.#start);
    if (this.#start === this.#end) this.#release();
  }

  /** The next piece of the APPEND message, or null when none has arrived. A view: used up or copied before the next push(). */
  takeLiteral(): Buffer | null {
    const size = Math.min(this.literalLeft, this.#end - this.#start);
    if (size === 0) return null;
    const piece = this.#buffer.subarray(this.#start, this.#start + size);
    this.literalLeft -= size;
    this.#start += size;
    this.#scan = this.#start;
    if (this.#start === this.#end) this.#release();
    return piece;
  }

  /** The announced APPEND message will not come (it was refused before "+ "). */
  cancelLiteral(): void {
    this.literalLeft = 0;
    this.#isInAppend = false;
    this.#scan = this.#start;
  }
}

function markerStart(bytes: Buffer, end: number): number {
  const brace = bytes.lastIndexOf(0x7b, end - 1);
  return brace > 0 && bytes[brace - 1] === 0x7e && (brace === 1 || isBeforeLiteral8(bytes[brace - 2]!)) ? brace - 1 : brace;
}

/** "~" is an atom character: it belongs to the literal only where an argument begins. */
function isBeforeLiteral8(byte: number): boolean {
  return byte === 0x20 || byte === 0x28;
}

/** The literal marker that ends the line [start, end), or null: [~]{n[+|-]}. */
function literalMark(bytes: Buffer, start: number, end: number): LiteralMark | null {
  if (end - start < 3 || bytes[end - 1] !== 0x7d) return null;
  let at = end - 2;
  const isSynchronising = bytes[at] !== 0x2b;
  if (!isSynchronising) at -= 1;
  const last = at;
  while (at >= start && isDigit(bytes[at])) at -= 1;
  if (at === last || at < start || bytes[at] !== 0x7b || last - at > 15) return null;
  const size = Number(bytes.toString('latin1', at + 1, last + 1));
  return { size, isSynchronising, isLiteral8: markerStart(bytes, end) < at };
}

/**
 * Does a literal at `at` of the command that begins at `start` hold the message of an APPEND or REPLACE, or a part of it? The
 * mailbox may be a literal too: it is the first argument of APPEND and the second of REPLACE.
 */
function isAppendMessage(bytes: Buffer, start: number, at: number): boolean {
  const space = bytes.indexOf(SP, start);
  if (space === -1) return false;
  const verb = APPEND_VERB.exec(bytes.toString('latin1', space, Math.min(at, space + APPEND_VERB_BYTES)));
  if (verb === null) return false;
  let mailbox = space + verb[0].length;
  if (verb[1] !== undefined) mailbox = bytes.indexOf(SP, mailbox) + 1;
  return mailbox > 0 && at > mailbox;
}

const APPEND_VERB = /^ (?:APPEND|(?:UID )?(REPLACE)) /i;
const APPEND_VERB_BYTES = ' UID REPLACE '.length;
