import { parseListenAddress as parse } from '../system/listen-address.ts';

/** Where to listen: "127.0.0.1:2525", "[::]:25", "*:25", "unix:/run/posthorn/lmtp". */
export type ListenAddress = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string };

/** Null when `text` is no listening address. */
export function parseListenAddress(text: string): ListenAddress | null {
  const address = parse(text);
  if (address === null) return null;
  return 'path' in address ? { kind: 'unix', path: address.path } : { kind: 'tcp', host: address.host, port: address.port };
}

export function formatListenAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether `[::]` must leave IPv4 alone, because the same list names an IPv4 address for the same port; alone it means both. */
export function isIp6Only(address: ListenAddress, all: readonly string[]): boolean {
  if (address.kind !== 'tcp' || !address.host.includes(':')) return false;
  if (address.host !== '::') return true;
  return all.some((text) => {
    const other = parseListenAddress(text);
    return other?.kind === 'tcp' && other.port === address.port && !other.host.includes(':');
  });
}
