/**
 * Compiled code of the workers, kept for those that start later: reading and compiling everything anew is two thirds of what a start costs.
 * Root loads it, so nobody else may have been able to write it: it lies in a folder of root's that is closed to all others, in one that only root can change.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Gone with the next boot. Not below /tmp: who waits for a cleaner there could put a folder of his own in its place. */
const FOLDER = '/run/posthorn-code';

/** The folder, made when it is missing; null where there can be none that is safe. */
export function codeFolder(path: string = FOLDER): string | null {
  if (process.getuid?.() !== 0) return null;
  try {
    const parent = lstatSync(dirname(path));
    if (!parent.isDirectory() || parent.uid !== 0 || (parent.mode & 0o022) !== 0) return null;
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 });
    const folder = lstatSync(path);
    return folder.isDirectory() && folder.uid === 0 && (folder.mode & 0o077) === 0 ? path : null;
  } catch {
    return null; // a file system that cannot be written: the workers compile
  }
}
