/**
 * Decides whose turn it is. Pure: no clock, no I/O; times and results are told to it.
 *
 * Turns go round between destinations, and within a destination round between senders, so a mailing of any size delays
 * another sender's message by one turn. A destination's `window` (connections at once) grows with success and shrinks with
 * failure; a destination that cannot be reached at all is `dead` for a while and its mail is put off together.
 */
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { Fifo } from './fifo.ts';
import { limitsOf } from '../route/hop.ts';
import type { Hop } from './hop.ts';

/** One attempt: some recipients of one entry, to one destination. */
export interface Batch {
  readonly destination: Destination;
  readonly entry: QueueEntry;
  readonly recipients: QueuedRecipient[];
}

interface SenderQueue {
  readonly key: string;
  readonly batches: Fifo<Batch>;
}

export interface Destination {
  readonly key: string;
  readonly hop: Hop;
  /** Recipients waiting. */
  waiting: number;
  /** Connections (or attempts) in use. */
  active: number;
  /** How many may be in use at once; the whole part counts. */
  window: number;
  /** Recipients in one transaction; learned downwards from 452 replies (RFC 5321 section 4.5.3.1.10). */
  recipientsMax: number;
  /** Most connections at once, where its transport says so. */
  readonly windowMax: number;
  readonly rateDelayMs: number;
  /** Resting between two attempts (the transport's rate delay): nothing starts. */
  isPaused: boolean;
  readonly senders: Map<string, SenderQueue>;
  readonly turns: Fifo<SenderQueue>;
  isReady: boolean;
}

export interface ScheduleLimits {
  readonly concurrencyInitial: number;
  readonly concurrencyMax: number;
  readonly connectionsMax: number;
  readonly recipientsMax: number;
  /** First dead time in ms, and the longest. */
  readonly deadMin: number;
  /** Pause between two messages to one destination, where its transport says nothing. */
  readonly rateDelayMs: number;
  readonly deadMax: number;
}

export interface Dead {
  readonly until: number;
  readonly reason: DeadReason;
  readonly failures: number;
}
export interface DeadReason {
  readonly code: number;
  readonly enhanced: string;
  readonly reply: string;
  readonly host: string;
}

const DEAD_REMEMBERED_MAX = 10_000;

export class Schedule {
  readonly destinations = new Map<string, Destination>();
  /** Recipients waiting in all destinations. */
  waiting = 0;
  active = 0;
  readonly #limits: () => ScheduleLimits;
  readonly #ready = new Fifo<Destination>();
  readonly #dead = new Map<string, Dead>();

  constructor(limits: () => ScheduleLimits) {
    this.#limits = limits;
  }

  /** Puts a recipient in its sender's line. Ask `deadFor` first. */
  add(hop: Hop, entry: QueueEntry, recipient: QueuedRecipient): void {
    const destination = this.#destination(hop);
    let sender = destination.senders.get(entry.senderKey);
    if (sender === undefined) {
      sender = { key: entry.senderKey, batches: new Fifo() };
      destination.senders.set(entry.senderKey, sender);
      destination.turns.push(sender);
    }
    const last = sender.batches.last();
    if (last !== undefined && last.entry === entry) last.recipients.push(recipient);
    else sender.batches.push({ destination, entry, recipients: [recipient] });
    destination.waiting += 1;
    this.waiting += 1;
    this.#offer(destination);
  }

  /** A batch for one more connection, with the connection counted as active, or null when nothing may start now. */
  start(): Batch | null {
    const max = this.#limits().connectionsMax;
    for (let turns = this.#ready.length; turns > 0 && this.active < max; turns--) {
      const destination = this.#ready.shift()!;
      destination.isReady = false;
      // What it waited for may have gone out by a connection in use, or have been dropped.
      const batch = this.#mayStart(destination) ? this.#take(destination) : null;
      if (batch === null) {
        this.#forget(destination);
        continue;
      }
      destination.active += 1;
      this.active += 1;
      this.#offer(destination);
      return batch;
    }
    return null;
  }

