/** Addresses as numbers, for comparing with many networks. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One word of 32 bits for IPv4, four for IPv6. */
export type IpWords = Uint32Array;

/** Null for anything that is not one address in full, without brackets and zone. IPv4 in IPv6 stays IPv6. */
export function ipWords(text: string): IpWords | null {
  if (isIPv4(text)) {
    const [a, b, c, d] = text.split('.');
    return Uint32Array.of(((Number(a) << 24) | (Number(b) << 16) | (Number(c) << 8) | Number(d)) >>> 0);
  }
  if (!text.includes(':') || text.includes('%') || !isIPv6(text)) return null;
  const parts = ipaddr.IPv6.parse(text).parts;
  return Uint32Array.from({ length: 4 }, (_, i) => ((parts[2 * i]! << 16) | parts[2 * i + 1]!) >>> 0);
}

/** The mask of word `index` for a prefix of `bits`. */
function maskOf(bits: number, index: number): number {
  const within = Math.min(32, Math.max(0, bits - 32 * index));
  return within === 0 ? 0 : (0xffff_ffff << (32 - within)) >>> 0;
}

export interface Network {
  readonly words: IpWords;
  readonly bits: number;
}

/** True when both are of one family and the first `bits` are equal. */
export function isInside(address: IpWords, network: Network): boolean {
  if (address.length !== network.words.length) return false;
  for (let i = 0; i * 32 < network.bits; i += 1) if (((address[i]! ^ network.words[i]!) & maskOf(network.bits, i)) !== 0) return false;
  return true;
}

/** The network as a key of a Map: the words up to `bits`, masked. */
export function networkKey(address: IpWords, bits: number): number | string {
  if (address.length === 1) return (address[0]! & maskOf(bits, 0)) >>> 0;
  let key = '';
  for (let i = 0; i * 32 < bits; i += 1) key += `${((address[i]! & maskOf(bits, i)) >>> 0).toString(36)} `;
  return key;
}

/** A sentence when `text` is no network in Postfix's form: an address, or address/bits with no bits set beyond; brackets are allowed. */
export function parseNetwork(text: string): Network | string {
  let inner = text;
  let digits: string | null = null;
  const closed = /^\[([^\]]*)\](?:\/(.*))?$/.exec(text);
  if (closed !== null) {
    inner = closed[1]!;
    digits = closed[2] ?? null;
  }
  const slash = inner.indexOf('/');
  if (slash !== -1 && digits === null) {
    digits = inner.slice(slash + 1);
    inner = inner.slice(0, slash);
  }
  const words = ipWords(inner);
  if (words === null) return `"${text}" is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32`;
  const most = words.length * 32;
  if (digits === null) return { words, bits: most };
  const bits = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  if (bits < 0 || bits > most) return `the length of the network in "${text}" is not a number from 0 to ${most}`;
  if (words.some((word, i) => (word & ~maskOf(bits, i)) !== 0)) return `"${text}" has bits set beyond the first ${bits}`;
  return { words, bits };
}
