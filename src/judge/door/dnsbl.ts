/**
 * Asks DNS lists (RFC 5782) about an address or a domain: all zones at once, one question for each, under one deadline.
 * A list that keeps silent, refuses this resolver or answers nonsense counts nothing and is left out for a while: it never refuses mail.
 */
import type { Dns, DnsAnswer } from '../../net/dns.ts';
import { askableName } from '../../net/dns-message.ts';
import { reversedLabels } from '../../net/reverse-name.ts';
import type { Wheel, WheelEntry } from '../../net/wheel.ts';
import type { JudgeSymbol, Log, Metrics } from '../../ports.ts';
import { DOOR_LIMITS } from './limits.ts';
import { type ListZone, listZones } from './list-entry.ts';
import { ListHealth } from './list-health.ts';

/** One entry of the configuration that fits an answer. */
export interface ListHit {
  readonly zone: string;
  /** The answer, as "127.0.0.4". */
  readonly value: string;
  readonly weight: number;
}
export interface ListScore {
  /** Sum of the weights of all hits. */
  readonly score: number;
  readonly hits: readonly ListHit[];
  /** Zones that gave no useful answer in time. */
  readonly failed: readonly string[];
}

export interface DnsListsContext {
  readonly dns: Pick<Dns, 'ask' | 'cached'>;
  readonly log: Log;
  readonly metrics: Metrics;
  now(): number;
  readonly wheel: Wheel;
}
/** `timeoutMs` bounds the wait for all of them. */
export interface ListQuery {
  readonly lists: readonly string[];
  readonly timeoutMs: number;
}

export const NO_HITS: ListScore = { score: 0, hits: [], failed: [] };

type Answer = DnsAnswer<string> | null; // null: left out, or not answered in time

export class DnsLists {
  readonly #context: DnsListsContext;
  readonly #health: ListHealth;

  constructor(context: DnsListsContext) {
    this.#context = context;
    this.#health = new ListHealth(context);
  }

  /** Answers at once when every answer is cached. `ip` is canonical text. */
  queryAddress(query: ListQuery, ip: string): ListScore | Promise<ListScore> {
    if (query.lists.length === 0) return NO_HITS;
    return this.#query(query, reversedLabels(ip));
  }

  /** The same for a domain, as it stands in the lists: "example.org" asks "example.org.ZONE". */
  queryDomain(query: ListQuery, domain: string): ListScore | Promise<ListScore> {
    if (query.lists.length === 0) return NO_HITS;
    return this.#query(query, askableName(domain) ?? '');
  }

