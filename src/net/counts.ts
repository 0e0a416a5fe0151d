/** How many connections are open, by protocol group and by client. One object for each thread. */
import type { Protocol } from '../ports.ts';
import { clientKey, isLoopbackIp } from './networks.ts';
import type { NetSettings } from './settings.ts';

export type ProtocolGroup = 'smtp' | 'submission' | 'lmtp' | 'imap' | 'pop3' | 'sieve';

/** The protocols that share their limits, with or without implicit TLS. */
export const GROUP: Readonly<Record<Protocol, ProtocolGroup>> = {
  smtp: 'smtp',
  submission: 'submission',
  submissions: 'submission',
  lmtp: 'lmtp',
  imap: 'imap',
  imaps: 'imap',
  pop3: 'pop3',
  pop3s: 'pop3',
  sieve: 'sieve',
};

export type Admission = 'admitted' | 'tooMany' | 'tooManyOfClient';

export class ConnectionCounts {
  readonly #groups = new Map<ProtocolGroup, { total: number; clients: Map<string, number> }>();

  /** Counts one more connection unless a limit is reached. Every 'admitted' needs one `leave`. */
  enter(group: ProtocolGroup, ip: string, settings: NetSettings): Admission {
    let entry = this.#groups.get(group);
    if (entry === undefined) this.#groups.set(group, (entry = { total: 0, clients: new Map() }));
    if (entry.total >= settings['net.connectionsMax']) return 'tooMany';
    const key = clientKey(ip);
    const mine = entry.clients.get(key) ?? 0;
    if (mine >= settings['net.connectionsPerClientMax'] && (settings['net.countLoopback'] || !isLoopbackIp(ip))) return 'tooManyOfClient';
    entry.total += 1;
    entry.clients.set(key, mine + 1);
    return 'admitted';
  }

  leave(group: ProtocolGroup, ip: string): void {
    const entry = this.#groups.get(group);
    if (entry === undefined) return;
    entry.total -= 1;
    const key = clientKey(ip);
    const mine = entry.clients.get(key) ?? 0;
    if (mine <= 1) entry.clients.delete(key);
    else entry.clients.set(key, mine - 1);
  }

  total(group: ProtocolGroup): number {
    return this.#groups.get(group)?.total ?? 0;
  }
}
