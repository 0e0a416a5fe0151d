/**
 * Loaded before unit tests by test/fuzz.ts: "fast-check" then means the real one with a larger budget and a fresh
 * seed. What a test fixed for its daily run (seed, numRuns) is replaced; its examples and other options stay.
 */
import { registerHooks } from 'node:module';

const WRAPPER = new URL('./fuzz-fast-check.ts', import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    // The wrapper itself asks for the real one.
    if (specifier === 'fast-check' && context.parentURL !== WRAPPER) return { url: WRAPPER, format: 'module-typescript', shortCircuit: true };
    return next(specifier, context);
  },
});
