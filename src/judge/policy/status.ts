/** What one restriction says, and the plumbing for answers that may come at once or later. */

/** 0: nothing, go on. 1: permitted. 2: refused, the reply is in the run. Numbers, as they are compared at every step. */
export type Status = 0 | 1 | 2;
export const DUNNO = 0;
export const PERMIT = 1;
export const REFUSE = 2;

export type Soon<T> = T | Promise<T>;

/** `use(value)` now when the value is there, else when it comes. */
export function after<T, U>(value: Soon<T>, use: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}
