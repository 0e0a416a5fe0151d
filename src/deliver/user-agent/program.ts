/**
 * Starts a user's program: in a session of its own, with a time limit after which the whole session's process group is killed, and with files
 * without a name as standard input and output. Pipes of Node are sockets, and programs that open /dev/stdin or /dev/stdout cannot have those;
 * with files a program may read or ignore its input, and write as much as the limit allows, without holding anybody up.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { writeAll } from '../agents/write.ts';
import type { Command, RunAnswer } from '../filters/filter.ts';
import { OUTPUT_FILE_MAX, OUTPUT_TEXT_MAX, PIPE_BYTES } from './limits.ts';

export interface ProgramOptions {
  readonly command: Command;
  /** null: nothing to read. */
  readonly input: readonly Uint8Array[] | null;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Output beyond is cut; standard error is kept apart then. 0: output and error together, as text for a report. */
  readonly outputMax: number;
  /** Standard error goes to this descriptor instead, which stays the caller's. */
  readonly errors?: number | null;
  readonly umask: number | null;
  /** false: resolves as soon as it runs. */
  readonly waits: boolean;
  readonly signal: AbortSignal;
  readonly sessions: Sessions;
}

/** Whoever has to end what a lost worker leaves behind hears of every session: the number is that of its first process. */
export interface Sessions {
  started(pid: number): void;
  ended(pid: number): void;
}
export const NO_SESSIONS: Sessions = { started: () => {}, ended: () => {} };

export interface ProgramAnswer extends RunAnswer {
  /** Words of the program for a report, at most 4096 bytes. */
  readonly text: string;
  /** Why it could not be started, or null. */
  readonly startError: string | null;
}

/** How often the size of the output is looked at while the program runs. */
const LOOK_MS = 250;

