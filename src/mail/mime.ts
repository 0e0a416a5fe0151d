/**
 * The MIME structure of a message (RFC 2045, RFC 2046), found in one pass over bytes that may arrive in any pieces.
 * Keeps the header being read, the start of the line being read, and the tree; never the body.
 *
 * Where mail is wrong we do as mail programs do: a missing closing delimiter ends with the parent's or the message, lone LF
 * ends a line, a multipart without parts has its body as one plain text, a part that starts with no field has no header.
 */
import { isAscii } from 'node:buffer';
import { emptyHeader, envelopeOf, type MessageHeader, readMessageField } from './envelope.ts';
import { asBuffer, scanHeaders } from './header.ts';
import { MAIL_LIMITS, type MailLimits } from './limits.ts';
import { type MimePart, newPart, readContentField } from './mime-part.ts';
import { findParam } from './params.ts';

export type { MimePart } from './mime-part.ts';

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;
const EMPTY = Buffer.alloc(0);

/** bcharsnospace (RFC 2046 section 5.1.1), one flag per byte: what could be more of a boundary. */
const BOUNDARY_CHARACTER = new Uint8Array(256);
for (const c of "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=?") BOUNDARY_CHARACTER[c.charCodeAt(0)] = 1;
/** Places in a line where a boundary may end before something else: bounds the work for lines that only look like delimiters. */
const DELIMITER_CUTS = 4;

/** RFC 5322 section 2.1.1, without CRLF. */
const LINE_MOST = 998;

/** A part that is still open. */
interface Open {
  readonly part: MimePart;
  /** LF seen before its body. */
  linesBefore: number;
  /** Its delimiter, while one may still come. */
  boundary: string | null;
  /** The outer part whose equal boundary this one hides. */
  hidden: Open | null;
  /** The header of a whole message: of the root, or inside message/rfc822. */
  readonly isMessage: boolean;
  /** A part of a multipart: may lack its header. */
  readonly isBodyPart: boolean;
}

export class MimeParser {
  /** Some byte was above 127. */
  has8bit = false;
  /** Some line had more than 998 octets before its CRLF. */
  hasLongLine = false;
  /** A limit was passed: from there on the tree does not show the inner structure. */
  isTruncated = false;
  /** Fields of the message's own header, once it was read. */
  header: MessageHeader = emptyHeader();

  readonly #limits: MailLimits;
  readonly #stack: Open[] = [];
  readonly #boundaries = new Map<string, Open>();
  readonly #root: MimePart;
  #parts = 1;
  #structureBytes = 0;
  /** Offset of the current chunk's first byte, and LF seen so far. */
  #base = 0;
  #lines = 0;
  #isInHeader = true;
  /** Bytes of the header from earlier chunks, and where in the current chunk it goes on. */
  #headerPieces: Buffer[] = [];
  #headerPieceBytes = 0;
  #headerFrom = 0;
  /** Start of a line that earlier chunks left unfinished; its length so far; the line end before it. */
  readonly #lineKeep: number;
  #line: Buffer = EMPTY;
  #lineLength = 0;
  #lineEol = 0;
  /** The last two bytes of earlier chunks. */
  #last = 0;
  #beforeLast = 0;

  constructor(limits: MailLimits = MAIL_LIMITS) {
    this.#limits = limits;
    this.#lineKeep = limits.boundaryBytes + 20;
    this.#root = newPart(0, false);
    this.#open(this.#root, true, false);
  }

  /** Takes the next bytes; does not keep `chunk`. */
  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    if (bytes.length === 0) return;
    if (!this.has8bit) this.has8bit = !isAscii(bytes);
    this.#headerFrom = 0;
    let at = this.#lineLength > 0 ? this.#finishLine(bytes) : 0;
    while (at < bytes.length) {
      const next = this.#isInHeader ? this.#headerLines(bytes, at) : this.#boundaries.size > 0 ? this.#delimitedLines(bytes, at) : this.#plainLines(bytes, at);
      if (next === -1) break;
      at = next;
    }
    if (this.#isInHeader) this.#keepHeader(bytes);
    this.#remember(bytes);
    this.#base += bytes.length;
  }

