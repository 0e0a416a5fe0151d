/**
 * The door: what is decided about a client before it is greeted. The administrator's tables, early talkers, DNS lists and a short wait
 * for those that are not known yet; the lists are asked while the client waits. Costs a client that is known nothing but lookups in memory.
 */
import { clientKey, isLoopbackIp, networksOf } from '../../net/networks.ts';
import { Wheel, type WheelEntry } from '../../net/wheel.ts';
import type { Dns } from '../../net/dns.ts';
import type { Admission, Door, Log, Metrics, Reply, StoreReader, StoreWriter, Tables, Visit } from '../../ports.ts';
import { type AccessAnswer, askAccess } from './access.ts';
import { DnsLists, type ListHit, type ListScore, listSymbols, NO_HITS } from './dnsbl.ts';
import { DOOR_LIMITS } from './limits.ts';
import { ClientMemory } from './passed.ts';
import type { DoorSettings } from './settings.ts';

export interface DoorContext {
  settings(): DoorSettings;
  readonly dns: Pick<Dns, 'ask' | 'cached'>;
  readonly tables: Tables;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  /** Unix time in milliseconds, not stepping back. */
  now(): number;
  /** For tests: the clock of waits. */
  readonly wheel?: Wheel;
}

/** The door as the judge's rooms know it; sessions see the part in ports.ts. */
export interface JudgeDoor extends Door {
  /** For sender domains and links (`door.domainLists`). Answers at once when everything is cached. */
  queryDomainLists(domain: string): ListScore | Promise<ListScore>;
  /** Clients that wait now. */
  readonly waiting: number;
  /** Writes what is remembered; visits under way are never settled. */
  close(): Promise<void>;
}

const GREET: Admission = { kind: 'greet', symbols: [] };
const CALM: Reply = { code: 421, enhanced: '4.7.0', text: 'You sent commands before our greeting a short while ago; wait some minutes, and for the greeting' };
const OVERLOAD: Reply = { code: 421, enhanced: '4.3.2', text: 'Too many new clients at the moment, try again in a minute' };

export function createDoor(context: DoorContext): JudgeDoor {
  return new RealDoor(context);
}

class RealDoor implements JudgeDoor {
  readonly #context: DoorContext;
  readonly #wheel: Wheel;
  readonly #lists: DnsLists;
  readonly #memory: ClientMemory;
  readonly #visits = new Set<OpenVisit>();
  #overloadToldAt = Number.NEGATIVE_INFINITY;

