/** Encoded words in header text (RFC 2047), decoded leniently and encoded strictly. */
import { decodeCharset, decodeUnlabelled } from './charset.ts';
import { latin1 } from './header.ts';

interface Word {
  readonly charset: string;
  readonly isBase64: boolean;
  readonly start: number;
  readonly textStart: number;
  readonly textEnd: number;
  readonly end: number;
}

/** Longest charset label and encoded text taken for an encoded word; real ones exceed the 75 of section 2 by far. */
const CHARSET_MOST = 60;

/**
 * Text of a header value given with one character per byte (as `fieldValue` does). Adjacent words of one charset are
 * joined as bytes before decoding, because some mailers cut inside a character; bytes outside words are UTF-8 or windows-1252.
 */
export function decodeWords(value: string): string {
  let at = value.indexOf('=?');
  if (at === -1) return decodeRaw(value);
  let out = '';
  let plainStart = 0;
  let pending: Uint8Array[] = [];
  let charset = '';
  const flush = (): void => {
    if (pending.length === 0) return;
    out += decodeCharset(pending.length === 1 ? pending[0]! : Buffer.concat(pending), charset);
    pending = [];
  };
  // Nothing can end a word beyond this; without it, many unfinished words would each search to the end.
  const lastEnd = value.lastIndexOf('?=');
  while (at !== -1 && at < lastEnd) {
    const word = scanWord(value, at);
    if (word === null) {
      at = value.indexOf('=?', at + 2);
      continue;
    }
    const between = value.slice(plainStart, word.start);
    // White space between two encoded words is not part of the text (section 6.2).
    const isAdjacent = pending.length > 0 && isBlank(between);
    if (!isAdjacent || charset.toLowerCase() !== word.charset.toLowerCase()) flush();
    if (!isAdjacent) out += decodeRaw(between);
    charset = word.charset;
    pending.push(wordBytes(value.slice(word.textStart, word.textEnd), word.isBase64));
    plainStart = word.end;
    at = value.indexOf('=?', word.end);
  }
  flush();
  return out + decodeRaw(value.slice(plainStart));
}

function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x09 && c !== 0x0d && c !== 0x0a) return false;
  }
  return true;
}

function decodeRaw(text: string): string {
  return /[\x80-\xff]/.test(text) ? decodeUnlabelled(Buffer.from(text, 'latin1')) : text;
}

/** `=?charset*language?encoding?text?=` at `at`, or null. Spaces inside the text are let through. */
function scanWord(value: string, at: number): Word | null {
  const charsetEnd = value.indexOf('?', at + 2);
  if (charsetEnd === -1 || charsetEnd === at + 2 || charsetEnd - at > CHARSET_MOST) return null;
  const encoding = value.charCodeAt(charsetEnd + 1) | 0x20;
  if ((encoding !== 0x62 && encoding !== 0x71) || value[charsetEnd + 2] !== '?') return null;
  const textStart = charsetEnd + 3;
  // The text of a Q word may hold a bare "?", against the rule; the end is the next "?=".
  const textEnd = value.indexOf('?=', textStart);
  if (textEnd === -1) return null;
  const label = value.slice(at + 2, charsetEnd);
  const star = label.indexOf('*'); // RFC 2231 section 5: language
  return { charset: star === -1 ? label : label.slice(0, star), isBase64: encoding === 0x62, start: at, textStart, textEnd, end: textEnd + 2 };
}

function wordBytes(text: string, isBase64: boolean): Uint8Array {
  if (isBase64) return Buffer.from(text, 'base64');
  const out = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 0x5f) out[length++] = 0x20;
    else if (c === 0x3d) {
      const high = hexDigit(text.charCodeAt(i + 1));
      const low = hexDigit(text.charCodeAt(i + 2));
      if (high >= 0 && low >= 0) {
        out[length++] = high * 16 + low;
        i += 2;
      } else out[length++] = c;
    } else out[length++] = c;
  }
  return out.subarray(0, length);
}

/** Value of a hexadecimal digit's code, or -1. */
export function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Header text of raw bytes: unfolded, encoded words decoded. */
export function decodeHeaderBytes(bytes: Uint8Array): string {
  return decodeWords(latin1(bytes, 0, bytes.length).replace(/\r?\n/g, ''));
}

/** Octets of UTF-8 in one word, so that it stays within 75 characters in either encoding (section 2). */
const WORD_OCTETS_B = 45;
const WORD_CHARACTERS_Q = 62;

/**
 * Text as a header value: as it is when it is plain ASCII, else the words from the first to the last that need it as
 * utf-8 encoded words, separated by spaces. `isPhrase` also escapes what a display name must not hold (section 5 rule 3).
 */
export function encodeWords(text: string): string {
  const clean = text.replace(/[\0-\x1f\x7f]+/g, ' ');
  if (!/[^\x20-\x7e]/.test(clean) && !clean.includes('=?')) return clean;
  const words = clean.split(' ');
  const needs = (word: string): boolean => /[^\x21-\x7e]/.test(word) || word.includes('=?');
  const first = words.findIndex(needs);
  const last = words.findLastIndex(needs);
  if (first === -1) return clean;
  const before = words.slice(0, first).join(' ');
  const after = words.slice(last + 1).join(' ');
  const encoded = encodeWhole(words.slice(first, last + 1).join(' '));
  return [...(first > 0 ? [before] : []), encoded, ...(last + 1 < words.length ? [after] : [])].join(' ');
}

/** All of `text` as utf-8 encoded words, Q or B, whichever is shorter; cut between characters. */
export function encodeWhole(text: string): string {
  const octets = Buffer.byteLength(text);
  let quotedLength = 0;
  for (const byte of Buffer.from(text)) quotedLength += isQPlain(byte) || byte === 0x20 ? 1 : 3;
  const useBase64 = Math.ceil(octets / 3) * 4 < quotedLength;
  const words: string[] = [];
  let piece = '';
  let size = 0;
  for (const character of text.toWellFormed()) {
    const bytes = Buffer.from(character);
    const width = useBase64 ? bytes.length : qCharacter(bytes).length;
    if (size + width > (useBase64 ? WORD_OCTETS_B : WORD_CHARACTERS_Q)) {
      words.push(piece);
      piece = '';
      size = 0;
    }
    piece += useBase64 ? character : qCharacter(bytes);
    size += width;
  }
  words.push(piece);
  return words.map((word) => (useBase64 ? `=?utf-8?B?${Buffer.from(word).toString('base64')}?=` : `=?utf-8?Q?${word}?=`)).join(' ');
}

/** Safe in a phrase too (RFC 2047 section 5 rule 3). */
function isQPlain(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x21 || c === 0x2a || c === 0x2b || c === 0x2d || c === 0x2f;
}

function qCharacter(bytes: Uint8Array): string {
  let out = '';
  for (const c of bytes) out += c === 0x20 ? '_' : isQPlain(c) ? String.fromCharCode(c) : `=${c.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}
