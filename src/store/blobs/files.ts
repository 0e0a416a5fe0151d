/** Names and directories of blobs that are files: blobs/ab/<30 hexadecimal digits>. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Makes the 256 directories, once; on disk when it returns, as a synced file in a directory that a crash takes away is lost all the same. */
export function makeBlobDirectories(blobDir: string): void {
  let isNew = mkdirSync(blobDir, { recursive: true, mode: 0o700 }) !== undefined;
  for (let i = 0; i < 256; i += 1) isNew = mkdirSync(join(blobDir, i.toString(16).padStart(2, '0')), { recursive: true, mode: 0o700 }) !== undefined || isNew;
  if (!isNew) return;
  for (const path of [blobDir, dirname(blobDir)]) {
    const directory = openSync(path, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }
}

/** A name that was never used: 128 random bits. */
export function newBlobName(): string {
  const name = randomBytes(16).toString('hex');
  return `${name.slice(0, 2)}/${name.slice(2)}`;
}

/** Makes a new directory entry durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
