/**
 * Values with parameters: Content-Type (RFC 2045 section 5.1), Content-Disposition (RFC 2183), and the extended
 * parameters of RFC 2231 (continuations, charset, percent encoding).
 */
import { decodeCharset, decodeUnlabelled } from './charset.ts';
import { hexDigit } from './encoded-word.ts';
import { MAIL_LIMITS } from './limits.ts';

/** Name in lower case and decoded value. A name that ends in `*` was given in RFC 2231's extended form. */
export type Param = readonly [name: string, value: string];

export interface Parameterized {
  /** What stands before the first semicolon: `text/plain`, `attachment`; lower case, comments and blanks removed. */
  readonly value: string;
  readonly params: readonly Param[];
}

const NO_PARAMS: readonly Param[] = [];
const SEMICOLON = 0x3b;
const OPEN = 0x28;
const DQUOTE = 0x22;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;

/** Parses an unfolded value given with one character per byte. Linear, never throws. */
export function parseParameterized(text: string): Parameterized {
  const semicolon = text.indexOf(';');
  const head = semicolon === -1 ? text : text.slice(0, semicolon);
  const equals = head.indexOf('=');
  if (equals !== -1) {
    // The semicolon after the value was forgotten: "text/plain charset=utf-8".
    const blank = lastBlank(head, equals);
    if (blank > 0) return { value: compact(head.slice(0, blank)), params: parseParams(text, blank) };
    // The value itself was forgotten: "filename=x.txt".
    if (!head.includes('(')) return { value: '', params: parseParams(text, 0) };
  }
  if (!head.includes('(')) return { value: compact(head), params: semicolon === -1 ? NO_PARAMS : parseParams(text, semicolon) };
  // A comment may hold a semicolon, so walk.
  let value = '';
  let at = 0;
  while (at < text.length && text.charCodeAt(at) !== SEMICOLON) {
    if (text.charCodeAt(at) === OPEN) at = skipComment(text, at);
    else {
      value += text[at];
      at += 1;
    }
  }
  return { value: compact(value), params: at < text.length ? parseParams(text, at) : NO_PARAMS };
}

/** Index where the blanks before the word that ends at `end` begin, or -1. */
function lastBlank(text: string, end: number): number {
  let at = end - 1;
  while (at >= 0 && isSpaceCode(text.charCodeAt(at))) at -= 1;
  while (at >= 0 && !isSpaceCode(text.charCodeAt(at))) at -= 1;
  while (at > 0 && isSpaceCode(text.charCodeAt(at - 1))) at -= 1;
  return at;
}

function compact(text: string): string {
  const lower = text.toLowerCase();
  return /[\s"]/.test(lower) ? lower.replace(/[\s"]+/g, '') : lower;
}

/** The text without its comments (RFC 5322 section 3.2.2); one that is not closed takes all the rest. */
export function withoutComments(text: string): string {
  let at = text.indexOf('(');
  if (at === -1) return text;
  let out = '';
  let from = 0;
  while (at !== -1) {
    out += text.slice(from, at);
    from = skipComment(text, at);
    at = text.indexOf('(', from);
  }
  return out + text.slice(from);
}

