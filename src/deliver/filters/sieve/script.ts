/** A compiled script. Nothing in it changes: one can serve many runs. */
import type { SieveLimits } from './limits.ts';
import type { SieveExtensions, Step } from './registry.ts';
import type { Flow } from './run.ts';

export interface SieveScript {
  readonly file: string;
  readonly body: Step<Flow>;
  /** Names of its variables by slot. */
  readonly variables: readonly string[];
  /** What it requires. */
  readonly required: ReadonlySet<string>;
  /** Scripts it includes are compiled the same way. */
  readonly extensions: SieveExtensions;
  readonly limits: SieveLimits;
}
