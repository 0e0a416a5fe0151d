/** A MessageView (src/ports.ts) of bytes in memory, and where a header ends. */
import type { MessageView } from '../ports.ts';

const PIECE_BYTES = 64 * 1024;

/** Offset just past the blank line that ends the header; the length when there is none. */
export function headerEnd(bytes: Uint8Array): number {
  if (bytes[0] === 13 && bytes[1] === 10) return 2;
  const blank = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('\r\n\r\n');
  return blank === -1 ? bytes.length : blank + 4;
}

export function viewOf(bytes: Uint8Array): MessageView {
  return { size: bytes.length, header: bytes.subarray(0, headerEnd(bytes)), bytes, stream: () => inPieces(bytes) };
}

export async function* inPieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
