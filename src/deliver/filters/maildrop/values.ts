/**
 * Values of the language: every value is a text of one character per byte; numbers, truth and Unicode are ways to look at it.
 */

/** An empty text and "0" are false. */
export const isTrue = (value: string): boolean => value !== '' && value !== '0';
export const truth = (value: boolean): string => (value ? '1' : '0');

const DECIMAL =
  /^[\t-\r ]*([+-]?)(?:0[xX]([0-9a-fA-F]{1,256}(?:\.[0-9a-fA-F]{0,256})?|\.[0-9a-fA-F]{1,256})|([0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,9})?|\.[0-9]{1,400}(?:[eE][+-]?[0-9]{1,9})?)|(inf)|(nan))/i;

/** The number at the start of a text as C's strtod reads it; 0 where there is none. */
export function toNumber(value: string): number {
  const match = DECIMAL.exec(value.length > 1000 ? value.slice(0, 1000) : value);
  if (match === null) return 0;
  const sign = match[1] === '-' ? -1 : 1;
  if (match[2] !== undefined) {
    const [whole = '', fraction = ''] = match[2].split('.');
    return sign * Number.parseInt(`${whole}${fraction}` || '0', 16) * 16 ** -fraction.length;
  }
  if (match[3] !== undefined) return sign * Number(match[3]);
  return match[4] === undefined ? Number.NaN : sign * Number.POSITIVE_INFINITY;
}

/** Significant digits of a number as text: results of arithmetic show the whole binary fraction, as they do in maildrop. */
const DIGITS = 22;

/** A number as printf's %.22g writes it. */
export function fromNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [mantissa = '', exponentText = '0'] = value.toExponential(DIGITS - 1).split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= DIGITS) {
    const digits = Math.abs(exponent) < 10 ? `0${Math.abs(exponent)}` : String(Math.abs(exponent));
    return `${withoutZeros(mantissa)}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  return Number.isInteger(value) ? String(BigInt(value)) : withoutZeros(value.toFixed(Math.min(100, DIGITS - 1 - exponent)));
}

function withoutZeros(digits: string): string {
  if (!digits.includes('.')) return digits;
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  if (digits[end - 1] === '.') end -= 1;
  return digits.slice(0, end);
}

/** 64 bits for the bitwise operators; what does not fit is 0. */
export function toBits(value: string): bigint {
  const number = Math.trunc(toNumber(value));
  return Number.isFinite(number) && Math.abs(number) <= 2 ** 64 ? BigInt.asUintN(64, BigInt(number)) : 0n;
}

/** As C's atoi reads a text; the low byte is what the system keeps of an exit code. */
export function toExitCode(value: string): number {
  const match = /^[\t-\r ]*([+-]?[0-9]{1,15})/.exec(value.slice(0, 100));
  return match === null ? 0 : Number(match[1]) & 255;
}

/** An octal number, or null. */
export function toUmask(value: string): number | null {
  return /^[0-7]{1,4}$/.test(value) ? Number.parseInt(value, 8) & 0o777 : null;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/** What `echo` and `log` write for a text: with its escapes replaced, and a line end unless the text ends in "\c". */
export function echoed(value: string): string {
  if (!value.includes('\\')) return `${value}\n`;
  let out = '';
  for (let at = 0; at < value.length; at += 1) {
    const c = value[at]!;
    const next = value[at + 1];
    if (c !== '\\' || next === undefined) {
      out += c;
    } else if (next >= '0' && next <= '7') {
      let code = 0;
      for (; value[at + 1] !== undefined && value[at + 1]! >= '0' && value[at + 1]! <= '7'; at += 1) code = (code * 8 + Number(value[at + 1])) & 255;
      out += String.fromCharCode(code);
    } else {
      if (next === 'c' && at + 2 === value.length) return out;
      out += ESCAPES[next] ?? next;
      at += 1;
    }
  }
  return `${out}\n`;
}

/** The characters before which `escape()` puts a backslash. */
const SPECIAL = /[|!$()[\]\\+*?.&;`'\-~<>^{}"]/g;
export const escaped = (value: string): string => value.replace(SPECIAL, '\\$&');

/** ASCII letters only, as the C locale does. */
export const toLower = (value: string): string => value.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
export const toUpper = (value: string): string => value.replace(/[a-z]+/g, (letters) => letters.toUpperCase());

/** Bytes as text of the language, and back. */
export const fromBytes = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
export const toBytes = (value: string): Uint8Array => Buffer.from(value, 'latin1');

const NOT_ASCII = /[^\0-\x7f]/;

/** The Unicode text that the bytes are in UTF-8 (paths, commands, log lines, patterns). */
export function toUnicode(value: string): string {
  return NOT_ASCII.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}
export function fromUnicode(text: string): string {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** "$name" and "${name}" replaced, at most `most` characters. A backslash keeps what follows it from meaning anything, and stays. */
export function substitute(text: string, variables: ReadonlyMap<string, string>, most: number): string {
  let at = nextMeaning(text, 0);
  if (at === -1) return text;
  let out = '';
  let from = 0;
  while (at !== -1 && out.length <= most) {
    if (text[at] === '\\') {
      at = nextMeaning(text, at + 2);
      continue;
    }
    let end = at + 1;
    let name: string;
    if (text[end] === '{') {
      const close = text.indexOf('}', end);
      // Without its brace it stays as it is.
      if (close === -1) break;
      name = text.slice(end + 1, close);
      end = close + 1;
    } else {
      while (end < text.length && isNameCharacter(text.charCodeAt(end))) end += 1;
      name = text.slice(at + 1, end);
    }
    if (end > at + 1) {
      out += text.slice(from, at) + (variables.get(name) ?? '');
      from = end;
    }
    at = nextMeaning(text, end);
  }
  return (out + text.slice(from)).slice(0, most);
}

function nextMeaning(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) if (text[at] === '$' || text[at] === '\\') return at;
  return -1;
}

function isNameCharacter(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || (c >= 0x61 && c <= 0x7a);
}

/** Both texts are ASCII, or their bytes are compared: as C's strcmp either way. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
