/**
 * One clock and one timer for all connections of a thread. A session keeps its own `deadline` up to date (a plain number, no timer is
 * moved) and is told within about a second after it passed.
 */
export interface IdleWatched {
  /** Milliseconds on this sweeper's clock (`idle.now`); Infinity = never. */
  deadline: number;
  /** Called once a sweep while the deadline is past; move the deadline or close. */
  onIdle(now: number): void;
}

const SWEEP_MS = 1000;

export class IdleSweeper {
  /** Milliseconds, at most a second old, never stepping back. Good enough for timeouts and rates, and free to read. */
  now: number;
  readonly #clock: () => number;
  readonly #watched = new Set<IdleWatched>();
  #timer: NodeJS.Timeout | null = null;

  /** `clock` must not step back. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.now = clock();
  }

  get size(): number {
    return this.#watched.size;
  }

  watch(entry: IdleWatched): void {
    if (this.#timer === null) {
      this.now = this.#clock();
      this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
      this.#timer.unref();
    }
    this.#watched.add(entry);
  }

  unwatch(entry: IdleWatched): void {
    this.#watched.delete(entry);
  }

  /** Called by the timer; tests call it themselves. */
  sweep(): void {
    const now = this.#clock();
    this.now = now;
    for (const entry of this.#watched) if (entry.deadline <= now) entry.onIdle(now);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#watched.clear();
  }
}

/** The sweeper of this thread. */
export const idle = new IdleSweeper();
