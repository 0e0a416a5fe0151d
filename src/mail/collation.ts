/**
 * Collations: how texts are compared (RFC 4790). A text is prepared once, and prepared texts compare by their octets: "less" is `<` of
 * what `key` gives, "equal" is `===`, "contains" is `includes` of what `fold` gives.
 */

export interface Collation {
  /** As registered (RFC 4790 section 9, RFC 5051). */
  readonly id: string;
  /** A decoded text as it is compared for equality and looked for in others. */
  fold(text: string): string;
  /** A decoded text as a string of one character per octet (UTF-8), which `<` of JavaScript puts in the collation's order. */
  key(text: string): string;
  /** False: equality and order only, so that nothing can be searched by it (RFC 4790 section 4.2.3). */
  readonly hasSubstring: boolean;
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** UTF-8, one character per octet. JavaScript compares UTF-16, which puts what is beyond U+FFFF before U+E000 to U+FFFF. */
function octets(text: string): string {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

const asciiUpper = (text: string): string => (NOT_ASCII.test(text) ? text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : text.toUpperCase());

const BEYOND_ASCII = /[^\x00-\x7f]/gu;

/**
 * The titlecase property of UnicodeData.txt for one character. It is the upper case, but where that is several characters (those have
 * no simple mapping, or one of Greek with an iota below), of the letters that are two in one, and of Georgian.
 */
function titlecase(character: string): string {
  const code = character.codePointAt(0)!;
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCharCode(0x1c5 + 3 * Math.floor((code - 0x1c4) / 3));
  if (code >= 0x1f1 && code <= 0x1f3) return '\u01f2';
  if (code >= 0x10d0 && code <= 0x10ff) return character;
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCharCode(code | 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCharCode(code + 9);
  const upper = character.toUpperCase();
  return upper.length === character.length ? upper : character;
}

/**
 * "Titlecased canonicalized" (RFC 5051 section 2): each character's titlecase, then decomposed. Not what `foldForSearch` does, whose
 * results are for looking for texts in texts: it must not tell a letter by its neighbours, this one must order as the RFC says.
 */
function unicodeCasemap(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toUpperCase();
  return asciiUpper(text).replace(BEYOND_ASCII, titlecase).normalize('NFKD');
}

/** Digits that an i;ascii-numeric key holds; a longer number counts as the largest of that length. */
const NUMERIC_DIGITS_MAX = 9999;

/** The number at the start: its length, then its digits. What begins with no digit is more than every number (RFC 4790 section 9.1.1). */
function numericKey(text: string): string {
  let from = 0;
  while (text.charCodeAt(from) === 0x30) from += 1;
  let to = from;
  while (text.charCodeAt(to) >= 0x30 && text.charCodeAt(to) <= 0x39) to += 1;
  if (to === 0) return 'x';
  const digits = to - from <= NUMERIC_DIGITS_MAX ? text.slice(from, to) : '9'.repeat(NUMERIC_DIGITS_MAX);
  return String(digits.length).padStart(4, '0') + digits;
}

export const UNICODE_CASEMAP: Collation = {
  id: 'i;unicode-casemap',
  fold: unicodeCasemap,
  key: (text) => octets(unicodeCasemap(text)),
  hasSubstring: true,
};

const ASCII_CASEMAP: Collation = { id: 'i;ascii-casemap', fold: asciiUpper, key: (text) => octets(asciiUpper(text)), hasSubstring: true };

export const OCTET: Collation = { id: 'i;octet', fold: (text) => text, key: octets, hasSubstring: true };

/** Not for IMAP, which needs all three operations (RFC 5255 section 4.4). */
export const ASCII_NUMERIC: Collation = { id: 'i;ascii-numeric', fold: numericKey, key: numericKey, hasSubstring: false };

/** Those that IMAP may use, the most widely useful first. */
export const COLLATIONS: readonly Collation[] = [UNICODE_CASEMAP, ASCII_CASEMAP, OCTET];

/** What a client asks for may be this long (RFC 4790 section 3.2). */
const WILDCARD_LENGTH_MAX = 254;

/** Of `among`, those that match a collation-order: an id with "*" as wildcard, "+" before it. Ids compare without regard to case. */
export function matchingCollations(pattern: string, among: readonly Collation[] = COLLATIONS): Collation[] {
  if (pattern.length > WILDCARD_LENGTH_MAX || pattern.includes('**')) return [];
  const pieces = (pattern.startsWith('+') ? pattern.slice(1) : pattern).toLowerCase().split('*');
  return among.filter(({ id }) => matches(id, pieces));
}

/** Do the pieces stand in `id` in this order, the first at its start and the last at its end? Linear: each is taken where it first stands. */
function matches(id: string, pieces: readonly string[]): boolean {
  if (pieces.length === 1) return id === pieces[0];
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  if (!id.startsWith(first) || !id.endsWith(last) || id.length < first.length + last.length) return false;
  let at = first.length;
  const end = id.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = id.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
