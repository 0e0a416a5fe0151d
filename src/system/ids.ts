/** Message ids and a clock that never steps back. */

const DIGITS = 36;

/** Answers a function giving wall-clock milliseconds that never decrease within the thread, whatever the system clock does. */
export function steadyClock(wall: () => number = Date.now): () => number {
  let last = 0;
  return () => {
    const now = wall();
    if (now > last) last = now;
    return last;
  };
}

/**
 * Maker of message ids: 9 characters of time, 3 of the thread's number in this start, 4 of a counter, all base 36.
 * `instance` must differ between threads that live at the same time and, when the clock may have stepped
 * back across a restart, between starts (main draws it at random for each thread it starts).
 */
export function messageIds(instance: number, now: () => number): () => string {
  const tag = (instance % DIGITS ** 3).toString(DIGITS).padStart(3, '0');
  let lastMs = 0;
  let counter = 0;
  return () => {
    const ms = now();
    counter += 1;
    if (ms > lastMs) {
      lastMs = ms;
      counter = 0;
    } else if (counter === DIGITS ** 4) {
      // A time stamp lent from the future, rather than an id twice.
      lastMs += 1;
      counter = 0;
    }
    return lastMs.toString(DIGITS).padStart(9, '0') + tag + counter.toString(DIGITS).padStart(4, '0');
  };
}
