/** Long commands and other sessions: work in slices, and let everybody else run in between. */

/** A slice; other sessions wait no longer than this and one page of rows. */
const SLICE_MS = 8;

export class SliceClock {
  #start = performance.now();

  isOver(): boolean {
    return performance.now() - this.#start > SLICE_MS;
  }

  restart(): void {
    this.#start = performance.now();
  }
}

/** Those that wait for their next slice, in order; of all sessions of a thread. */
const waiting: (() => void)[] = [];

/**
 * Resolves after everything that is ready to run has had its turn, with a new slice begun. However many long commands are under way, the
 * loop is held by one slice at a time: what has arrived meanwhile is read between any two.
 */
export function pause(clock: SliceClock): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(() => {
      clock.restart();
      resolve();
    });
    if (waiting.length === 1) setImmediate(nextSlice);
  });
}

function nextSlice(): void {
  const resume = waiting.shift();
  // A callback that is set here runs only after the loop has looked for input.
  if (waiting.length > 0) setImmediate(nextSlice);
  resume?.();
}

/** Are there commands that wait for their next slice? */
export function isWorking(): boolean {
  return waiting.length > 0;
}

let turnStart = 0;
let isTurnKnown = false;

/**
 * Has this turn of the loop lasted as long as a slice, since it was asked first? For what is done bit by bit at once, like the commands
 * that a client sends without waiting for answers: promises that are ready are no turn.
 */
export function isTurnOver(): boolean {
  const now = performance.now();
  if (isTurnKnown) return now - turnStart > SLICE_MS;
  isTurnKnown = true;
  turnStart = now;
  setImmediate(forgetTurn);
  return false;
}

function forgetTurn(): void {
  isTurnKnown = false;
}

/** A computation that may be interrupted wherever it yields. */
export type Steps<T> = Generator<void, T, void>;

/** Runs it: at once while a slice lasts, else the rest in further slices, and only then there is a promise. Throws what it throws. */
export function inSlices<T>(steps: Steps<T>, clock: SliceClock = new SliceClock()): T | Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (clock.isOver()) return goOn(steps, clock);
  }
}

async function goOn<T>(steps: Steps<T>, clock: SliceClock): Promise<T> {
  for (;;) {
    await pause(clock);
    // One step at least, however long the machine has stood still meanwhile.
    do {
      const step = steps.next();
      if (step.done === true) return step.value;
    } while (!clock.isOver());
  }
}
