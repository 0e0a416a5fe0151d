/** IMAP ENVELOPE of a message header (RFC 9051 section 7.5.2), and the other facts a digest keeps of it. */
import { toASCII } from 'tr46';
import { type AddressItem, parseAddressList } from './address-list.ts';
import { decodeUnlabelled } from './charset.ts';
import { parseDate } from './date.ts';
import { byLength, lookUp } from './field-table.ts';
import { fieldValue, type HeaderField } from './header.ts';
import { asciiText, imapString, imapText } from './imap-string.ts';
import { MAIL_LIMITS } from './limits.ts';

/** The header fields of one message that somebody asks for, as found: first of each name, unfolded, one character per byte. */
export interface MessageHeader {
  date: string | null;
  subject: string | null;
  from: string | null;
  sender: string | null;
  replyTo: string | null;
  to: string | null;
  cc: string | null;
  bcc: string | null;
  inReplyTo: string | null;
  messageId: string | null;
  receivedCount: number;
  deliveredTo: string[];
}

export function emptyHeader(): MessageHeader {
  return {
    date: null,
    subject: null,
    from: null,
    sender: null,
    replyTo: null,
    to: null,
    cc: null,
    bcc: null,
    inReplyTo: null,
    messageId: null,
    receivedCount: 0,
    deliveredTo: [],
  };
}

type TextKey = Exclude<keyof MessageHeader, 'receivedCount' | 'deliveredTo'>;

/** By length of the name, then by name: most fields are told apart by their length alone. */
const KEYS: ReadonlyArray<readonly [name: string, key: TextKey | 'received' | 'deliveredTo'][]> = byLength([
  ['date', 'date'],
  ['subject', 'subject'],
  ['from', 'from'],
  ['sender', 'sender'],
  ['reply-to', 'replyTo'],
  ['to', 'to'],
  ['cc', 'cc'],
  ['bcc', 'bcc'],
  ['in-reply-to', 'inReplyTo'],
  ['message-id', 'messageId'],
  ['received', 'received'],
  ['delivered-to', 'deliveredTo'],
]);

/** Reads one field into `header`. Of fields given twice the first counts, but lists of recipients are joined. */
export function readMessageField(header: MessageHeader, bytes: Uint8Array, field: HeaderField): void {
  const key = lookUp(KEYS, bytes, field);
  if (key === null) return;
  if (key === 'received') {
    header.receivedCount += 1;
  } else if (key === 'deliveredTo') {
    if (header.deliveredTo.length < MAIL_LIMITS.deliveredTo) header.deliveredTo.push(fieldValue(bytes, field, 1000));
  } else if (header[key] === null) {
    header[key] = fieldValue(bytes, field);
  } else if (key === 'to' || key === 'cc' || key === 'bcc') {
    const more = fieldValue(bytes, field);
    if (more !== '') header[key] = header[key] === '' ? more : `${header[key]}, ${more}`;
  }
}

/** The envelope in parentheses, ASCII. */
export function envelopeOf(header: MessageHeader): string {
  const from = addressList(header.from);
  const sender = addressList(header.sender);
  const replyTo = addressList(header.replyTo);
  return (
    `(${imapText(header.date)} ${imapText(header.subject)} ${from} ${sender === 'NIL' ? from : sender} ${replyTo === 'NIL' ? from : replyTo} ` +
    `${addressList(header.to)} ${addressList(header.cc)} ${addressList(header.bcc)} ${imapText(header.inReplyTo)} ${imapText(header.messageId)})`
  );
}

/** A field's addresses in IMAP form; NIL for none. Anything past the limits is left out. */
export function addressList(value: string | null): string {
  if (value === null || value === '') return 'NIL';
  const items = parseAddressList(value);
  if (items.length === 0) return 'NIL';
  let out = '(';
  for (const item of items) out += addressItem(item);
  return `${out})`;
}

function addressItem(item: AddressItem): string {
  if (item.kind === 'group') return `(NIL NIL ${imapText(item.name)} NIL)`;
  if (item.kind === 'groupEnd') return '(NIL NIL NIL NIL)';
  // An empty host, never NIL: that would start a group.
  return `(${imapText(item.name)} ${imapText(item.route)} ${imapText(item.local)} ${imapString(asciiDomain(item.domain))})`;
}

function asciiDomain(raw: string): string {
  if (!/[^\x00-\x7f]/.test(raw)) return raw;
  const ascii = toASCII(decodeUnlabelled(Buffer.from(raw, 'latin1')));
  return ascii === null || /[^\x00-\x7f]/.test(ascii) ? asciiText(raw) : ascii;
}

/** Message-ID with its angle brackets, from a field that may hold comments or garbage around it; null when there is none. */
export function messageIdOf(value: string | null): string | null {
  if (value === null) return null;
  const start = value.indexOf('<');
  const end = start === -1 ? -1 : value.indexOf('>', start);
  const id = end === -1 ? value.trim() : value.slice(start, end + 1);
  if (id === '' || id.length > MAIL_LIMITS.messageIdBytes || /[^\x21-\x7e]/.test(id)) return null;
  return end === -1 ? `<${id}>` : id;
}

/** Date field in Unix milliseconds, or null. */
export function sentAtOf(header: MessageHeader): number | null {
  return header.date === null ? null : parseDate(header.date);
}
