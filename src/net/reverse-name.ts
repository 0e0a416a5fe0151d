/** Addresses turned round, as DNS wants them: for PTR (RFC 1035 section 3.5, RFC 3596 section 2.5) and for DNS lists (RFC 5782). */
import ipaddr from 'ipaddr.js';

/** "4.3.2.1" for 1.2.3.4, 32 nibbles for IPv6; IPv4 within IPv6 counts as IPv4. '' when `ip` is no address. */
export function reversedLabels(ip: string): string {
  if (!ip.includes(':')) {
    const parts = ip.split('.');
    return parts.length === 4 ? `${parts[3]}.${parts[2]}.${parts[1]}.${parts[0]}` : '';
  }
  const zone = ip.indexOf('%');
  const text = zone === -1 ? ip : ip.slice(0, zone);
  if (!ipaddr.IPv6.isValid(text)) return '';
  const address = ipaddr.IPv6.parse(text);
  if (address.isIPv4MappedAddress()) return reversedLabels(address.toIPv4Address().toString());
  let labels = '';
  for (const part of address.parts.toReversed()) {
    const hex = part.toString(16).padStart(4, '0');
    labels += `${labels === '' ? '' : '.'}${hex[3]}.${hex[2]}.${hex[1]}.${hex[0]}`;
  }
  return labels;
}

/** The name whose PTR record names the host of `ip`; '' when `ip` is no address. */
export function reverseNameOf(ip: string): string {
  const labels = reversedLabels(ip);
  if (labels === '') return '';
  return labels.length > 15 ? `${labels}.ip6.arpa` : `${labels}.in-addr.arpa`;
}
