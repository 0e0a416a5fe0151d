/** RE2 for JavaScript, loaded when the first pattern needs it: a server without such tables does not carry it. */
import { createRequire } from 'node:module';

export type RE2 = InstanceType<typeof import('re2js').RE2JS>;

let loaded: typeof import('re2js').RE2JS | null = null;

/** The class that compiles patterns. */
export function re2(): typeof import('re2js').RE2JS {
  if (loaded === null) ({ RE2JS: loaded } = createRequire(import.meta.url)('re2js') as typeof import('re2js'));
  return loaded;
}
