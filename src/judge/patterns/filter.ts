/**
 * header_checks, mime_header_checks, nested_header_checks and body_checks on a message as it passes: the header field or body line
 * goes on, changed, or not at all. Holds what is not yet a whole field or line; both are bounded.
 */
import type { ContentFilter, Passed, Reply, Table } from '../../ports.ts';
import { deedOf, type PatternReport } from './deed.ts';
import { HeldBytes } from './held-bytes.ts';
import { isMimeField, MimeLines } from './mime-lines.ts';
import { bytesOf, fieldNameLength, textLength, textOf } from './words.ts';

export interface PatternTables {
  readonly header: readonly Table[];
  readonly mime: readonly Table[];
  readonly nested: readonly Table[];
  readonly body: readonly Table[];
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
}

const LF = 10;
const CRLF = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);
/** Body lines are asked in pieces of at most this (Postfix line_length_limit). */
const PIECE_BYTES = 2048;
/** A body line whose end has not come is not held beyond this; a multiple of the piece. */
const HELD_LINE_BYTES = 16 * PIECE_BYTES;
const MAILBOX_LINE = Buffer.from('X-Mailbox-Line: ');
const TROUBLE: Reply = { code: 451, enhanced: '4.3.0', text: 'A table of the content checks cannot answer now, try again later' };

