/**
 * The way out: gives the courier an open connection for a nexthop. Idle ones are kept a few seconds for the next message;
 * otherwise the nexthop's hosts are resolved and tried in order. One sweep a second watches all deadlines.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Log, MessageReader, Metrics } from '../ports.ts';
import type { Dns } from '../net/dns.ts';
import type { Nexthop } from '../route/transport.ts';
import type { Job } from './agent.ts';
import { ownListeners, resolveTargets } from './mx.ts';
import type { DeliverSettings } from './settings.ts';
import type { Credentials } from './smtp/auth.ts';
import type { SmtpConnection } from './smtp/connection.ts';
import { type Endpoint, OpenFailure, type OpenOptions, openEndpoint, type TlsPolicy } from './smtp/open.ts';

export type OutboundSettings = DeliverSettings & {
  readonly hostname: string;
  readonly 'listen.smtp'?: readonly string[];
  readonly 'listen.submission'?: readonly string[];
};

export interface OutboundContext {
  settings(): OutboundSettings;
  readonly dns: Dns;
  readonly log: Log;
  readonly metrics: Metrics;
  now(): number;
  random(): number;
  to7bit(job: Job, reader: MessageReader): AsyncIterable<Uint8Array>;
}

/** No connection. `isFinal`: for good (no such domain, null MX, loop); otherwise for now. */
export interface Unreachable {
  readonly isFinal: boolean;
  readonly code: number;
  readonly enhanced: string;
  readonly reply: string;
  readonly host: string;
}

export type WireHop = Extract<Nexthop, { kind: 'smtp' | 'lmtp' }>;

export class Outbound {
  readonly #context: OutboundContext;
  readonly #idle = new Map<string, SmtpConnection[]>();
  readonly #open = new Set<SmtpConnection>();
  readonly #aborter = new AbortController();
  #idleCount = 0;
  #isOurs: { key: string; test: (ip: string, port: number) => boolean } = { key: '', test: () => false };

  constructor(context: OutboundContext) {
    this.#context = context;
  }

  get connections(): number {
    return this.#open.size;
  }

  /** An idle connection, or null. */
  reuse(hop: WireHop): SmtpConnection | null {
    const kept = this.#idle.get(hop.key);
    for (let connection = kept?.pop(); connection !== undefined; connection = kept!.pop()) {
      this.#idleCount -= 1;
      if (connection.isUsable) return connection;
      connection.quit();
    }
    return null;
  }