  /** What the zone says about a listed address or domain (TXT), cleaned for a reply; null when it says nothing in time. */
  async reason(zone: string, subject: string, timeoutMs: number): Promise<string | null> {
    const key = reversedLabels(subject) || askableName(subject);
    if (key === null || key === '') return null;
    const name = `${key}.${zone}`;
    const cached = this.#context.dns.cached('TXT', name);
    const answer = cached ?? (await new Wait([this.#context.dns.ask('TXT', name)], this.#context.wheel, timeoutMs).promise)[0];
    if (answer === null || answer?.kind !== 'found') return null;
    const text = answer.records[0]!.join('')
      .replace(/[^\x20-\x7e]+/g, ' ')
      .trim();
    return text === '' ? null : text.slice(0, DOOR_LIMITS.reasonChars);
  }

  #query(query: ListQuery, subject: string): ListScore | Promise<ListScore> {
    if (subject === '') return NO_HITS;
    const zones = listZones(query.lists);
    const count = Math.min(zones.length, DOOR_LIMITS.zones);
    const answers: Answer[] = new Array(count).fill(null);
    const now = this.#context.now();
    let missing: number[] | null = null;
    for (let i = 0; i < count; i += 1) {
      const zone = zones[i]!.zone;
      if (!this.#health.isAsked(zone, now)) continue;
      const known = this.#context.dns.cached('A', `${subject}.${zone}`);
      if (known !== undefined) answers[i] = known;
      else (missing ??= []).push(i);
    }
    if (missing === null) return this.#score(zones, answers, subject, false);
    return this.#ask(zones, answers, missing, subject, query.timeoutMs);
  }

  async #ask(zones: readonly ListZone[], answers: Answer[], missing: readonly number[], subject: string, timeoutMs: number): Promise<ListScore> {
    const asked = missing.map((i) => this.#context.dns.ask('A', `${subject}.${zones[i]!.zone}`));
    const given = await new Wait(asked, this.#context.wheel, timeoutMs).promise;
    for (const [n, i] of missing.entries()) {
      const answer = given[n]!;
      answers[i] = answer;
      if (answer === null || answer.kind === 'failed') this.#health.silent(zones[i]!.zone, answer === null ? 'no answer in time' : answer.reason);
      else this.#health.answered(zones[i]!.zone);
    }
    return this.#score(zones, answers, subject, true);
  }

  /** `isFresh`: some answers came just now; what is wrong with a cached one was told when it came. */
  #score(zones: readonly ListZone[], answers: readonly Answer[], subject: string, isFresh: boolean): ListScore {
    let score = 0;
    let hits: ListHit[] | null = null;
    let failed: string[] | null = null;
    for (let i = 0; i < answers.length; i += 1) {
      const answer = answers[i]!;
      if (answer === null || answer.kind === 'failed') (failed ??= []).push(zones[i]!.zone);
      if (answer?.kind !== 'found') continue;
      const { zone, entries } = zones[i]!;
      const wrong = wrongAnswer(answer.records);
      if (wrong !== null) {
        if (isFresh) this.#health.wrong(zone, wrong, subject, answer.records[0]!);
        (failed ??= []).push(zone);
        continue;
      }
      for (const { filter, weight } of entries) {
        const value = filter === null ? answer.records[0]! : answer.records.find((address) => filter(address));
        if (value === undefined) continue;
        score += weight;
        (hits ??= []).push({ zone, value, weight });
        this.#context.metrics.count('door.listed', 1, zone);
      }
    }
    return hits === null && failed === null ? NO_HITS : { score, hits: hits ?? [], failed: failed ?? [] };
  }
}

/**
 * What cannot be an answer of a list about its subject. 'refused': 127.255.255.x, by which well-known lists say that they do not answer
 * this resolver; 'outside': not within 127.0.0.0/8 (RFC 5782 section 2.1), as resolvers give that answer for names that do not exist.
 */
function wrongAnswer(records: readonly string[]): 'refused' | 'outside' | null {
  for (const address of records) {
    if (address.startsWith('127.255.255.')) return 'refused';
    if (!address.startsWith('127.')) return 'outside';
  }
  return null;
}

/** Symbols for the verdict: one for each hit, named after its zone. */
export function listSymbols(score: ListScore): readonly JudgeSymbol[] {
  return score.hits.map(({ zone, value, weight }) => ({
    name: `${weight < 0 ? 'DNSWL' : 'DNSBL'}_${zone.replace(/[^a-z0-9]+/g, '_').toUpperCase()}`,
    score: weight,
    text: `${zone} answers ${value}`,
  }));
}

/** Waits for answers until all are there or the time is over; what is missing then is null. */
class Wait<T> implements WheelEntry {
  readonly promise: Promise<(T | null)[]>;
  readonly #answers: (T | null)[];
  readonly #wheel: Wheel;
  #missing: number;
  #resolve: ((answers: (T | null)[]) => void) | null = null;

  constructor(asked: readonly Promise<T>[], wheel: Wheel, timeoutMs: number) {
    this.#answers = new Array(asked.length).fill(null);
    this.#missing = asked.length;
    this.#wheel = wheel;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const [i, promise] of asked.entries()) promise.then((answer) => this.#take(i, answer));
    wheel.add(this, timeoutMs);
  }

  fire(): void {
    this.#resolve?.(this.#answers);
    this.#resolve = null;
  }

  #take(i: number, answer: T): void {
    if (this.#resolve === null) return; // too late: the cache has it for the next client
    this.#answers[i] = answer;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    this.#wheel.remove(this);
    this.fire();
  }
}
