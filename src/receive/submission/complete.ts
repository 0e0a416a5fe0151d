/** What a message submission agent adds to and takes from a header (RFC 6409 section 8). Bytes to bytes. */
import { formatAddress } from '../../mail/address.ts';
import { parseAddressList } from '../../mail/address-list.ts';
import { formatDate } from '../../mail/date.ts';
import { asBuffer, type HeaderField, isField, scanHeaders } from '../../mail/header.ts';
import type { Milliseconds } from '../../ports.ts';
import { zoneMinutes } from '../smtp/received.ts';

export interface Completion {
  readonly at: Milliseconds;
  /** With angle brackets; for messages without Message-ID. */
  readonly messageId: string;
  /** For messages without From: a mailbox with or without display name, encoded already. */
  readonly from: string;
  /** Bcc and Resent-Bcc are for the sender only (RFC 5322 section 3.6.3). */
  readonly dropsBcc: boolean;
}

const CRLF = Buffer.from('\r\n');

/**
 * `input` begins with the header, whole, and may go on with the body. Answers the same with Date, Message-ID and From where they were
 * missing (Resent- forms of these are left alone). A line that is no field ends the header; a blank line is put before it.
 * An mbox "From " line at the start is dropped.
 */
export function completeHeader(input: Uint8Array, completion: Completion): Buffer {
  const bytes = asBuffer(input);
  const section = scanHeaders(bytes);
  const pieces: Buffer[] = [];
  let hasDate = false;
  let hasMessageId = false;
  let hasFrom = false;
  let end = 0; // of what was taken so far
  let stop: HeaderField | null = null;
  for (const [index, field] of section.fields.entries()) {
    if (field.nameEnd === field.nameStart) {
      if (index === 0 && isMboxFrom(bytes, field)) {
        end = field.end;
        continue;
      }
      stop = field;
      break;
    }
    hasDate ||= isField(bytes, field, 'date');
    hasMessageId ||= isField(bytes, field, 'message-id');
    hasFrom ||= isField(bytes, field, 'from');
    if (!completion.dropsBcc || !(isField(bytes, field, 'bcc') || isField(bytes, field, 'resent-bcc'))) pieces.push(bytes.subarray(field.nameStart, field.end));
    end = field.end;
  }
  let added = '';
  if (!hasFrom) added += `From: ${completion.from}\r\n`;
  if (!hasDate) added += `Date: ${formatDate(completion.at, zoneMinutes(completion.at))}\r\n`;
  if (!hasMessageId) added += `Message-ID: ${completion.messageId}\r\n`;
  if (added !== '') pieces.unshift(Buffer.from(added, 'utf8'));
  const needsBlankLine = stop !== null || !section.isComplete;
  // A header without a final line end (the message was nothing but that) gets one.
  if (needsBlankLine && pieces.length > 0 && pieces.at(-1)!.at(-1) !== 10) pieces.push(CRLF);
  if (needsBlankLine) pieces.push(CRLF);
  pieces.push(bytes.subarray(stop === null ? end : stop.nameStart));
  return Buffer.concat(pieces);
}

/** The mailboxes of all From fields, as "local@domain" (UTF-8), at most as many as the address parser takes. */
export function fromMailboxes(header: Uint8Array): string[] {
  return mailboxesOf(header, ['from']);
}

/** The mailboxes of all fields with one of these names (lower case). */
export function mailboxesOf(header: Uint8Array, names: readonly string[]): string[] {
  const found: string[] = [];
  for (const field of scanHeaders(header).fields) {
    if (!names.some((name) => isField(header, field, name))) continue;
    for (const item of parseAddressList(header.subarray(field.valueStart, field.valueEnd))) {
      if (item.kind === 'mailbox') found.push(formatAddress({ local: utf8(item.local), domain: utf8(item.domain) }));
    }
  }
  return found;
}

/** The mail room reads headers as latin1, a character for each byte. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function isMboxFrom(bytes: Buffer, field: HeaderField): boolean {
  return (
    bytes.toString('latin1', field.nameStart, field.nameStart + 5) === 'From ' || bytes.toString('latin1', field.nameStart, field.nameStart + 6) === '>From '
  );
}
