/** Lines of a file that may be large, without holding it: synchronous, for the thread that imports. */
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 1024 * 1024;
const LF = 10;

/** Calls `take` with each line without its line end, as latin1; lines above 1 MiB are cut. False from `take` ends it. Throws what `open` throws. */
export function eachLine(path: string, take: (line: string) => boolean): void {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(2 * CHUNK_BYTES);
    let fill = 0;
    for (;;) {
      const count = readSync(file, buffer, fill, CHUNK_BYTES, null);
      if (count === 0) break;
      fill += count;
      let from = 0;
      for (let end = buffer.indexOf(LF, from); end !== -1 && end < fill; end = buffer.indexOf(LF, from)) {
        if (!take(buffer.toString('latin1', from, end))) return;
        from = end + 1;
      }
      buffer.copyWithin(0, from, fill);
      fill -= from;
      if (fill > CHUNK_BYTES) fill = CHUNK_BYTES;
    }
    if (fill > 0) take(buffer.toString('latin1', 0, fill));
  } finally {
    closeSync(file);
  }
}
