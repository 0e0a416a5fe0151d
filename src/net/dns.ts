/**
 * Name lookups with a bounded cache, over our own stub resolver (`dns-client.ts`). Answers are values: a name server's refusal never throws.
 * Questions asked at the same time share one packet; absence is remembered for a while, failure for a short one.
 */
import { isIP } from 'node:net';
import { readAnswer } from './dns-answer.ts';
import { TtlCache } from './dns-cache.ts';
import { DnsClient } from './dns-client.ts';
import { DNS_LIMITS } from './dns-limits.ts';
import { askableName } from './dns-message.ts';
import type { DnsSettings } from './dns-settings.ts';
import type { Dns, DnsAnswer, DnsRecords, DnsTransport, DnsType } from './dns-types.ts';
import { reverseNameOf } from './reverse-name.ts';

export type { Dns, DnsAnswer, DnsRecords, DnsType, Mx, Soa, Srv, Tlsa } from './dns-types.ts';

const NO_NAME: DnsAnswer<never> = { kind: 'none', exists: false };

/** `now` in milliseconds, not stepping back. `transport` is for tests; without it the servers of the settings are asked. */
export function createDns(settings: () => DnsSettings, now: () => number = Date.now, transport?: DnsTransport): Dns {
  return new CachingDns(settings, now, transport);
}

class CachingDns implements Dns {
  readonly #settings: () => DnsSettings;
  readonly #now: () => number;
  readonly #given: DnsTransport | undefined;
  readonly #cache = new TtlCache<DnsAnswer<any>>();
  readonly #inFlight = new Map<string, Promise<DnsAnswer<any>>>();
  /** Joined strings of TXT answers, made once for each answer. */
  readonly #joined = new WeakMap<object, DnsAnswer<string>>();
  #client: DnsTransport | null = null;
  /** The values that `#client` was made for. */
  #madeFor: DnsSettings | null = null;

  constructor(settings: () => DnsSettings, now: () => number, transport: DnsTransport | undefined) {
    this.#settings = settings;
    this.#now = now;
    this.#given = transport;
  }

  mx = (name: string) => this.ask('MX', name);
  addresses4 = (name: string) => this.ask('A', name);
  addresses6 = (name: string) => this.ask('AAAA', name);
  txt = (name: string): Promise<DnsAnswer<string>> => this.ask('TXT', name).then((answer) => this.#join(answer));
  txtStrings = (name: string) => this.ask('TXT', name);
  ptr = (ip: string) => this.ask('PTR', ip);
  ns = (name: string) => this.ask('NS', name);
  srv = (name: string) => this.ask('SRV', name);
  tlsa = (name: string) => this.ask('TLSA', name);
  soa = (name: string) => this.ask('SOA', name);
  cname = (name: string) => this.ask('CNAME', name);

  cached<K extends DnsType>(type: K, name: string): DnsAnswer<DnsRecords[K]> | undefined {
    const asked = questionName(type, name);
    if (asked === null) return NO_NAME;
    return this.#cache.get(`${type} ${asked}`, this.#now());
  }

  ask<K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>> {
    const asked = questionName(type, name);
    if (asked === null) return Promise.resolve(NO_NAME);
    const client = this.#current(); // first: a change of servers empties the cache
    const key = `${type} ${asked}`;
    const known = this.#cache.get(key, this.#now());
    if (known !== undefined) return Promise.resolve(known);
    const pending = this.#inFlight.get(key);
    if (pending !== undefined) return pending;
    const promise = this.#askServers(client, key, asked, type).finally(() => {
      if (this.#inFlight.get(key) === promise) this.#inFlight.delete(key);
    });
    this.#inFlight.set(key, promise);
    return promise;
  }

  clear(): void {
    this.#cache.clear();
    this.#inFlight.clear();
    this.#client?.close();
    this.#client = null;
    this.#madeFor = null;
  }

  close(): void {
    this.clear();
    this.#given?.close();
  }

  async #askServers<K extends DnsType>(client: DnsTransport, key: string, name: string, type: K): Promise<DnsAnswer<DnsRecords[K]>> {
    let target = name;
    let leastMs = Number.MAX_SAFE_INTEGER;
    for (let questions = 0; ; questions += 1) {
      const read = readAnswer(await client.ask(target, type), target, type);
      leastMs = Math.min(leastMs, read.ttlMs);
      if (read.follow !== null && questions < DNS_LIMITS.aliasQuestions) {
        const next = askableName(read.follow);
        if (next !== null) {
          target = next;
          continue;
        }
      }
      // Answers of servers that were changed meanwhile are not kept.
      if (leastMs > 0 && client === (this.#given ?? this.#client)) this.#remember(key, read.answer, leastMs);
      return read.answer;
    }
  }

  #remember(key: string, answer: DnsAnswer<any>, ttlMs: number): void {
    const values = this.#settings();
    const most = answer.kind === 'none' ? values['dns.cacheTtlNegative'] : values['dns.cacheTtlMax'];
    const now = this.#now();
    this.#cache.set(key, answer, now + Math.min(ttlMs, most), now, values['dns.cacheEntriesMax']);
  }

  #current(): DnsTransport {
    if (this.#given !== undefined) return this.#given;
    const values = this.#settings();
    if (this.#client !== null && (values === this.#madeFor || (this.#madeFor !== null && isSameClient(values, this.#madeFor)))) return this.#client;
    this.clear();
    this.#client = new DnsClient(values);
    this.#madeFor = values;
    return this.#client;
  }

  #join(answer: DnsAnswer<readonly string[]>): DnsAnswer<string> {
    if (answer.kind !== 'found') return answer;
    let joined = this.#joined.get(answer);
    if (joined === undefined) {
      joined = { ...answer, records: answer.records.map((strings) => strings.join('')) };
      this.#joined.set(answer, joined);
    }
    return joined;
  }
}

function questionName(type: DnsType, name: string): string | null {
  return askableName(type === 'PTR' && isIP(name) !== 0 ? reverseNameOf(name) : name);
}

function isSameClient(a: DnsSettings, b: DnsSettings): boolean {
  return (
    a['dns.servers'].join(' ') === b['dns.servers'].join(' ') &&
    a['dns.timeout'] === b['dns.timeout'] &&
    a['dns.tries'] === b['dns.tries'] &&
    a['dns.deadline'] === b['dns.deadline'] &&
    a['dns.questionsMax'] === b['dns.questionsMax']
  );
}
