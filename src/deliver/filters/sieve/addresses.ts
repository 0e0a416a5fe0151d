/** Addresses in scripts and header fields: the parts that tests compare (RFC 5228 section 2.7.4, RFC 5233), and what actions take. */
import { parseMailbox } from '../../../mail/address.ts';
import { parseAddressList } from '../../../mail/address-list.ts';
import { decodeWords } from '../../../mail/encoded-word.ts';
import { ADDRESS_LIMITS } from '../../../mail/limits.ts';
import type { Address } from '../../../ports.ts';
import type { Call } from './call.ts';
import type { TagSpec } from './registry.ts';

/** The tags of the set '@addressPart' that need no `require`. */
export const ADDRESS_PART_TAGS: readonly TagSpec[] = [
  { name: 'localpart', argument: null, group: 'addressPart' },
  { name: 'domain', argument: null, group: 'addressPart' },
  { name: 'all', argument: null, group: 'addressPart' },
];

/** The chosen part of an address; null where it has none (`:detail` without a delimiter). */
export type AddressPart = (local: string, domain: string) => string | null;

const localPart: AddressPart = (local) => local;
const domainPart: AddressPart = (_, domain) => domain;
const wholeAddress: AddressPart = (local, domain) => (domain === '' ? local : `${local}@${domain}`);

/** What of addresses this call compares. */
export function addressPart(call: Call): AddressPart {
  if (call.has(':localpart')) return localPart;
  if (call.has(':domain')) return domainPart;
  const delimiters = call.context.extensions.detailDelimiters;
  if (call.has(':user')) return (local) => splitDetail(local, delimiters)[0];
  if (call.has(':detail')) return (local) => splitDetail(local, delimiters)[1];
  return wholeAddress;
}

/** User and detail (RFC 5233 section 4): at the first delimiter; no detail is null, an empty one is ''. */
export function splitDetail(local: string, delimiters: string): readonly [string, string | null] {
  for (let at = 0; at < local.length; at += 1) {
    if (delimiters.includes(local[at]!)) return [local.slice(0, at), local.slice(at + 1)];
  }
  return [local, null];
}

/**
 * The part of every mailbox of an address field given with one character per byte. What is no address at all counts as a whole, for
 * `:all` only.
 */
export function fieldAddresses(raw: string, part: AddressPart): string[] {
  const out: string[] = [];
  for (const item of parseAddressList(raw)) {
    if (item.kind !== 'mailbox') continue;
    const local = decodeWords(item.local);
    if (item.domain === '' || item.local === '') {
      if (part === wholeAddress) out.push(decodeWords(raw).trim());
      continue;
    }
    const found = part(local, decodeWords(item.domain));
    if (found !== null) out.push(found);
  }
  return out;
}

/** sieve-address (RFC 5228 section 2.4.2.3): an addr-spec, or one in angle brackets behind a name. Null when it is none. */
export function parseSieveAddress(text: string): Address | null {
  const open = text.lastIndexOf('<');
  const inner = open === -1 ? text.trim() : bracketed(text, open);
  return inner === null ? null : parseMailbox(inner, { utf8: true, localBytes: ADDRESS_LIMITS.mailboxBytes });
}

function bracketed(text: string, open: number): string | null {
  const rest = text.slice(open + 1).trimEnd();
  if (!rest.endsWith('>') || /[\r\n,]/.test(text.slice(0, open).replace(/"(?:[^"\\]|\\.)*"/g, ''))) return null;
  return rest.slice(0, -1);
}

/** For comparing: the local part exactly, the domain is canonical already. */
export function addressText(address: Address): string {
  return address.domain === '' ? address.local : `${address.local}@${address.domain}`;
}
