/** Long commands and other sessions: work in slices, and let everybody else run in between. */

/** A slice; other sessions wait no longer than this and one page of rows. */
const SLICE_MS = 12;

export class SliceClock {
  #start = performance.now();

  isOver(): boolean {
    return performance.now() - this.#start > SLICE_MS;
  }

  restart(): void {
    this.#start = performance.now();
  }
}

/** Resolves after everything that is ready to run has had its turn, with a new slice begun. */
export async function pause(clock: SliceClock): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  clock.restart();
}
