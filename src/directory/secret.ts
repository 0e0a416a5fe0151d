/** The server's own secret: makes answers about users who do not exist as stable as those about users who do. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'directory.key';
const OCTETS = 32;

/** Reads `directory.key` in the data folder, making it (mode 0600) at the first start. For main, once; all threads are given the same bytes. */
export function loadSecret(dataDir: string): Uint8Array {
  const path = join(dataDir, FILE);
  for (;;) {
    try {
      const secret = readFileSync(path);
      if (secret.length < OCTETS) throw new Error(`${path} is damaged (shorter than ${OCTETS} bytes); remove it to have a new one made`);
      return secret;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    // Written aside and linked: another process that starts now sees the whole file or none.
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, randomBytes(OCTETS), { mode: 0o600 });
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      unlinkSync(draft);
    }
  }
}
