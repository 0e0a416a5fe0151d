/** Which configuration is in force: a file, or the development profile when there is none. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import type { SystemSettings } from '../settings.ts';

export const SYSTEM_CONFIG_FILE = '/etc/posthorn/posthorn.toml';

/** The file to read: named on the command line, by POSTHORN_CONFIG, in the working directory, in /etc; null for none. A named file need not exist. */
export function findConfig(named: string | undefined, environment: Readonly<Record<string, string | undefined>>, workingDir: string): string | null {
  if (named !== undefined) return resolve(workingDir, named);
  const fromEnvironment = environment.POSTHORN_CONFIG;
  if (fromEnvironment !== undefined && fromEnvironment !== '') return resolve(workingDir, fromEnvironment);
  return [resolve(workingDir, 'posthorn.toml'), SYSTEM_CONFIG_FILE].find((file) => existsSync(file)) ?? null;
}

/** The account that the development profile creates at its first start. */
export const DEV_ACCOUNT = 'me@example.test';

const hasIpv6Loopback = (): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some((address) => address.family === 'IPv6' && address.address === '::1'));

/** Settings for a first look: high ports on loopback, data in ./data, a domain that never leaves the machine (RFC 2606 section 2). */
export function devProfile(withIpv6: boolean = hasIpv6Loopback()): Partial<SystemSettings> {
  const at = (port: number): string[] => [`127.0.0.1:${port}`, ...(withIpv6 ? [`[::1]:${port}`] : [])];
  return {
    hostname: 'localhost',
    domain: DEV_ACCOUNT.slice(DEV_ACCOUNT.indexOf('@') + 1),
    dataDir: './data',
    'listen.smtp': at(2525),
    'listen.submission': at(2587),
    'listen.submissions': at(2465),
    'listen.lmtp': [],
    'listen.imap': at(1143),
    'listen.imaps': at(1993),
    'listen.pop3': at(1110),
    'listen.pop3s': at(1995),
    'listen.sieve': at(5190),
  };
}
