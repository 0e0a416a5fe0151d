/** Certificate files that tables name, read when a connection is made, so that renewed ones are used. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AUTHORITY_FILES_MAX } from './limits.ts';
import { LinkLost } from './pool.ts';

/** The files' content in PEM; undefined when none is named. Throws LinkLost with the file's name when one cannot be read. */
export function pemOf(file: string): Buffer | undefined {
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new LinkLost(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

/** The authorities of a file, which goes before, or of all files in a folder; undefined: those of the system. */
export function authoritiesOf(file: string, folder: string): Buffer[] | undefined {
  if (file !== '') return [pemOf(file)!];
  if (folder === '') return undefined;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new LinkLost(`${folder} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
  return names
    .slice(0, AUTHORITY_FILES_MAX)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    .map((path) => pemOf(path)!);
}