  constructor(context: DoorContext) {
    this.#context = context;
    this.#wheel = context.wheel ?? new Wheel(DOOR_LIMITS.tickMs);
    const shared = { ...context, settings: () => context.settings(), now: () => context.now(), wheel: this.#wheel };
    this.#lists = new DnsLists(shared);
    this.#memory = new ClientMemory(shared);
  }

  get waiting(): number {
    return this.#visits.size;
  }

  enter(ip: string): Admission | Visit {
    const settings = this.#context.settings();
    if (isLoopbackIp(ip) || networksOf(settings['smtp.relayFrom']).has(ip) || networksOf(settings['door.exempt']).has(ip)) return GREET;
    if (settings['door.access'].length === 0) return this.#pastAccess(ip, settings);
    const access = askAccess(settings['door.access'], ip, this.#context.tables, this.#context.log);
    if (!(access instanceof Promise)) return this.#afterAccess(access, ip, settings);
    const visit = new OpenVisit(this, ip, settings);
    this.#visits.add(visit);
    access.then((answer) => visit.go(this.#afterAccess(answer, ip, settings)));
    return visit;
  }

  talkedEarly(ip: string): void {
    this.#memory.talkedEarly(networkKey(ip));
  }

  queryDomainLists(domain: string): ListScore | Promise<ListScore> {
    const settings = this.#context.settings();
    return this.#lists.queryDomain({ lists: settings['door.domainLists'], timeoutMs: settings['door.dnsblTimeout'] }, domain);
  }

  async close(): Promise<void> {
    for (const visit of [...this.#visits]) visit.left();
    await this.#memory.flush();
    this.#wheel.stop();
  }

  #afterAccess(access: AccessAnswer, ip: string, settings: DoorSettings): Admission | Visit {
    if (access.kind === 'permit') return GREET;
    if (access.kind === 'dunno') return this.#pastAccess(ip, settings);
    return this.#refuse('access', { code: 554, enhanced: '5.7.1', text: access.text === '' ? `No mail is taken from your address ${ip}` : access.text }, ip);
  }

  #pastAccess(ip: string, settings: DoorSettings): Admission | Visit {
    const key = networkKey(ip);
    if (this.#memory.hasTalkedEarly(key)) return this.#refuse('early', CALM, ip);
    const mustWait = settings['door.greetingDelay'] > 0 && !this.#memory.hasPassed(key);
    if (mustWait && this.#visits.size >= settings['door.waitingMax']) return this.#overload(settings);
    const score = this.#lists.queryAddress({ lists: settings['door.dnsbl'], timeoutMs: settings['door.dnsblTimeout'] }, ip);
    if (!(score instanceof Promise)) {
      const isListed = isRefused(score, settings);
      if (!isListed && (!mustWait || isAllowed(score, settings))) return greeting(score);
    }
    const visit = new OpenVisit(this, ip, settings);
    this.#visits.add(visit);
    visit.waitFor(score, mustWait ? settings['door.greetingDelay'] : 0, this.#wheel);
    return visit;
  }

  #overload(settings: DoorSettings): Admission {
    this.#context.metrics.count('door.refused', 1, 'overload');
    const now = this.#context.now();
    if (now - this.#overloadToldAt >= DOOR_LIMITS.listEventMs) {
      this.#overloadToldAt = now;
      this.#context.log.warn('door.overload', { waiting: this.#visits.size, waitingMax: settings['door.waitingMax'] });
    }
    return { kind: 'refuse', reply: OVERLOAD };
  }

  #refuse(reason: 'access' | 'early' | 'listed', reply: Reply, ip: string, fields: Record<string, unknown> = {}): Admission {
    this.#context.metrics.count('door.refused', 1, reason);
    this.#context.log.info('door.refused', { client: ip, reason, ...fields });
    return { kind: 'refuse', reply };
  }

  // ── For visits ─────────────────────────────────────────────────────────────────────────────────────

  forget(visit: OpenVisit): void {
    this.#visits.delete(visit);
    this.#wheel.remove(visit);
  }

  waitedOut(ip: string): void {
    this.#memory.passed(networkKey(ip));
  }

  /** The refusal of a listed client, with what its worst list says about it. */
  async refuseListed(ip: string, score: ListScore, settings: DoorSettings): Promise<Admission> {
    const worst = score.hits.reduce((a: ListHit, b: ListHit) => (b.weight > a.weight ? b : a));
    const reason = await this.#lists.reason(worst.zone, ip, settings['door.dnsblTimeout']);
    const said = reason === null ? 'look up your address there' : `it says: ${reason}`;
    const text = `No mail is taken from your address ${ip}, it is listed by ${worst.zone}; ${said}`;
    const lists = score.hits.map((hit) => `${hit.zone}=${hit.value}*${hit.weight}`);
    return this.#refuse('listed', { code: 554, enhanced: '5.7.1', text }, ip, { score: score.score, lists });
  }
}

function isRefused(score: ListScore, settings: DoorSettings): boolean {
  return settings['door.dnsblThreshold'] > 0 && score.score >= settings['door.dnsblThreshold'];
}

function isAllowed(score: ListScore, settings: DoorSettings): boolean {
  return settings['door.allowlistThreshold'] < 0 && score.score <= settings['door.allowlistThreshold'];
}

function greeting(score: ListScore): Admission {
  return score === NO_HITS ? GREET : { kind: 'greet', symbols: listSymbols(score) };
}

/** The client for the memory: the address, or the /64 network of an IPv6 address in words an administrator can read in the store. */
export function networkKey(ip: string): string {
  if (!ip.includes(':')) return ip;
  const key = clientKey(ip);
  if (key === ip) return ip;
  return `${key
    .split(':')
    .map((part) => Number(part).toString(16))
    .join(':')}::/64`;
}

class OpenVisit implements Visit, WheelEntry {
  readonly kind = 'wait';
  readonly admission: Promise<Admission>;
  readonly #door: RealDoor;
  readonly #ip: string;
  readonly #settings: DoorSettings;
  #resolve: ((admission: Admission) => void) | null = null;
  /** Null while the lists are being asked. */
  #score: ListScore | null = null;
  #isDelayed = false;
  #wasDelayed = false;
  /** The visit that an answer of a table led to. */
  #inner: Visit | null = null;

  constructor(door: RealDoor, ip: string, settings: DoorSettings) {
    this.#door = door;
    this.#ip = ip;
    this.#settings = settings;
    this.admission = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  waitFor(score: ListScore | Promise<ListScore>, delayMs: number, wheel: Wheel): void {
    if (delayMs > 0) {
      this.#isDelayed = this.#wasDelayed = true;
      wheel.add(this, delayMs);
    }
    if (score instanceof Promise) score.then((known) => this.#listsSaid(known));
    else this.#listsSaid(score);
  }

  /** A slow table has answered: what comes next is this visit's outcome too. */
  go(next: Admission | Visit): void {
    if (this.#resolve === null) {
      if (next.kind === 'wait') next.left();
      return;
    }
    if (next.kind !== 'wait') return this.#settle(next);
    this.#inner = next;
    next.admission.then((admission) => this.#settle(admission));
  }

  left(): void {
    this.#inner?.left();
    this.#resolve = null;
    this.#door.forget(this);
  }

  /** The delay is over. */
  fire(): void {
    this.#isDelayed = false;
    this.#decide();
  }

  #listsSaid(score: ListScore): void {
    if (this.#resolve === null) return;
    if (isRefused(score, this.#settings)) {
      // No need to let it wait; its place is free while the list is asked for its words.
      this.#door.forget(this);
      this.#door.refuseListed(this.#ip, score, this.#settings).then((admission) => this.#settle(admission));
      return;
    }
    this.#score = score;
    if (isAllowed(score, this.#settings)) this.#isDelayed = this.#wasDelayed = false;
    this.#decide();
  }

  #decide(): void {
    if (this.#score === null || this.#isDelayed || this.#resolve === null) return;
    if (this.#wasDelayed) this.#door.waitedOut(this.#ip);
    this.#settle(greeting(this.#score));
  }

  #settle(admission: Admission): void {
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#door.forget(this);
    resolve?.(admission);
  }
}
