/** Putting steps together: a step made of steps that answer at once answers at once. */
import type { Step } from './registry.ts';
import type { Flow, Run, Steps } from './run.ts';

/** Does one step inside a generator. */
export function* perform<T>(step: Step<T>, run: Run): Steps<T> {
  return step.now === undefined ? yield* step.ask(run) : step.now(run);
}

/** A step from the answer of another. */
export function mapStep<A, B>(step: Step<A>, then: (run: Run, value: A) => B): Step<B> {
  const { now } = step;
  if (now !== undefined) return { now: (run) => then(run, now(run)) };
  return {
    *ask(run) {
      return then(run, yield* step.ask(run));
    },
  };
}

/** Commands in their order; whatever leaves the block ends it. */
export function sequence(steps: readonly Step<Flow>[]): Step<Flow> {
  if (steps.length === 1) return steps[0]!;
  if (steps.every((step) => step.now !== undefined)) {
    const all = steps.map((step) => step.now!);
    return {
      now(run) {
        for (const step of all) {
          const flow = step(run);
          if (flow !== undefined) return flow;
        }
        return undefined;
      },
    };
  }
  return {
    *ask(run) {
      for (const step of steps) {
        const flow = step.now === undefined ? yield* step.ask(run) : step.now(run);
        if (flow !== undefined) return flow;
      }
      return undefined;
    },
  };
}

export interface Branch {
  /** null: else. */
  readonly test: Step<boolean> | null;
  readonly block: Step<Flow>;
  readonly line: number;
}

/** if, elsif …, else. */
export function choose(branches: readonly Branch[]): Step<Flow> {
  if (branches.every(({ test, block }) => (test === null || test.now !== undefined) && block.now !== undefined)) {
    return {
      now(run) {
        for (const { test, block, line } of branches) {
          run.line = line;
          run.charge(1);
          if (test === null || test.now!(run)) return block.now!(run);
        }
        return undefined;
      },
    };
  }
  return {
    *ask(run) {
      for (const { test, block, line } of branches) {
        run.line = line;
        run.charge(1);
        if (test === null || (test.now === undefined ? yield* test.ask(run) : test.now(run))) return yield* perform(block, run);
      }
      return undefined;
    },
  };
}

/** allof (`wanted` false: the first false one decides) and anyof (`wanted` true). */
export function firstOf(tests: readonly Step<boolean>[], wanted: boolean): Step<boolean> {
  const decided = tests.find((test) => test.constant === wanted);
  if (tests.every((test) => test.constant !== undefined)) return constantTest(decided !== undefined ? wanted : !wanted);
  // A constant at the front decides without the others; behind something that acts (`execute`), it must wait its turn.
  if (tests[0]!.constant === wanted) return constantTest(wanted);
  if (tests.every((test) => test.now !== undefined)) {
    const all = tests.map((test) => test.now!);
    return {
      now(run) {
        for (const test of all) if (test(run) === wanted) return wanted;
        return !wanted;
      },
      ...(decided !== undefined && { constant: wanted }),
    };
  }
  return {
    *ask(run) {
      for (const test of tests) if ((yield* perform(test, run)) === wanted) return wanted;
      return !wanted;
    },
  };
}

export function negated(test: Step<boolean>): Step<boolean> {
  if (test.constant !== undefined) return constantTest(!test.constant);
  return mapStep(test, (_, value) => !value);
}

export function constantTest(value: boolean): Step<boolean> {
  return { now: () => value, constant: value };
}
