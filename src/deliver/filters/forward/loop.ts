/** Mail that comes back: a Delivered-To field names the one it is about to be delivered to (Postfix's and qmail's rule). */
import { formatAddress } from '../../../mail/address.ts';
import type { Address } from '../../../ports.ts';

const NAME = 'delivered-to:';
/** Fields of a header that are looked at; a message has crossed this many hops long before. */
const FIELDS_MAX = 1000;

/** Whether a Delivered-To field of the header (either line end) has exactly this address, extension included; case does not count. */
export function hasDeliveredTo(header: Uint8Array, address: Address): boolean {
  const wanted = formatAddress(address).toLowerCase();
  let fields = 0;
  for (let at = 0; at < header.length && fields < FIELDS_MAX; fields += 1) {
    const newline = header.indexOf(0x0a, at);
    const end = newline === -1 ? header.length : newline;
    const first = header[at]!;
    if (first === 0x0a || (first === 0x0d && at + 1 === end)) return false;
    if ((first === 0x44 || first === 0x64) && end - at > NAME.length && end - at < 1000) {
      const line = Buffer.from(header.buffer, header.byteOffset + at, end - at).toString('utf8');
      if (line.slice(0, NAME.length).toLowerCase() === NAME && line.slice(NAME.length).trim().toLowerCase() === wanted) return true;
    }
    at = end + 1;
  }
  return false;
}
