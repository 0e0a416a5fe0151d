/**
 * Name lookups with a bounded cache. Answers are values: a name server's refusal never throws.
 * Questions asked at the same time share one packet; absence is remembered for a short while, failure for a shorter one.
 */
import { promises as dns } from 'node:dns';
import type { DnsSettings } from './dns-settings.ts';

export type DnsAnswer<T> =
  | { readonly kind: 'found'; readonly records: readonly T[] }
  /** The name has no such records; `exists` is false when the name itself does not exist (NXDOMAIN). */
  | { readonly kind: 'none'; readonly exists: boolean }
  /** No answer: timeout, SERVFAIL, no server. `reason` is a short phrase for replies and logs. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Mx {
  readonly exchange: string;
  readonly preference: number;
}

export interface Dns {
  mx(name: string): Promise<DnsAnswer<Mx>>;
  addresses4(name: string): Promise<DnsAnswer<string>>;
  addresses6(name: string): Promise<DnsAnswer<string>>;
  /** Each record's strings joined. */
  txt(name: string): Promise<DnsAnswer<string>>;
  /** Names of an address. */
  ptr(ip: string): Promise<DnsAnswer<string>>;
  /** Forgets everything; used at reload. */
  clear(): void;
}

/** The part of node:dns that is needed; tests give their own. */
export interface RawResolver {
  resolveMx(name: string): Promise<{ exchange: string; priority: number }[]>;
  resolve4(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolve6(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolveTxt(name: string): Promise<string[][]>;
  reverse(ip: string): Promise<string[]>;
}

const MX_TTL_MS = 5 * 60_000; // node:dns does not tell the TTL of these
const FAILURE_TTL_MS = 5_000; // a dead name server is not asked again for each of a thousand recipients
const RECORDS_MAX = 100; // of one answer

interface Cached {
  readonly answer: DnsAnswer<any>;
  readonly until: number;
}

function reasonOf(code: string): string {
  switch (code) {
    case 'ETIMEOUT':
    case 'ECANCELLED':
      return 'name server did not answer in time';
    case 'ESERVFAIL':
      return 'name server failure (SERVFAIL)';
    case 'EREFUSED':
      return 'name server refused the question';
    case 'ECONNREFUSED':
      return 'name server cannot be reached';
    default:
      return `name lookup failed (${code})`;
  }
}

/** A name that cannot be asked for at all: empty labels, too long, odd characters. */
function isAskable(name: string): boolean {
  return name.length > 0 && name.length <= 254 && !name.startsWith('.') && !name.includes('..') && /^[\x21-\x7e]+$/.test(name);
}

export function createDns(settings: () => DnsSettings, now: () => number = Date.now, raw?: RawResolver): Dns {
  const cache = new Map<string, Cached>();
  const inFlight = new Map<string, Promise<DnsAnswer<any>>>();
  let resolver: RawResolver | undefined = raw;
  let builtFor = '';

  function current(): RawResolver {
    if (raw !== undefined) return raw;
    const values = settings();
    const signature = `${values['dns.servers'].join(' ')} ${values['dns.timeout']} ${values['dns.tries']}`;
    if (resolver === undefined || signature !== builtFor) {
      const made = new dns.Resolver({ timeout: values['dns.timeout'], tries: values['dns.tries'] });
      if (values['dns.servers'].length > 0) made.setServers([...values['dns.servers']]);
      resolver = made;
      builtFor = signature;
      cache.clear();
    }
    return resolver;
  }

  function remember(key: string, answer: DnsAnswer<any>, ttlMs: number): void {
    const values = settings();
    // Oldest first: a Map keeps the order of insertion.
    while (cache.size >= values['dns.cacheEntriesMax']) cache.delete(cache.keys().next().value!);
    cache.set(key, { answer, until: now() + Math.min(ttlMs, values['dns.cacheTtlMax']) });
  }

  function ask<T>(type: string, name: string, run: (resolver: RawResolver) => Promise<{ records: T[]; ttlMs: number }>): Promise<DnsAnswer<T>> {
    if (!isAskable(name)) return Promise.resolve({ kind: 'none', exists: false });
    const key = `${type} ${name.toLowerCase()}`;
    const asked = current();
    const known = cache.get(key);
    if (known !== undefined) {
      if (known.until > now()) return Promise.resolve(known.answer);
      cache.delete(key);
    }
    const pending = inFlight.get(key);
    if (pending !== undefined) return pending;
    const promise = run(asked).then(
      ({ records, ttlMs }): DnsAnswer<T> => {
        const answer: DnsAnswer<T> = records.length === 0 ? { kind: 'none', exists: true } : { kind: 'found', records: records.slice(0, RECORDS_MAX) };
        remember(key, answer, records.length === 0 ? settings()['dns.cacheTtlNegative'] : ttlMs);
        return answer;
      },
      (error: unknown): DnsAnswer<T> => {
        const code = String((error as { code?: unknown }).code ?? 'unknown');
        if (code === 'ENOTFOUND' || code === 'ENODATA') {
          const answer: DnsAnswer<T> = { kind: 'none', exists: code === 'ENODATA' };
          remember(key, answer, settings()['dns.cacheTtlNegative']);
          return answer;
        }
        if (code === 'EBADNAME') return { kind: 'none', exists: false };
        const answer: DnsAnswer<T> = { kind: 'failed', reason: reasonOf(code) };
        remember(key, answer, FAILURE_TTL_MS);
        return answer;
      },
    );
    inFlight.set(key, promise);
    const done = (): void => {
      inFlight.delete(key);
    };
    promise.then(done, done);
    return promise;
  }

  const withTtl = (found: { address: string; ttl: number }[]): { records: string[]; ttlMs: number } => ({
    records: found.map((record) => record.address),
    ttlMs: found.reduce((least, record) => Math.min(least, record.ttl * 1000), Number.MAX_SAFE_INTEGER),
  });

  return {
    mx: (name) =>
      ask<Mx>('MX', name, async (r) => ({
        records: (await r.resolveMx(name)).map((record) => ({ exchange: record.exchange.toLowerCase().replace(/\.$/, ''), preference: record.priority })),
        ttlMs: MX_TTL_MS,
      })),
    addresses4: (name) => ask<string>('A', name, async (r) => withTtl(await r.resolve4(name, { ttl: true }))),
    addresses6: (name) => ask<string>('AAAA', name, async (r) => withTtl(await r.resolve6(name, { ttl: true }))),
    txt: (name) => ask<string>('TXT', name, async (r) => ({ records: (await r.resolveTxt(name)).map((strings) => strings.join('')), ttlMs: MX_TTL_MS })),
    ptr: (ip) =>
      ask<string>('PTR', ip, async (r) => ({ records: (await r.reverse(ip)).map((found) => found.toLowerCase().replace(/\.$/, '')), ttlMs: MX_TTL_MS })),
    clear: () => {
      cache.clear();
      resolver = raw;
    },
  };
}
