/** Writing much to a slow peer without holding it all in memory. */
import type { Socket } from 'node:net';

/** Node's TLS layer keeps a ring as large as the largest write until the socket closes: measured, 16 KiB pieces cost least. */
export const WRITE_PIECE_BYTES = 16 * 1024;

/**
 * Writes `bytes` in pieces of at most 16 KiB, each after the one before was handed to the system. Rejects when the socket fails or closes.
 * `bytes` must not change until the promise settles. Ordinary replies are written directly; this is for messages.
 */
export async function writePaced(socket: Socket, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += WRITE_PIECE_BYTES) await writePiece(socket, bytes.subarray(at, at + WRITE_PIECE_BYTES));
}

function writePiece(socket: Socket, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A destroyed socket calls back with an error, so the promise always settles.
    socket.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
