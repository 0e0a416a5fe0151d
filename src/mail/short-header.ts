/**
 * A header without the fields that are long and that lists of messages never show: traces, signatures, what servers tell each
 * other. What is left answers a question for any other field exactly as the whole header would.
 */
import { asBuffer, fieldName, scanHeaders } from './header.ts';

const LEFT_OUT: ReadonlySet<string> = new Set([
  'received',
  'x-received',
  'received-spf',
  'authentication-results',
  'dkim-signature',
  'domainkey-signature',
  'x-google-dkim-signature',
  'x-gm-message-state',
  'x-google-smtp-source',
  'x-spam-report',
  'x-spam-status',
  'autocrypt',
  'face',
  'openpgp',
  'thread-index',
  'feedback-id',
]);
const LEFT_OUT_STARTS = [
  'arc-',
  'x-ms-',
  'x-microsoft-',
  'x-forefront-',
  'x-exchange-',
  'x-eopattributedmessage',
  'x-sg-',
  'x-mailgun-',
  'x-ses-',
  'x-proofpoint-',
];

/** Longer ones are not worth keeping twice. */
const SHORT_HEADER_BYTES_MAX = 8 * 1024;

/** `name` in lower case. Can a short header tell whether and how a message has this field? */
export function isInShortHeader(name: string): boolean {
  return !LEFT_OUT.has(name) && !LEFT_OUT_STARTS.some((start) => name.startsWith(start));
}

/** One character a byte. null: too long, with a NUL in it (which no answer may have), or not a header that could be taken apart completely. */
export function shortHeader(header: Uint8Array): string | null {
  const bytes = asBuffer(header);
  const section = scanHeaders(bytes);
  if (section.isTruncated || bytes.includes(0)) return null;
  let short = '';
  for (const field of section.fields) {
    // A line that is no field is never asked for by name.
    if (field.nameEnd === field.nameStart || !isInShortHeader(fieldName(bytes, field).toLowerCase())) continue;
    short += bytes.toString('latin1', field.nameStart, field.end);
  }
  if (short.length > SHORT_HEADER_BYTES_MAX) return null;
  return section.isComplete ? `${short}\r\n` : short;
}

/** The fields of a short header (one character a byte) whose names are in `wanted` (lower case), and its blank line: as HEADER.FIELDS has them. */
export function pickFields(header: string, wanted: ReadonlySet<string>): string {
  let out = '';
  let at = 0;
  while (at < header.length) {
    let end = header.indexOf('\n', at) + 1;
    if (end === 0) end = header.length;
    const first = header.charCodeAt(at);
    if (first === 13 || first === 10) return out + header.slice(at);
    // Lines that begin with white space go on.
    while (end < header.length) {
      const next = header.charCodeAt(end);
      if (next !== 32 && next !== 9) break;
      const after = header.indexOf('\n', end) + 1;
      end = after === 0 ? header.length : after;
    }
    let nameEnd = at;
    for (;;) {
      const char = header.charCodeAt(nameEnd);
      if (char === 58 || char <= 32 || nameEnd >= end) break;
      nameEnd += 1;
    }
    if (wanted.has(header.slice(at, nameEnd).toLowerCase())) out += header.slice(at, end);
    at = end;
  }
  return out;
}
