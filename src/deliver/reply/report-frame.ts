/** A multipart/report (RFC 6522) of our own making in one piece: words, fields for programs, the header it is about. */
import { formatAddress } from '../../mail/address.ts';
import { boundaryFor, formatMailbox, textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import { textEntity } from './compose-text.ts';
import { REPLY_LIMITS } from './limits.ts';

export interface ReportInput {
  readonly id: string;
  readonly at: number;
  readonly hostname: string;
  readonly from: { readonly name: string | null; readonly address: Address };
  readonly to: Address;
  readonly subject: string;
  /** The value of Auto-Submitted. */
  readonly autoSubmitted: string;
  /** In-Reply-To and References, with CRLF. */
  readonly thread: string;
  readonly text: string;
  readonly type: 'delivery-status' | 'disposition-notification';
  /** Fields of the second part, with CRLF, groups separated by blank lines. */
  readonly fields: string;
  /** Null: the report has two parts. */
  readonly originalHeader: Uint8Array | null;
}

export function composeReport(input: ReportInput): Buffer {
  const original = input.originalHeader === null ? null : boundedHeader(input.originalHeader);
  const text = textEntity(input.text).subarray('MIME-Version: 1.0\r\n'.length);
  const boundary = boundaryFor(input.id, original === null ? [text] : [text, original]);
  const has8bit = original?.some((byte) => byte > 127) ?? false;
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', formatMailbox(input.from.name, input.from.address)) +
    foldHeader('To', formatAddress(input.to)) +
    textField('Subject', input.subject) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    input.thread +
    `Auto-Submitted: ${input.autoSubmitted}\r\n` +
    'MIME-Version: 1.0\r\n' +
    `Content-Type: multipart/report; report-type=${input.type};\r\n boundary="${boundary}"\r\n` +
    (has8bit ? 'Content-Transfer-Encoding: 8bit\r\n' : '') +
    '\r\nThis is a report in MIME format.\r\n\r\n';
  const parts = [
    Buffer.from(`${head}--${boundary}\r\n`),
    text,
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: message/${input.type}\r\n\r\n${input.fields}\r\n`),
  ];
  if (original !== null)
    parts.push(
      Buffer.from(`--${boundary}\r\nContent-Type: text/rfc822-headers\r\n${has8bit ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}\r\n`),
      original,
      Buffer.from('\r\n'),
    );
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(parts);
}

/** Whole lines of the header up to the bound, CRLF, none too long. */
function boundedHeader(header: Uint8Array): Buffer {
  let text = Buffer.from(header)
    .toString('latin1')
    .replace(/\r\n|\r|\n/g, '\r\n');
  if (text.length > REPLY_LIMITS.headerBytes) text = text.slice(0, text.lastIndexOf('\r\n', REPLY_LIMITS.headerBytes) + 2);
  text = text.replace(/[^\r\n]{990}(?=[^\r\n])/g, '$&\r\n ').replace(/(\r\n)+$/, '\r\n');
  return Buffer.from(text, 'latin1');
}
