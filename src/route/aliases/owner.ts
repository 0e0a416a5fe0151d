/** Whose rights a file gives to the programs and files that are named in it. */
import { readFileSync, type Stats } from 'node:fs';

/**
 * The user that a file belongs to. null: root, so the user agent's default user. undefined: no user of this machine has that number;
 * nothing that needs rights can be done for such a file.
 */
export type FileUser = string | null | undefined;
export type UserName = (uid: number) => string | undefined;

/** Names of user numbers by a file like /etc/passwd, read when it is asked for the first time and again when a number is not there. */
export function passwdNames(file = '/etc/passwd'): UserName {
  let names: ReadonlyMap<number, string> = new Map();
  return (uid) => {
    if (!names.has(uid)) names = readNames(file);
    return names.get(uid);
  };
}

function readNames(file: string): ReadonlyMap<number, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // Without it nobody has a name, and nothing is run as anybody.
    return new Map();
  }
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name !== undefined && name !== '' && uid !== undefined && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

export function ownerOf(stats: Pick<Stats, 'uid'>, userName: UserName): FileUser {
  return stats.uid === 0 ? null : userName(stats.uid);
}

/** Writable by everybody: then everybody could run programs by it. */
export const isWorldWritable = (stats: Stats): boolean => (stats.mode & 0o002) !== 0;
