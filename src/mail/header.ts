/**
 * The header section (RFC 5322 section 2.2): where each field starts and ends, without losing or copying a byte.
 * A line ends in LF here, with or without CR before it, because stored mail from elsewhere may have either.
 */
import { MAIL_LIMITS } from './limits.ts';

/** Offsets of one field. `[nameStart, end)` are all its bytes; nameEnd equals nameStart for a line that is no field. */
export interface HeaderField {
  readonly nameStart: number;
  readonly nameEnd: number;
  /** Just past the colon. */
  readonly valueStart: number;
  /** Before the last line end. Folds are still inside. */
  valueEnd: number;
  /** Just past the last line end. */
  end: number;
}

export interface HeaderSection {
  readonly fields: HeaderField[];
  /** Just past the blank line, or the length of the input when there is none. */
  readonly end: number;
  /** The blank line was there. */
  readonly isComplete: boolean;
  /** More fields or bytes than the limits allow: `fields` lacks the rest. */
  readonly isTruncated: boolean;
}

export interface HeaderLimits {
  readonly headerBytes: number;
  readonly headerFields: number;
  readonly fieldNameBytes: number;
}

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

/** Scans the section that starts at `start`. Linear; never throws. */
export function scanHeaders(bytes: Uint8Array, start = 0, limits: HeaderLimits = MAIL_LIMITS): HeaderSection {
  const fields: HeaderField[] = [];
  const size = bytes.length;
  const stop = Math.min(size, start + limits.headerBytes);
  let isTruncated = false;
  let current: HeaderField | null = null;
  let line = start;
  while (line < size) {
    const lf = bytes.indexOf(LF, line);
    const next = lf === -1 ? size : lf + 1;
    const first = bytes[line]!;
    if (first === LF || (first === CR && lf === line + 1)) return { fields, end: next, isComplete: true, isTruncated };
    const textEnd = lf === -1 ? size : lf > line && bytes[lf - 1] === CR ? lf - 1 : lf;
    if (next > stop) {
      isTruncated = true;
      current = null;
    } else if ((first === SP || first === TAB) && current !== null) {
      current.valueEnd = textEnd;
      current.end = next;
    } else if (fields.length < limits.headerFields) {
      current = scanField(bytes, line, textEnd, next, limits.fieldNameBytes);
      fields.push(current);
    } else {
      isTruncated = true;
      current = null;
    }
    line = next;
  }
  return { fields, end: size, isComplete: false, isTruncated };
}

function scanField(bytes: Uint8Array, line: number, textEnd: number, end: number, nameBytes: number): HeaderField {
  let at = line;
  const stop = Math.min(textEnd, line + nameBytes);
  while (at < stop) {
    const c = bytes[at]!;
    if (c <= SP || c === COLON || c >= 0x7f) break;
    at += 1;
  }
  const nameEnd = at;
  // obs-fields (RFC 5322 section 4.5) have white space before the colon.
  while (at < textEnd && (bytes[at] === SP || bytes[at] === TAB)) at += 1;
  if (nameEnd === line || bytes[at] !== COLON || at >= textEnd) return { nameStart: line, nameEnd: line, valueStart: line, valueEnd: textEnd, end };
  return { nameStart: line, nameEnd, valueStart: at + 1, valueEnd: textEnd, end };
}

/** Is this the field of that name? `name` in lower case. No allocation. */
export function isField(bytes: Uint8Array, field: HeaderField, name: string): boolean {
  const length = name.length;
  if (field.nameEnd - field.nameStart !== length) return false;
  for (let i = 0; i < length; i += 1) {
    let c = bytes[field.nameStart + i]!;
    if (c >= 0x41 && c <= 0x5a) c += 0x20;
    if (c !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** The first field of that name (lower case), or null. */
export function firstField(bytes: Uint8Array, fields: readonly HeaderField[], name: string): HeaderField | null {
  for (const field of fields) if (isField(bytes, field, name)) return field;
  return null;
}

/** Name of a field as written. */
export function fieldName(bytes: Uint8Array, field: HeaderField): string {
  return latin1(bytes, field.nameStart, field.nameEnd);
}

/**
 * Value of a field, unfolded (RFC 5322 section 2.2.3) and trimmed, one character per byte (latin1).
 * At most `most` bytes of it are read.
 */
export function fieldValue(bytes: Uint8Array, field: HeaderField, most: number = MAIL_LIMITS.headerBytes): string {
  let start = field.valueStart;
  let end = Math.min(field.valueEnd, start + most);
  while (start < end && isSpace(bytes[start]!)) start += 1;
  while (end > start && isSpace(bytes[end - 1]!)) end -= 1;
  return unfold(latin1(bytes, start, end));
}

function isSpace(c: number): boolean {
  return c === SP || c === TAB || c === CR || c === LF;
}

/** Takes the line ends out of a folded value; the white space that followed them stays. */
export function unfold(value: string): string {
  return value.includes('\n') ? value.replace(/\r?\n/g, '') : value;
}

/** Bytes [start, end) as a string with one character per byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return asBuffer(bytes).toString('latin1', start, end);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** RFC 5322 section 2.1.1: lines should have at most 78 characters, and must have at most 998. */
const LINE_WISHED = 78;
const LINE_MOST = 998;

/**
 * A field as lines with CRLF, folded before white space so that lines stay within 78 octets where there is space,
 * and within 998 always (a longer run is cut with a fold). CR, LF and NUL in the value become spaces:
 * no caller can add a field by accident.
 */
export function foldHeader(name: string, value: string): string {
  const clean = /[\r\n\0]/.test(value) ? value.replace(/[\r\n\0]+[ \t]*/g, ' ') : value;
  const whole = `${name}: ${clean}`;
  if (whole.length <= LINE_WISHED && !/[^\x00-\x7f]/.test(whole)) return `${whole}\r\n`;
  let out = `${name}:`;
  let column = out.length;
  // Words with the white space before them; folding keeps that space at the start of the next line.
  for (const [word] of ` ${clean}`.matchAll(/[ \t]+[^ \t]*/g)) {
    const width = Buffer.byteLength(word);
    if (column + width > LINE_WISHED && column > name.length + 1 && word.trim() !== '') {
      out += '\r\n';
      column = 0;
    }
    if (column + width <= LINE_MOST) {
      out += word;
      column += width;
      continue;
    }
    for (const piece of cut(word, LINE_MOST - 100)) {
      const octets = Buffer.byteLength(piece);
      const fits = column + octets <= LINE_MOST;
      out += fits ? piece : `\r\n ${piece}`;
      column = fits ? column + octets : octets + 1;
    }
  }
  return `${out}\r\n`;
}

/** Pieces of at most `most` octets of UTF-8, cut between characters. */
function cut(text: string, most: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  let size = 0;
  for (const character of text) {
    const width = Buffer.byteLength(character);
    if (size + width > most) {
      pieces.push(piece);
      piece = '';
      size = 0;
    }
    piece += character;
    size += width;
  }
  if (piece !== '') pieces.push(piece);
  return pieces;
}