  /** Says that the message is complete; gives its tree. */
  end(): MimePart {
    if (this.#lineLength > 0) {
      // A last line without line end: it can be a delimiter, or part of a header.
      const start = this.#base - this.#lineLength;
      if (this.#lineLength > LINE_MOST) this.hasLongLine = true;
      const isDelimiter =
        this.#lineLength <= this.#lineKeep &&
        this.#boundaries.size > 0 &&
        this.#isDelimiter(this.#line, 0, this.#line.length, start, this.#base, this.#lineEol);
      if (!isDelimiter && this.#isInHeader && this.#startsBody(this.#line, 0, this.#line.length, start)) this.#finishHeader(EMPTY, start);
      this.#lineLength = 0;
    }
    while (this.#isInHeader) this.#finishHeader(this.#takeHeader(EMPTY, 0), this.#base);
    while (this.#stack.length > 0) this.#close(this.#base, this.#lines);
    return this.#root;
  }

  // ── Lines ──────────────────────────────────────────────────────────────────────────────────────────

  /** Body lines while no delimiter can come: counted only. All loops give the index to go on at, or -1 when the chunk is used up. */
  #plainLines(bytes: Buffer, start: number): number {
    let at = start;
    let count = 0;
    for (let lf = bytes.indexOf(LF, at); lf !== -1; lf = bytes.indexOf(LF, at)) {
      if (lf - at > LINE_MOST) this.#checkLength(bytes, at, lf);
      count += 1;
      at = lf + 1;
    }
    this.#lines += count;
    this.#beginLine(bytes, at);
    return -1;
  }

  /** Body lines, preambles and epilogues where a delimiter may come; returns after one was found. */
  #delimitedLines(bytes: Buffer, start: number): number {
    let at = start;
    for (let lf = bytes.indexOf(LF, at); lf !== -1; lf = bytes.indexOf(LF, at)) {
      if (lf - at > LINE_MOST) this.#checkLength(bytes, at, lf);
      if (bytes[at] === HYPHEN && bytes[at + 1] === HYPHEN && lf - at <= this.#lineKeep) {
        if (this.#isDelimiter(bytes, at, lf, this.#base + at, this.#base + lf + 1, this.#eolBefore(bytes, at))) {
          this.#lines += 1;
          this.#headerFrom = lf + 1;
          return lf + 1;
        }
      }
      this.#lines += 1;
      at = lf + 1;
    }
    this.#beginLine(bytes, at);
    return -1;
  }

  /** Header lines; returns after the blank line, or after a delimiter that ended the header. */
  #headerLines(bytes: Buffer, start: number): number {
    let at = start;
    for (let lf = bytes.indexOf(LF, at); lf !== -1; lf = bytes.indexOf(LF, at)) {
      if (lf - at > LINE_MOST) this.#checkLength(bytes, at, lf);
      if (this.#headerLine(bytes, at, lf, this.#base + at, this.#base + lf + 1, bytes, at, lf + 1)) return lf + 1;
      at = lf + 1;
    }
    this.#beginLine(bytes, at);
    return -1;
  }

  /**
   * One line of a header: `line[from, to)` without LF, at offset `offset`, the next at `next`. `chunk[lineAt, after)` is what of it lies
   * in the current chunk. True when the header ended with it. Counts the line.
   */
  #headerLine(line: Buffer, from: number, to: number, offset: number, next: number, chunk: Buffer, lineAt: number, after: number): boolean {
    const length = to - from;
    const first = line[from]!;
    if (length === 0 || (length === 1 && first === CR)) {
      this.#lines += 1;
      this.#finishHeader(this.#takeHeader(chunk, lineAt), next);
      this.#headerFrom = after;
      return true;
    }
    if (first === HYPHEN && line[from + 1] === HYPHEN && this.#boundaries.size > 0 && length <= this.#lineKeep) {
      // #isDelimiter takes the header up to this line.
      this.#pendingChunk = chunk;
      this.#pendingEnd = lineAt;
      const eol = line === chunk ? this.#eolBefore(chunk, lineAt) : this.#lineEol;
      const isDelimiter = this.#isDelimiter(line, from, to, offset, next, eol);
      this.#pendingChunk = EMPTY;
      this.#pendingEnd = 0;
      if (isDelimiter) {
        this.#lines += 1;
        this.#headerFrom = after;
        return true;
      }
    }
    if (this.#startsBody(line, from, to, offset)) {
      this.#takeHeader(EMPTY, 0); // what earlier chunks kept of this line was no header
      this.#finishHeader(EMPTY, offset);
      this.#lines += 1;
      return true;
    }
    this.#lines += 1;
    return false;
  }
  /** The chunk and index up to which the header goes when a delimiter ends it. */
  #pendingChunk: Buffer = EMPTY;
  #pendingEnd = 0;

  /** The first line of a body part that is no header field: there is no header, and the body starts here. */
  #startsBody(line: Buffer, from: number, to: number, offset: number): boolean {
    const top = this.#stack[this.#stack.length - 1]!;
    if (!top.isBodyPart || offset !== top.part.headerStart) return false;
    let at = from;
    while (at < to && line[at]! > 0x20 && line[at] !== 0x3a && line[at]! < 0x7f) at += 1;
    const nameEnd = at;
    while (at < to && (line[at] === 0x20 || line[at] === 0x09)) at += 1;
    return nameEnd === from || line[at] !== 0x3a;
  }

