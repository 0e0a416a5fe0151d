/** The keys of a journey: their hashes, and sorted chunks of them. Pure. */

export interface KeyEntry {
  readonly hash: number;
  /** Event. */
  readonly id: number;
}

/**
 * 52 bits of a key in lower case without angle brackets: two lanes of multiply-and-mix over its characters. Not secret:
 * whoever makes two keys collide only sees his own messages listed beside each other in a trace.
 */
export function keyHash(key: string): number {
  let text = key.trim().toLowerCase();
  if (text.startsWith('<') && text.endsWith('>')) text = text.slice(1, -1);
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ (code + i), 0x85ebca6b);
    b ^= b >>> 13;
  }
  a ^= a >>> 15;
  return (b >>> 0) * 0x100000 + ((Math.imul(a, 0xc2b2ae35) >>> 12) & 0xfffff);
}

/** The upper 32 bits of a hash. */
const upper = (hash: number): number => Math.floor(hash / 0x100000);

/** Entries as bytes: the upper halves in order (u32 little-endian each), then for each its event's distance from `firstId` (u32). */
export function packKeys(entries: readonly KeyEntry[], firstId: number): Uint8Array {
  const sorted = entries.map((entry) => [upper(entry.hash), entry.id - firstId] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const bytes = new Uint8Array(sorted.length * 8);
  const view = new DataView(bytes.buffer);
  sorted.forEach(([half, distance], i) => {
    view.setUint32(i * 4, half, true);
    view.setUint32((sorted.length + i) * 4, distance, true);
  });
  return bytes;
}

/** Events of `chunk` whose key may be the one of `hash` (its upper half is the same), in order of their ids. */
export function findKey(chunk: Uint8Array, firstId: number, hash: number): number[] {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const count = chunk.byteLength >>> 3;
  const half = upper(hash);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (view.getUint32(middle * 4, true) < half) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; low < count && view.getUint32(low * 4, true) === half; low += 1) found.push(firstId + view.getUint32((count + low) * 4, true));
  return found;
}