/** Never rejects: what goes wrong with a user's program is an answer. */
export async function runProgram(options: ProgramOptions): Promise<ProgramAnswer> {
  const files: number[] = [];
  const file = (): number => {
    const fd = namelessFile();
    files.push(fd);
    return fd;
  };
  try {
    const input = options.input === null ? null : file();
    // The offset, which parent and child share, stays at the first byte.
    if (input !== null) writeAll(input, options.input!, 0);
    const output = file();
    const errors = options.errors ?? (options.outputMax > 0 ? file() : output);
    const end = await start(options, input, output, errors);
    return {
      ...end,
      output: options.outputMax > 0 ? readFrom0(output, options.outputMax) : new Uint8Array(0),
      isTruncated: options.outputMax > 0 && fstatSync(output).size > options.outputMax,
      isInputRefused: input !== null && options.waits && unread(input) > PIPE_BYTES,
      text: options.errors == null ? readFrom0(errors, OUTPUT_TEXT_MAX).toString('utf8') : '',
    };
  } catch (error) {
    // A full disk, mostly: the program was not started, and trying again later is right.
    return { ...NOTHING_RAN, startError: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

/** With a `startError`: it was not started. */
export const NOTHING_RAN: ProgramAnswer = {
  exit: null,
  signal: null,
  isTimedOut: false,
  output: new Uint8Array(0),
  isTruncated: false,
  isInputRefused: false,
  text: '',
  startError: null,
};

type End = Pick<ProgramAnswer, 'exit' | 'signal' | 'isTimedOut' | 'startError'>;

function start(options: ProgramOptions, input: number | null, output: number, errors: number): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  const [file, args] = commandLine(options.command);
  const spawned: SpawnOptions = {
    cwd: options.directory,
    env: options.environment as NodeJS.ProcessEnv,
    stdio: [input ?? 'ignore', output, errors],
    detached: true,
  };
  // spawn() forks before it returns: the umask is the child's own and this process has its old one back at once.
  const umask = options.umask === null ? null : process.umask(options.umask);
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn(file, args, spawned);
  } catch (error) {
    resolve({ exit: null, signal: null, isTimedOut: false, startError: (error as NodeJS.ErrnoException).code ?? String(error) });
    return promise;
  } finally {
    if (umask !== null) process.umask(umask);
  }
  const { pid } = child;
  let isTimedOut = false;
  const kill = (): void => {
    if (pid !== undefined) killGroup(pid);
  };
  const timer = setTimeout(() => {
    isTimedOut = true;
    kill();
  }, options.timeoutMs);
  const look = setInterval(() => {
    if (fstatSync(output).size > Math.max(options.outputMax * 2, OUTPUT_FILE_MAX)) kill();
  }, LOOK_MS);
  options.signal.addEventListener('abort', kill);
  const over = (end: Omit<End, 'isTimedOut'>): void => {
    clearTimeout(timer);
    clearInterval(look);
    options.signal.removeEventListener('abort', kill);
    if (pid !== undefined) options.sessions.ended(pid);
    resolve({ ...end, isTimedOut });
  };
  child.on('error', (error) => over({ exit: null, signal: null, startError: (error as NodeJS.ErrnoException).code ?? error.message }));
  child.on('exit', (exit, signal) => {
    // Whatever it left in its group would outlive its time limit otherwise.
    if (isTimedOut) kill();
    over({ exit, signal, startError: null });
  });
  if (pid !== undefined) {
    options.sessions.started(pid);
    if (options.signal.aborted) kill();
    if (!options.waits) {
      clearInterval(look);
      timer.unref();
      child.unref();
      resolve({ exit: 0, signal: null, isTimedOut: false, startError: null });
    }
  }
  return promise;
}

/** Characters that mean nothing to a shell: a line of them alone is a program and its words (as with Postfix's local(8)). */
const PLAIN = /^[\w!@%=+:,./ \t-]+$/;

/**
 * A command line of a .forward file, an alias or `local.mailboxCommand`. Where no shell is needed none is started, and the program's own end is
 * seen: a shell would make an exit code of a signal.
 */
export async function runLine(line: string, options: Omit<ProgramOptions, 'command'>): Promise<ProgramAnswer> {
  const argv = PLAIN.test(line) ? line.split(/[ \t]+/).filter((word) => word !== '') : [];
  if (argv.length > 0) {
    const answer = await runProgram({ ...options, command: { kind: 'argv', argv } });
    // It may be a word of the shell's own.
    if (answer.startError !== 'ENOENT' || argv[0]!.includes('/')) return answer;
  }
  return runProgram({ ...options, command: { kind: 'shell', line } });
}

export function commandLine(command: Command): [string, string[]] {
  if (command.kind === 'argv') return [command.argv[0] ?? '', command.argv.slice(1)];
  return [command.shell || '/bin/sh', [command.shellFlags || '-c', command.line]];
}

export function commandText(command: Command): string {
  return command.kind === 'shell' ? command.line : command.argv.join(' ');
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself this moment.
  }
}

// ── Files without a name ─────────────────────────────────────────────────────────────────────────────

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
const TEMPORARY = '/tmp';

/** Belongs to the user, nobody else can open it, and it is gone with its last descriptor. Writers append, whichever descriptor they have. */
function namelessFile(): number {
  const path = `${TEMPORARY}/.posthorn-${randomBytes(12).toString('hex')}`;
  const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, 0o600);
  unlinkSync(path);
  return fd;
}

function readFrom0(fd: number, max: number): Buffer {
  const size = Math.min(fstatSync(fd).size, max);
  const bytes = Buffer.alloc(size);
  let at = 0;
  while (at < size) {
    const got = readSync(fd, bytes, at, size - at, at);
    if (got === 0) break;
    at += got;
  }
  return bytes.subarray(0, at);
}

/** Bytes that the child left, counted up to just over what a pipe would have held. */
function unread(fd: number): number {
  return readSync(fd, Buffer.alloc(PIPE_BYTES + 1), 0, PIPE_BYTES + 1, null);
}
