/** fast-check with the budget of FUZZ_RUNS and the seed of FUZZ_SEED; see fuzz-budget.ts. */
import * as real from 'fast-check';

export * from 'fast-check';

const runs = Number(process.env['FUZZ_RUNS'] ?? 10_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2_147_483_647);
const budget = <T>(parameters: real.Parameters<T> | undefined): real.Parameters<T> => ({
  ...parameters,
  seed,
  numRuns: Math.max(runs, parameters?.numRuns ?? 0),
});

export const assert = ((property: any, parameters?: any) => real.assert(property, budget(parameters))) as typeof real.assert;
export const check = ((property: any, parameters?: any) => real.check(property, budget(parameters))) as typeof real.check;
export default { ...real, assert, check };
