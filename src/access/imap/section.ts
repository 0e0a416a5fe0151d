/** Where in a message the bytes of BODY[section] are (RFC 9051 section 6.4.5.1), and the fields of HEADER.FIELDS. */
import { fieldName, scanHeaders } from '../../mail/header.ts';
import { findSection, type PartIndex } from '../../mail/part-index.ts';
import type { Section } from '../../wire/imap/fetch.ts';

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Offsets of a section in the message as the account sees it (prefix included); null when there is no such part: NIL. */
export function sectionSpan(root: PartIndex, section: Section): Span | null {
  const { path, text } = section;
  const part = findSection(root, path);
  if (part === null) return null;
  if (text === 'MIME') return { start: part.headerStart, end: part.bodyStart };
  if (text === 'all') return { start: path.length === 0 ? part.headerStart : part.bodyStart, end: part.bodyEnd };
  // HEADER and TEXT are those of a message: the whole one, or one inside a message/rfc822 part.
  const message = path.length === 0 ? part : part.kind === 'message' ? part.children[0] : undefined;
  if (message === undefined) return null;
  return text === 'TEXT' ? { start: message.bodyStart, end: message.bodyEnd } : { start: message.headerStart, end: message.bodyStart };
}

const CRLF = Buffer.from('\r\n');

/** The fields of a header that are in `names` (lower case), or with `isNot` those that are not, and the blank line if there is one. */
export function headerFields(header: Uint8Array, names: readonly string[], isNot: boolean): Buffer {
  const section = scanHeaders(header);
  const pieces: Uint8Array[] = [];
  const wanted = new Set(names);
  for (const field of section.fields) {
    const isNamed = field.nameEnd > field.nameStart && wanted.has(fieldName(header, field).toLowerCase());
    if (isNamed !== isNot) pieces.push(header.subarray(field.nameStart, field.end));
  }
  // RFC 9051 section 6.4.5.1: the blank line is always there, unless the message has no body and no blank line.
  if (section.isComplete) pieces.push(CRLF);
  return Buffer.concat(pieces);
}
