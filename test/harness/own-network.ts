/**
 * A network, mount table and process table of our own for one test file or benchmark: its peers may use
 * port 25, port 53 and /etc/resolv.conf as on a real machine, files run side by side without sharing a
 * port, and whatever is still running at the end is ended by the kernel. Only loopback exists inside.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MARK = 'POSTHORN_OWN_NETWORK';
/** Addresses of RFC 5737 put on the loopback device: our hosts and the peers' are then not "localhost" to each other. */
export const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.20', '192.0.2.66'] as const;
/** The same of RFC 3849. */
export const ADDRESSES6 = ['2001:db8::1', '2001:db8::2', '2001:db8::66'] as const;

/**
 * Call it first in the file. Outside, this replaces the process by itself inside new namespaces (output,
 * arguments and exit code stay as they were); inside, it brings the loopback device up and returns.
 * Throws with a sentence where the system does not allow namespaces (it needs root, or CAP_SYS_ADMIN).
 */
export function ownNetwork(): void {
  if (process.env[MARK] === '1') {
    setUp();
    return;
  }
  if (process.getuid?.() !== 0) throw new Error('the end-to-end tests and benchmarks must run as root (they make network namespaces)');
  const unshare = ['/usr/bin/unshare', '/bin/unshare'].find((path) => existsSync(path));
  if (unshare === undefined) throw new Error('"unshare" (Debian package util-linux) is missing');
  // The shell stays as process 1 of the namespace and reaps what daemons leave behind; node would not.
  const inside = ['sh', '-c', '"$@"; exit $?', 'own-network', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const namespaces = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  process.execve!(unshare, [...namespaces, ...inside], { ...(process.env as Record<string, string>), [MARK]: '1' });
}

function setUp(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  for (const address of ADDRESSES) execFileSync('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
  for (const address of ADDRESSES6) execFileSync('ip', ['-6', 'address', 'replace', `${address}/128`, 'dev', 'lo', 'nodad']);
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-net-'));
  process.once('exit', () => execFileSync('rm', ['-rf', dir]));
  replaceFile('/etc/hosts', join(dir, 'hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  replaceFile('/etc/resolv.conf', join(dir, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n');
}

/** Shows `content` at `target`, in this mount namespace only. */
function replaceFile(target: string, source: string, content: string): void {
  writeFileSync(source, content);
  if (!existsSync(target)) throw new Error(`${target} is missing: it is needed as the place to mount ours`);
  execFileSync('mount', ['--bind', source, target]);
}
