/** The addresses in a message's header, rewritten where they stand; every other byte is kept. */
import { formatAddress } from '../mail/address.ts';
import { asBuffer, latin1, scanHeaders } from '../mail/header.ts';
import type { Address } from '../ports.ts';
import { type AddressSpan, addressSpans } from './address-spans.ts';
import { ROUTE_LIMITS } from './limits.ts';
import { go, type Soon, type Walk, wait } from './soon.ts';

export type HeaderPlace = 'header_sender' | 'header_recipient';

/** Fields that hold addresses, in lower case, and whose they are (as Postfix's cleanup(8) sorts them). */
export const ADDRESS_FIELDS: ReadonlyMap<string, HeaderPlace> = new Map<string, HeaderPlace>([
  ['from', 'header_sender'],
  ['sender', 'header_sender'],
  ['reply-to', 'header_sender'],
  ['errors-to', 'header_sender'],
  ['return-receipt-to', 'header_sender'],
  ['disposition-notification-to', 'header_sender'],
  ['mail-followup-to', 'header_sender'],
  ['resent-from', 'header_sender'],
  ['resent-sender', 'header_sender'],
  ['resent-reply-to', 'header_recipient'],
  ['to', 'header_recipient'],
  ['cc', 'header_recipient'],
  ['bcc', 'header_recipient'],
  ['apparently-to', 'header_recipient'],
  ['resent-to', 'header_recipient'],
  ['resent-cc', 'header_recipient'],
  ['resent-bcc', 'header_recipient'],
]);

/** The same object, or an equal address, when nothing changes. */
export type RewriteOne = (address: Address, place: HeaderPlace) => Soon<Address>;

const NAME_BYTES_MAX = 27; // "disposition-notification-to"
const NO_LIMITS = { headerBytes: Number.MAX_SAFE_INTEGER, headerFields: Number.MAX_SAFE_INTEGER, fieldNameBytes: 998 };

/**
 * `header` with its addresses rewritten, or null when nothing changes. The blank line and anything after it are kept. A field that would
 * pass `ROUTE_LIMITS.fieldBytes`, and addresses past `ROUTE_LIMITS.headerAddresses`, stay as they are. A new address that cannot stand in
 * a header of bytes is written as UTF-8.
 */
export function rewriteHeader(header: Uint8Array, rewrite: RewriteOne): Soon<Uint8Array | null> {
  return go(rewritten(header, rewrite));
}

function* rewritten(header: Uint8Array, rewrite: RewriteOne): Walk<Uint8Array | null> {
  const bytes = asBuffer(header);
  const pieces: Uint8Array[] = [];
  let from = 0;
  let left: number = ROUTE_LIMITS.headerAddresses;
  for (const field of scanHeaders(bytes, 0, NO_LIMITS).fields) {
    const nameBytes = field.nameEnd - field.nameStart;
    if (nameBytes < 2 || nameBytes > NAME_BYTES_MAX || field.valueEnd - field.valueStart > ROUTE_LIMITS.fieldBytes) continue;
    const place = ADDRESS_FIELDS.get(latin1(bytes, field.nameStart, field.nameEnd).trimEnd().toLowerCase());
    if (place === undefined || left <= 0) continue;
    const value = latin1(bytes, field.valueStart, field.valueEnd);
    const spans = addressSpans(value, left);
    left -= spans.length;
    for (const span of spans) {
      const before = known(span);
      const after = yield* wait(rewrite(before, place));
      if (after === before || (after.local === before.local && after.domain === before.domain.toLowerCase())) continue;
      pieces.push(bytes.subarray(from, field.valueStart + span.start), Buffer.from(formatAddress(after)));
      from = field.valueStart + span.end;
    }
  }
  if (pieces.length === 0) return null;
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/** Header text has one character per byte: addresses beyond ASCII are UTF-8 (RFC 6532). */
function known({ address }: AddressSpan): Address {
  if (!/[^\x00-\x7f]/.test(address.local + address.domain)) return address;
  return { local: Buffer.from(address.local, 'latin1').toString('utf8'), domain: Buffer.from(address.domain, 'latin1').toString('utf8') };
}
