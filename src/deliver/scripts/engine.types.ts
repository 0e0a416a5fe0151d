/** What script storage asks of a script language. Only Sieve has one; tests bring a small one. */
import type { FilterProblem } from '../filters/filter.ts';

export interface ScriptEngine {
  /** Names as in `require`, in the order in which they are announced. */
  extensions(): readonly string[];
  /** RFC 5436: methods of `notify`, such as "mailto"; empty without enotify. */
  notifyMethods(): readonly string[];
  /** Redirects that one run may do. */
  redirectsMax(): number;
  /** Problems keep a script from being stored, warnings do not. Bounded work, never throws. */
  check(text: Uint8Array, file: string): { readonly problems: readonly FilterProblem[]; readonly warnings: readonly FilterProblem[] };
}
