/** The bytes of messages in FETCH responses: sections as they are stored, BINARY decoded (RFC 3516). */
import { findSection } from '../../mail/part-index.ts';
import { previewText } from '../../mail/preview.ts';
import type { FetchItem, Partial } from '../../wire/imap/fetch.ts';
import { imapString } from '../../wire/imap/format.ts';
import { HEADER_BYTES, type OpenMessage } from './open-message.ts';
import type { Output } from './output.ts';
import { headerFields, sectionSpan, type Span } from './section.ts';

/** Sections up to this size are read whole; larger ones are streamed. */
export const WHOLE_BYTES = 64 * 1024;

type SectionItem = Extract<FetchItem, { kind: 'section' }>;
type BinaryItem = Extract<FetchItem, { kind: 'binary' }>;
type BinarySizeItem = Extract<FetchItem, { kind: 'binarySize' }>;

/** `<start.count>` of a span; past the end it is empty (RFC 9051 section 6.4.5). */
function cut(span: Span, partial: Partial | null): Span {
  if (partial === null) return span;
  const start = Math.min(span.start + partial.start, span.end);
  return { start, end: Math.min(start + partial.count, span.end) };
}

/** Writes `label string`. Small sections of small messages are written without a promise. */
export function sendSection(out: Output, message: OpenMessage, item: SectionItem): void | Promise<void> {
  const found = sectionSpan(message.root, item.section);
  if (found === null) {
    out.write(`${item.label} NIL`);
    return undefined;
  }
  if (item.section.fields.length > 0) {
    const header = message.reader.slice(found.start, Math.min(found.end, found.start + HEADER_BYTES));
    if (header instanceof Promise) return header.then((bytes) => sendFields(out, item, bytes));
    return sendFields(out, item, header);
  }
  const span = cut(found, item.partial);
  const size = span.end - span.start;
  if (size === 0) {
    out.write(`${item.label} ""`);
    return undefined;
  }
  if (size > WHOLE_BYTES) return streamSpan(out, message, item.label, span);
  const bytes = message.reader.slice(span.start, span.end);
  if (bytes instanceof Promise) return bytes.then((read) => sendBytes(out, item.label, read));
  return sendBytes(out, item.label, bytes);
}

function sendBytes(out: Output, label: string, bytes: Uint8Array): void {
  out.write(bytes.length === 0 ? `${label} ""` : `${label} {${bytes.length}}\r\n`);
  out.bytes(withoutNul(bytes));
}

/** What goes in place of NUL, which only a literal8 may have (RFC 9051 section 4.3.1). One octet for one: sizes and offsets stay true. */
const NUL_STAND_IN = 0x80;

/** Puts the stand-in into these bytes themselves. */
export function hideNul(bytes: Uint8Array): void {
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at + 1)) bytes[at] = NUL_STAND_IN;
}

/** The bytes, or a copy when something must be changed: they are the store's. */
function withoutNul(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0)) return bytes;
  const copy = Uint8Array.from(bytes);
  hideNul(copy);
  return copy;
}

function sendFields(out: Output, item: SectionItem, header: Uint8Array): void {
  const fields = headerFields(header, item.section.fields, item.section.text === 'HEADER.FIELDS.NOT');
  const span = cut({ start: 0, end: fields.length }, item.partial);
  sendBytes(out, item.label, fields.subarray(span.start, span.end));
}

async function streamSpan(out: Output, message: OpenMessage, label: string, span: Span): Promise<void> {
  out.write(`${label} {${span.end - span.start}}\r\n`);
  for await (const piece of message.reader.stream(span.start, span.end)) {
    out.bytes(withoutNul(piece));
    if (out.isFull) await out.drain();
  }
}

/** Decoded bytes of a part, piece by piece. */
async function* decoded(message: OpenMessage, path: readonly number[]): AsyncGenerator<Uint8Array> {
  const part = findSection(message.root, path);
  if (part === null) return;
  const decoder = message.decoder(path);
  for await (const piece of message.reader.stream(path.length === 0 ? 0 : part.bodyStart, part.bodyEnd)) yield decoder.push(piece);
  yield decoder.end();
}

async function decodedSize(message: OpenMessage, path: readonly number[]): Promise<number> {
  let size = 0;
  for await (const piece of decoded(message, path)) size += piece.length;
  return size;
}

export async function sendBinarySize(out: Output, message: OpenMessage, item: BinarySizeItem): Promise<void> {
  out.write(`${item.label} ${await decodedSize(message, item.path)}`);
}

/**
 * BINARY[path]: decoded twice, first for the size and to see whether there are NULs (literal8 then), because the whole of a
 * large part is never held.
 */
export async function sendBinary(out: Output, message: OpenMessage, item: BinaryItem): Promise<void> {
  if (findSection(message.root, item.path) === null) {
    out.write(`${item.label} NIL`);
    return;
  }
  let size = 0;
  let hasNul = false;
  for await (const piece of decoded(message, item.path)) {
    size += piece.length;
    hasNul ||= piece.includes(0);
  }
  const { start, end } = cut({ start: 0, end: size }, item.partial);
  if (start === end) {
    out.write(`${item.label} ""`);
    return;
  }
  out.write(`${item.label} ${hasNul ? '~' : ''}{${end - start}}\r\n`);
  let at = 0;
  for await (const piece of decoded(message, item.path)) {
    const from = Math.max(0, start - at);
    const to = Math.min(piece.length, end - at);
    at += piece.length;
    if (from < to) out.bytes(piece.subarray(from, to));
    if (at >= end) break;
    if (out.isFull) await out.drain();
  }
}

/** PREVIEW (RFC 8970): text that is not ASCII goes as a literal, so that it may be UTF-8 for any client. */
export function sendPreview(out: Output, message: OpenMessage): void | Promise<void> {
  const text = previewText((start, end) => message.reader.slice(start, end), message.root);
  if (text instanceof Promise) return text.then((ready) => writePreview(out, ready));
  writePreview(out, text);
  return undefined;
}

function writePreview(out: Output, text: string): void {
  out.write(`PREVIEW ${imapString(Buffer.from(text, 'utf8').toString('latin1'))}`);
}
