/** Header canonicalisation (RFC 6376 sections 3.4.1 and 3.4.2) and the choice of the signed fields (section 5.4.2). */
import { type HeaderField, latin1 } from '../../mail/header.ts';
import type { MessageHeader } from './message-header.ts';
import { withoutSignature } from './tags.ts';

export type Canonicalisation = 'simple' | 'relaxed';

/** One field with its final CRLF, one character a byte. */
export function canonicalField(bytes: Uint8Array, field: HeaderField, canonicalisation: Canonicalisation): string {
  if (canonicalisation === 'simple') return `${asCrlf(latin1(bytes, field.nameStart, field.valueEnd))}\r\n`;
  return `${relaxed(latin1(bytes, field.nameStart, field.nameEnd), latin1(bytes, field.valueStart, field.valueEnd))}\r\n`;
}

/** The signature field itself: b= emptied, and without a CRLF at its end. */
export function canonicalSignature(bytes: Uint8Array, field: HeaderField, canonicalisation: Canonicalisation): string {
  const value = withoutSignature(latin1(bytes, field.valueStart, field.valueEnd));
  if (canonicalisation === 'simple') return asCrlf(latin1(bytes, field.nameStart, field.valueStart) + value);
  return relaxed(latin1(bytes, field.nameStart, field.nameEnd), value);
}

/** name: value, as relaxed canonicalisation writes it. */
export function relaxed(name: string, value: string): string {
  let text = value.includes('\n') ? value.replace(/\r?\n/g, '') : value;
  if (text.includes('\t') || text.includes('  ')) text = text.replace(/[ \t]+/g, ' ');
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === 0x20) start += 1;
  while (end > start && text.charCodeAt(end - 1) === 0x20) end -= 1;
  return `${name.toLowerCase()}:${text.slice(start, end)}`;
}

/** A message that was stored with LF alone was sent, and signed, with CRLF. */
function asCrlf(text: string): string {
  return text.replace(/\r?\n/g, '\r\n');
}

/**
 * The fields that h= names, from the last one of each name upwards, in canonical form. Names beyond those present add nothing.
 * Each field is taken at most once, so that the work is bounded by the header.
 */
export function signedFields(header: MessageHeader, names: readonly string[], canonicalisation: Canonicalisation): string {
  let out = '';
  const taken = new Map<string, number>();
  for (const name of names) {
    const fields = header.named(name);
    const used = taken.get(name) ?? 0;
    if (used >= fields.length) continue;
    taken.set(name, used + 1);
    out += canonicalField(header.bytes, fields[fields.length - 1 - used]!, canonicalisation);
  }
  return out;
}
