/** Which lists are worth asking: counts failures, leaves a list out after several in a row, and tells the log, at most once a minute of each kind. */
import type { Log, Metrics } from '../../ports.ts';
import { DOOR_LIMITS } from './limits.ts';

interface Health {
  failures: number;
  leftOutUntil: number;
  /** When each event was last told. */
  readonly toldAt: Map<string, number>;
}

export interface ListHealthContext {
  readonly log: Log;
  readonly metrics: Metrics;
  now(): number;
}

export class ListHealth {
  readonly #context: ListHealthContext;
  /** By zone: bounded by the configuration. */
  readonly #zones = new Map<string, Health>();

  constructor(context: ListHealthContext) {
    this.#context = context;
  }

  isAsked(zone: string, now: number): boolean {
    const health = this.#zones.get(zone);
    return health === undefined || health.leftOutUntil <= now;
  }

  answered(zone: string): void {
    const health = this.#zones.get(zone);
    if (health !== undefined) health.failures = 0;
  }

  silent(zone: string, cause: string): void {
    const health = this.#of(zone);
    this.#context.metrics.count('door.lists.failed', 1, zone);
    if (this.#isDue(health, 'silent')) this.#context.log.warn('door.list.silent', { zone, cause });
    health.failures += 1;
    if (health.failures < DOOR_LIMITS.listFailures) return;
    health.failures = 0;
    this.#leaveOut(health, zone, DOOR_LIMITS.listPauseMs);
  }

  /** An answer that no list gives about its subject; one is enough. */
  wrong(zone: string, kind: 'refused' | 'outside', subject: string, value: string): void {
    const health = this.#of(zone);
    this.#context.metrics.count('door.lists.failed', 1, zone);
    if (this.#isDue(health, kind)) {
      if (kind === 'refused') this.#context.log.warn('door.list.refuses', { zone, subject, value });
      else this.#context.log.warn('door.list.nonsense', { zone, subject, value });
    }
    this.#leaveOut(health, zone, DOOR_LIMITS.listRefusalPauseMs);
  }

  #leaveOut(health: Health, zone: string, pauseMs: number): void {
    const now = this.#context.now();
    if (health.leftOutUntil > now) return;
    health.leftOutUntil = now + pauseMs;
    this.#context.log.warn('door.list.leftOut', { zone, seconds: pauseMs / 1000 });
  }

  #of(zone: string): Health {
    let health = this.#zones.get(zone);
    if (health === undefined) this.#zones.set(zone, (health = { failures: 0, leftOutUntil: 0, toldAt: new Map() }));
    return health;
  }

  #isDue(health: Health, kind: string): boolean {
    const now = this.#context.now();
    const last = health.toldAt.get(kind);
    if (last !== undefined && now - last < DOOR_LIMITS.listEventMs) return false;
    health.toldAt.set(kind, now);
    return true;
  }
}
