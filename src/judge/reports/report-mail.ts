/** The mail that carries an aggregate report (RFC 7489 section 7.2.1.1). Pure. */
import { formatAddress } from '../../mail/address.ts';
import { boundaryFor, textBody, textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import { Base64Encoder } from '../../mail/transfer.ts';
import type { Address, MessageId } from '../../ports.ts';
import type { BuiltReport } from './aggregate-write.ts';

export interface ReportMailInput {
  readonly id: MessageId;
  /** Milliseconds. */
  readonly at: number;
  readonly hostname: string;
  readonly from: Address;
  readonly to: Address;
  readonly domain: string;
  readonly receiver: string;
  readonly report: BuiltReport;
  readonly gzip: Uint8Array;
}

export function composeReportMail(input: ReportMailInput): Uint8Array {
  const { report, domain, receiver } = input;
  const boundary = boundaryFor(input.id, []);
  const text = textBody(
    `This is an aggregate report for ${domain}, made by ${receiver} for the day that began at ${new Date(Number(report.reportId.split('.')[0]) * 1000).toISOString().slice(0, 10)} 00:00 UTC.\n` +
      'It is meant for programs; the DMARC record of the domain asks for it (rua=).\n',
  );
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', formatAddress(input.from)) +
    foldHeader('To', formatAddress(input.to)) +
    textField('Subject', `Report Domain: ${domain} Submitter: ${receiver} Report-ID: <${report.reportId}>`) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    'Auto-Submitted: auto-generated\r\n' +
    'MIME-Version: 1.0\r\n' +
    `Content-Type: multipart/mixed;\r\n boundary="${boundary}"\r\n` +
    '\r\n' +
    `--${boundary}\r\n` +
    `Content-Type: text/plain; charset=${text.charset}\r\n` +
    `Content-Transfer-Encoding: ${text.encoding}\r\n` +
    '\r\n' +
    `${text.body}\r\n` +
    `--${boundary}\r\n` +
    `Content-Type: application/gzip;\r\n name="${report.fileName}"\r\n` +
    `Content-Disposition: attachment;\r\n filename="${report.fileName}"\r\n` +
    'Content-Transfer-Encoding: base64\r\n' +
    '\r\n';
  const encoder = new Base64Encoder();
  return Buffer.concat([Buffer.from(head), encoder.push(input.gzip), encoder.end(), Buffer.from(`\r\n--${boundary}--\r\n`)]);
}
