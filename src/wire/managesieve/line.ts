/** One line of a client: the words in it (RFC 5804 section 4). */
import { ATOM_OCTETS_MAX, NUMBER_MAX, WORDS_MAX } from './limits.ts';

export type Word =
  | { readonly kind: 'atom'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number }
  /** Quoted or literal; the octets as meant. */
  | { readonly kind: 'string'; readonly bytes: Buffer };

/** The words up to the end of the line or the literal it ends with. */
export type LineParsed =
  | { readonly kind: 'words'; readonly words: readonly Word[]; readonly literalOctets: number | null }
  /** One sentence without a full stop. */
  | { readonly kind: 'wrong'; readonly text: string };

const SP = 0x20;
const DQUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const PLUS = 0x2b;

/** ATOM-CHAR, one flag per byte value. */
const ATOM_CHAR = new Uint8Array(256).fill(1, 0x21, 0x7f);
for (const special of '"(){\\') ATOM_CHAR[special.charCodeAt(0)] = 0;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/**
 * Reads `line` (without its line end). `isContinued`: it follows a literal of the same command, so that it is empty or begins with a space.
 * `wordsSoFar` counts the words before it. Linear, never throws.
 */
export function parseLine(line: Buffer, isContinued = false, wordsSoFar = 0): LineParsed {
  const words: Word[] = [];
  // Some clients end a line with a space.
  let end = line.length;
  while (end > 0 && line[end - 1] === SP) end -= 1;
  let at = 0;
  let isFirst = !isContinued;
  while (at < end) {
    if (isFirst) isFirst = false;
    else if (line[at] !== SP) return wrong('Words are parted by a space');
    else at += 1;
    if (wordsSoFar + words.length >= WORDS_MAX) return wrong('Too many arguments');
    const byte = line[at]!;
    if (byte === DQUOTE) {
      const quoted = scanQuoted(line, at, end);
      if (typeof quoted === 'string') return wrong(quoted);
      words.push({ kind: 'string', bytes: quoted.bytes });
      at = quoted.next;
    } else if (byte === OPEN_BRACE) {
      const mark = literalMark(line, end);
      if (mark?.start !== at) return wrong('A literal is announced as {number+} at the end of the line');
      return { kind: 'words', words, literalOctets: mark.octets };
    } else {
      const next = scanAtom(line, at, end);
      if (next === at) return wrong(byte === SP ? 'Words are parted by one space' : 'A word begins with a character that none may begin with');
      if (next - at > ATOM_OCTETS_MAX) return wrong('A word is too long');
      words.push(atomOrNumber(line.toString('latin1', at, next)));
      at = next;
    }
  }
  return { kind: 'words', words, literalOctets: null };
}

/**
 * The literal that the line [0, end) announces at its end, or null. What follows such a line is the literal even when the rest of the line
 * is nonsense: whoever refuses the line must still pass over it. "{n}" is taken for "{n+}", as there is nothing a client could wait for.
 */
export function literalMark(line: Buffer, end = line.length): { readonly start: number; readonly octets: number } | null {
  if (end < 3 || line[end - 1] !== CLOSE_BRACE) return null;
  const last = line[end - 2] === PLUS ? end - 3 : end - 2;
  let at = last;
  while (isDigit(line[at])) at -= 1;
  if (at < 0 || at === last || line[at] !== OPEN_BRACE) return null;
  // Sixteen digits are exact as a number, and more than anybody will be let send.
  const octets = last - at > 16 ? Number.POSITIVE_INFINITY : Number(line.toString('latin1', at + 1, last + 1));
  return { start: at, octets };
}

function wrong(text: string): LineParsed {
  return { kind: 'wrong', text };
}

function scanAtom(line: Buffer, at: number, end: number): number {
  let next = at;
  while (next < end && ATOM_CHAR[line[next]!] === 1) next += 1;
  return next;
}

function atomOrNumber(text: string): Word {
  if (!/^(?:0|[1-9]\d{0,9})$/.test(text)) return { kind: 'atom', text };
  const value = Number(text);
  return value <= NUMBER_MAX ? { kind: 'number', value } : { kind: 'atom', text };
}

/** The quoted string that begins at `at`: its octets and where it ends, or what is wrong with it. */
function scanQuoted(line: Buffer, at: number, end: number): { bytes: Buffer; next: number } | string {
  let next = at + 1;
  let escapes = 0;
  for (; next < end; next += 1) {
    const byte = line[next]!;
    if (byte === DQUOTE) break;
    if (byte === 0) return 'A quoted string may not hold NUL';
    if (byte !== BACKSLASH) continue;
    const escaped = line[next + 1];
    if (escaped !== DQUOTE && escaped !== BACKSLASH) return 'In a quoted string, only a quote and a backslash may follow a backslash';
    escapes += 1;
    next += 1;
  }
  if (next >= end) return 'A quoted string is not closed';
  if (escapes === 0) return { bytes: Buffer.from(line.subarray(at + 1, next)), next: next + 1 };
  const bytes = Buffer.allocUnsafe(next - at - 1 - escapes);
  for (let from = at + 1, to = 0; from < next; from += 1, to += 1) {
    if (line[from] === BACKSLASH) from += 1;
    bytes[to] = line[from]!;
  }
  return { bytes, next: next + 1 };
}
