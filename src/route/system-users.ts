/** The users of this machine, as /etc/passwd lists them: read once, and again when the file changes. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { ROUTE_LIMITS } from './limits.ts';
import type { Soon } from './soon.ts';

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface SystemUsers {
  /** By exact name; null when there is none. Throws when the file cannot be read: nobody is told "unknown" then. */
  find(name: string): Soon<SystemUser | null>;
}

export interface SystemUsersOptions {
  /** "/etc/passwd". */
  readonly file: string;
  /** Unix time in milliseconds; does not step back. */
  now(): number;
}

export function createSystemUsers(options: SystemUsersOptions): SystemUsers {
  let users: ReadonlyMap<string, SystemUser> | null = null;
  let stamp = '';
  let lookedAt = 0;
  const current = (): ReadonlyMap<string, SystemUser> => {
    const now = options.now();
    if (users !== null && now - lookedAt < ROUTE_LIMITS.usersStatMs) return users;
    const seen = statSync(options.file);
    lookedAt = now;
    if (users !== null && stampOf(seen) === stamp) return users;
    if (seen.size > ROUTE_LIMITS.usersBytes) throw new Error(`${options.file} is larger than ${ROUTE_LIMITS.usersBytes} bytes`);
    users = parsePasswd(readFileSync(options.file, 'utf8'));
    stamp = stampOf(seen);
    return users;
  };
  return { find: (name) => current().get(name) ?? null };
}

const stampOf = (stats: Stats): string => `${stats.mtimeMs} ${stats.ctimeMs} ${stats.size} ${stats.ino}`;

/** passwd(5): name:password:uid:gid:gecos:home:shell. Lines that are none are passed over; of two with one name the first counts. */
export function parsePasswd(text: string): Map<string, SystemUser> {
  const users = new Map<string, SystemUser>();
  for (const line of text.split('\n')) {
    const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
    if (name === '' || name.startsWith('#') || !/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid) || users.has(name)) continue;
    users.set(name, { name, uid: Number(uid), gid: Number(gid), home, shell: shell.trim() });
  }
  return users;
}
