/** Character sets by label (RFC 2045 charset parameters, RFC 2047 encoded words): bytes to text, never failing. */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { asBuffer } from './header.ts';

/** Labels seen in mail that neither the Encoding standard nor iconv-lite knows. */
const ALIASES = new Map([
  ['utf8', 'utf-8'],
  ['utf-8n', 'utf-8'],
  ['unicode-1-1-utf-8', 'utf-8'],
  ['cp-850', 'cp850'],
  ['cp-1252', 'windows-1252'],
  ['x-mac-roman', 'macroman'],
  ['macintosh', 'macroman'],
  ['x-sjis', 'shift_jis'],
  ['cp932', 'shift_jis'],
  ['windows-31j', 'shift_jis'],
  ['cp949', 'euc-kr'],
  ['ks_c_5601', 'euc-kr'],
  ['cp936', 'gbk'],
  ['x-gbk', 'gbk'],
  ['cp950', 'big5'],
  ['iso-8859-8-i', 'iso-8859-8'],
  ['iso-8859-8-e', 'iso-8859-8'],
  ['unicode-1-1-utf-7', 'utf-7'],
]);
const ASCII_LABELS = new Set(['', 'us-ascii', 'ascii', 'ansi_x3.4-1968', '7bit', '8bit', 'unknown', 'unknown-8bit', 'x-unknown', 'default', 'none', 'utf-8']);

/** Decoders made so far. Only labels that exist get in, so it stays small. */
const decoders = new Map<string, (bytes: Uint8Array) => string>();
const MOST_DECODERS = 200;

/**
 * Text of `bytes` in the charset `label` (any case, quotes and blanks around it allowed). Bytes that do not fit become
 * U+FFFD. A label nobody knows: UTF-8 when the bytes are, else one character per byte.
 */
export function decodeCharset(bytes: Uint8Array, label: string): string {
  if (bytes.length === 0) return '';
  const name = cleanLabel(label);
  if (ASCII_LABELS.has(name)) return decodeUnlabelled(bytes);
  let decode = decoders.get(name);
  if (decode === undefined) {
    decode = decoderFor(name);
    if (decode === undefined) return decodeUnlabelled(bytes);
    if (decoders.size < MOST_DECODERS) decoders.set(name, decode);
  }
  return decode(bytes);
}

/** Is there a table for this label? IMAP SEARCH answers BADCHARSET when not. */
export function isKnownCharset(label: string): boolean {
  const name = cleanLabel(label);
  return name !== '' && (ASCII_LABELS.has(name) || decoders.has(name) || decoderFor(name) !== undefined);
}

/** Text of bytes that carry no (useful) label: UTF-8 when they are valid UTF-8, else windows-1252. */
export function decodeUnlabelled(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  if (isAscii(buffer)) return buffer.toString('latin1');
  return isUtf8(buffer) ? buffer.toString('utf8') : WINDOWS_1252.decode(buffer);
}
const WINDOWS_1252 = new TextDecoder('windows-1252');

function cleanLabel(label: string): string {
  if (label.length > 80) return '';
  const name = label
    .toLowerCase()
    .replace(/^['"\s]+|['"\s]+$/g, '')
    .replace(/^charset=/, '');
  return ALIASES.get(name) ?? name;
}

function decoderFor(name: string): ((bytes: Uint8Array) => string) | undefined {
  // The Encoding standard reads iso-8859-1 as windows-1252, as every mail program does.
  const native = nativeDecoder(name);
  if (native !== undefined) return (bytes) => native.decode(bytes);
  if (!iconv.encodingExists(name)) return undefined;
  return (bytes) => iconv.decode(asBuffer(bytes), name);
}

function nativeDecoder(name: string): TextDecoder | undefined {
  // Both exist natively, but "utf-16" must honour its byte order mark and default to big-endian (RFC 2781 section 4.3).
  if (name === 'utf-16') return undefined;
  try {
    const decoder = new TextDecoder(name, { ignoreBOM: false });
    return decoder.encoding === 'replacement' ? undefined : decoder;
  } catch {
    return undefined; // RangeError: a label the Encoding standard does not have
  }
}