  /** Opens a new connection, to the hop's hosts or else to those that may stand in for them. Never rejects. */
  async open(hop: WireHop): Promise<SmtpConnection | Unreachable> {
    let last = await this.#openOne(hop);
    if (hop.kind !== 'smtp' || hop.fallback === undefined) return last;
    for (const spare of hop.fallback) {
      if (!('isFinal' in last) || this.#aborter.signal.aborted) return last;
      this.#context.log.debug('deliver.fallback', { host: spare.host, cause: last.reply });
      last = await this.#openOne(spare);
    }
    return last;
  }

  async #openOne(hop: WireHop): Promise<SmtpConnection | Unreachable> {
    const endpoints = await this.#endpoints(hop);
    if (!Array.isArray(endpoints)) return endpoints;
    let options: OpenOptions;
    try {
      options = this.#options(hop);
    } catch (error) {
      return { isFinal: false, code: 451, enhanced: '4.3.5', reply: `configuration: ${(error as Error).message}`, host: '' };
    }
    let last: OpenFailure | null = null;
    for (const endpoint of endpoints.slice(0, this.#context.settings()['deliver.hostsPerAttemptMax'])) {
      if (this.#aborter.signal.aborted) break;
      try {
        const connection = await openEndpoint(endpoint, options, this.#aborter.signal);
        this.#track(connection);
        return connection;
      } catch (error) {
        if (!(error instanceof OpenFailure)) throw error;
        last = error;
        this.#context.log.debug('deliver.connect.failed', { host: error.host, reason: error.message });
      }
    }
    this.#context.metrics.count('deliver.connectFailed');
    return {
      isFinal: false,
      code: last !== null && last.replyCode >= 400 && last.replyCode < 500 ? last.replyCode : 421,
      enhanced: last?.enhanced ?? '4.4.1',
      reply: last?.message ?? 'shutting down',
      host: last?.host ?? '',
    };
  }

  /** Keeps a connection without work for a while. */
  keep(hop: WireHop, connection: SmtpConnection): void {
    if (this.#aborter.signal.aborted || this.#idleCount >= this.#context.settings()['deliver.connectionsIdleMax']) return connection.quit();
    let kept = this.#idle.get(hop.key);
    if (kept === undefined) this.#idle.set(hop.key, (kept = []));
    kept.push(connection);
    this.#idleCount += 1;
  }

  /** Once a second: ends what is overdue, says goodbye to what is unused. */
  sweep(): void {
    const now = this.#context.now();
    for (const connection of this.#open) if (connection.deadline !== 0 && connection.deadline <= now) connection.expire();
    const idleMs = this.#context.settings()['deliver.connectionIdle'];
    for (const [key, kept] of this.#idle) {
      const still = kept.filter((connection) => {
        const stays = connection.isUsable && now - connection.idleSince < idleMs;
        if (!stays) connection.quit();
        return stays;
      });
      this.#idleCount -= kept.length - still.length;
      if (still.length === 0) this.#idle.delete(key);
      else if (still.length !== kept.length) this.#idle.set(key, still);
    }
  }

  /** Ends all idle connections and opens no new ones. */
  retire(): void {
    this.#aborter.abort(new Error('shutting down'));
    for (const kept of this.#idle.values()) for (const connection of kept) connection.quit();
    this.#idle.clear();
    this.#idleCount = 0;
  }

  /** Breaks everything that is left. */
  close(): void {
    for (const connection of [...this.#open]) connection.abort('shutting down');
  }

  #track(connection: SmtpConnection): void {
    this.#open.add(connection);
    this.#context.metrics.count('deliver.connections');
    connection.onClosed = () => {
      this.#open.delete(connection);
    };
  }

  async #endpoints(hop: WireHop): Promise<Endpoint[] | Unreachable> {
    if (hop.kind === 'lmtp' && hop.path !== null) return [{ host: 'local', ip: '', port: 0, path: hop.path }];
    const smtp: Extract<Nexthop, { kind: 'smtp' }> =
      hop.kind === 'smtp' ? hop : { kind: 'smtp', key: hop.key, host: hop.host, port: hop.port, mx: false, implicitTls: false, isRelay: true };
    const resolved = await resolveTargets(smtp, {
      dns: this.#context.dns,
      settings: this.#context.settings(),
      random: this.#context.random,
      // LMTP is for the inner side: our own SMTP ports are not at stake there.
      isOurs: hop.kind === 'lmtp' ? () => false : this.#own(),
    });
    if (resolved.kind === 'refused') {
      // A relay or transport that cannot be found is the administrator's mistake, not the sender's: it is put right while mail waits.
      const isOwn = hop.kind === 'smtp' && !hop.isRelay && (hop.isDomainsOwn === true || hop.key === hop.host || !hop.mx);
      if (resolved.code < 500 || isOwn)
        return { isFinal: resolved.code >= 500, code: resolved.code, enhanced: resolved.enhanced, reply: resolved.text, host: '' };
      return { isFinal: false, code: 451, enhanced: `4${resolved.enhanced.slice(1)}`, reply: `next host: ${resolved.text}`, host: '' };
    }
    return resolved.targets.map((target) => ({ host: target.host, ip: target.ip, port: target.port, path: null }));
  }

  #own(): (ip: string, port: number) => boolean {
    const settings = this.#context.settings();
    const listeners = settings['listen.smtp'] ?? [];
    const key = listeners.join(' ');
    if (this.#isOurs.key !== key || key === '') {
      const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
      this.#isOurs = { key, test: ownListeners(listeners, addresses) };
    }
    return this.#isOurs.test;
  }

  /** What the hop's own transport says goes before the options of `deliver`. */
  #options(hop: WireHop): OpenOptions {
    const settings = this.#context.settings();
    const named = hop.transport;
    const caFile = named?.tlsCaFile ?? settings['deliver.tlsCaFile'];
    return {
      isLmtp: hop.kind === 'lmtp',
      heloName: named?.heloName ?? settings.hostname,
      tls: tlsPolicy(hop, settings),
      ca: caFile === '' ? undefined : readFileSync(caFile, 'utf8'),
      credentials: credentialsFor(hop, settings),
      bindAddress4: named?.bindAddress4 ?? settings['deliver.bindAddress4'],
      bindAddress6: named?.bindAddress6 ?? settings['deliver.bindAddress6'],
      connectMs: named?.connectTimeoutMs ?? settings['deliver.connectTimeout'],
      commandMs: settings['deliver.greetingTimeout'],
      dataMs: settings['deliver.dataTimeout'],
      doneMs: settings['deliver.dataDoneTimeout'],
      attemptMs: settings['deliver.attemptMax'],
      messagesMax: named?.messagesMax ?? settings['deliver.messagesPerConnectionMax'],
      ageMs: settings['deliver.connectionAgeMax'],
      pipelineMessages: settings['deliver.pipelineMessages'],
      chunking: settings['deliver.chunking'],
      now: this.#context.now,
      to7bit: this.#context.to7bit,
    };
  }
}

function tlsPolicy(hop: WireHop, settings: OutboundSettings): TlsPolicy {
  const wished = hop.transport?.tls ?? null;
  if (hop.kind === 'lmtp') {
    if (hop.path !== null) return 'none';
    return wished ?? (settings['deliver.tls'] === 'none' ? 'none' : 'may');
  }
  return hop.implicitTls ? 'implicit' : (wished ?? settings['deliver.tls']);
}

function credentialsFor(hop: WireHop, settings: OutboundSettings): Credentials | null {
  const named = hop.transport;
  if (named !== undefined && named.user !== null) return { user: named.user, password: firstLine(named.passwordFile ?? '') };
  const isRelay = hop.kind === 'smtp' && hop.isRelay;
  return isRelay && settings['deliver.relayUser'] !== ''
    ? { user: settings['deliver.relayUser'], password: firstLine(settings['deliver.relayPasswordFile']) }
    : null;
}

function firstLine(file: string): string {
  if (file === '') throw new Error('a login at the next host needs a file with the password (deliver.relayPasswordFile, or passwordFile= of the transport)');
  return readFileSync(file, 'utf8').split('\n', 1)[0]!.replace(/\r$/, '');
}
