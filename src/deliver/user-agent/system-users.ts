/** Users of this machine: /etc/passwd first, then what the system's name service knows besides (LDAP, SSSD) through getent(1). */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import type { SystemUser } from './types.ts';

/** What useradd(8) allows, and upper case and dots as some directories have them. Never a path, an option or an address. */
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/;
const LINE_FIELDS = 7;
const CACHE_MS = 60_000;
const CACHE_MAX = 10_000;
const GETENT_MS = 10_000;

export const isUserName = (name: string): boolean => NAME.test(name);

export interface SystemUsers {
  /** null: there is none. Rejects when that cannot be known now. */
  find(name: string): Promise<SystemUser | null>;
}

/** `passwdFile` other than /etc/passwd is the whole truth: nothing else is asked then. */
export function systemUsers(passwdFile = '/etc/passwd', getent = '/usr/bin/getent'): SystemUsers {
  let stamp = '';
  let byName = new Map<string, SystemUser>();
  const asked = new Map<string, { readonly user: SystemUser | null; readonly until: number }>();

  function fromFile(name: string): SystemUser | null {
    const stat = statSync(passwdFile);
    const now = `${stat.mtimeMs} ${stat.ino} ${stat.size}`;
    if (now !== stamp) {
      byName = parsePasswd(readFileSync(passwdFile, 'utf8'));
      stamp = now;
      asked.clear();
    }
    return byName.get(name) ?? null;
  }

  return {
    async find(name) {
      if (!isUserName(name)) return null;
      const local = fromFile(name);
      if (local !== null || passwdFile !== '/etc/passwd') return local;
      const known = asked.get(name);
      if (known !== undefined && known.until > Date.now()) return known.user;
      const user = await askGetent(getent, name);
      if (asked.size >= CACHE_MAX) asked.clear();
      asked.set(name, { user, until: Date.now() + CACHE_MS });
      return user;
    },
  };
}

export function parsePasswd(text: string): Map<string, SystemUser> {
  const users = new Map<string, SystemUser>();
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    const [name, , uid, gid, gecos, home, shell] = fields;
    if (fields.length < LINE_FIELDS || !isUserName(name!) || !/^\d{1,10}$/.test(uid!) || !/^\d{1,10}$/.test(gid!)) continue;
    if (!users.has(name!)) users.set(name!, { name: name!, uid: Number(uid), gid: Number(gid), gecos: gecos!, home: home!, shell: shell!.trim() || '/bin/sh' });
  }
  return users;
}

/** getent(1): 0 found, 2 not found, anything else is a failure of the name service. */
function askGetent(program: string, name: string): Promise<SystemUser | null> {
  return new Promise((resolve, reject) => {
    execFile(program, ['passwd', name], { env: { PATH: '/usr/bin:/bin' }, cwd: '/', timeout: GETENT_MS, maxBuffer: 64 * 1024 }, (error, output) => {
      if (error === null) resolve(parsePasswd(output).get(name) ?? null);
      else if ((error as { code?: unknown }).code === 2 || (error as { code?: unknown }).code === 'ENOENT') resolve(null);
      else reject(new Error(`the system's users cannot be looked up now (getent: ${String((error as { code?: unknown }).code ?? error.message)})`));
    });
  });
}

/** /etc/group, for pipe transports with a group of their own. */
export function groupId(name: string, file = '/etc/group'): number | null {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && /^\d{1,10}$/.test(gid ?? '')) return Number(gid);
  }
  return null;
}
