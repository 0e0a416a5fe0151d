/** Sieve behind the interface of script storage: what is announced, and what is wrong with a text. */
import { compileSieve, SIEVE_CAPABILITIES, type SieveExtensions, type SieveLimits, type SieveScript } from '../filters/sieve/sieve.ts';
import { type SieveSettings, sieveExtensions, sieveLimits } from '../filters/sieve/settings.ts';
import { parseSieve } from '../filters/sieve/syntax.ts';
import type { FilterProblem } from '../filters/filter.ts';
import type { ScriptEngine } from './engine.types.ts';
import { warningsOf } from './warnings.ts';

export type CompiledSieve = { readonly script: SieveScript } | { readonly problems: readonly FilterProblem[] };

/** What the options come to, made once for each reading of them. */
interface InForce {
  readonly settings: SieveSettings;
  readonly extensions: SieveExtensions;
  readonly limits: SieveLimits;
  readonly capabilities: ReturnType<typeof SIEVE_CAPABILITIES>;
}

export interface SieveEngine extends ScriptEngine {
  /** For `createScriptCache`; call its `clear()` when options have changed. */
  compile(text: Uint8Array, file: string): CompiledSieve;
}

/** `settings` answers the values now in force. */
export function sieveEngine(settings: () => SieveSettings): SieveEngine {
  let known: InForce | null = null;
  function inForce(): InForce {
    const now = settings();
    if (known?.settings === now) return known;
    const extensions = sieveExtensions(now);
    known = { settings: now, extensions, limits: sieveLimits(now), capabilities: SIEVE_CAPABILITIES(extensions) };
    return known;
  }
  function compile(text: Uint8Array, file: string): CompiledSieve {
    const source = decode(text);
    if (source === null) return { problems: [{ file, line: 0, text: 'the script is not UTF-8 text' }] };
    const { extensions, limits } = inForce();
    return compileSieve(source, { file, extensions, limits });
  }
  return {
    extensions: () => inForce().capabilities.sieve,
    notifyMethods: () => inForce().capabilities.notify,
    redirectsMax: () => inForce().limits.redirects,
    compile,
    check(text, file) {
      const compiled = compile(text, file);
      if ('problems' in compiled) return { problems: compiled.problems, warnings: [] };
      const { limits } = inForce();
      const parsed = parseSieve(decode(text)!, file, limits);
      return { problems: [], warnings: 'commands' in parsed ? warningsOf(parsed.commands, file, limits.redirects) : [] };
    },
  };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** RFC 5228 section 2.1: scripts are UTF-8. A byte order mark, which some editors put first, is left out. */
function decode(text: Uint8Array): string | null {
  try {
    return decoder.decode(text);
  } catch {
    return null; // the caller says so
  }
}
