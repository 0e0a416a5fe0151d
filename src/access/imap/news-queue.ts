/** Sessions of one thread that have something to tell unasked: one change may concern thousands, and they are told in slices. */
import { pause, SliceClock } from './pace.ts';

interface Teller {
  tell(): void;
}

export class NewsQueue {
  readonly #waiting = new Set<Teller>();
  #isRunning = false;
  readonly #onError: (error: unknown) => void;

  /** `onError` hears what a session throws: it must not keep the news from the others. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Its turn comes after what is running now, once however often it is added until then. */
  add(teller: Teller): void {
    this.#waiting.add(teller);
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const clock = new SliceClock();
    await pause(clock);
    for (const teller of this.#waiting) {
      this.#waiting.delete(teller);
      try {
        teller.tell();
      } catch (error) {
        this.#onError(error);
      }
      if (clock.isOver()) await pause(clock);
    }
    this.#isRunning = false;
  }
}
