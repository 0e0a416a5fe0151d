/** Where to listen: "127.0.0.1:2525", "[::]:25", "*:25", "unix:/run/posthorn/lmtp". */
export type ListenAddress = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string };

/** Null when `text` is no listening address. */
export function parseListenAddress(text: string): ListenAddress | null {
  if (text.startsWith('unix:')) {
    // sun_path holds 108 bytes with its end.
    return text.length > 6 && text[5] === '/' && Buffer.byteLength(text) <= 5 + 107 ? { kind: 'unix', path: text.slice(5) } : null;
  }
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[0-9A-Za-z_.-]+)?)\]|(\*)|([0-9A-Za-z.-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[4]);
  if (port > 65_535) return null;
  return { kind: 'tcp', host: match[2] === '*' ? '::' : (match[1] ?? match[3]!), port };
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
