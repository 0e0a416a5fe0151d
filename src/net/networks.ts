/** Addresses and sets of networks. Text in, answers out; IPv4 in IPv6 (`::ffff:192.0.2.1`) counts as IPv4 everywhere. */
import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** A sentence when `entry` is neither an address nor a network in CIDR form; undefined when it is. */
export function wrongNetwork(entry: string): string | undefined {
  return parseRange(entry) === null ? 'is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32' : undefined;
}

export interface Networks {
  readonly isEmpty: boolean;
  has(ip: string): boolean;
}

const NOBODY: Networks = { isEmpty: true, has: () => false };
const known = new WeakMap<readonly string[], Networks>();

/** The set that a list setting describes; parsed once for each list object. Entries that do not parse match nobody. */
export function networksOf(list: readonly string[]): Networks {
  if (list.length === 0) return NOBODY;
  let networks = known.get(list);
  if (networks === undefined) {
    const ranges: Range[] = [];
    for (const entry of list) {
      const range = parseRange(entry);
      if (range !== null) ranges.push(range);
    }
    networks = { isEmpty: ranges.length === 0, has: matcher(ranges) };
    known.set(list, networks);
  }
  return networks;
}

/** Asked several times for each connection: IPv4 as it is usually written is compared as a number. */
function matcher(ranges: readonly Range[]): (ip: string) => boolean {
  const masks: { readonly base: number; readonly mask: number }[] = [];
  for (const [network, bits] of ranges) {
    if (network.kind() !== 'ipv4') continue;
    const mask = bits === 0 ? 0 : -1 << (32 - bits);
    masks.push({ base: ipv4Number(network.toString()) & mask, mask });
  }
  return (ip) => {
    const address = ipv4Number(ip);
    if (address === -1) return matches(ip, ranges);
    for (let i = 0; i < masks.length; i += 1) if (((address | 0) & masks[i]!.mask) === masks[i]!.base) return true;
    return false;
  };
}

/** The 32 bits of "192.0.2.1"; -1 for anything that is not four decimal numbers without leading zeros. */
function ipv4Number(ip: string): number {
  if (ip.length > 15) return -1;
  let address = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= ip.length; i += 1) {
    const c = i === ip.length ? 0x2e : ip.charCodeAt(i);
    if (c === 0x2e) {
      if (part === -1 || part > 255) return -1;
      address = address * 256 + part;
      part = -1;
      parts += 1;
    } else if (c < 0x30 || c > 0x39 || part === 0) return -1;
    else part = part === -1 ? c - 0x30 : part * 10 + c - 0x30;
  }
  return parts === 4 ? address : -1;
}

function matches(ip: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  return ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits));
}

function parseRange(entry: string): Range | null {
  const slash = entry.indexOf('/');
  const text = slash === -1 ? entry : entry.slice(0, slash);
  // isValid alone would take "10" and "0x7f.1" for IPv4 addresses.
  const isWhole = text.includes(':') ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text);
  if (!isWhole) return null;
  const address = ipaddr.parse(text);
  const most = address.kind() === 'ipv4' ? 32 : 128;
  if (slash === -1) return [ipaddr.process(text), ipaddr.process(text).kind() === 'ipv4' ? 32 : 128];
  const digits = entry.slice(slash + 1);
  const bits = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  return bits < 0 || bits > most ? null : [address, bits];
}

/** The canonical text of a socket's address: no zone, and IPv4 when it is IPv4 within IPv6. */
export function canonicalIp(address: string | undefined): string {
  if (address === undefined) return '';
  const text = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  const zone = text.indexOf('%');
  return zone === -1 ? text : text.slice(0, zone);
}

/** Canonical text of an address somebody wrote, or null when it is none. */
export function parseIp(text: string): string | null {
  if (ipv4Number(text) !== -1) return text;
  const isWhole = text.includes(':') ? ipaddr.IPv6.isValid(text) && !text.includes('%') : ipaddr.IPv4.isValidFourPartDecimal(text);
  return isWhole ? ipaddr.process(text).toString() : null;
}

export function isLoopbackIp(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.');
}

/** What one client is for counting: the IPv4 address, or the /64 of an IPv6 address. */
export function clientKey(ip: string): string {
  if (!ip.includes(':')) return ip;
  const address = ipaddr.IPv6.isValid(ip) ? ipaddr.IPv6.parse(ip) : null;
  return address === null ? ip : address.parts.slice(0, 4).join(':');
}
