/** Parts that all automatic mail shares: threading fields, and text or a MIME entity as a body that any server takes. */
import { textBody } from '../../mail/compose.ts';
import { fieldName, foldHeader, scanHeaders } from '../../mail/header.ts';
import { QuotedPrintableEncoder } from '../../mail/transfer.ts';
import type { HeaderFacts } from './header-facts.ts';
import { REPLY_LIMITS } from './limits.ts';

/** In-Reply-To and References of an answer (RFC 5322 section 3.6.4); empty when the message has no Message-ID. */
export function threadFields({ messageId, references }: HeaderFacts): string {
  if (messageId === null) return '';
  const kept: string[] = [messageId];
  let bytes = messageId.length;
  for (let i = references.length - 1; i >= 0; i -= 1) {
    bytes += references[i]!.length + 1;
    if (bytes > REPLY_LIMITS.referencesBytes) break;
    kept.push(references[i]!);
  }
  return foldHeader('In-Reply-To', messageId) + foldHeader('References', kept.reverse().join(' '));
}

/** Text cut to its bound at a character. */
export function boundedText(text: string): string {
  const clean = text.toWellFormed().replaceAll('\0', '');
  if (Buffer.byteLength(clean) <= REPLY_LIMITS.textBytes) return clean;
  return Buffer.from(clean)
    .subarray(0, REPLY_LIMITS.textBytes)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
}

/** MIME-Version, Content-* fields, blank line and body of plain text. */
export function textEntity(text: string): Buffer {
  const { charset, encoding, body } = textBody(boundedText(text));
  const end = body.endsWith('\r\n') ? '' : '\r\n';
  return Buffer.from(
    `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}${end}`,
    'latin1',
  );
}

const LINE_MOST = 998;

/**
 * A MIME entity as a script gives it (RFC 5230 section 4.4): its Content-* fields and no others, so that no recipient or trace is
 * smuggled in; lines in CRLF and never too long. Text without any such field is plain text.
 */
export function mimeEntity(entity: string): Buffer {
  const bytes = Buffer.from(boundedText(entity).replace(/\r\n|\r|\n/g, '\r\n'));
  const section = scanHeaders(bytes);
  const kept: string[] = [];
  let encoding = '';
  let type = '';
  for (const field of section.fields) {
    if (field.nameEnd === field.nameStart) {
      // A line that is no field before any that is one: there is no header at all.
      if (kept.length === 0) return textEntity(entity);
      continue;
    }
    const name = fieldName(bytes, field);
    if (!/^content-/i.test(name)) continue;
    const value = bytes
      .toString('utf8', field.valueStart, field.valueEnd)
      .replace(/\r\n/g, '')
      .trim()
      .replace(/[^\x09\x20-\x7e]/g, '?');
    if (/^content-transfer-encoding$/i.test(name)) {
      encoding = value.toLowerCase();
      continue;
    }
    if (/^content-type$/i.test(name)) type = value.toLowerCase();
    kept.push(foldHeader(name, value));
  }
  if (kept.length === 0 && encoding === '') return textEntity(entity);
  let body: Buffer = bytes.subarray(section.end);
  const isMultipart = type.startsWith('multipart/') || type.startsWith('message/');
  const has8bit = body.some((byte) => byte > 127);
  const isLong = hasLongLine(body);
  if ((has8bit || isLong) && (encoding === '' || encoding === '7bit' || encoding === '8bit')) {
    if (isMultipart) {
      encoding = has8bit ? '8bit' : '7bit';
      if (isLong) body = cutLines(body);
    } else {
      const encoder = new QuotedPrintableEncoder();
      body = Buffer.concat([encoder.push(body), encoder.end()]);
      encoding = 'quoted-printable';
    }
  } else if (isLong) body = cutLines(body);
  const head = `MIME-Version: 1.0\r\n${kept.join('')}${encoding === '' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`}\r\n`;
  const isEnded = body.length > 1 && body[body.length - 1] === 10;
  return Buffer.concat([Buffer.from(head), body, Buffer.from(isEnded ? '' : '\r\n')]);
}

function hasLongLine(body: Uint8Array): boolean {
  let start = 0;
  while (start < body.length) {
    const lf = body.indexOf(10, start);
    const end = lf === -1 ? body.length : lf - 1;
    if (end - start > LINE_MOST) return true;
    if (lf === -1) return false;
    start = lf + 1;
  }
  return false;
}

function cutLines(body: Buffer): Buffer {
  return Buffer.from(body.toString('latin1').replace(/[^\r\n]{990}(?=[^\r\n])/g, '$&\r\n'), 'latin1');
}
