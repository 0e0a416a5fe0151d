/** Steps that mostly answer at once: no promise is made where nothing must be waited for. */
import type { Answer, Reply } from '../ports.ts';

export type Soon<T> = T | Promise<T>;

export function after<T, U>(value: Soon<T>, use: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** The first refusal; the steps after it are not taken. */
export function firstRefusal(steps: readonly (() => Answer)[], from = 0): Answer {
  for (let i = from; i < steps.length; i += 1) {
    const answer = steps[i]!();
    if (answer instanceof Promise) return answer.then((reply: Reply | null) => reply ?? firstRefusal(steps, i + 1));
    if (answer !== null) return answer;
  }
  return null;
}
