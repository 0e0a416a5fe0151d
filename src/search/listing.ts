/**
 * Texts of an account's emails side by side, as FETCH sends them: envelopes and structures, or short headers, of some hundred in one compressed
 * piece, so that the list of a large mailbox is read from a few places of the disk instead of one for each message.
 *
 * A piece is one frame of zstd. In it: how many emails; of each its id and where its texts end; then all texts.
 */
import type { EmailId } from '../ports.ts';
import { createZstd, type Zstd, ZSTD_INPUT_BYTES_MAX } from '../store/blobs/zstd.ts';
import { DamagedText } from './kept-text.ts';

/** An email with one or two texts; all of a piece have equally many. */
export type Listed = readonly [email: EmailId, text: string, second?: string];

/** Octets before the frame: how characters became bytes, and how many bytes unpacked. */
const HEAD = 5;
const LATIN1 = 0;
const UTF8 = 1;
const COUNT = 4;
const EMAIL = 8;
const END = 4;
const LATIN1_ONLY = /^[\x00-\xff]*$/;
/** The characters of one piece, whatever they are: three octets each, with all else, must fit into one frame. */
export const PIECE_CHARACTERS_MAX = 80 * 1024;

let zstd: Zstd | null = null;

/** In the order of their ids, at most PIECE_CHARACTERS_MAX, texts well-formed. The result owns its memory. */
export function encodeListing(emails: readonly Listed[], texts: 1 | 2): Uint8Array {
  const form = emails.every(([, text, second = '']) => LATIN1_ONLY.test(text) && LATIN1_ONLY.test(second)) ? LATIN1 : UTF8;
  const encoding = form === LATIN1 ? 'latin1' : 'utf8';
  let text = '';
  for (const email of emails) text += texts === 1 ? email[1] : email[1] + email[2]!;
  const bytes = Buffer.from(text, encoding);
  const begin = COUNT + emails.length * (EMAIL + END * texts);
  const raw = Buffer.allocUnsafe(begin + bytes.length);
  let at = raw.writeUInt32LE(emails.length, 0);
  let end = begin;
  for (const email of emails) {
    at = raw.writeDoubleLE(email[0], at);
    end += Buffer.byteLength(email[1], encoding);
    at = raw.writeUInt32LE(end, at);
    if (texts === 1) continue;
    end += Buffer.byteLength(email[2]!, encoding);
    at = raw.writeUInt32LE(end, at);
  }
  raw.set(bytes, begin);
  zstd ??= createZstd();
  const frame = zstd.compress(raw);
  const out = Buffer.allocUnsafeSlow(HEAD + frame.length);
  out[0] = form;
  out.writeUInt32LE(raw.length, 1);
  out.set(frame, HEAD);
  return out;
}

/** Memory for one unpacked piece, to be used again for the next: thousands are read in a row, and their texts are wanted for a moment. */
export function listingRoom(): Buffer {
  return Buffer.allocUnsafeSlow(ZSTD_INPUT_BYTES_MAX + 1);
}

/** An unpacked piece. */
export class Listing {
  readonly count: number;
  readonly #texts: 1 | 2;
  readonly #raw: Buffer;
  readonly #view: DataView;
  readonly #isLatin1: boolean;
  readonly #begin: number;

  /** Unpacks it into `room` (of `listingRoom()`), which must stay as it is while the listing is used. Throws DamagedText. */
  constructor(piece: Uint8Array, texts: 1 | 2, room: Buffer) {
    this.#texts = texts;
    try {
      this.#raw = unpacked(piece, room);
      this.#view = new DataView(this.#raw.buffer, this.#raw.byteOffset, this.#raw.byteLength);
      this.#isLatin1 = piece[0] === LATIN1;
      this.count = this.#view.getUint32(0, true);
      this.#begin = COUNT + this.count * (EMAIL + END * texts);
      this.#check();
    } catch (cause) {
      throw new DamagedText('a list of emails is damaged', { cause });
    }
  }

  #check(): void {
    let before = this.#begin;
    if (before > this.#raw.length) throw new Error('it has fewer emails than it says');
    for (let n = 0; n < this.count; n += 1)
      for (let text = 0; text < this.#texts; text += 1) {
        const end = this.#end(n, text);
        if (end < before) throw new Error('a text ends before it begins');
        before = end;
      }
    if (before !== this.#raw.length) throw new Error('its texts are shorter or longer than they should be');
  }

  #end(n: number, text: number): number {
    return this.#view.getUint32(COUNT + n * (EMAIL + END * this.#texts) + EMAIL + END * text, true);
  }

  /** The id of the email at place `n`. */
  email(n: number): EmailId {
    return this.#view.getFloat64(COUNT + n * (EMAIL + END * this.#texts), true);
  }

  at(n: number): Listed {
    const from = n === 0 ? this.#begin : this.#end(n - 1, this.#texts - 1);
    const middle = this.#end(n, 0);
    if (this.#texts === 1) return [this.email(n), this.#text(from, middle)];
    const end = this.#end(n, 1);
    if (!this.#isLatin1) return [this.email(n), this.#text(from, middle), this.#text(middle, end)];
    // One string made out of bytes, and two cut out of it, cost half.
    const both = this.#text(from, end);
    return [this.email(n), both.slice(0, middle - from), both.slice(middle - from)];
  }

  #text(from: number, to: number): string {
    return this.#raw.toString(this.#isLatin1 ? 'latin1' : 'utf8', from, to);
  }
}

function unpacked(piece: Uint8Array, room: Buffer): Buffer {
  const size = new DataView(piece.buffer, piece.byteOffset, piece.byteLength).getUint32(1, true);
  if (size > ZSTD_INPUT_BYTES_MAX || piece[0]! > UTF8) throw new Error('it is not what it says');
  zstd ??= createZstd();
  const raw = zstd.decompress(piece.subarray(HEAD), size, room) as Buffer;
  if (raw.length !== size) throw new Error('its length is not what it says');
  return raw;
}

let scratch: Buffer | null = null;

/** All of a piece. Throws DamagedText. */
export function decodeListing(piece: Uint8Array, texts: 1 | 2): Listed[] {
  scratch ??= listingRoom();
  const listing = new Listing(piece, texts, scratch);
  return Array.from({ length: listing.count }, (_, n) => listing.at(n));
}
