/**
 * Changes of a header section: bytes of fields and `HeaderEdit`s in, bytes out. Fields that no edit names keep every byte.
 * Edits are made in their order, each on what those before it left.
 */
import type { HeaderEdit } from '../ports.ts';
import { asBuffer, scanHeaders } from './header.ts';

/** One field, or one line that is no field and only kept. */
interface Piece {
  readonly bytes: Buffer;
  /** In lower case; null for what is no field. */
  readonly name: string | null;
  isGone: boolean;
}

const CRLF = Buffer.from('\r\n');
const LF = 0x0a;
/** The input is bounded by whoever gives it; a field beyond a limit must not escape an edit. */
const NO_LIMITS = { headerBytes: Number.MAX_SAFE_INTEGER, headerFields: Number.MAX_SAFE_INTEGER, fieldNameBytes: 998 };
const NAME_BYTES_MAX = 200;

/**
 * `header` is a header section, with its blank line (and anything after that is kept too) or without.
 * 'change' of a field that is not there adds it below the others, when its value is not empty (as Sendmail and Postfix do for milters).
 * Values: text, written as UTF-8 (bytes that were none: see `textOfBytes`). One that begins with white space follows the colon directly,
 * any other after a space. CRLF or LF with white space after them are folds and kept; other CR, LF and NUL become spaces.
 */
export function applyEdits(header: Uint8Array, edits: readonly HeaderEdit[]): Buffer {
  const bytes = asBuffer(header);
  if (edits.length === 0) return bytes;
  if (edits.every((edit) => edit.kind === 'prepend')) return Buffer.concat([...edits.map(({ name, value }) => fieldBytes(name, value)).reverse(), bytes]);
  const section = new Section(bytes);
  for (const edit of edits) section.apply(edit);
  return section.bytes();
}

class Section {
  readonly #pieces: Piece[] = [];
  /** The blank line and what follows. */
  readonly #rest: Buffer;
  /** Fields of a name in their order, made when somebody changes one; dropped when one is added. */
  readonly #named = new Map<string, { pieces: Piece[]; first: number }>();

  constructor(bytes: Buffer) {
    const { fields } = scanHeaders(bytes, 0, NO_LIMITS);
    let at = 0;
    for (const field of fields) {
      at = field.end;
      // A last field without line end gets one, or what is added below would become part of it.
      const raw = bytes.subarray(field.nameStart, field.end);
      const isWhole = raw.length > 0 && raw[raw.length - 1] === LF;
      const isNamed = field.nameEnd > field.nameStart;
      this.#pieces.push({
        bytes: isWhole ? raw : Buffer.concat([raw, CRLF]),
        name: isNamed ? bytes.toString('latin1', field.nameStart, field.nameEnd).toLowerCase() : null,
        isGone: false,
      });
    }
    this.#rest = bytes.subarray(at);
  }

  apply(edit: HeaderEdit): void {
    if (edit.kind === 'change') this.#change(edit.name, edit.nth, edit.value);
    else if (edit.kind === 'prepend') this.#add(0, edit.name, edit.value);
    else if (edit.kind === 'append') this.#add(this.#pieces.length, edit.name, edit.value);
    else this.#add(this.#position(edit.index), edit.name, edit.value);
  }

  bytes(): Buffer {
    const out: Buffer[] = [];
    for (const piece of this.#pieces) if (!piece.isGone) out.push(piece.bytes);
    out.push(this.#rest);
    return Buffer.concat(out);
  }

  #add(at: number, name: string, value: string): void {
    const key = safeName(name).toLowerCase();
    this.#named.delete(key);
    this.#pieces.splice(at, 0, { bytes: fieldBytes(name, value), name: key, isGone: false });
  }

  /** Where the field with that index is; behind the last one when there are not so many. */
  #position(index: number): number {
    let left = index;
    for (let at = 0; at < this.#pieces.length; at += 1) {
      const piece = this.#pieces[at]!;
      if (piece.isGone || piece.name === null) continue;
      if (left <= 0) return at;
      left -= 1;
    }
    return this.#pieces.length;
  }

  #change(name: string, nth: number, value: string): void {
    const key = safeName(name).toLowerCase();
    let found = this.#named.get(key);
    if (found === undefined) {
      found = { pieces: this.#pieces.filter((piece) => piece.name === key && !piece.isGone), first: 0 };
      this.#named.set(key, found);
    }
    const index = found.first + Math.max(nth, 1) - 1;
    const piece = found.pieces[index];
    if (piece === undefined) {
      if (value !== '') this.#add(this.#pieces.length, name, value);
    } else if (value === '') {
      piece.isGone = true;
      // A sender may have sent ten thousand of a name: taking the first or the last one away costs the same however many there are.
      if (index === found.first) found.first += 1;
      else found.pieces.splice(index, 1);
    } else {
      const changed: Piece = { bytes: fieldBytes(name, value), name: key, isGone: false };
      this.#pieces[this.#pieces.indexOf(piece)] = changed;
      found.pieces[index] = changed;
    }
  }
}

