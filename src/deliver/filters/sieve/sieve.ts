/** Sieve (RFC 5228): compiling scripts, running them over messages, and what the engine says it can. */
import { type Action, ask, type FilterEnd, type FilterInput, type FilterProblem, type FilterRun } from '../filter.ts';
import { compileWith } from './compiler.ts';
import { VOCABULARY } from './extensions.ts';
import { flagSet } from './flags.ts';
import { INCLUDE_CACHE, SIEVE_LIMITS, type SieveLimits } from './limits.ts';
import type { SieveExtensions } from './registry.ts';
import { SieveFailure } from './failure.ts';
import { newScope, Run, type SieveCause } from './run.ts';
import type { SieveScript } from './script.ts';

export type { SieveLimits } from './limits.ts';
export type { SieveExtensions } from './registry.ts';
export type { SieveCause } from './run.ts';
export type { SieveScript } from './script.ts';

export interface SieveOptions {
  /** As problems and origins name the script: "sieve:main". */
  readonly file: string;
  readonly extensions: SieveExtensions;
  readonly limits?: SieveLimits;
}

/** Compiles a script once; the result serves any number of runs. Never throws: what is wrong comes with its line, 20 problems at most. */
export function compileSieve(text: string, options: SieveOptions): { readonly script: SieveScript } | { readonly problems: readonly FilterProblem[] } {
  return compileWith(VOCABULARY, text, { file: options.file, extensions: options.extensions, limits: options.limits ?? SIEVE_LIMITS });
}

/** Extensions for ManageSieve's SIEVE line and the methods for its NOTIFY line (RFC 5804 section 1.7). */
export function SIEVE_CAPABILITIES(extensions: SieveExtensions): { readonly sieve: readonly string[]; readonly notify: readonly string[] } {
  const sieve = VOCABULARY.extensions.filter(({ name, isHidden }) => name !== '' && isHidden !== true && extensions.names.has(name)).map(({ name }) => name);
  return { sieve, notify: extensions.names.has('enotify') ? extensions.notifyMethods : [] };
}

/** Included scripts by text, for the settings they were compiled with: the same few are included by every message. */
const includes = new WeakMap<SieveExtensions, Map<string, ReturnType<typeof compileSieve>>>();

function compileIncluded(text: string, file: string, by: SieveScript): ReturnType<typeof compileSieve> {
  let known = includes.get(by.extensions);
  if (known === undefined) {
    known = new Map();
    includes.set(by.extensions, known);
  }
  const key = `${file}\n${text}`;
  let compiled = known.get(key);
  if (compiled === undefined) {
    compiled = compileSieve(text, { file, extensions: by.extensions, limits: by.limits });
    // The oldest goes; a Map keeps the order in which it was filled.
    if (known.size >= INCLUDE_CACHE) known.delete(known.keys().next().value!);
    known.set(key, compiled);
  }
  return compiled;
}

/**
 * Runs scripts one after another over a message: before, personal, after. The next one runs when the one before it keeps the message,
 * implicitly or explicitly; the keep is done after the last. Actions are named at the end, in their order. A script that fails
 * ends the run with 'failed': what scripts before it said is done, nothing of its own, and the driver keeps the message.
 */
export function* runSieve(
  scripts: readonly SieveScript[],
  input: FilterInput,
  cause: SieveCause = { kind: 'delivery' },
  limits: SieveLimits = SIEVE_LIMITS,
): FilterRun {
  const first = scripts[0];
  if (first === undefined) {
    yield* ask({ kind: 'act', action: { kind: 'keep', origin: { file: 'sieve', line: 0 }, message: null, flags: null, isImplicit: true } });
    return { kind: 'done', exitCode: null };
  }
  const run = new Run(first, input, cause, limits, compileIncluded);
  let problem: FilterProblem | null = null;
  let last = first;
  for (const [index, script] of scripts.entries()) {
    last = script;
    if (index > 0) run.nextScript();
    run.scope = newScope(script);
    run.line = 0;
    try {
      if (cause.kind === 'imap') refuseDeliveryOnly(run, script);
      const { now } = script.body;
      if (now === undefined) yield* script.body.ask(run);
      else now(run);
    } catch (error) {
      if (!(error instanceof SieveFailure)) throw error;
      problem = { ...error.origin, text: error.message };
    }
    if (problem !== null) {
      run.result.dropScript();
      break;
    }
    if (!run.result.keeps()) break;
  }
  if (problem === null) {
    const keep = run.result.implicitKeep({ file: last.file, line: 0 }, flagSet(run.flags));
    return yield* act(run, keep);
  }
  const end = yield* act(run, null);
  return end.kind === 'failed' ? end : { kind: 'failed', problem };
}

/** RFC 6785 section 3.11: to require these is enough for the script to end. */
const DELIVERY_ONLY = ['reject', 'ereject', 'vacation', 'vacation-seconds'];

function refuseDeliveryOnly(run: Run, script: SieveScript): void {
  const name = DELIVERY_ONLY.find((extension) => script.required.has(extension));
  if (name !== undefined) run.fail(`"${name}" can only be used when a message is delivered`, 0);
}

/** Has all actions done. A program that fails ends the run (vnd.dovecot.pipe, section 5), unless it was only to be tried. */
function* act(run: Run, keep: Action | null): FilterRun {
  let isKept = keep !== null;
  let isStillCancelled = false;
  let hasLostPipe = false;
  let failure: FilterEnd | null = null;
  for (const { action, isTried, isCancelling } of run.result.entries) {
    const answer = yield* ask({ kind: 'act', action });
    if (action.kind === 'keep') isKept = true;
    if (action.kind === 'pipe' && !answer.isDone) {
      const name = action.command.kind === 'argv' ? action.command.argv[0] : action.command.line;
      if (!isTried)
        failure ??= { kind: 'failed', problem: { ...action.origin, text: `the program "${name}" failed: ${answer.problem ?? 'no reason is known'}` } };
      else if (isCancelling) hasLostPipe = true;
    } else if (isCancelling) isStillCancelled = true;
  }
  if (keep !== null) yield* ask({ kind: 'act', action: keep });
  if (failure !== null) return failure;
  if (hasLostPipe && !isKept && !isStillCancelled) {
    const origin = { file: run.scope.script.file, line: 0 };
    yield* ask({ kind: 'act', action: { kind: 'keep', origin, message: run.message.version(), flags: flagSet(run.flags), isImplicit: true } });
  }
  return { kind: 'done', exitCode: null };
}
