/** Removes files that no row names: what a crash left between writing a file and committing its row. */
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreReader } from '../../ports.ts';

/**
 * Looks at files last changed before `before` (ms; the start of this process: what is being staged now is younger).
 * Answers how many files were removed and their bytes.
 */
export async function sweepBlobFiles(blobDir: string, reader: StoreReader, before: number, signal: AbortSignal): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (let i = 0; i < 256; i += 1) {
    const directory = i.toString(16).padStart(2, '0');
    for (const name of await readdir(join(blobDir, directory))) {
      if (signal.aborted) return { files, bytes };
      const path = join(blobDir, directory, name);
      const info = await stat(path).catch(() => null); // removed meanwhile, with the last message that had it
      if (info === null || !info.isFile() || info.mtimeMs >= before) continue;
      if (reader.rows('SELECT 1 FROM blob WHERE file=?', `${directory}/${name}`).length > 0) continue;
      await unlink(path).catch(() => {}); // as above; one that stays is found the next time
      files += 1;
      bytes += info.size;
    }
  }
  return { files, bytes };
}
