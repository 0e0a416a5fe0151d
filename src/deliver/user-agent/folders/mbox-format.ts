/** The mbox format as bytes: where messages begin, what their status fields say, and by what they are known again. Pure. */
import { createHash } from 'node:crypto';
import { fromLine, mboxMessage } from '../../agents/mbox.ts';
import { FILES_MAX } from './limits.ts';
import type { Marks } from './types.ts';

const LF = 0x0a;
const FROM_ = Buffer.from('\nFrom ');
const FROM_LINE_MAX = 1000;
/** Of the body, into the digest. */
const DIGEST_BODY_BYTES = 1024;

/** Fields that mail programs keep in an mbox for themselves: they are no part of the message (Dovecot hides the same). */
const STATUS_FIELDS = new Set(['status', 'x-status', 'x-keywords', 'x-uid', 'x-imap', 'x-imapbase', 'content-length', 'lines']);

export interface MboxMessage {
  readonly start: number;
  /** Just past the From_ line. */
  readonly header: number;
  readonly body: number;
  /** Before the blank line that separates it from the next. */
  readonly end: number;
  /** Where the next one begins. */
  readonly next: number;
}

/** "From somebody Thu Nov 20 11:42:00 2026", with anything after the time. */
function isFromLine(line: string): boolean {
  return /^From .*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} +\d{1,2}:\d\d/.test(line);
}

/** null: this is no mbox. */
export function parseMbox(bytes: Buffer): MboxMessage[] | null {
  if (bytes.length === 0) return [];
  const starts: number[] = [];
  let lineStart = 0;
  while (lineStart < bytes.length && bytes[lineStart] === LF) lineStart += 1; // blank lines at the beginning
  for (let at = lineStart; ; ) {
    const end = bytes.indexOf(LF, at);
    const line = bytes.toString('latin1', at, Math.min(end === -1 ? bytes.length : end, at + FROM_LINE_MAX));
    if (isFromLine(line)) starts.push(at);
    else if (starts.length === 0) return null;
    if (starts.length > FILES_MAX) throw new Error(`more than ${FILES_MAX} messages in one mbox`);
    const found = end === -1 ? -1 : bytes.indexOf(FROM_, end);
    if (found === -1) break;
    at = found + 1;
  }
  return starts.map((start, i) => oneMessage(bytes, start, starts[i + 1] ?? bytes.length));
}

export function oneMessage(bytes: Buffer, start: number, next: number): MboxMessage {
  const lineEnd = bytes.indexOf(LF, start);
  const header = lineEnd === -1 || lineEnd >= next ? next : lineEnd + 1;
  let end = next;
  if (end - header >= 2 && bytes[end - 1] === LF && bytes[end - 2] === LF) end -= 1;
  let body = header;
  while (body < next) {
    const lf = bytes.indexOf(LF, body);
    if (lf === -1 || lf >= next) {
      body = next;
      break;
    }
    const isBlank = lf === body || (lf === body + 1 && bytes[body] === 0x0d);
    body = lf + 1;
    if (isBlank) break;
  }
  return { start, header, body: Math.min(body, next), end: Math.max(end, Math.min(body, next)), next };
}

/** The header's fields with their continuation lines: name in lower case and [from, to). */
function* fields(bytes: Buffer, from: number, to: number): Generator<readonly [name: string, from: number, to: number]> {
  let start = from;
  while (start < to) {
    let end = start;
    do {
      const lf = bytes.indexOf(LF, end);
      end = lf === -1 || lf >= to ? to : lf + 1;
    } while (end < to && (bytes[end] === 0x20 || bytes[end] === 0x09));
    const colon = bytes.indexOf(0x3a, start);
    const isField = colon !== -1 && colon < end && colon - start <= 80;
    yield [isField ? bytes.toString('latin1', start, colon).trim().toLowerCase() : '', start, end];
    start = end;
  }
}

export interface MboxFacts {
  readonly marks: Marks;
  /** Of what does not change when mail programs note something in it. */
  readonly digest: string;
  /** A note that programs keep at the beginning of the file, not mail. */
  readonly isInternal: boolean;
  /** Seen by some mail program before ("O"). */
  readonly isOld: boolean;
}

