/** Content-Transfer-Encoding (RFC 2045 section 6): lenient decoders and strict encoders, for whole bodies and for pieces. */
import { hexDigit } from './encoded-word.ts';

const EMPTY = new Uint8Array(0);
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;

/** Something that takes bytes in pieces and gives bytes; `end` gives what was held back. Results are the caller's to keep. */
export interface Transform {
  push(chunk: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/** Can bodies of this encoding be decoded? IMAP BINARY answers UNKNOWN-CTE when not. `name` in lower case. */
export function isKnownEncoding(name: string): boolean {
  return name === '7bit' || name === '8bit' || name === 'binary' || name === 'base64' || name === 'quoted-printable';
}

/** A decoder for the encoding; unknown ones leave the bytes as they are. */
export function transferDecoder(encoding: string): Transform {
  if (encoding === 'base64') return new Base64Decoder();
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder();
  return IDENTITY;
}
const IDENTITY: Transform = { push: (chunk) => chunk, end: () => EMPTY };

/** Decodes a whole body. */
export function decodeTransfer(body: Uint8Array, encoding: string): Uint8Array {
  if (encoding !== 'base64' && encoding !== 'quoted-printable') return body;
  const decoder = transferDecoder(encoding);
  const first = decoder.push(body);
  const last = decoder.end();
  return last.length === 0 ? first : Buffer.concat([first, last]);
}

// ── Base64 ───────────────────────────────────────────────────────────────────────────────────────────

/** Value of each character, -1 for those to be ignored (RFC 2045 section 6.8), -2 for padding. The URL alphabet is let in. */
const BASE64 = new Int8Array(256).fill(-1);
for (let i = 0; i < 64; i += 1) BASE64['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(i)] = i;
BASE64[0x2d] = 62;
BASE64[0x5f] = 63;
BASE64[EQUALS] = -2;

/** Ignores what is not in the alphabet; padding ends a group, so that encodings put one after another decode too. */
export class Base64Decoder implements Transform {
  #bits = 0;
  #count = 0;

  push(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array(Math.ceil((chunk.length * 3) / 4) + 3);
    let bits = this.#bits;
    let count = this.#count;
    let at = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      const value = BASE64[chunk[i]!]!;
      if (value >= 0) {
        bits = (bits << 6) | value;
        count += 1;
        if (count === 4) {
          out[at++] = (bits >> 16) & 0xff;
          out[at++] = (bits >> 8) & 0xff;
          out[at++] = bits & 0xff;
          bits = 0;
          count = 0;
        }
      } else if (value === -2 && count > 0) {
        at = flushBits(out, at, bits, count);
        bits = 0;
        count = 0;
      }
    }
    this.#bits = bits;
    this.#count = count;
    return out.subarray(0, at);
  }

  end(): Uint8Array {
    const out = new Uint8Array(2);
    const length = flushBits(out, 0, this.#bits, this.#count);
    this.#bits = 0;
    this.#count = 0;
    return out.subarray(0, length);
  }
}

/** The whole octets of an unfinished group of `count` characters. */
function flushBits(out: Uint8Array, at: number, bits: number, count: number): number {
  let end = at;
  if (count === 2) out[end++] = (bits >> 4) & 0xff;
  else if (count === 3) {
    out[end++] = (bits >> 10) & 0xff;
    out[end++] = (bits >> 2) & 0xff;
  }
  return end;
}

/** 57 octets make one line of 76 characters. */
const BASE64_LINE = 57;

export class Base64Encoder implements Transform {
  #carry: Uint8Array = EMPTY;

  push(chunk: Uint8Array): Uint8Array {
    const input = this.#carry.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([this.#carry, chunk]);
    const whole = input.length - (input.length % BASE64_LINE);
    this.#carry = Uint8Array.prototype.slice.call(input, whole);
    return base64Lines(input, whole);
  }

  end(): Uint8Array {
    const rest = Buffer.from(this.#carry);
    this.#carry = EMPTY;
    return base64Lines(rest, rest.length);
  }
}

function base64Lines(input: Buffer, length: number): Uint8Array {
  let out = '';
  for (let at = 0; at < length; at += BASE64_LINE) out += `${input.toString('base64', at, Math.min(length, at + BASE64_LINE))}\r\n`;
  return Buffer.from(out, 'latin1');
}

// ── Quoted-printable ─────────────────────────────────────────────────────────────────────────────────

/** Blanks held back at the end of a piece, to see whether a line end follows; more than this are let through. */
const HOLD_MOST = 1000;

export class QuotedPrintableDecoder implements Transform {
  #carry: Uint8Array = EMPTY;

  push(chunk: Uint8Array): Uint8Array {
    const input = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    const end = holdFrom(input);
    this.#carry = input.slice(end);
    return decodeQuotedPrintable(input, end, false);
  }

  end(): Uint8Array {
    const rest = this.#carry;
    this.#carry = EMPTY;
    return decodeQuotedPrintable(rest, rest.length, true);
  }
}

/** Where the tail begins whose meaning the next piece decides: an unfinished `=XX`, or blanks before a line end. */
function holdFrom(input: Uint8Array): number {
  const size = input.length;
  let at = size;
  while (at > 0 && size - at < HOLD_MOST && isBlankOrCr(input[at - 1]!)) at -= 1;
  if (at > 0 && input[at - 1] === EQUALS) return at - 1;
  if (at === size && size > 1 && input[size - 2] === EQUALS) return size - 2;
  return at;
}

function isBlankOrCr(c: number): boolean {
  return c === SP || c === TAB || c === CR;
}

function decodeQuotedPrintable(input: Uint8Array, end: number, isLast: boolean): Uint8Array {
  const out = new Uint8Array(end);
  let length = 0;
  let at = 0;
  while (at < end) {
    const c = input[at]!;
    if (c === SP || c === TAB || c === CR) {
      // Blanks before a line end were added on the way (RFC 2045 section 6.7 rule 3).
      let stop = at;
      while (stop < end && (input[stop] === SP || input[stop] === TAB)) stop += 1;
      const isLineEnd = stop >= end ? isLast : input[stop] === LF || (input[stop] === CR && input[stop + 1] === LF);
      if (isLineEnd) {
        at = stop;
        if (input[at] === CR && at < end) out[length++] = input[at++]!;
      } else if (stop > at) while (at < stop) out[length++] = input[at++]!;
      else out[length++] = input[at++]!;
      continue;
    }
    if (c !== EQUALS) {
      out[length++] = c;
      at += 1;
      continue;
    }
    const high = at + 2 < end ? hexDigit(input[at + 1]!) : -1;
    const low = high >= 0 ? hexDigit(input[at + 2]!) : -1;
    if (low >= 0) {
      out[length++] = high * 16 + low;
      at += 3;
      continue;
    }
    let next = at + 1;
    while (next < end && (input[next] === SP || input[next] === TAB)) next += 1;
    if (next >= end && isLast) at = next;
    else if (input[next] === LF && next < end) at = next + 1;
    else if (input[next] === CR && input[next + 1] === LF && next + 1 < end) at = next + 2;
    else {
      out[length++] = c; // neither hexadecimal nor a soft line break: stands for itself
      at += 1;
    }
  }
  return out.subarray(0, length);
}

/** Longest encoded line without its CRLF (RFC 2045 section 6.7 rule 5). */
const QP_LINE = 76;
const HEX = '0123456789ABCDEF';

/** Encodes text whose lines end in CRLF; bare CR and LF are encoded as octets. */
export class QuotedPrintableEncoder implements Transform {
  #carry: Uint8Array = EMPTY;
  #column = 0;

  push(chunk: Uint8Array): Uint8Array {
    return this.#encode(this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]), false);
  }

  end(): Uint8Array {
    return this.#encode(this.#carry, true);
  }

  #encode(input: Uint8Array, isLast: boolean): Uint8Array {
    // Each octet gives at most "=XX" and a third of a soft line break.
    const out = new Uint8Array(input.length * 4 + 8);
    let length = 0;
    let column = this.#column;
    let at = 0;
    const size = input.length;
    while (at < size) {
      const c = input[at]!;
      const next = input[at + 1];
      // What a CR or blank means depends on the octets after it: wait for them.
      if (!isLast && (c === CR || c === SP || c === TAB) && at + 2 >= size) break;
      if (c === CR && next === LF) {
        out[length++] = CR;
        out[length++] = LF;
        column = 0;
        at += 2;
        continue;
      }
      const isAtLineEnd = at + 1 >= size || (next === CR && input[at + 2] === LF);
      const isPlain = (c >= 0x21 && c <= 0x7e && c !== EQUALS) || ((c === SP || c === TAB) && !isAtLineEnd);
      const width = isPlain ? 1 : 3;
      if (column + width > QP_LINE - 1) {
        out[length++] = EQUALS;
        out[length++] = CR;
        out[length++] = LF;
        column = 0;
      }
      if (isPlain) out[length++] = c;
      else {
        out[length++] = EQUALS;
        out[length++] = HEX.charCodeAt(c >> 4);
        out[length++] = HEX.charCodeAt(c & 15);
      }
      column += width;
      at += 1;
    }
    this.#carry = input.slice(at);
    this.#column = column;
    return out.subarray(0, length);
  }
}
