/** What greylisting compares: the network or SPF domain a message comes from, its sender and its recipient, with what changes from try to try taken out. */
import { hash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Address } from '../../ports.ts';

/** "192.0.2.0/24", "2001:db8::/64"; null for what is no IP address. */
export function networkOf(ip: string, bits4: number, bits6: number): string | null {
  // The common case without the parser: an IPv4 address cut at a byte.
  if (bits4 === 24 && ip.length <= 15 && !ip.includes(':')) {
    const dot = ip.lastIndexOf('.');
    if (dot > 0 && ipaddr.IPv4.isValidFourPartDecimal(ip)) return `${ip.slice(0, dot)}.0/24`;
  }
  if (!ip.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(ip)) return null;
  if (!ipaddr.isValid(ip)) return null;
  const address = ipaddr.process(ip);
  const bits = address.kind() === 'ipv4' ? bits4 : bits6;
  const bytes = address.toByteArray();
  for (let i = 0; i < bytes.length; i += 1) {
    const keep = Math.min(8, Math.max(0, bits - 8 * i));
    bytes[i] = bytes[i]! & (0xff << (8 - keep)) & 0xff;
  }
  return `${ipaddr.fromByteArray(bytes).toString()}/${bits}`;
}

/**
 * The sender without what mailing lists and forwarders change with each message or try: the detail after '+', runs of digits (VERP), the
 * tag of BATV ("prvs=…=") and the hash and day of SRS ("SRS0=…=…="). The null sender is "<>".
 */
export function senderKey(sender: Address | null): string {
  if (sender === null) return '<>';
  let local = sender.local.toLowerCase();
  if (local.startsWith('prvs=')) local = local.slice(local.indexOf('=', 5) + 1);
  else if (/^srs[01][=+-]/.test(local)) local = local.split('=').slice(-2).join('=');
  const plus = local.indexOf('+');
  if (plus > 0) local = local.slice(0, plus);
  return `${local.replace(/\d+/g, '#')}@${sender.domain}`;
}

/** The row's key: 128 bits of a digest, as text of 22 characters. An address's length then costs no room in the store. */
export function tripletKey(origin: string, sender: string, recipient: Address): string {
  return hash('sha256', `${origin}\n${sender}\n${recipient.local.toLowerCase()}@${recipient.domain}`, 'base64url').slice(0, 22);
}