/** One field with its CRLF. */
export function fieldBytes(name: string, value: string): Buffer {
  const safe = safeValue(value);
  const first = safe.charCodeAt(0);
  const space = first === 0x20 || first === 0x09 || first === 0x0d ? '' : ' ';
  return bytesOfText(`${safeName(name)}:${space}${safe}\r\n`);
}

/** Printable ASCII without colon (RFC 5322 section 2.2). */
function safeName(name: string): string {
  const clean = /^[!-9;-~]{1,200}$/.test(name) ? name : name.replace(/[^!-9;-~]/g, '').slice(0, NAME_BYTES_MAX);
  return clean === '' ? 'X-Unnamed' : clean;
}

/** Lines end in CR LF, and each next one begins with white space and has more than that: what our own fields are like. */
function isFolded(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const c = value.charCodeAt(i);
    if (c > 13) continue;
    if (c === 10 || c === 0) return false;
    if (c !== 13) continue;
    if (value.charCodeAt(i + 1) !== 10) return false;
    const space = value.charCodeAt(i + 2);
    if ((space !== 9 && space !== 32) || !(value.charCodeAt(i + 3) > 32)) return false;
    i += 2;
  }
  return true;
}

/** No value can end its field, or the header section. */
function safeValue(value: string): string {
  if (isFolded(value)) return value;
  const lines = value.replaceAll('\0', ' ').split(/\r\n|\n/);
  let out = lines[0]!.replaceAll('\r', ' ');
  for (const raw of lines.slice(1)) {
    const line = raw.replaceAll('\r', ' ');
    // A line of nothing but white space would end the header for some readers.
    if (/^[ \t]*$/.test(line)) continue;
    out += /^[ \t]/.test(line) ? `\r\n${line}` : ` ${line}`;
  }
  return out;
}

/** Byte b of 0x80 or more that is no UTF-8, as a lone surrogate: text that came from bytes goes back to the same bytes. */
const ESCAPED = 0xdc00;

/** Header text of any bytes: UTF-8 where it is that, and otherwise each byte beyond ASCII in a form that `bytesOfText` turns back. */
export function textOfBytes(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  const text = buffer.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  return buffer.toString('latin1').replace(/[\x80-\xff]/g, (c) => String.fromCharCode(ESCAPED + c.charCodeAt(0)));
}

/** The bytes of such text. */
export function bytesOfText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts = text.split(/([\udc80-\udcff]+)/).map((part, index) => {
    if (index % 2 === 0) return Buffer.from(part, 'utf8');
    return Buffer.from(part, 'utf16le').filter((_, at) => at % 2 === 0);
  });
  return Buffer.concat(parts);
}

/** The same text with one character per byte, as wire protocols carry it. */
export function latin1OfText(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : bytesOfText(text).toString('latin1');
}

/** The other way round. */
export function textOfLatin1(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : textOfBytes(Buffer.from(text, 'latin1'));
}
