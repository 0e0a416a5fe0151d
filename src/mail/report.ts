/**
 * Delivery status notifications (RFC 3461, RFC 3464; RFC 6533 for internationalised mail): what we write to a sender when a
 * message failed, waits, or arrived. Three parts: words for people, fields for programs, the message or its header.
 */
import type { Address } from '../ports.ts';
import { formatAddress, needsUtf8 } from './address.ts';
import { boundaryFor, formatMailbox, textBody, textField } from './compose.ts';
import { formatDate } from './date.ts';
import { foldHeader } from './header.ts';
import type { DsnAction, DsnInput } from './report.types.ts';
import { reportSubject, reportText } from './report-text.ts';

export type { DsnAction, DsnInput, DsnRecipient } from './report.types.ts';

/** The report without its copy of the message: `head`, then the message (or its header), then `tail`. */
export interface DsnFrame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** The report around the message: for callers that stream the message between. */
export function dsnFrame(input: DsnInput): DsnFrame {
  const boundary = boundaryFor(input.id, [input.originalHeader]);
  const { reportingMta: host } = input;
  const from = input.from ?? { local: 'MAILER-DAEMON', domain: host };
  const text = textBody(reportText(input));
  const { utf8 } = input;
  const original = input.isFull ? (utf8 ? 'message/global' : 'message/rfc822') : utf8 ? 'message/global-headers' : 'text/rfc822-headers';
  const status = statusFields(input);
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', formatMailbox('Mail Delivery System', from, utf8)) +
    foldHeader('To', formatAddress(input.to)) +
    textField('Subject', reportSubject(input), utf8) +
    foldHeader('Message-ID', `<${input.id}@${host}>`) +
    'Auto-Submitted: auto-replied\r\n' +
    'MIME-Version: 1.0\r\n' +
    `Content-Type: multipart/report; report-type=${utf8 ? 'global-delivery-status' : 'delivery-status'};\r\n` +
    ` boundary="${boundary}"\r\n` +
    // RFC 2045 section 6.4: what holds for a part holds for the whole.
    (input.has8bit || /[^\x00-\x7f]/.test(status) ? 'Content-Transfer-Encoding: 8bit\r\n' : '') +
    '\r\n' +
    'This is a delivery report in MIME format.\r\n' +
    '\r\n' +
    `--${boundary}\r\n` +
    'Content-Description: Notification\r\n' +
    `Content-Type: text/plain; charset=${text.charset}\r\n` +
    `Content-Transfer-Encoding: ${text.encoding}\r\n` +
    '\r\n' +
    `${text.body}\r\n` +
    `--${boundary}\r\n` +
    'Content-Description: Delivery report\r\n' +
    `Content-Type: message/${utf8 ? 'global-delivery-status' : 'delivery-status'}\r\n` +
    (/[^\x00-\x7f]/.test(status) ? 'Content-Transfer-Encoding: 8bit\r\n' : '') +
    '\r\n' +
    `${status}\r\n` +
    `--${boundary}\r\n` +
    `Content-Description: ${input.isFull ? 'Message' : 'Message headers'}\r\n` +
    `Content-Type: ${original}\r\n` +
    (input.has8bit ? 'Content-Transfer-Encoding: 8bit\r\n' : '') +
    '\r\n';
  return { head: Buffer.from(head), tail: Buffer.from(`\r\n--${boundary}--\r\n`) };
}

/**
 * The whole report in pieces. `message` gives the original when `isFull`; otherwise its header is taken from the input.
 * The report goes out with the null reverse-path and NOTIFY=NEVER (RFC 3461 section 6).
 */
export async function* composeDsn(input: DsnInput, message: AsyncIterable<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  const isFull = input.isFull && message !== null;
  const { head, tail } = dsnFrame({ ...input, isFull });
  yield head;
  if (isFull) yield* message;
  else yield input.originalHeader;
  yield tail;
}

/** The fields of message/delivery-status (RFC 3464 section 2): of the message, then of each recipient, blank lines between. */
function statusFields(input: DsnInput): string {
  const { utf8 } = input;
  let out = '';
  if (input.envid !== null) out += foldHeader('Original-Envelope-Id', asciiOnly(input.envid));
  out += foldHeader('Reporting-MTA', `dns; ${input.reportingMta}`);
  if (input.arrivalAt !== null) out += foldHeader('Arrival-Date', formatDate(input.arrivalAt));
  for (const recipient of input.recipients) {
    out += '\r\n';
    if (recipient.orcpt !== null) out += foldHeader('Original-Recipient', originalRecipient(recipient.orcpt, utf8));
    out += foldHeader('Final-Recipient', finalRecipient(recipient.address, utf8));
    out += foldHeader('Action', recipient.action);
    out += foldHeader('Status', /^[245]\.\d{1,3}\.\d{1,3}$/.test(recipient.status) ? recipient.status : defaultStatus(recipient.action));
    if (recipient.remoteMta !== null) out += foldHeader('Remote-MTA', `dns; ${asciiOnly(recipient.remoteMta)}`);
    if (recipient.reply !== null) {
      const type = recipient.remoteMta === null ? 'X-Posthorn' : 'smtp';
      out += foldHeader('Diagnostic-Code', `${type}; ${asciiOnly(oneLine(recipient.reply))}`);
    }
    if (recipient.lastAttemptAt !== null) out += foldHeader('Last-Attempt-Date', formatDate(recipient.lastAttemptAt));
    if (recipient.willRetryUntil !== null && recipient.action === 'delayed') out += foldHeader('Will-Retry-Until', formatDate(recipient.willRetryUntil));
  }
  return out;
}

function defaultStatus(action: DsnAction): string {
  return action === 'failed' ? '5.0.0' : action === 'delayed' ? '4.0.0' : '2.0.0';
}

function finalRecipient(address: Address, utf8: boolean): string {
  const text = formatAddress(address);
  if (!needsUtf8(address)) return `rfc822; ${text}`;
  return `utf-8; ${utf8 ? text : unitext(text)}`;
}

/** "type;address" with non-ASCII in the 7-bit form where the report must be ASCII (RFC 6533 section 3). */
function originalRecipient(orcpt: string, utf8: boolean): string {
  const semicolon = orcpt.indexOf(';');
  const type = semicolon === -1 ? 'rfc822' : orcpt.slice(0, semicolon);
  const address = orcpt.slice(semicolon + 1);
  return `${type}; ${utf8 || !/[^\x00-\x7f]/.test(address) ? address : unitext(address)}`;
}

/** utf-8-addr-xtext: each character that is not plain as `\x{HEX}` (RFC 6533 section 3). */
export function unitext(text: string): string {
  let out = '';
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0)!;
    out += code <= 0x20 || code >= 0x7f || character === '\\' || character === '+' || character === '=' ? `\\x{${code.toString(16).toUpperCase()}}` : character;
  }
  return out;
}

function asciiOnly(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, REPLY_CHARACTERS);
}

/** A remote server's words: enough to understand, not enough to fill a mailbox. */
const REPLY_CHARACTERS = 2000;

function oneLine(text: string): string {
  return text.slice(0, REPLY_CHARACTERS).replace(/\s+/g, ' ').trim();
}
