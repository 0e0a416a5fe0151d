/**
 * Compiling a large script keeps the thread, and with it everybody's mail, for as long as it takes: such scripts are checked one after
 * another, with a rest in between that leaves most of the time to others.
 */

/** Below it a check takes a few milliseconds. */
const LARGE_BYTES = 16 * 1024;
/** The rest after a check, as a multiple of what it took. */
const REST_FACTOR = 4;
const REST_MS_MAX = 5000;
/** Checks that wait; more are told to come again. */
const WAITING_MAX = 20;

export interface PaceParts {
  /** Milliseconds. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export class CompilePace {
  readonly #parts: PaceParts;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: PaceParts = { now: () => performance.now(), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()) }) {
    this.#parts = parts;
  }

  /** Does `work` at once for a small script, in its turn for a large one. null: too many are waiting. What `work` throws, this rejects with. */
  run<T>(bytes: number, work: () => T): T | Promise<T> | null {
    if (bytes <= LARGE_BYTES) return work();
    if (this.#waiting >= WAITING_MAX) return null;
    this.#waiting += 1;
    const done = this.#last.then(() => {
      this.#waiting -= 1;
      const begun = this.#parts.now();
      try {
        return { value: work(), rest: this.#rest(begun) };
      } catch (error) {
        return { error, rest: this.#rest(begun) };
      }
    });
    this.#last = done.then(({ rest }) => this.#parts.sleep(rest));
    return done.then((outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    });
  }

  #rest(begun: number): number {
    return Math.min(REST_MS_MAX, REST_FACTOR * (this.#parts.now() - begun));
  }
}