export function factsOf(bytes: Buffer, message: MboxMessage): MboxFacts {
  const hash = createHash('sha256').update(bytes.subarray(message.start, message.header));
  let status = '';
  let xStatus = '';
  let keywords: string[] = [];
  let hasImap = false;
  let isInternalSubject = false;
  for (const [name, from, to] of fields(bytes, message.header, message.body)) {
    if (!STATUS_FIELDS.has(name)) {
      hash.update(bytes.subarray(from, to));
      if (name === 'subject') isInternalSubject = bytes.toString('latin1', from, to).includes("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA");
      continue;
    }
    const value = bytes.toString('utf8', from, Math.min(to, from + 20_000));
    const text = value.slice(value.indexOf(':') + 1).trim();
    if (name === 'status') status = text;
    else if (name === 'x-status') xStatus = text;
    else if (name === 'x-keywords') keywords = text.split(/[\s,]+/).filter((word) => /^[^\s(){%*"\\\]\0-\x1f\x7f-\uffff]{1,200}$/.test(word));
    else if (name === 'x-imap') hasImap = true;
  }
  // Blank lines at the end come and go when others append.
  let bodyEnd = Math.min(message.end, message.body + DIGEST_BODY_BYTES);
  while (bodyEnd > message.body && bytes[bodyEnd - 1] === LF) bodyEnd -= 1;
  hash.update(bytes.subarray(message.body, bodyEnd));
  let letters = '';
  if (xStatus.includes('T')) letters += 'D';
  if (xStatus.includes('F')) letters += 'F';
  if (xStatus.includes('A')) letters += 'R';
  if (status.includes('R')) letters += 'S';
  if (xStatus.includes('D')) letters += 'T';
  const words = [...new Set(keywords)].sort().slice(0, 100);
  return {
    marks: [letters, ...words].join(' ').trimEnd(),
    digest: hash.digest('base64url').slice(0, 27),
    isInternal: hasImap && isInternalSubject,
    isOld: status.includes('O'),
  };
}

/** The message without what mail programs note in it. */
export function contentOf(bytes: Buffer, message: MboxMessage): Buffer {
  const pieces: Uint8Array[] = [];
  for (const [name, from, to] of fields(bytes, message.header, message.body)) if (!STATUS_FIELDS.has(name)) pieces.push(bytes.subarray(from, to));
  pieces.push(bytes.subarray(message.body, message.end));
  return Buffer.concat(pieces);
}

/** The same message with other marks, up to and with the blank line behind it. Fields of others (X-UID, Content-Length) stay. */
export function withMarks(bytes: Buffer, message: MboxMessage, marks: Marks): Buffer {
  const pieces: Uint8Array[] = [bytes.subarray(message.start, message.header)];
  let blank: Uint8Array = Buffer.from('\n');
  for (const [name, from, to] of fields(bytes, message.header, message.body)) {
    if (name === 'status' || name === 'x-status' || name === 'x-keywords') continue;
    const line = bytes.subarray(from, to);
    if (line.length <= 2 && line[line.length - 1] === LF && (line.length === 1 || line[0] === 0x0d)) blank = line;
    else pieces.push(line);
  }
  pieces.push(Buffer.from(statusFields(marks)), blank, bytes.subarray(message.body, message.next));
  return Buffer.concat(pieces);
}

function statusFields(marks: Marks): string {
  const [letters = '', ...words] = marks.split(' ');
  let text = `Status: ${letters.includes('S') ? 'RO' : 'O'}\n`;
  const x = [
    ['R', 'A'],
    ['F', 'F'],
    ['D', 'T'],
    ['T', 'D'],
  ]
    .filter(([letter]) => letters.includes(letter!))
    .map(([, status]) => status)
    .join('');
  if (x !== '') text += `X-Status: ${x}\n`;
  if (words.length > 0) text += `X-Keywords: ${words.join(' ')}\n`;
  return text;
}

/** A message (LF) as it is appended: From_ line, status fields at the end of its header, lines that begin with "From " quoted, a blank line behind. */
export function newMessage(content: Uint8Array, at: number, marks: Marks): Buffer {
  const plain = Buffer.concat(mboxMessage([content], fromLine(senderOf(content), at)));
  return withMarks(plain, oneMessage(plain, 0, plain.length), marks);
}

/** By what a message that is appended so will be known. */
export function digestOf(content: Uint8Array, at: number): string {
  const plain = Buffer.concat(mboxMessage([content], fromLine(senderOf(content), at)));
  return factsOf(plain, oneMessage(plain, 0, plain.length)).digest;
}

/** Messages that are the same byte for byte are counted. */
export function freeName(digest: string, names: ReadonlySet<string>): string {
  let ordinal = 0;
  while (names.has(`${digest}.${ordinal}`)) ordinal += 1;
  return `${digest}.${ordinal}`;
}

/** Return-Path, where the delivery wrote one. */
function senderOf(content: Uint8Array): string | null {
  const start = Buffer.from(content.buffer, content.byteOffset, Math.min(content.length, 400)).toString('latin1');
  return /^Return-Path: *<([^<>\s]{1,320})>/i.exec(start)?.[1] ?? null;
}

/** The time in the From_ line, as local time; null when it cannot be read. */
export function timeOf(bytes: Buffer, message: MboxMessage): number | null {
  const line = bytes.toString('latin1', message.start, Math.min(message.header, message.start + FROM_LINE_MAX));
  const match =
    /(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +(\d{1,2}) +(\d{1,2}):(\d\d)(?::(\d\d))?(?: +[A-Z+-][A-Z0-9]{2,4})?(?: +[A-Z]{3,4})? +(\d{4})/.exec(
      line,
    );
  if (match === null) return null;
  const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.indexOf(match[1]!) / 3;
  const time = new Date(Number(match[6]), month, Number(match[2]), Number(match[3]), Number(match[4]), Number(match[5] ?? 0)).getTime();
  return Number.isFinite(time) ? time : null;
}