/** What a step did: there is more to do, more input is needed, or an answer must be waited for. */
type Step = 'more' | 'starved' | Promise<void>;
/** A stretch of the input that a table was asked about. `end` behind its line end; `isOpen`: the line goes on behind it. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly where: 'header' | 'body';
  readonly isOpen: boolean;
}

export class PatternFilter implements ContentFilter {
  refusal: Reply | null = null;
  readonly #tables: PatternTables;
  readonly #report: PatternReport;
  readonly #mime = new MimeLines();
  readonly #held = new HeldBytes();
  #input: Buffer = NOTHING;
  /** Where the next field or line begins. */
  #at = 0;
  /** How far behind it no end was found: not searched again when more comes. */
  #searched = 0;
  /** What stands before it has gone out, or was dropped. */
  #kept = 0;
  #isEnd = false;
  #out: Uint8Array[] = [];
  #isFirstLine = true;
  /** The rest of a field that was too long to be asked as a whole; `#dropsField`: its beginning is gone. */
  #isInField = false;
  #dropsField = false;
  /** The line at hand has begun before: pieces of it have gone. */
  #isInLine = false;
  /** Bytes of the body segment passed so far, and one for each line or piece of one, as Postfix counts them. */
  #asked = 0;
  /** Nothing is looked at any more. */
  #isOff = false;

  constructor(tables: PatternTables, report: PatternReport) {
    this.#tables = tables;
    this.#report = report;
  }

  /** Our own trace field stands before the message and is asked about like its fields, as with Postfix. Gives what is left of it. Before the first `push`. */
  trace(field: Uint8Array): Passed {
    this.#input = Buffer.from(field.buffer, field.byteOffset, field.length);
    this.#kept = 0;
    this.#at = 0;
    const step = this.#field(field.length, false);
    return typeof step === 'string' ? this.#take() : step.then(() => this.#take());
  }

  push(piece: Uint8Array): Passed {
    if (this.refusal !== null) return null;
    if (this.#isOff && this.#held.length === 0) return piece;
    return this.#begin(this.#held.with(piece));
  }

  end(): Passed {
    if (this.refusal !== null) return null;
    this.#isEnd = true;
    return this.#begin(this.#held.with(NOTHING));
  }

  #begin(input: Buffer): Passed {
    this.#input = input;
    this.#at = 0;
    this.#kept = 0;
    return this.#run();
  }

  #run(): Passed {
    while (this.refusal === null) {
      const step = this.#isOff ? this.#passAll() : this.#mime.place === 'body' ? this.#body() : this.#header();
      if (step === 'starved') break;
      if (step !== 'more') return step.then(() => this.#run());
    }
    return this.#take();
  }

  /** What may go out now; the rest is held. */
  #take(): Uint8Array | null {
    const out = this.#out;
    if (this.refusal !== null) {
      this.#held.clear();
      return null;
    }
    if (this.#kept < this.#at) out.push(this.#input.subarray(this.#kept, this.#at));
    this.#held.keep(this.#input, this.#at);
    this.#input = NOTHING;
    if (out.length === 0) return null;
    this.#out = [];
    return out.length === 1 ? out[0]! : Buffer.concat(out);
  }

  #passAll(): Step {
    this.#at = this.#input.length;
    return 'starved';
  }

  // ── Header ─────────────────────────────────────────────────────────────────────────────────────────

  #header(): Step {
    if (this.#isInField) return this.#restOfField();
    const input = this.#input;
    const start = this.#at;
    const lineEnd = this.#lineEnd();
    if (lineEnd === -1 && input.length - start <= this.#tables.headerBytesMax) return this.#starve();
    const line = input.subarray(start, lineEnd === -1 ? input.length : lineEnd);
    const length = textLength(line);
    if (length === 0) {
      this.#mime.headerEnd();
      return this.#goOn(lineEnd, 1);
    }
    if (this.#isFirstLine && isMailboxLine(line)) return this.#mailboxLine();
    if (fieldNameLength(line) === 0) return this.#noField();
    this.#isFirstLine = false;
    return this.#wholeField(lineEnd);
  }

  /** The line becomes a field of its own, so that the header goes on behind it. It is the first: nothing stands before it. */
  #mailboxLine(): Step {
    this.#input = Buffer.concat([MAILBOX_LINE, this.#input]);
    this.#isFirstLine = false;
    this.#searched = 0;
    return 'more';
  }

  /** Not a field: the body has begun without a blank line. One is put there, so that every reader finds the header's end where it was found here. */
  #noField(): Step {
    this.#isFirstLine = false;
    if (this.#mime.place === 'primary') this.#insert(this.#at, CRLF);
    this.#mime.headerBroken();
    this.#asked = 0;
    this.#searched = 0;
    return 'more';
  }

  /** The field that begins at `#at`, and whose first line ends before `lineEnd`, with the lines that continue it. */
  #wholeField(lineEnd: number): Step {
    const input = this.#input;
    const start = this.#at;
    let end = lineEnd;
    while (end !== -1 && end - start <= this.#tables.headerBytesMax) {
      if (end === input.length && !this.#isEnd) {
        this.#searched = end - start - 1; // that line's end again, to see what follows it
        return 'starved';
      }
      if (end === input.length || !isBlank(input[end]!)) return this.#field(end, false);
      const next = input.indexOf(LF, end);
      if (next === -1 && this.#isEnd) return this.#field(input.length, false);
      if (next === -1 && input.length - start <= this.#tables.headerBytesMax) return this.#starve();
      end = next === -1 ? -1 : next + 1;
    }
    return this.#field(end === -1 ? input.length : end, true);
  }

  /** Asks about a field. `isCut`: more of it may follow, which shares its fate. */
  #field(end: number, isCut: boolean): Step {
    const start = this.#at;
    const raw = this.#input.subarray(start, end);
    this.#isInField = isCut;
    this.#isInLine = isCut && raw[raw.length - 1] !== LF;
    this.#dropsField = false;
    const nameLength = fieldNameLength(raw);
    const name = raw.toString('latin1', 0, nameLength);
    const isMime = isMimeField(name);
    const { header, mime, nested, headerBytesMax } = this.#tables;
    const place = this.#mime.place;
    const tables = isMime || place === 'part' ? mime : place === 'nested' ? nested : header;
    if (isMime && nameLength === 12 && name.toLowerCase() === 'content-type') this.#mime.contentType(unfolded(raw.toString('latin1', raw.indexOf(58) + 1)));
    this.#at = end;
    this.#searched = 0;
    if (tables.length === 0) return 'more';
    const text = fieldText(raw.subarray(0, Math.min(textLength(raw), headerBytesMax)), nameLength);
    return this.#ask(tables, text, { start, end, where: 'header', isOpen: false }, 0);
  }

  /** Lines that continue a field whose beginning was decided about. */
  #restOfField(): Step {
    const input = this.#input;
    const start = this.#at;
    if (!this.#isInLine) {
      if (start === input.length) return 'starved';
      if (!isBlank(input[start]!)) {
        this.#isInField = false;
        return 'more';
      }
    }
    const lf = input.indexOf(LF, start);
    this.#isInLine = lf === -1;
    this.#at = lf === -1 ? input.length : lf + 1;
    if (this.#dropsField) this.#drop(start, this.#at);
    return lf === -1 ? 'starved' : 'more';
  }

  // ── Body ───────────────────────────────────────────────────────────────────────────────────────────

  #body(): Step {
    const { body, bodyBytesMax } = this.#tables;
    if (body.length === 0 || this.#asked >= bodyBytesMax) {
      if (!this.#mime.isNested) {
        this.#isOff = true;
        return 'more';
      }
      if (!this.#toDashes()) return 'starved';
    }
    const input = this.#input;
    const start = this.#at;
    const lineEnd = this.#lineEnd();
    if (lineEnd === -1) {
      if (input.length - start < HELD_LINE_BYTES) return this.#starve();
      return this.#piece(start, input.length, true);
    }
    return this.#piece(start, lineEnd, false);
  }

  /** Past all lines that cannot be a boundary. False when none is in sight. */
  #toDashes(): boolean {
    const input = this.#input;
    for (;;) {
      const at = this.#at;
      if (this.#isInLine || input[at] !== 45) {
        if (at >= input.length) return false;
        // Native search for what a boundary begins with; a line end alone at the end of the input may be followed by one.
        const found = input.indexOf('\n--', at, 'latin1');
        const last = found === -1 ? input.lastIndexOf(LF) : found;
        this.#isInLine = last < at;
        this.#at = last < at ? input.length : last + 1;
        this.#searched = 0;
        if (found !== -1) return true;
        // Behind the last line end there is less than a boundary yet, or no dash at all.
        if (this.#at < input.length && input[this.#at] !== 45) {
          this.#isInLine = true;
          this.#at = input.length;
        }
        return false;
      }
      return true;
    }
  }

  /** Asks about a line of the body, or the next part of a long one. `end` is behind its line end unless `isUnfinished`. */
  #piece(start: number, end: number, isUnfinished: boolean): Step {
    const input = this.#input;
    const length = isUnfinished ? end - start : textLength(input.subarray(start, end));
    // Of an unfinished line the last two bytes may belong to the line end.
    const isCut = isUnfinished ? length - 2 >= PIECE_BYTES : length >= PIECE_BYTES;
    if (isUnfinished && !isCut) return this.#starve();
    const shown = Math.min(length, PIECE_BYTES);
    const isContinued = this.#isInLine;
    if (!isContinued && length > 2 && input[start] === 45 && this.#mime.isNested && this.#mime.bodyLine(input.toString('latin1', start, start + shown)))
      this.#asked = 0;
    this.#isInLine = isCut;
    const isAsked = shown > 0 && this.#tables.body.length > 0 && this.#asked < this.#tables.bodyBytesMax;
    this.#asked += shown + 1;
    const to = isCut ? start + shown : end;
    this.#at = to;
    this.#searched = 0;
    if (!isAsked) return 'more';
    return this.#ask(this.#tables.body, textOf(input.subarray(start, start + shown)), { start, end: to, where: 'body', isOpen: isCut }, 0);
  }

  // ── Both ───────────────────────────────────────────────────────────────────────────────────────────

  /** Behind the line that begins at `#at`; at the end of the message it needs no line end. -1 when its end has not come. */
  #lineEnd(): number {
    const input = this.#input;
    const lf = input.indexOf(LF, this.#at + this.#searched);
    if (lf !== -1) return lf + 1;
    return this.#isEnd && this.#at < input.length ? input.length : -1;
  }

  /** No end in sight. */
  #starve(): Step {
    this.#searched = this.#input.length - this.#at;
    return 'starved';
  }

  #goOn(to: number, asked: number): Step {
    this.#at = to;
    this.#searched = 0;
    this.#asked = asked;
    this.#isFirstLine = false;
    return 'more';
  }

  #insert(at: number, bytes: Uint8Array): void {
    if (this.#kept < at) this.#out.push(this.#input.subarray(this.#kept, at));
    this.#kept = at;
    this.#out.push(bytes);
  }

  #drop(start: number, end: number): void {
    if (this.#kept < start) this.#out.push(this.#input.subarray(this.#kept, start));
    this.#kept = end;
  }

  #ask(tables: readonly Table[], text: string, stretch: Stretch, from: number): Step {
    for (let i = from; i < tables.length; i += 1) {
      const table = tables[i]!;
      let found: string | null | Promise<string | null>;
      try {
        found = table.find(text);
      } catch (error) {
        this.#trouble(table, error);
        return 'more';
      }
      if (found instanceof Promise) return this.#await(found, tables, text, stretch, i);
      if (found !== null) {
        this.#act(found, table, text, stretch);
        return 'more';
      }
    }
    return 'more';
  }

  async #await(found: Promise<string | null>, tables: readonly Table[], text: string, stretch: Stretch, index: number): Promise<void> {
    let result: string | null;
    try {
      result = await found;
    } catch (error) {
      this.#trouble(tables[index]!, error);
      return;
    }
    if (result !== null) this.#act(result, tables[index]!, text, stretch);
    else {
      const step = this.#ask(tables, text, stretch, index + 1);
      if (typeof step !== 'string') await step;
    }
  }

  #trouble(table: Table, error: unknown): void {
    this.#report.log.warn('patterns.table.failed', { id: this.#report.id, table: table.name, cause: String(error instanceof Error ? error.message : error) });
    this.#refuse(TROUBLE, table);
  }

  #refuse(reply: Reply, table: Table): void {
    this.refusal = this.#report.onRefusal?.(reply, table.name) ?? reply;
  }

  #act(result: string, table: Table, text: string, stretch: Stretch): void {
    const deed = deedOf(result, { table: table.name, text, where: stretch.where }, this.#report);
    switch (deed.kind) {
      case 'keep':
        return;
      case 'stop':
        this.#isOff = true;
        return;
      case 'drop':
        this.#remove(stretch);
        return;
      case 'before':
        this.#insert(stretch.start, this.#lines(deed.text, stretch, true));
        return;
      case 'instead':
        this.#remove(stretch);
        this.#out.push(this.#lines(deed.text, stretch, !stretch.isOpen));
        return;
      case 'refuse':
        this.#refuse(deed.reply, table);
        return;
    }
  }

  #remove({ start, end, where }: Stretch): void {
    this.#drop(start, end);
    if (where === 'header') this.#dropsField = true;
  }

  /** A rule's text as it goes into the message. A newline taken from a folded field stays a fold. */
  #lines(text: string, { start, end }: Stretch, isWholeLine: boolean): Buffer {
    const folded = text.includes('\n') ? text.replace(/\r?\n(?![ \t])/g, '\n\t').replace(/\r?\n/g, '\r\n') : text;
    return bytesOf(isWholeLine ? `${folded}\r\n` : folded, this.#input.subarray(start, end));
  }
}

const isBlank = (byte: number): boolean => byte === 32 || byte === 9;

/** "From rita Thu Jan 1 …", quoted or not, as mailbox files have it before a message. Postfix makes a field of it, so that the header goes on. */
function isMailboxLine(line: Buffer): boolean {
  let at = 0;
  while (line[at] === 62) at += 1;
  return line.toString('latin1', at, at + 5).toLowerCase() === 'from ';
}

const unfolded = (text: string): string => (text.includes('\n') ? text.replace(/\r\n/g, '\n') : text);

/** A field as tables are asked about it: "Name: value", lines joined by LF, without blanks before the colon. */
function fieldText(raw: Buffer, nameLength: number): string {
  const text = unfolded(textOf(raw));
  return text.charCodeAt(nameLength) === 58 ? text : text.slice(0, nameLength) + text.slice(nameLength).trimStart();
}
