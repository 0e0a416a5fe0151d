/** Where a server is: "inet:host:port", "host:port", "[2001:db8::1]:port", "unix:/path", as Postfix writes it. */
import { isIP } from 'node:net';

export type ServerAddress = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string };

/** As one would write it, for logs. */
export function showAddress(address: ServerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Null when `text` is no address; `defaultPort` null demands a port. */
export function parseServerAddress(text: string, defaultPort: number | null): ServerAddress | null {
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : null;
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  const rest = text.startsWith('inet:') ? text.slice(5) : text;
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(rest);
  if (match === null) return isIP(rest) === 6 && defaultPort !== null ? { kind: 'tcp', host: rest, port: defaultPort } : null;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port === null || port < 1 || port > 65_535) return null;
  return { kind: 'tcp', host: match[1] ?? match[2]!, port };
}