  /** Completes the line that earlier chunks began, if its end is in this one. Gives the index after it, or the chunk's length. */
  #finishLine(bytes: Buffer): number {
    const lf = bytes.indexOf(LF);
    if (lf === -1) {
      this.#beginLine(bytes, 0);
      return bytes.length;
    }
    const offset = this.#base - this.#lineLength;
    const length = this.#lineLength + lf;
    const lastByte = lf > 0 ? bytes[lf - 1] : this.#last;
    if (length - (lastByte === CR ? 1 : 0) > LINE_MOST) this.hasLongLine = true;
    this.#growLine(bytes, lf);
    const line = this.#line;
    const end = line.length;
    this.#lineLength = 0;
    const isWhole = length <= this.#lineKeep;
    if (this.#isInHeader) {
      // A line longer than what is kept is not blank and no delimiter; its kept start tells whether it is a field.
      this.#headerLine(line, 0, end, offset, this.#base + lf + 1, bytes, 0, lf + 1);
    } else if (
      isWhole &&
      line[0] === HYPHEN &&
      line[1] === HYPHEN &&
      this.#boundaries.size > 0 &&
      this.#isDelimiter(line, 0, end, offset, this.#base + lf + 1, this.#lineEol)
    ) {
      this.#lines += 1;
      this.#headerFrom = lf + 1;
    } else this.#lines += 1;
    return lf + 1;
  }

  /** Notes the start of a line that does not end in this chunk, or more of one that began before it. */
  #beginLine(bytes: Buffer, at: number): void {
    if (at >= bytes.length) return;
    if (this.#lineLength === 0) {
      this.#line = EMPTY;
      this.#lineEol = this.#eolBefore(bytes, at);
    }
    this.#growLine(at === 0 ? bytes : bytes.subarray(at), bytes.length - at);
    this.#lineLength += bytes.length - at;
  }

  #growLine(bytes: Buffer, length: number): void {
    const room = this.#lineKeep + 1 - this.#line.length;
    if (room <= 0 || length === 0) return;
    this.#line = Buffer.concat([this.#line, bytes.subarray(0, Math.min(room, length))]);
  }

  #checkLength(bytes: Buffer, at: number, lf: number): void {
    if (lf - at - (bytes[lf - 1] === CR ? 1 : 0) > LINE_MOST) this.hasLongLine = true;
  }

  /** Length of the line end before index `at` of the chunk: 2 for CRLF, 1 for LF, 0 at the start of the message. */
  #eolBefore(bytes: Buffer, at: number): number {
    if (at === 0 && this.#base === 0) return 0;
    const before = at >= 2 ? bytes[at - 2] : at === 1 ? this.#last : this.#beforeLast;
    return before === CR ? 2 : 1;
  }

  #remember(bytes: Buffer): void {
    const size = bytes.length;
    this.#beforeLast = size >= 2 ? bytes[size - 2]! : this.#last;
    this.#last = bytes[size - 1]!;
  }

  // ── Headers ────────────────────────────────────────────────────────────────────────────────────────

  #keepHeader(bytes: Buffer): void {
    const room = this.#limits.headerBytes + 1 - this.#headerPieceBytes;
    if (room <= 0) return;
    const piece = bytes.subarray(this.#headerFrom, Math.min(bytes.length, this.#headerFrom + room));
    // Copied: the chunk belongs to the caller.
    this.#headerPieces.push(Buffer.from(piece));
    this.#headerPieceBytes += piece.length;
  }

  /** The whole header, which goes up to `end` in the current chunk. */
  #takeHeader(chunk: Buffer, end: number): Buffer {
    const here = chunk.subarray(Math.min(this.#headerFrom, end), end);
    if (this.#headerPieceBytes === 0) return here;
    const room = Math.max(0, this.#limits.headerBytes + 1 - this.#headerPieceBytes);
    const whole = Buffer.concat([...this.#headerPieces, here.subarray(0, room)]);
    this.#headerPieces = [];
    this.#headerPieceBytes = 0;
    return whole;
  }

  /** Reads the header of the part on top and opens what it announces; its body starts at offset `bodyStart`. */
  #finishHeader(bytes: Buffer, bodyStart: number): void {
    const top = this.#stack[this.#stack.length - 1]!;
    const part = top.part;
    part.bodyStart = bodyStart;
    top.linesBefore = this.#lines;
    this.#isInHeader = false;
    const section = scanHeaders(bytes, 0, this.#limits);
    if (section.isTruncated) this.isTruncated = true;
    const seen = { type: false, encoding: false };
    const header = !top.isMessage ? null : part === this.#root ? this.header : emptyHeader();
    for (const field of section.fields) {
      // "Content-…" or anything else: one byte tells, but for Cc.
      if ((bytes[field.nameStart]! | 0x20) === 0x63 && field.nameEnd - field.nameStart > 2) this.#structureBytes += readContentField(part, seen, bytes, field);
      else if (header !== null) readMessageField(header, bytes, field);
    }
    if (header !== null && part !== this.#root) this.#setEnvelope(part, header);
    if (this.#structureBytes > this.#limits.structureBytes) this.#giveUp();
    if (part.type === 'multipart') this.#openMultipart(top);
    else if (part.type === 'message' && (part.subtype === 'rfc822' || part.subtype === 'global')) this.#openMessage(top);
  }

  /** The part is the root of a message inside another: its container gets the envelope. */
  #setEnvelope(part: MimePart, header: MessageHeader): void {
    const container = this.#stack[this.#stack.length - 2]!.part;
    const envelope = envelopeOf(header);
    this.#structureBytes += envelope.length;
    container.message = { envelope, part };
  }

  #openMultipart(top: Open): void {
    if (!this.#mayDescend(top.part)) return;
    const value = findParam(top.part.params, 'boundary');
    if (value === null) return; // no delimiter can be known: #close makes the body one part
    const boundary = (/[^\x00-\x7f]/.test(value) ? Buffer.from(value).toString('latin1') : value).trimEnd();
    if (boundary === '' || boundary.length > this.#limits.boundaryBytes) return;
    top.boundary = boundary;
    top.hidden = this.#boundaries.get(boundary) ?? null;
    this.#boundaries.set(boundary, top);
  }

  #openMessage(top: Open): void {
    if (!this.#mayDescend(top.part)) return;
    if (this.#parts >= this.#limits.parts) {
      this.#giveUp();
      makeOpaque(top.part);
      return;
    }
    this.#parts += 1;
    this.#open(newPart(top.part.bodyStart, false), true, false);
  }

  /** False, and the part opaque, when the tree must not grow here. */
  #mayDescend(part: MimePart): boolean {
    if (!this.#hasGivenUp && this.#stack.length < this.#limits.depth) return true;
    this.isTruncated = true;
    makeOpaque(part);
    return false;
  }

  /** From here on no delimiter is seen: what is open takes all the rest. */
  #giveUp(): void {
    this.isTruncated = true;
    this.#hasGivenUp = true;
    this.#boundaries.clear();
  }
  #hasGivenUp = false;

  // ── The tree ───────────────────────────────────────────────────────────────────────────────────────

  #open(part: MimePart, isMessage: boolean, isBodyPart: boolean): void {
    this.#stack.push({ part, linesBefore: this.#lines, boundary: null, hidden: null, isMessage, isBodyPart });
    this.#isInHeader = true;
  }

  /** Closes the part on top; its body ends at offset `end`, before which `lines` LF were seen. */
  #close(end: number, lines: number): void {
    const top = this.#stack.pop()!;
    const part = top.part;
    part.bodyEnd = Math.max(part.bodyStart, end);
    part.lines = Math.max(0, lines - top.linesBefore);
    const last = part.message !== null ? part.message.part : part.children[part.children.length - 1];
    if (last !== undefined && last.bodyEnd > part.bodyEnd) {
      // Its header goes up to the delimiter and needs the line end before it: no part is longer than what it is in.
      part.bodyEnd = last.bodyEnd;
      part.lines += 1;
    }
    this.#forget(top);
    if (part.type === 'multipart' && part.children.length === 0) {
      // IMAP knows no multipart without parts, and what is in the body must stay readable.
      const only = newPart(part.bodyStart, false);
      only.bodyStart = part.bodyStart;
      only.bodyEnd = part.bodyEnd;
      only.lines = part.lines;
      part.children.push(only);
    }
  }

  /** Its delimiter is not looked for any more; an outer part with the same boundary is seen again. */
  #forget(open: Open): void {
    if (open.boundary === null) return;
    if (this.#boundaries.get(open.boundary) === open) {
      if (open.hidden === null) this.#boundaries.delete(open.boundary);
      else this.#boundaries.set(open.boundary, open.hidden);
    }
    open.boundary = null;
  }

  /** The multipart whose boundary this is, or its boundary with the hyphens that close it. */
  #named(text: string): Open | undefined {
    return this.#boundaries.get(text) ?? (text.endsWith('--') ? this.#boundaries.get(text.slice(0, -2)) : undefined);
  }

  /**
   * Is `line[from, to)` a delimiter of an open multipart (RFC 2046 section 5.1.1)? If so closes what it ends and opens the part it begins.
   * More may follow the boundary, such as a footer that a list put in the wrong place, but nothing that could be part of a longer one:
   * a boundary that begins like another is not taken for it.
   */
  #isDelimiter(line: Buffer, from: number, to: number, offset: number, next: number, eol: number): boolean {
    let end = to;
    while (end > from && (line[end - 1] === CR || line[end - 1] === 0x20 || line[end - 1] === 0x09)) end -= 1;
    if (end < from + 3 || line[from] !== HYPHEN || line[from + 1] !== HYPHEN) return false;
    const text = line.toString('latin1', from + 2, end);
    let name = text;
    let owner = this.#named(text);
    if (owner === undefined) {
      // The longest counts: one boundary may be another with something behind it.
      for (let at = from + 3, cuts = 0; cuts < DELIMITER_CUTS; at += 1, cuts += 1) {
        while (at < end && BOUNDARY_CHARACTER[line[at]!] === 1) at += 1;
        if (at >= end) break;
        const start = text.slice(0, at - from - 2);
        const found = this.#named(start);
        if (found === undefined) continue;
        name = start;
        owner = found;
      }
      if (owner === undefined) return false;
    }
    const isClosing = owner.boundary !== name;
    if (!isClosing && this.#parts >= this.#limits.parts) {
      this.#giveUp();
      return false;
    }
    while (this.#isInHeader) {
      this.#finishHeader(this.#takeHeader(this.#pendingChunk, this.#pendingEnd), offset);
      this.#pendingChunk = EMPTY;
      this.#pendingEnd = 0;
    }
    // The line end before the delimiter belongs to it.
    while (this.#stack[this.#stack.length - 1] !== owner) this.#close(offset - eol, this.#lines - (eol > 0 ? 1 : 0));
    if (isClosing) {
      this.#forget(owner);
      return true;
    }
    const child = newPart(next, owner.part.subtype === 'digest');
    owner.part.children.push(child);
    this.#parts += 1;
    this.#open(child, false, true);
    return true;
  }
}

/** A part whose inside is not shown. */
function makeOpaque(part: MimePart): void {
  part.type = 'application';
  part.subtype = 'octet-stream';
}
