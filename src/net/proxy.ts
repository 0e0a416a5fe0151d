/**
 * The PROXY protocol, versions 1 and 2: the first bytes of a connection from a load balancer, naming the real client.
 * Specification: haproxy.org/download/3.0/doc/proxy-protocol.txt. Bytes to values; the listener does the reading.
 */
import { parseIp } from './networks.ts';

/** Version 1: at most 107 bytes. Version 2: 16, and what its length says; we take addresses and short TLVs only. */
export const PROXY_HEADER_BYTES_MAX = 536;
export const PROXY_TIMEOUT_MS = 5_000;

const SIGNATURE_2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const SIGNATURE_1 = Buffer.from('PROXY ', 'latin1');

export interface ProxyAddresses {
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly destinationIp: string;
  readonly destinationPort: number;
}
export type ProxyHeader =
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed' }
  /** `addresses` is null for health checks of the balancer itself (UNKNOWN, LOCAL): the socket's own addresses count. */
  | { readonly kind: 'done'; readonly bytes: number; readonly addresses: ProxyAddresses | null };

const MORE: ProxyHeader = { kind: 'more' };
const MALFORMED: ProxyHeader = { kind: 'malformed' };

/** Reads the header at the start of `input`, all that was received so far. */
export function parseProxyHeader(input: Buffer): ProxyHeader {
  if (startsLike(input, SIGNATURE_2)) return input.length < 16 ? MORE : version2(input);
  if (startsLike(input, SIGNATURE_1)) return version1(input);
  return input.length === 0 ? MORE : MALFORMED;
}

/** True when `input` is a beginning of `signature` or begins with it. */
function startsLike(input: Buffer, signature: Buffer): boolean {
  const length = Math.min(input.length, signature.length);
  return length > 0 && input.compare(signature, 0, length, 0, length) === 0;
}

function version1(input: Buffer): ProxyHeader {
  const end = input.indexOf('\r\n', 0, 'latin1');
  if (end === -1) return input.length >= 107 ? MALFORMED : MORE;
  if (end > 105) return MALFORMED;
  const words = input.toString('latin1', 0, end).split(' ');
  if (words[1] === 'UNKNOWN') return { kind: 'done', bytes: end + 2, addresses: null };
  const [, family, source, destination, sourcePort, destinationPort] = words;
  if (words.length !== 6 || (family !== 'TCP4' && family !== 'TCP6')) return MALFORMED;
  const isIp6 = family === 'TCP6';
  if (source!.includes(':') !== isIp6 || destination!.includes(':') !== isIp6) return MALFORMED;
  return done(end + 2, parseIp(source!), port(sourcePort!), parseIp(destination!), port(destinationPort!));
}

function version2(input: Buffer): ProxyHeader {
  const command = input[12]!;
  const family = input[13]!;
  const length = input.readUInt16BE(14);
  const bytes = 16 + length;
  if (command !== 0x20 && command !== 0x21) return MALFORMED;
  if (bytes > PROXY_HEADER_BYTES_MAX) return MALFORMED;
  if (input.length < bytes) return MORE;
  if (command === 0x20) return { kind: 'done', bytes, addresses: null }; // LOCAL: what follows is to be ignored
  if (family === 0x11 && length >= 12) {
    return done(bytes, ip4(input, 16), input.readUInt16BE(24), ip4(input, 20), input.readUInt16BE(26));
  }
  if (family === 0x21 && length >= 36) {
    return done(bytes, ip6(input, 16), input.readUInt16BE(48), ip6(input, 32), input.readUInt16BE(50));
  }
  // UNSPEC: the balancer does not know the client. Datagrams and unix sockets cannot be a mail client.
  return family === 0x00 ? { kind: 'done', bytes, addresses: null } : MALFORMED;
}

function done(bytes: number, sourceIp: string | null, sourcePort: number, destinationIp: string | null, destinationPort: number): ProxyHeader {
  if (sourceIp === null || destinationIp === null || sourcePort < 0 || destinationPort < 0) return MALFORMED;
  return { kind: 'done', bytes, addresses: { sourceIp, sourcePort, destinationIp, destinationPort } };
}

function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return value <= 65_535 ? value : -1;
}

function ip4(input: Buffer, at: number): string {
  return `${input[at]}.${input[at + 1]}.${input[at + 2]}.${input[at + 3]}`;
}

function ip6(input: Buffer, at: number): string | null {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(input.readUInt16BE(at + i).toString(16));
  return parseIp(groups.join(':'));
}
