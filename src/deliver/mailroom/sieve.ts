/** Sieve as the mailroom runs it: compiled under the options in force, with the administrator's programs where they are switched on. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../ports.ts';
import type { Answers, FilterInput, FilterRequest, FilterRun } from '../filters/filter.ts';
import { sieveLimits, type SieveSettings } from '../filters/sieve/settings.ts';
import { runSieve, type SieveCause, type SieveLimits, type SieveScript } from '../filters/sieve/sieve.ts';
import { sieveEngine } from '../scripts/engine.ts';
import { NO_SESSIONS, runProgram as startProgram } from '../user-agent/program.ts';
import type { CompiledSieve, SieveRunner } from './mailroom.ts';

export interface SieveEngine extends SieveRunner<SieveScript> {
  /** For an IMAP event. */
  runAt(scripts: readonly SieveScript[], input: FilterInput, cause: SieveCause): FilterRun;
  compile(text: Uint8Array, file: string): CompiledSieve<SieveScript>;
}

export interface SieveEngineParts {
  settings(): SieveSettings & { readonly 'sieve.programDirectory': string };
  readonly log: Log;
}

export function createSieveEngine({ settings, log }: SieveEngineParts): SieveEngine {
  const engine = sieveEngine(settings);
  let made: { readonly of: object; readonly limits: SieveLimits } | null = null;
  const limits = (): SieveLimits => {
    const current = settings();
    if (made?.of !== current) made = { of: current, limits: sieveLimits(current) };
    return made.limits;
  };
  return {
    compile: (text, file) => engine.compile(text, file),
    runAt: (scripts, input, cause) => runSieve(scripts, input, cause, limits()),
    run: (scripts, input) => runSieve(scripts, input, { kind: 'delivery' }, limits()),
    program: (request) => runProgram(request, settings()['sieve.programDirectory'], log),
  };
}

/**
 * A program of the administrator's folder (vnd.dovecot.filter, execute), as the server's own user. Its name has no slash (the compiler sees
 * to that), so nothing outside the folder can be started.
 */
async function runProgram(request: Extract<FilterRequest, { kind: 'run' }>, directory: string, log: Log): Promise<Answers['run']> {
  const { command, input, outputMax, environment, timeoutMs, umask } = request;
  if (command.kind !== 'argv' || directory === '' || command.argv.length === 0 || command.argv[0]!.includes('/'))
    throw new Error('there is no folder for programs (sieve.programDirectory)');
  const [name, ...words] = command.argv as [string, ...string[]];
  const path = join(directory, name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`there is no program "${name}"`);
  }
  // In a session of its own: what it leaves behind neither holds up the message nor outlives its time.
  const { text, startError, ...answer } = await startProgram({
    command: { kind: 'argv', argv: [path, ...words] },
    input: input === null ? null : [input],
    directory: '/',
    environment: { PATH: '/usr/bin:/bin', ...environment },
    timeoutMs: timeoutMs ?? PROGRAM_MS,
    outputMax: Math.max(1, outputMax),
    umask,
    waits: true,
    signal: NEVER,
    sessions: NO_SESSIONS,
  });
  const said = startError === null ? text : `it could not be started (${startError})`;
  if (said !== '') log.info('filter.program.said', { program: name, text: said.slice(0, 500) });
  return answer;
}

const PROGRAM_MS = 10_000;
const NEVER = new AbortController().signal;
