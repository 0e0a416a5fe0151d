/** Plain steps that all writers share: everything is written before anyone is told, and a new name is on disk before it counts. */
import { chmodSync, closeSync, constants, fsyncSync, mkdirSync, openSync, writevSync } from 'node:fs';
import { dirname } from 'node:path';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Flags for a file that must not be there yet. */
export const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK;

export function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/**
 * Writes every byte where the descriptor stands, or from the offset `at` without moving the descriptor's own.
 * Throws the system's error (the disk may be full half way).
 */
export function writeAll(fd: number, pieces: readonly Uint8Array[], at: number | null = null): void {
  let rest = pieces.filter((piece) => piece.length > 0);
  let position = at;
  while (rest.length > 0) {
    let written = writevSync(fd, rest.slice(0, 512), position ?? undefined);
    if (position !== null) position += written;
    const next: Uint8Array[] = [];
    for (const piece of rest) {
      if (written >= piece.length) written -= piece.length;
      else {
        next.push(written > 0 ? piece.subarray(written) : piece);
        written = 0;
      }
    }
    rest = next;
  }
}

/** Makes a directory's entries durable. Some file systems cannot (EINVAL); there the entry is as safe as it can be. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    closeSync(fd);
  }
}

/** Makes it and what is missing above it; true when it was not there. The mode is what is said, whatever this process's umask is. */
export function makeDirectory(path: string, mode: number): boolean {
  if (mkdirSync(path, { recursive: true, mode }) === undefined) return false;
  chmodSync(path, mode);
  return true;
}

export function syncParent(path: string): void {
  syncDirectory(dirname(path));
}
