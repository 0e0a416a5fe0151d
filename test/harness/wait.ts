/** Waiting for what another program does: no fixed pauses, a limit, and a sentence when it did not happen. */
import { setTimeout as pause } from 'node:timers/promises';

const PROBE_EVERY_MS = 25;
/** Generous: the machine may be running several test files; a passing test never waits it out. */
export const PATIENCE_MS = 45_000;

/** Calls `probe` until it answers something other than null, undefined or false; answers that. An error counts as "not yet" and is told at the end. */
export async function eventually<T>(what: string, probe: () => T | Promise<T>, limitMs = PATIENCE_MS): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      last = undefined;
      const value = await probe();
      if (value !== null && value !== undefined && value !== false) return value as NonNullable<Exclude<T, false>>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`, { cause: last });
    await pause(PROBE_EVERY_MS);
  }
}

/** Rejects with a sentence when `promise` takes longer than `limitMs`. */
export async function within<T>(what: string, promise: Promise<T>, limitMs = PATIENCE_MS): Promise<T> {
  const timeout = new AbortController();
  const late = pause(limitMs, undefined, { signal: timeout.signal }).then(
    () => {
      throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
    },
    () => new Promise<never>(() => {}), // Aborted: the other one was first.
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timeout.abort();
  }
}