/** Index just past the comment that starts at `at`; the end of the text when it is not closed. */
export function skipComment(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i += 1;
    else if (c === OPEN) depth += 1;
    else if (c === 0x29) {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return text.length;
}

function isSpaceCode(c: number): boolean {
  return c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a;
}

interface Piece {
  readonly index: number;
  readonly isExtended: boolean;
  readonly value: string;
}

/** Parameters from the semicolon at `at` on. */
function parseParams(text: string, start: number): readonly Param[] {
  const params: Param[] = [];
  let continued: Map<string, Piece[]> | null = null;
  let at = start;
  let seen = 0;
  while (at < text.length && seen < MAIL_LIMITS.parameters) {
    const c = text.charCodeAt(at);
    if (c === SEMICOLON || isSpaceCode(c)) {
      at += 1;
      continue;
    }
    if (c === OPEN) {
      at = skipComment(text, at);
      continue;
    }
    const nameStart = at;
    while (at < text.length && text.charCodeAt(at) !== EQUALS && text.charCodeAt(at) !== SEMICOLON) at += 1;
    let name = text.slice(nameStart, at).toLowerCase();
    const comment = name.indexOf('(');
    if (comment !== -1) name = name.slice(0, comment);
    name = name.trim();
    if (text.charCodeAt(at) !== EQUALS) continue; // a word without value: no parameter
    const [value, end] = scanValue(text, at + 1);
    at = end;
    seen += 1;
    if (name === '' || name.length > 100) continue;
    const star = name.indexOf('*');
    if (star === -1) {
      params.push([name, decodePlain(value)]);
      continue;
    }
    const piece = pieceOf(name, star, value);
    if (piece === null) continue;
    continued ??= new Map();
    const base = name.slice(0, star);
    const pieces = continued.get(base);
    if (pieces === undefined) continued.set(base, [piece]);
    else pieces.push(piece);
  }
  if (continued !== null) for (const [name, pieces] of continued) params.push(join(name, pieces));
  return params;
}

function decodePlain(value: string): string {
  return /[\x80-\xff]/.test(value) ? decodeUnlabelled(Buffer.from(value, 'latin1')) : value;
}

/** A value, quoted or bare, and the index just past it. */
function scanValue(text: string, start: number): [value: string, end: number] {
  let at = start;
  while (at < text.length && (isSpaceCode(text.charCodeAt(at)) || text.charCodeAt(at) === OPEN))
    at = text.charCodeAt(at) === OPEN ? skipComment(text, at) : at + 1;
  if (text.charCodeAt(at) !== DQUOTE) {
    const bareStart = at;
    // Bare values with blanks (file names, mostly) are taken to the semicolon, unless a comment follows the blank.
    while (at < text.length && text.charCodeAt(at) !== SEMICOLON) {
      if (text.charCodeAt(at) === OPEN && at > bareStart && isSpaceCode(text.charCodeAt(at - 1))) {
        const value = text.slice(bareStart, at).trim();
        return [bounded(value), skipComment(text, at)];
      }
      if (isSpaceCode(text.charCodeAt(at)) && isParamStart(text, at)) break;
      at += 1;
    }
    return [bounded(text.slice(bareStart, at).trim()), at];
  }
  at += 1;
  let value = '';
  let runStart = at;
  while (at < text.length) {
    const c = text.charCodeAt(at);
    if (c === DQUOTE) return [bounded(value + text.slice(runStart, at)), at + 1];
    if (c === BACKSLASH && at + 1 < text.length) {
      value += text.slice(runStart, at);
      runStart = at + 1;
      at += 1;
    }
    at += 1;
  }
  return [bounded(value + text.slice(runStart)), at]; // the closing quote is missing
}

/** Blanks and then a short name and "=": the next parameter, its semicolon forgotten. */
function isParamStart(text: string, blank: number): boolean {
  const start = blank + 1;
  let at = start;
  while (at < text.length && at - start <= 30) {
    const c = text.charCodeAt(at);
    const lower = c | 0x20;
    if (!((lower >= 0x61 && lower <= 0x7a) || (c >= 0x30 && c <= 0x39) || c === 0x2d || c === 0x2a)) break;
    at += 1;
  }
  return at > start && text.charCodeAt(at) === EQUALS;
}

function bounded(value: string): string {
  return value.length > MAIL_LIMITS.parameterBytes ? value.slice(0, MAIL_LIMITS.parameterBytes) : value;
}

/** `name*`, `name*0`, `name*1*`: the number and whether the value is percent-encoded. Null when it is neither. */
function pieceOf(name: string, star: number, value: string): Piece | null {
  const rest = name.slice(star + 1);
  if (rest === '') return { index: 0, isExtended: true, value };
  const isExtended = rest.endsWith('*');
  const digits = isExtended ? rest.slice(0, -1) : rest;
  if (!/^\d{1,3}$/.test(digits)) return null;
  return { index: Number(digits), isExtended, value };
}

/** Puts the pieces in order and decodes them; a gap ends the value (RFC 2231 section 3). */
function join(base: string, pieces: Piece[]): Param {
  pieces.sort((a, b) => a.index - b.index);
  const first = pieces[0]!;
  let charset = '';
  const bytes: Buffer[] = [];
  let length = 0;
  let expected = first.index;
  for (const piece of pieces) {
    if (piece.index < expected) continue; // given twice
    if (piece.index > expected || length > MAIL_LIMITS.parameterBytes) break;
    expected += 1;
    let value = piece.value;
    if (piece === first && piece.isExtended) {
      const language = value.indexOf("'");
      const text = language === -1 ? -1 : value.indexOf("'", language + 1);
      if (text !== -1) {
        charset = value.slice(0, language);
        value = value.slice(text + 1);
      }
    }
    const decoded = piece.isExtended ? percentBytes(value) : Buffer.from(value, 'latin1');
    bytes.push(decoded);
    length += decoded.length;
  }
  const whole = Buffer.concat(bytes);
  const isExtended = pieces.some((piece) => piece.isExtended);
  const text = charset === '' ? decodeUnlabelled(whole) : decodeCharset(whole, charset);
  return [isExtended ? `${base}*` : base, text];
}

function percentBytes(value: string): Buffer {
  const out = Buffer.allocUnsafe(value.length);
  let length = 0;
  for (let i = 0; i < value.length; i += 1) {
    const c = value.charCodeAt(i);
    const high = c === 0x25 ? hexDigit(value.charCodeAt(i + 1)) : -1;
    const low = high >= 0 ? hexDigit(value.charCodeAt(i + 2)) : -1;
    if (low >= 0) {
      out[length++] = high * 16 + low;
      i += 2;
    } else out[length++] = c;
  }
  return out.subarray(0, length);
}

/** Value of a parameter, its extended form first (RFC 2231), or null. `name` in lower case. */
export function findParam(params: readonly Param[], name: string): string | null {
  let plain: string | null = null;
  for (const [key, value] of params) {
    if (key === name) plain ??= value;
    else if (key.length === name.length + 1 && key.startsWith(name)) return value;
  }
  return plain;
}

/** The extended form of a value for ASCII-only places: `utf-8''` and percent encoding (RFC 2231 section 4). */
export function encodeExtended(value: string): string {
  return `utf-8''${encodeURIComponent(value.toWellFormed()).replace(/['()*!]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`;
}
