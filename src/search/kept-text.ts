/**
 * The folded text of an email as the index keeps it: one byte that says how characters became bytes, then frames of zstd, each with
 * its length before and after. What comes back is the text exactly, odd surrogates and NULs included.
 */
import { MAIL_DICTIONARY } from '../store/blobs/dictionary.ts';
import { createZstd, type Zstd, ZSTD_INPUT_BYTES_MAX } from '../store/blobs/zstd.ts';

const LATIN1 = 0;
const UTF8 = 1;
const UTF16 = 2;
const FORMS = ['latin1', 'utf8', 'utf16le'] as const;
const FRAME_HEAD = 8;
const NOTHING = new Uint8Array(0);
const NO_BYTES = Buffer.alloc(0);

/** Phrases of mail in upper case, as folded text has them. The altered magic number makes zstd take it as plain content. */
let zstd: Zstd | null = null;
function compressor(): Zstd {
  zstd ??= createZstd(
    Buffer.from(
      MAIL_DICTIONARY.toString('latin1').replace(/[a-z\xec]/g, (char) => char.toUpperCase()),
      'latin1',
    ),
  );
  return zstd;
}

const LATIN1_ONLY = /^[\x00-\xff]*$/;

/** The result owns its memory. */
export function encodeKept(text: string): Uint8Array {
  if (text === '') return NOTHING;
  const form = LATIN1_ONLY.test(text) ? LATIN1 : text.isWellFormed() ? UTF8 : UTF16;
  const bytes = Buffer.from(text, FORMS[form]);
  const frames: Uint8Array[] = [];
  let size = 1;
  for (let at = 0; at < bytes.length; at += ZSTD_INPUT_BYTES_MAX) {
    const frame = compressor().compress(bytes.subarray(at, at + ZSTD_INPUT_BYTES_MAX));
    frames.push(frame);
    size += FRAME_HEAD + frame.length;
  }
  const out = Buffer.allocUnsafeSlow(size);
  out[0] = form;
  let to = 1;
  for (let i = 0; i < frames.length; i += 1) {
    const frame = frames[i]!;
    to = out.writeUInt32LE(Math.min(ZSTD_INPUT_BYTES_MAX, bytes.length - i * ZSTD_INPUT_BYTES_MAX), to);
    to = out.writeUInt32LE(frame.length, to);
    out.set(frame, to);
    to += frame.length;
  }
  return out;
}

/** A kept text does not unpack: the index is damaged. */
export class DamagedText extends Error {}

function bytesOf(kept: Uint8Array): Buffer {
  try {
    return unpacked(kept);
  } catch (cause) {
    throw new DamagedText('a kept text is damaged', { cause });
  }
}

/** Where a text of one frame is unpacked: thousands are looked at in a row, and none outlives its look. */
let scratch: Buffer | null = null;

function unpacked(kept: Uint8Array): Buffer {
  const view = new DataView(kept.buffer, kept.byteOffset, kept.byteLength);
  const parts: Buffer[] = [];
  let at = 1;
  while (at < kept.length) {
    const size = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    at += FRAME_HEAD;
    if (size > ZSTD_INPUT_BYTES_MAX || at + length > kept.length) throw new Error('its length is not what it says');
    scratch ??= Buffer.allocUnsafeSlow(ZSTD_INPUT_BYTES_MAX + 1);
    const isWhole = at + length === kept.length && parts.length === 0;
    const part = compressor().decompress(kept.subarray(at, at + length), size, isWhole ? scratch : undefined) as Buffer;
    if (part.length !== size) throw new Error('its length is not what it says');
    parts.push(part);
    at += length;
  }
  return parts.length === 1 ? parts[0]! : parts.length === 0 ? NO_BYTES : Buffer.concat(parts);
}

/** Throws DamagedText. */
export function decodeKept(kept: Uint8Array): string {
  return kept.length === 0 ? '' : bytesOf(kept).toString(FORMS[kept[0]!] ?? 'utf8');
}

/** A text that is looked for in many kept texts: mostly compared as bytes, without making strings. */
export class Needle {
  readonly text: string;
  /** null: cannot be in a text of that form. */
  readonly #latin1: Buffer | null;
  /** null: half of a pair may be in it, so texts must be compared as strings. */
  readonly #utf8: Buffer | null;

  constructor(text: string) {
    this.text = text;
    this.#latin1 = LATIN1_ONLY.test(text) ? Buffer.from(text, 'latin1') : null;
    this.#utf8 = text.isWellFormed() ? Buffer.from(text, 'utf8') : null;
  }

  /** Throws DamagedText. */
  isIn(kept: Uint8Array): boolean {
    if (kept.length === 0) return false;
    if (kept[0] === LATIN1) return this.#latin1 !== null && bytesOf(kept).includes(this.#latin1);
    if (kept[0] === UTF8 && this.#utf8 !== null) return bytesOf(kept).includes(this.#utf8);
    return decodeKept(kept).includes(this.text);
  }
}
