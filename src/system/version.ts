/** The program's version, from its package.json. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, relative } from 'node:path';
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

/** What a person types here to run this program: "posthorn" where the shell finds that, else the path of the launcher. */
export function commandName(searchPath = process.env.PATH ?? '', cwd = process.cwd()): string {
  for (const folder of searchPath.split(delimiter)) {
    // npm and npx put node_modules/.bin in front of the path of what they start; the person's own shell does not have it.
    if (!isAbsolute(folder) || folder.includes('node_modules')) continue;
    try {
      accessSync(join(folder, 'posthorn'), constants.X_OK);
      return 'posthorn';
    } catch {
      // Not here: the next folder.
    }
  }
  const launcher = join(programDir(), 'bin', 'posthorn.mjs');
  const near = relative(cwd, launcher);
  return near.startsWith('..') ? launcher : near;
}
