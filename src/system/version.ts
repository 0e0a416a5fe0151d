/** The program's version, from its package.json. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the program: the nearest one above this file with a package.json (src/ and dist/ are at different depths). */
export function programDir(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** "0.1.0"; read when asked. */
export function version(): string {
  return (JSON.parse(readFileSync(join(programDir(), 'package.json'), 'utf8')) as { version: string }).version;
}
