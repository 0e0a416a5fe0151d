/** What a check of posthorn doctor is given and answers. */
import type { X509Certificate } from 'node:crypto';
import type { Dns } from '../net/dns.ts';
import type { Admin } from '../ports.ts';
import type { ServerStatus } from '../system/admin.ts';
import type { FactSettings } from './dns-facts.ts';

export type Level = 'ok' | 'warn' | 'bad' | 'unknown';

export interface Finding {
  readonly level: Level;
  /** One sentence, or a few words when all is well. */
  readonly what: string;
  /** What it breaks: a clause. */
  readonly breaks?: string;
  /** The command or record that cures it. */
  readonly cure?: string;
}

/** What a connection attempt came to. */
export type Reach = 'open' | 'refused' | 'timeout' | string;

export interface CertificateFacts {
  readonly file: string;
  /** The server's own first, then what else is in the file. */
  readonly chain: readonly X509Certificate[];
  /** Why the certificate or its key cannot be used: a sentence. */
  readonly problem: string | null;
}

export interface DoctorEnvironment {
  readonly settings: FactSettings & { readonly 'milter.milters'?: readonly string[] };
  readonly baseDir: string;
  readonly configFile: string | null;
  readonly admin: Admin;
  readonly dns: Dns;
  /** Null while the server does not run. */
  readonly status: ServerStatus | null;
  readonly domains: readonly string[];
  /** By which others know the server. */
  readonly addresses: readonly string[];
  /** Public ones of its interfaces. */
  readonly ownAddresses: readonly string[];
  /** Public ones that the system chooses for connections to the internet. */
  readonly sourceAddresses: readonly string[];
  /** Reads the store from end to end. */
  readonly isFull: boolean;
  readonly isRoot: boolean;
  now(): number;
  /** `host` null is a unix socket at `path`. */
  reach(host: string | null, portOrPath: number | string): Promise<Reach>;
  /** Sends each command after the answer to the one before; answers the codes, the greeting's first. Rejects when the connection fails. */
  smtp(host: string, port: number, commands: readonly string[]): Promise<{ codes: number[]; localAddress: string }>;
  certificates(): readonly CertificateFacts[];
  /** Does one of the authorities that everybody trusts stand behind this certificate? */
  isTrusted(last: X509Certificate): boolean;
  space(path: string): { readonly freePercent: number; readonly freeInodesPercent: number } | null;
  /** Permission bits, modification time (ms); null when there is no such file. */
  file(path: string): { readonly mode: number; readonly changedAt: number } | null;
  /** Text of a small file; null when it cannot be read. */
  text(path: string): string | null;
  /** Whether the system clock follows a time server; null when nobody says. */
  clockIsSynchronised(): Promise<boolean | null>;
}

export interface Check {
  readonly name: string;
  run(env: DoctorEnvironment): Promise<Finding[]> | Finding[];
}

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const warn = (what: string, breaks: string, cure: string): Finding => ({ level: 'warn', what, breaks, cure });
export const bad = (what: string, breaks: string, cure: string): Finding => ({ level: 'bad', what, breaks, cure });
export const unknown = (what: string, cure?: string): Finding => ({ level: 'unknown', what, cure });
/** The problems, or one short line when there are none. */
export const or = (findings: readonly Finding[], fine: string): Finding[] => (findings.length === 0 ? [ok(fine)] : [...findings]);
