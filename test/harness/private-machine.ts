/**
 * A machine with users of its own, for one test file: /etc, /home and the mail spool as only this process and its children see them
 * (they live in the mount namespace of `ownNetwork()`, which comes first).
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Owner, tempDir } from './temp.ts';

const FIRST_UID = 2001;
/** Group "mail" of Debian, which owns the spool. */
const MAIL_GID = 8;

export class PrivateMachine {
  readonly #uids = new Map<string, number>();

  /** A user with a home directory, and a password when one is given. */
  addUser(name: string, password?: string): number {
    const uid = FIRST_UID + this.#uids.size;
    this.#uids.set(name, uid);
    appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}:${name}:/home/${name}:/bin/sh\n`);
    appendFileSync('/etc/group', `${name}:x:${uid}:\n`);
    const hash = password === undefined ? '!' : execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: `${password}\n`, encoding: 'utf8' }).trim();
    appendFileSync('/etc/shadow', `${name}:${hash}:20000:0:99999:7:::\n`);
    mkdirSync(`/home/${name}`, { mode: 0o755 });
    chownSync(`/home/${name}`, uid, uid);
    return uid;
  }

  uid(name: string): number {
    const uid = this.#uids.get(name);
    if (uid === undefined) throw new Error(`there is no user ${name}`);
    return uid;
  }

  /** A file in a home directory, the user's own; folders on its way are made. */
  homeFile(name: string, path: string, text: string, mode = 0o644): string {
    const full = join('/home', name, path);
    const uid = this.uid(name);
    this.homeFolder(name, dirname(path));
    writeFileSync(full, text);
    chmodSync(full, mode);
    chownSync(full, uid, uid);
    return full;
  }

  /** A folder in a home directory, the user's own with all on its way. */
  homeFolder(name: string, path: string): void {
    const uid = this.uid(name);
    let full = join('/home', name);
    for (const part of path.split('/')) {
      full = join(full, part);
      if (existsSync(full)) continue;
      mkdirSync(full, { mode: 0o755 });
      chownSync(full, uid, uid);
    }
  }

  /** A file of the administrator's. */
  file(path: string, text: string, mode = 0o644): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  /** What a file of the user's holds; null when it is not there. */
  read(name: string, path: string): string | null {
    const full = join('/home', name, path);
    return existsSync(full) && statSync(full).isFile() ? readFileSync(full, 'latin1') : null;
  }

  /** The messages of a maildir below the home directory. */
  maildir(name: string, path = 'Maildir'): string[] {
    return maildir(join('/home', name, path));
  }
}

export function maildir(path: string): string[] {
  return ['new', 'cur'].flatMap((part) => {
    const dir = join(path, part);
    return existsSync(dir)
      ? readdirSync(dir)
          .sort()
          .map((file) => readFileSync(join(dir, file), 'latin1'))
      : [];
  });
}

export function privateMachine(owner: Owner): PrivateMachine {
  const dir = tempDir(owner, 'machine');
  execFileSync('cp', ['-a', '/etc', join(dir, 'etc')]);
  mkdirSync(join(dir, 'home'), { mode: 0o755 });
  mkdirSync(join(dir, 'mail'));
  chownSync(join(dir, 'mail'), 0, MAIL_GID);
  chmodSync(join(dir, 'mail'), 0o2775);
  for (const [ours, theirs] of [
    ['etc', '/etc'],
    ['home', '/home'],
    ['mail', '/var/mail'],
  ] as const) {
    mkdirSync(theirs, { recursive: true });
    execFileSync('mount', ['--bind', join(dir, ours), theirs]);
  }
  // What this machine's administrator has set up is not part of the test.
  for (const file of ['/etc/aliases', '/etc/procmailrc', '/etc/maildroprc']) if (existsSync(file)) execFileSync('rm', [file]);
  return new PrivateMachine();
}
