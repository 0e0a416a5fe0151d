/** Sieve as the mailroom runs it: compiled under the options in force, with the administrator's programs where they are switched on. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../ports.ts';
import type { Answers, FilterRequest } from '../filters/filter.ts';
import { sieveLimits, type SieveSettings } from '../filters/sieve/settings.ts';
import { runSieve, type SieveLimits, type SieveScript } from '../filters/sieve/sieve.ts';
import { sieveEngine } from '../scripts/engine.ts';
import type { CompiledSieve, SieveRunner } from './mailroom.ts';

export interface SieveEngine extends SieveRunner<SieveScript> {
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
    run: (scripts, input) => runSieve(scripts, input, { kind: 'delivery' }, limits()),
    program: (request) => runProgram(request, settings()['sieve.programDirectory'], log),
  };
}

/**
 * A program of the administrator's folder (vnd.dovecot.filter, execute), as the server's own user. Its name has no slash (the compiler sees
 * to that), so nothing outside the folder can be started.
 */
function runProgram(request: Extract<FilterRequest, { kind: 'run' }>, directory: string, log: Log): Promise<Answers['run']> {
  const { command, input, outputMax, environment, timeoutMs } = request;
  if (command.kind !== 'argv' || directory === '' || command.argv.length === 0 || command.argv[0]!.includes('/'))
    return Promise.reject(new Error('there is no folder for programs (sieve.programDirectory)'));
  const path = join(directory, command.argv[0]!);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return Promise.reject(new Error(`there is no program "${command.argv[0]}"`));
  }
  return new Promise((resolve) => {
    let isInputRefused = false;
    const child = execFile(
      path,
      command.argv.slice(1),
      {
        encoding: 'buffer',
        maxBuffer: outputMax,
        timeout: timeoutMs ?? 10_000,
        killSignal: 'SIGKILL',
        env: { PATH: '/usr/bin:/bin', ...environment },
        cwd: '/',
      },
      (error, stdout, stderr) => {
        if (stderr.length > 0) log.info('filter.program.said', { program: command.argv[0], text: stderr.toString('utf8', 0, 500) });
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({
          exit: code,
          signal: error?.signal ?? null,
          isTimedOut: error?.killed === true && error.signal === 'SIGKILL',
          output: stdout,
          isTruncated: (error as NodeJS.ErrnoException | null)?.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
          isInputRefused,
        });
      },
    );
    child.stdin?.on('error', () => {
      isInputRefused = true;
    });
    child.stdin?.end(input ?? undefined);
  });
}
