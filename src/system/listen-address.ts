/** Listening addresses as posthorn.toml has them: "192.0.2.1:25", "[2001:db8::1]:25", "*:25", "localhost:25", "unix:/run/lmtp.sock". */
import { isIP } from 'node:net';

/** sun_path holds 108 bytes with its end. */
const UNIX_PATH_BYTES_MAX = 107;

/** For net.Server's listen(); null when `text` is no such address. "*" is every address, of IPv6 and IPv4. */
export function parseListenAddress(text: string): { host: string; port: number } | { path: string } | null {
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    return path.length > 1 && path.startsWith('/') && Buffer.byteLength(path) <= UNIX_PATH_BYTES_MAX ? { path } : null;
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)|([a-z][a-z0-9.-]*)|(\*)):(\d{1,5})$/i.exec(text);
  if (match === null) return null;
  const [, ip6, ip4, name, any, port] = match;
  if (Number(port) > 65_535) return null;
  if (ip6 !== undefined && isIP(ip6) !== 6) return null;
  if (ip4 !== undefined && isIP(ip4) !== 4) return null;
  return { host: any === undefined ? (ip6 ?? ip4 ?? name)! : '::', port: Number(port) };
}

/** Sentence about text that is not a listening address, or undefined. */
export function wrongListenAddress(text: string): string | undefined {
  return parseListenAddress(text) === null
    ? 'is not an address and a port, such as "192.0.2.1:25", "[2001:db8::1]:25", "*:25" or "unix:/run/posthorn/lmtp.sock"'
    : undefined;
}
