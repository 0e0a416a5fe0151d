/**
 * Checks that may have to wait for DNS, written once: as generators that hand out a promise only where an answer is not there yet.
 * With a warm cache nothing is waited for and the result comes synchronously, in the same turn of the event loop.
 */

/** A check in steps: yields what must be waited for, and is given its outcome. */
export type Steps<T> = Generator<Promise<unknown>, T, any>;

/** The value at once, or after a wait when it is still a promise. Use with `yield*`. */
export function* wait<T>(value: T | Promise<T>): Steps<T> {
  return value instanceof Promise ? ((yield value) as T) : value;
}

/** Runs the steps: the result itself when nothing had to be waited for, else a promise of it. */
export function run<T>(steps: Steps<T>): T | Promise<T> {
  const first = steps.next();
  return first.done === true ? first.value : finish(steps, first.value);
}

async function finish<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let pending = first;
  for (;;) {
    const step = steps.next(await pending);
    if (step.done === true) return step.value;
    pending = step.value;
  }
}
