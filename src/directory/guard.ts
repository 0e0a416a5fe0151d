/**
 * The login guard: counts failures for each login name and each client network, slows the answers, and locks for a while
 * when there were too many. Counts fade by half every `auth.forgetTime`. Each thread keeps its own counts, so with
 * several threads an attacker has at most that many times the allowance.
 */
import { isIPv4 } from 'node:net';
import { networksOf } from '../net/networks.ts';
import { BoundedMap } from './bounded.ts';
import type { DirectorySettings } from './settings.ts';

/** Most names, networks and pairs remembered; the ones that failed longest ago are forgotten first. */
const ENTRIES_MAX = 50_000;

interface FailureRecord {
  failures: number;
  countedAt: number;
  lockedUntil: number;
  /** Of the last wrong password: a phone that repeats an old one all day counts once. */
  fingerprint: string;
}

/** What counts as one network: an IPv4 address, or the first 64 bits of an IPv6 one (what a household or server gets). */
export function clientNetwork(ip: string): string {
  if (isIPv4(ip)) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped !== null) return mapped[1]!;
  const [head = '', tail] = ip.split('::') as [string, string | undefined];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return (
    groups
      .slice(0, 4)
      .map((group) => Number.parseInt(group, 16).toString(16))
      .join(':') + '::/64'
  );
}

/** Failures left at `now`. */
function faded(record: FailureRecord, now: number, halfLifeMs: number): number {
  const left = record.failures * 0.5 ** (Math.max(0, now - record.countedAt) / halfLifeMs);
  return left < 0.5 ? 0 : left;
}

/** Counts one failure, or none when it repeats the last; answers the record. */
function count(records: BoundedMap<string, FailureRecord>, key: string, now: number, halfLifeMs: number, fingerprint: string): FailureRecord {
  const record = records.get(key) ?? { failures: 0, countedAt: now, lockedUntil: 0, fingerprint: '' };
  record.failures = faded(record, now, halfLifeMs) + (fingerprint !== '' && fingerprint === record.fingerprint ? 0 : 1);
  record.countedAt = now;
  record.fingerprint = fingerprint;
  return records.set(key, record, ENTRIES_MAX);
}

export class LoginGuard {
  readonly #accounts = new BoundedMap<string, FailureRecord>();
  readonly #networks = new BoundedMap<string, FailureRecord>();
  /** "login network" pairs that logged in; a locked name stays open for them, so that an attacker cannot lock its owner out. */
  readonly #known = new BoundedMap<string, true>();

  #isUnguarded(ip: string, settings: DirectorySettings): boolean {
    return networksOf(settings['auth.unguardedNetworks']).has(ip);
  }

  /** Milliseconds that this name ("" for none) or network must wait; 0 when a password may be tried. */
  lockedFor(login: string, ip: string, now: number, settings: DirectorySettings): number {
    if (this.#accounts.isEmpty && this.#networks.isEmpty) return 0;
    const network = clientNetwork(ip);
    let byNetwork = (this.#networks.get(network)?.lockedUntil ?? 0) - now;
    let byAccount = (this.#accounts.get(login)?.lockedUntil ?? 0) - now;
    if (byAccount > 0 && this.#known.refresh(`${login} ${network}`, ENTRIES_MAX) === true) byAccount = 0;
    if (byNetwork > 0 && this.#isUnguarded(ip, settings)) byNetwork = 0;
    return Math.max(byNetwork, byAccount, 0);
  }

  /**
   * Counts a failed login; answers how long its reply is to be delayed, in milliseconds. `fingerprint` tells one wrong
   * password from another ("" when the mechanism shows none).
   */
  failed(login: string, ip: string, fingerprint: string, now: number, settings: DirectorySettings): number {
    const halfLifeMs = settings['auth.forgetTime'];
    const lockMs = settings['auth.lockTime'];
    let failures = 0;
    // Tokens may come without a name: those of one stranger must not lock out all others who give none.
    if (login !== '') {
      const account = count(this.#accounts, login, now, halfLifeMs, fingerprint);
      // Rounded: a count fades from the first second on, and three failures in a minute are three.
      const accountMax = settings['auth.accountFailuresMax'];
      if (accountMax > 0 && Math.round(account.failures) >= accountMax) this.#lock(account, now + lockMs);
      failures = account.failures;
    }
    if (!this.#isUnguarded(ip, settings)) {
      const network = count(this.#networks, clientNetwork(ip), now, halfLifeMs, fingerprint === '' ? '' : `${login} ${fingerprint}`);
      const networkMax = settings['auth.networkFailuresMax'];
      if (networkMax > 0 && Math.round(network.failures) >= networkMax) this.#lock(network, now + lockMs);
      failures = Math.max(failures, network.failures);
    }
    const first = settings['auth.failureDelay'];
    return Math.min(settings['auth.failureDelayMax'], first * 2 ** Math.min(20, Math.max(0, Math.ceil(failures) - 1)));
  }

  /** After the lock a few tries are free again, and the next failures lock sooner: the count is not set back to nothing. */
  #lock(record: FailureRecord, until: number): void {
    record.lockedUntil = until;
    record.failures /= 2;
  }

  /** A success clears the name's failures, but not the network's: an attacker may have an account of his own. */
  succeeded(login: string, ip: string): void {
    this.#accounts.delete(login);
    this.#known.set(`${login} ${clientNetwork(ip)}`, true, ENTRIES_MAX);
  }
}
