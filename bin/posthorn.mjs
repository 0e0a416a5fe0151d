#!/usr/bin/env node
// The command `posthorn`: installs what is missing, finds the pinned runtime, runs the program with it and, for the server,
// stays as its parent and starts it again after a native fault.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename } from 'node:path';
import {
  commandOf,
  exitCodeOf,
  findProgram,
  findRuntime,
  install,
  isFault,
  LaunchError,
  LONG_LIFE_MS,
  ROOT,
  RUNTIME_FLAGS,
  restartDelay,
  runtimeEnvironment,
} from './lib.mjs';

const args = process.argv.slice(2);
// Called by one of these names (links in /usr/sbin), it is that command.
const CALLED = new Map([
  ['sendmail', ['sendmail']],
  ['mailq', ['sendmail', '-bp']],
  ['newaliases', ['sendmail', '-bi']],
]);
args.unshift(...(CALLED.get(basename(process.argv[1] ?? '')) ?? []));

try {
  install(ROOT, 'run');
  const runtime = findRuntime(ROOT);
  const program = [...RUNTIME_FLAGS, findProgram(ROOT), ...args];
  const command = commandOf(args);
  if ((command === 'start' || command === 'serve') && !args.includes('--help') && !args.includes('-h')) supervise(runtime, program);
  else runOnce(runtime, program);
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  process.stderr.write(`posthorn: ${error.message}\n`);
  process.exit(1);
}

function runOnce(runtime, program) {
  const child = spawn(runtime, program, { stdio: 'inherit', env: runtimeEnvironment(ROOT) });
  // The terminal sends Ctrl-C to both; the program decides what it means.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('error', cannotStart);
  child.on('exit', (code, signal) => process.exit(exitCodeOf(code, signal, constants.signals)));
}

/** The channel ('ipc') is how the server learns that this parent was killed: it closes, and the server stops in good order. */
function supervise(runtime, program) {
  let faults = 0;
  let child = null;
  let timer = null;
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGHUP') isStopping = true;
      if (timer !== null && isStopping) process.exit(0); // between two lives
      // Ctrl-C reaches the server by itself (same process group); a second one would mean "at once".
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child?.kill(signal);
    });
  }
  const start = () => {
    timer = null;
    const startedAt = Date.now();
    child = spawn(runtime, program, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: runtimeEnvironment(ROOT) });
    child.on('error', cannotStart);
    child.on('exit', (code, signal) => {
      child = null;
      if (isStopping || !isFault(code, signal)) process.exit(exitCodeOf(code, signal, constants.signals));
      faults = Date.now() - startedAt > LONG_LIFE_MS ? 1 : faults + 1;
      const delay = restartDelay(faults);
      process.stderr.write(`posthorn: the server ended by a fault (${signal ?? `exit code ${code}`}); starting it again in ${delay / 1000} s\n`);
      timer = setTimeout(start, delay);
    });
  };
  start();
}

function cannotStart(error) {
  process.stderr.write(`posthorn: the runtime could not be started: ${error.message}\n`);
  process.exit(1);
}
