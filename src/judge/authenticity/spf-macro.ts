/** Macro strings of SPF (RFC 7208 section 7): compiled once, expanded for each check. */

/** A text, or one `%{…}`. */
export type MacroPart = string | Macro;
export interface Macro {
  /** In lower case. */
  readonly letter: string;
  /** Right-hand parts to keep; 0 = all. */
  readonly keep: number;
  readonly isReversed: boolean;
  readonly delimiters: string;
  /** Written in upper case: the value is URL-escaped. */
  readonly isEscaped: boolean;
}
export type MacroString = readonly MacroPart[];

const MACRO = /^%\{([a-z])(\d*)(r?)([.\-+,/_=]*)\}/i;
const KEEP_MOST = 128;

/** Parses a macro-string, or with `isExplanation` an explain-string (spaces, and the letters c, r and t). Null when it is none. */
export function parseMacros(text: string, isExplanation: boolean): MacroString | null {
  const parts: MacroPart[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const c = text.charCodeAt(at);
    if (c !== 0x25) {
      if (c < (isExplanation ? 0x20 : 0x21) || c > 0x7e) return null;
      literal += text[at];
      at += 1;
      continue;
    }
    const plain = PLAIN.get(text[at + 1] ?? '');
    if (plain !== undefined) {
      literal += plain;
      at += 2;
      continue;
    }
    const match = MACRO.exec(text.slice(at, at + 64));
    if (match === null) return null;
    const letter = match[1]!.toLowerCase();
    if (!(isExplanation ? 'slodiphvcrt' : 'slodiphv').includes(letter)) return null;
    const keep = match[2] === '' ? 0 : Number(match[2]);
    if (match[2] !== '' && keep === 0) return null;
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push({
      letter,
      keep: Math.min(keep, KEEP_MOST),
      isReversed: match[3] !== '',
      delimiters: match[4] === '' ? '.' : match[4]!,
      isEscaped: match[1] !== letter,
    });
    at += match[0].length;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}
const PLAIN = new Map([
  ['%', '%'],
  ['_', ' '],
  ['-', '%20'],
]);

/** toplabel: letters, digits and inner hyphens, not all digits. */
const DOMAIN_END = /\.(?!\d+\.?$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?$/i;

/** Parses a domain-spec: a macro-string that ends in a macro or in "." toplabel. Null when it is none. */
export function parseDomainSpec(text: string): MacroString | null {
  const parts = parseMacros(text, false);
  if (parts === null || parts.length === 0) return null;
  const last = parts.at(-1)!;
  if (typeof last !== 'string') return parts;
  // "%%", "%_" and "%-" at the end are macro-expand too, although they stand for a text.
  return DOMAIN_END.test(last) || /%[%_-]$/.test(text) ? parts : null;
}

/** Values by letter; asked only for letters that occur. */
export type MacroValues = (letter: string) => string;

export function expandMacros(parts: MacroString, value: MacroValues): string {
  let out = '';
  for (const part of parts) out += typeof part === 'string' ? part : transform(part, value(part.letter));
  return out;
}

function transform(macro: Macro, value: string): string {
  let text = value;
  if (macro.keep > 0 || macro.isReversed || macro.delimiters !== '.') {
    const pieces = split(value, macro.delimiters);
    if (macro.isReversed) pieces.reverse();
    text = (macro.keep > 0 ? pieces.slice(-macro.keep) : pieces).join('.');
  }
  return macro.isEscaped
    ? text.replace(/[^A-Za-z0-9\-._~]/g, (c) => [...Buffer.from(c)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''))
    : text;
}

function split(value: string, delimiters: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < value.length; at += 1) {
    if (!delimiters.includes(value[at]!)) continue;
    pieces.push(value.slice(start, at));
    start = at + 1;
  }
  pieces.push(value.slice(start));
  return pieces;
}

/** The letters that occur. */
export function macroLetters(parts: MacroString): string {
  let letters = '';
  for (const part of parts) if (typeof part !== 'string') letters += part.letter;
  return letters;
}
