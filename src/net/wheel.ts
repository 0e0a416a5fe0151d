/**
 * One coarse timer for thousands of waits. An entry's `fire` is called within about a tick after its time; adding and removing cost
 * nothing that grows with their number. The timer runs only while something waits, and keeps the process alive that long.
 */
export interface WheelEntry {
  fire(): void;
}

const SLOTS = 256;

interface Waiting {
  readonly entry: WheelEntry;
  readonly slot: number;
  /** Turns of the wheel still to go. */
  rounds: number;
}

export class Wheel {
  readonly #tickMs: number;
  readonly #clock: () => number;
  readonly #slots: (Set<Waiting> | null)[] = new Array(SLOTS).fill(null);
  readonly #waiting = new Map<WheelEntry, Waiting>();
  #hand = 0;
  /** When the hand was last moved, on our clock. */
  #movedAt = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `clock` must not step back. */
  constructor(tickMs: number, clock: () => number = () => performance.now()) {
    this.#tickMs = tickMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `entry.fire()` once, after `delayMs` or up to a tick later. An entry that waits already waits anew. */
  add(entry: WheelEntry, delayMs: number): void {
    this.remove(entry);
    if (this.#timer === null) {
      this.#movedAt = this.#clock();
      this.#timer = setInterval(() => this.turn(), this.#tickMs);
    }
    // Time since the hand moved is part of the first tick: count it, or the entry would fire early.
    const since = this.#clock() - this.#movedAt;
    const ticks = Math.max(1, Math.ceil((delayMs + since) / this.#tickMs));
    const slot = (this.#hand + ticks) % SLOTS;
    const waiting: Waiting = { entry, slot, rounds: Math.floor((ticks - 1) / SLOTS) };
    this.#waiting.set(entry, waiting);
    (this.#slots[slot] ??= new Set()).add(waiting);
  }

  remove(entry: WheelEntry): void {
    const waiting = this.#waiting.get(entry);
    if (waiting === undefined) return;
    this.#waiting.delete(entry);
    this.#slots[waiting.slot]!.delete(waiting);
  }

  /** Moves the hand to the present; called by the timer, and by tests. */
  turn(): void {
    const now = this.#clock();
    while (now - this.#movedAt >= this.#tickMs && this.#waiting.size > 0) {
      this.#movedAt += this.#tickMs;
      this.#hand = (this.#hand + 1) % SLOTS;
      this.#fireSlot();
    }
    if (this.#waiting.size === 0) this.stop();
  }

  /** Ends the timer; what waits is kept and goes on with the next `add`. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #fireSlot(): void {
    const slot = this.#slots[this.#hand];
    if (slot === null || slot === undefined || slot.size === 0) return;
    // What fires may add to this very slot (a whole turn from now): only those that are here now are looked at.
    for (const waiting of [...slot]) {
      if (waiting.rounds > 0) {
        waiting.rounds -= 1;
        continue;
      }
      if (!slot.delete(waiting)) continue; // removed by one that fired before it
      this.#waiting.delete(waiting.entry);
      waiting.entry.fire();
    }
  }
}