  /** The next batch for a connection in use, or null: nothing waits, or others have waited long enough for a connection. */
  next(destination: Destination): Batch | null {
    if (destination.waiting === 0 || destination.isPaused || destination.rateDelayMs > 0) return null;
    if (this.active >= this.#limits().connectionsMax && this.#ready.length > 0) return null;
    if (destination.active > Math.floor(destination.window)) return null;
    return this.#take(destination);
  }

  /** More waits for this destination than its connections in use would take in one turn each. */
  isCrowded(destination: Destination): boolean {
    return destination.waiting > destination.active;
  }

  /** A connection (or attempt) is no longer in use. */
  release(destination: Destination): void {
    destination.active -= 1;
    this.active -= 1;
    this.#offer(destination);
    this.#forget(destination);
  }

  /** Nothing starts for this destination until `resume`. */
  pause(destination: Destination): void {
    destination.isPaused = true;
  }

  resume(destination: Destination): void {
    destination.isPaused = false;
    this.#offer(destination);
    this.#forget(destination);
  }

  /** Back to the front of its sender's line, as if never taken. */
  giveBack(batch: Batch, recipients: QueuedRecipient[] = batch.recipients): void {
    const destination = this.#destination(batch.destination.hop);
    let sender = destination.senders.get(batch.entry.senderKey);
    if (sender === undefined) {
      sender = { key: batch.entry.senderKey, batches: new Fifo() };
      destination.senders.set(batch.entry.senderKey, sender);
      destination.turns.push(sender);
    }
    sender.batches.unshift({ destination, entry: batch.entry, recipients: [...recipients] });
    destination.waiting += recipients.length;
    this.waiting += recipients.length;
    this.#offer(destination);
  }

  /** The other side worked: a little more at once (one connection more for each full round of successes). */
  succeeded(destination: Destination): void {
    this.#dead.delete(destination.key);
    const max = Math.min(destination.windowMax, this.#limits().concurrencyMax);
    if (destination.window < max) {
      destination.window = Math.min(max, destination.window + 1 / destination.window);
      this.#offer(destination);
    }
  }

  /** The other side asked for less (421, connection refused while others work). */
  slowDown(destination: Destination): void {
    destination.window = Math.max(1, Math.min(destination.window, destination.active) - 1);
  }

  /**
   * No connection could be made. With other connections in use it is only asked less; without, the destination is dead:
   * answers everything that waited for it, to be put off, and remembers until when.
   */
  unreachable(destination: Destination, reason: DeadReason, now: number): { until: number; batches: Batch[] } | null {
    if (destination.active > 1) {
      this.slowDown(destination);
      return null;
    }
    const limits = this.#limits();
    const failures = (this.#dead.get(destination.key)?.failures ?? 0) + 1;
    const until = now + Math.min(limits.deadMin * 2 ** Math.min(failures - 1, 20), limits.deadMax);
    if (this.#dead.size >= DEAD_REMEMBERED_MAX) this.#dead.delete(this.#dead.keys().next().value!);
    this.#dead.delete(destination.key);
    this.#dead.set(destination.key, { until, reason, failures });
    destination.window = 1;
    return { until, batches: this.drain(destination) };
  }

  /** Takes out everything that waits for a destination. */
  drain(destination: Destination): Batch[] {
    const batches: Batch[] = [];
    for (let batch = this.#take(destination, Number.MAX_SAFE_INTEGER); batch !== null; batch = this.#take(destination, Number.MAX_SAFE_INTEGER))
      batches.push(batch);
    return batches;
  }

  /** Why mail for this destination is put off without a try, or null when it may be tried. */
  deadFor(key: string, now: number): Dead | null {
    const dead = this.#dead.get(key);
    return dead !== undefined && dead.until > now ? dead : null;
  }

  /** Everything may be tried again (the administrator asked for it). */
  revive(): void {
    this.#dead.clear();
  }

  /** Drops what waits of entries marked `isDropped`; answers the recipients let go. Rare, so a walk will do. */
  sweepDropped(): { entry: QueueEntry; recipient: QueuedRecipient }[] {
    const gone: { entry: QueueEntry; recipient: QueuedRecipient }[] = [];
    for (const destination of this.destinations.values()) {
      for (const sender of destination.senders.values())
        for (let i = sender.batches.length; i > 0; i--) {
          const batch = sender.batches.shift()!;
          if (!batch.entry.isDropped) {
            sender.batches.push(batch);
            continue;
          }
          destination.waiting -= batch.recipients.length;
          this.waiting -= batch.recipients.length;
          for (const recipient of batch.recipients) gone.push({ entry: batch.entry, recipient });
        }
      this.#forget(destination);
    }
    return gone;
  }

  #destination(hop: Hop): Destination {
    let destination = this.destinations.get(hop.key);
    if (destination === undefined) {
      const limits = this.#limits();
      const isWire = hop.kind === 'smtp' || hop.kind === 'lmtp' || hop.kind === 'pipe';
      const own = isWire ? limitsOf(hop, limits.rateDelayMs) : null;
      const windowMax = own?.concurrency ?? limits.concurrencyMax;
      destination = {
        key: hop.key,
        hop,
        waiting: 0,
        active: 0,
        // After a failure a single connection tries first.
        window: this.#dead.has(hop.key) ? 1 : Math.min(limits.concurrencyInitial, windowMax),
        windowMax,
        rateDelayMs: own?.rateDelayMs ?? 0,
        isPaused: false,
        recipientsMax: own?.recipientsMax ?? limits.recipientsMax,
        senders: new Map(),
        turns: new Fifo(),
        isReady: false,
      };
      this.destinations.set(hop.key, destination);
    }
    return destination;
  }

  #mayStart(destination: Destination): boolean {
    return destination.waiting > 0 && !destination.isPaused && destination.active < Math.floor(destination.window);
  }

  #offer(destination: Destination): void {
    if (destination.isReady || !this.#mayStart(destination)) return;
    destination.isReady = true;
    this.#ready.push(destination);
  }

  #take(destination: Destination, most = Math.min(destination.recipientsMax, this.#limits().recipientsMax)): Batch | null {
    for (;;) {
      const sender = destination.turns.shift();
      if (sender === undefined) return null;
      const batch = sender.batches.shift();
      if (batch === undefined) {
        destination.senders.delete(sender.key);
        continue;
      }
      let taken = batch;
      if (batch.recipients.length > most) {
        taken = { destination, entry: batch.entry, recipients: batch.recipients.splice(0, most) };
        sender.batches.unshift(batch);
      }
      if (sender.batches.length > 0) destination.turns.push(sender);
      else destination.senders.delete(sender.key);
      destination.waiting -= taken.recipients.length;
      this.waiting -= taken.recipients.length;
      return taken;
    }
  }

  #forget(destination: Destination): void {
    if (destination.waiting === 0 && destination.active === 0 && !destination.isReady && !destination.isPaused) this.destinations.delete(destination.key);
  }
}
