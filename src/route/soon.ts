/** Answers that mostly are there at once: no promise is made where nothing must be waited for. */

export type Soon<T> = T | Promise<T>;

export function after<T, U>(value: Soon<T>, use: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** A walk of many steps, each of which may have to wait: `const found = yield* wait(table.find(key))`. */
export type Walk<T> = Generator<Promise<unknown>, T, unknown>;

export function* wait<T>(value: Soon<T>): Walk<T> {
  return value instanceof Promise ? ((yield value) as T) : value;
}

/** Goes the walk to its end: at once when nothing had to be waited for. What a promise rejects with ends it. */
export function go<T>(walk: Walk<T>, value?: unknown): Soon<T> {
  const next = walk.next(value);
  return next.done === true ? next.value : next.value.then((late) => go(walk, late));
}
