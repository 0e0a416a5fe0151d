/** From root to an ordinary user: what the server keeps is given to that user, then the rights are given up for good. */
import { lchownSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}
export interface KeptPaths {
  readonly dataDir: string;
  /** The pickup directory: itself and its folders are given away, the messages in them are not: their owner is their sender. */
  readonly pickup: string;
  /** Written by the server, '' for none. */
  readonly logFile: string;
}

/** Ports are bound and files open: the rest is done as `user`, who owns the data from now on. Throws with a sentence. */
export function becomeUser(user: string, kept: KeptPaths): void {
  const { initgroups, setgid, setuid, getuid, geteuid } = process as typeof process & { initgroups?: (user: string, group: number) => void };
  if (initgroups === undefined || setgid === undefined || setuid === undefined) throw new Error('This system cannot change users.');
  const { uid, gid } = lookUpUser(user);
  giveData(kept, { uid, gid });
  initgroups.call(process, user, gid);
  setgid.call(process, gid);
  setuid.call(process, uid);
  if (getuid?.() !== uid || geteuid?.() !== uid) throw new Error(`The server could not become the user ${user}.`);
}

/** Node's own userInfo() knows only the present user; a daemon's user is in /etc/passwd. */
export function lookUpUser(user: string, file = '/etc/passwd'): UserIds {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // The sentence below tells all there is to tell.
  }
  for (const line of text.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === user && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '')) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`There is no system user "${user}" in ${file}: create it (useradd --system ${user}) or set user to "".`);
}

/** Gives the data folder and the pickup directory to a user. What belongs to the user already is not searched. */
export function giveData(kept: KeptPaths, ids: UserIds): void {
  const pickup = resolve(kept.pickup);
  give(kept.dataDir, ids);
  for (const name of readdirSync(kept.dataDir)) {
    const path = join(kept.dataDir, name);
    if (resolve(path) !== pickup && lstatSync(path).uid !== ids.uid) giveTree(path, ids);
  }
  for (const path of [pickup, join(pickup, 'tmp'), join(pickup, 'new'), join(pickup, 'bad')])
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) give(path, ids);
  if (kept.logFile !== '' && lstatSync(kept.logFile, { throwIfNoEntry: false })?.isFile()) give(kept.logFile, ids);
}

function giveTree(path: string, ids: UserIds): void {
  give(path, ids);
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveTree(join(path, name), ids);
}

/** Never through a link, and no file that has a second name elsewhere: whoever can write here must not be given, say, /etc/shadow. */
function give(path: string, { uid, gid }: UserIds): void {
  const info = lstatSync(path);
  if (info.isSymbolicLink() || (!info.isDirectory() && info.nlink > 1) || info.uid === uid) return;
  lchownSync(path, uid, gid);
}
