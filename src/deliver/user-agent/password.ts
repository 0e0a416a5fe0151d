/** Checks passwords of system users with Debian's unix_chkpwd (libpam-modules-bin), which reads /etc/shadow and does nothing else. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PASSWORD_BYTES_MAX, PASSWORD_CHECKS_AT_ONCE, PASSWORD_CHECKS_PER_USER_MINUTE, PASSWORD_CHECKS_WAITING, PASSWORD_MS_MAX } from './limits.ts';
import { isUserName, type SystemUsers } from './system-users.ts';
import type { PasswordAnswer } from './types.ts';

export const CHKPWD_PROGRAMS: readonly string[] = ['/usr/sbin/unix_chkpwd', '/sbin/unix_chkpwd'];
const PAM_SUCCESS = 0;
const PAM_AUTH_ERR = 7;
const PAM_USER_UNKNOWN = 10;
const PAM_ACCT_EXPIRED = 13;

export interface PasswordChecks {
  /** 'refused' covers unknown users, wrong, empty and expired ones. 'unavailable': the program is not there, or there is too much to do. */
  check(user: string, password: string): Promise<PasswordAnswer>;
}

export function passwordChecks(users: SystemUsers, program: string | undefined = CHKPWD_PROGRAMS.find((path) => existsSync(path))): PasswordChecks {
  let running = 0;
  const waiting: (() => void)[] = [];
  let minute = 0;
  const counts = new Map<string, number>();

  /** Guesses through another door than the server's own (which has its guard) end here. */
  function isTooMany(user: string): boolean {
    const now = Math.floor(Date.now() / 60_000);
    if (now !== minute) counts.clear();
    minute = now;
    const count = (counts.get(user) ?? 0) + 1;
    counts.set(user, count);
    return count > PASSWORD_CHECKS_PER_USER_MINUTE;
  }

  return {
    async check(user, password) {
      const bytes = Buffer.from(`${password}\0`);
      // An empty password never opens anything; a NUL inside would be the end of what is compared.
      if (!isUserName(user) || password === '' || password.includes('\0') || bytes.length > PASSWORD_BYTES_MAX) return 'refused';
      if (program === undefined || waiting.length >= PASSWORD_CHECKS_WAITING) return 'unavailable';
      const found = await users.find(user).catch(() => 'unavailable' as const);
      if (found === 'unavailable') return 'unavailable';
      if (found === null || found.uid === 0) return 'refused';
      if (isTooMany(user)) return 'unavailable';
      if (running >= PASSWORD_CHECKS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
      running += 1;
      try {
        const right = verdict(await run(program, [user, 'nonull'], bytes));
        return right === 'ok' && (await run(program, [user, 'chkexpiry'], Buffer.alloc(0))) === PAM_ACCT_EXPIRED ? 'refused' : right;
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    },
  };
}

function verdict(exit: number | null): PasswordAnswer {
  if (exit === PAM_SUCCESS) return 'ok';
  return exit === PAM_AUTH_ERR || exit === PAM_USER_UNKNOWN ? 'refused' : 'unavailable';
}

/** Exit code; null when it could not be started or took too long. The password goes through its standard input only. */
function run(program: string, args: string[], input: Buffer): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
      timeout: PASSWORD_MS_MAX,
      killSignal: 'SIGKILL',
    });
    child.on('error', () => resolve(null));
    child.on('exit', (code) => resolve(code));
    child.stdin.on('error', () => {}); // it decided without reading: its exit code tells
    child.stdin.end(input);
  });
}
