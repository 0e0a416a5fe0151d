/** Building blocks of the mail we write ourselves: header fields, text bodies, boundaries. */
import type { Address } from '../ports.ts';
import { formatAddress } from './address.ts';
import { encodeWords } from './encoded-word.ts';
import { foldHeader } from './header.ts';
import { QuotedPrintableEncoder } from './transfer.ts';

/** A field of text for people: encoded words where needed, folded, with CRLF. */
export function textField(name: string, text: string, utf8 = false): string {
  return foldHeader(name, utf8 ? text.toWellFormed() : encodeWords(text));
}

/** `Name <local@domain>` with the name as atoms, quoted string or encoded words (RFC 5322 section 3.4). */
export function formatMailbox(name: string | null, address: Address, utf8 = false): string {
  const angle = `<${formatAddress(address)}>`;
  if (name === null || name === '') return angle;
  if (!utf8 && /[^\x20-\x7e]/.test(name)) return `${encodeWords(name)} ${angle}`;
  const clean = name.replace(/[\0-\x1f\x7f]+/g, ' ');
  return /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]+$/.test(clean) ? `${clean} ${angle}` : `"${clean.replace(/["\\]/g, '\\$&')}" ${angle}`;
}

/** A text body ready to send: lines with CRLF, and the encoding it is in. */
export function textBody(text: string): { charset: 'us-ascii' | 'utf-8'; encoding: '7bit' | 'quoted-printable'; body: string } {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n');
  if (!/[^\x00-\x7f]/.test(lines) && !/[^\n]{999}/.test(lines)) return { charset: 'us-ascii', encoding: '7bit', body: lines };
  const encoder = new QuotedPrintableEncoder();
  const body = Buffer.concat([encoder.push(Buffer.from(lines)), encoder.end()]).toString('latin1');
  return { charset: 'utf-8', encoding: 'quoted-printable', body };
}

/**
 * A boundary that occurs in none of `contents`. "=_" can stand neither in quoted-printable nor in base64 (RFC 2045 section 6.7);
 * `id` should be one that nobody could know before, for contents that are not at hand.
 */
export function boundaryFor(id: string, contents: readonly (Uint8Array | string)[]): string {
  const clean = id.replace(/[^A-Za-z0-9]/g, '').slice(0, 40);
  for (let n = 0; ; n += 1) {
    const boundary = `=_${clean}_${n}`;
    if (
      !contents.some((content) =>
        (typeof content === 'string' ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength)).includes(boundary),
      )
    )
      return boundary;
  }
}

/** Breaks text into lines of at most `width` characters at spaces; `indent` goes before each. Longer words stay whole. */
export function wrapText(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (word === '') continue;
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(indent + line);
  return lines.join('\r\n');
}
