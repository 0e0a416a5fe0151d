/** Bytes of a message as the text that tables are asked with, and the other way round. */
import { isAscii, isUtf8 } from 'node:buffer';

/** UTF-8 where it is valid, else one character a byte. */
export function textOf(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
}

/** What a rule made of such a text. Bytes of a line that was not UTF-8 stay what they were. */
export function bytesOf(text: string, line: Buffer): Buffer {
  const isBytewise = !/[^\0-\xff]/.test(text) && !isAscii(line) && !isUtf8(line);
  return Buffer.from(text, isBytewise ? 'latin1' : 'utf8');
}

/** Length of a line without its CRLF or LF. */
export function textLength(line: Buffer): number {
  let length = line.length;
  if (length > 0 && line[length - 1] === 10) {
    length -= 1;
    if (length > 0 && line[length - 1] === 13) length -= 1;
  }
  return length;
}

/**
 * Length of the field name that a line begins with, or 0. Printable ASCII without spaces; blanks may stand before the colon
 * (RFC 5322 section 4.5).
 */
export function fieldNameLength(line: Buffer): number {
  let length = 0;
  while (length < line.length && line[length]! > 32 && line[length]! < 127 && line[length] !== 58) length += 1;
  if (length === 0) return 0;
  let colon = length;
  while (line[colon] === 32 || line[colon] === 9) colon += 1;
  return line[colon] === 58 ? length : 0;
}

/** The same of a text. */
export const isField = (text: string): boolean => /^[!-9;-~]+[ \t]*:/.test(text);
