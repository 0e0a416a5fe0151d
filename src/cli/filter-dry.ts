/**
 * Drives the run of a filter without doing anything: actions are written down and taken for done, files are read (includes, word lists) and
 * never written. Programs whose answer the script needs are started only when that is asked for; those that would get the message never are.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ProgramAnswer, runProgram } from '../deliver/user-agent/program.ts';
import type {
  Action,
  Answers,
  Command,
  FileKind,
  FilterEnd,
  FilterInput,
  FilterRequest,
  FilterRun,
  MessageVersion,
  Origin,
  RunAnswer,
} from '../deliver/filters/filter.ts';
import { actionWords, commandWords } from './filter-words.ts';

/** A run that asks for more goes in circles. */
const REQUESTS_MAX = 100_000;
const STEPS_MAX = 10_000;
const SCRIPT_BYTES_MAX = 1024 * 1024;
/** Whoever wants so much of a program's output makes it the message. */
const FILTER_OUTPUT_LEAST = 4 * 1024 * 1024;
/** For one program of `--run`; scripts may ask for less. */
const PROGRAM_MS_MAX = 60_000;

export interface DryStep {
  readonly origin: Origin;
  readonly text: string;
  /** null: not an action but something met on the way. */
  readonly action: Action | null;
}

export interface DryRun {
  readonly steps: readonly DryStep[];
  /** What the script wrote into its log. */
  readonly logged: readonly string[];
  readonly end: FilterEnd;
}

export interface DryOptions {
  /** Relative names are found from here. */
  readonly directory: string;
  /** Where scripts that a script includes are (`include :personal "x"`: x or x.sieve). */
  readonly scriptDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Really start the programs of conditions and filters, as who runs this process. */
  readonly runsPrograms?: boolean;
  /** Where programs that a Sieve script names are; '' for nowhere. */
  readonly programDirectory?: string;
  /** What "include" and the tests over the account are answered from, where the server can be asked. */
  readonly script?: (location: 'personal' | 'global', name: string) => Promise<string | null>;
}

/** `run` is a fresh run over `input`. */
export async function dryRun(run: FilterRun, input: FilterInput, options: DryOptions): Promise<DryRun> {
  const steps: DryStep[] = [];
  const logged: string[] = [];
  let { directory } = options;
  const note = (origin: Origin, text: string, action: Action | null): void => {
    if (steps.length < STEPS_MAX) steps.push({ origin, text, action });
  };
  const at = (path: string): string => resolve(directory, path);
  const assumed = new Set<string>();
  /** Something the script asked that only the running server knows; each is told once. */
  const assume = (text: string): void => {
    if (!assumed.has(text)) note({ file: '', line: 0 }, `(assumed: ${text})`, null);
    assumed.add(text);
  };

  async function program(request: Extract<FilterRequest, { kind: 'run' }>): Promise<RunAnswer> {
    const words = commandWords(request.command);
    const command = located(request.command, options.programDirectory);
    if (options.runsPrograms !== true || command === null) {
      const isFilter = request.input !== null && request.wantsOutput && (request.outputMax >= FILTER_OUTPUT_LEAST || options.programDirectory !== undefined);
      const printed = isFilter ? ' and to change nothing' : request.wantsOutput ? ' and to print nothing' : '';
      note(request.origin, `(not started: ${words}; it is taken to succeed${printed})`, null);
      return isFilter ? { ...NOT_STARTED, output: request.input! } : NOT_STARTED;
    }
    const done = await runProgram({
      command,
      input: request.input === null ? null : [request.input],
      directory,
      environment: { ...options.environment, ...request.environment },
      timeoutMs: Math.min(request.timeoutMs ?? PROGRAM_MS_MAX, PROGRAM_MS_MAX),
      outputMax: request.wantsOutput ? request.outputMax : 0,
      umask: request.umask,
      waits: true,
      signal: AbortSignal.timeout(2 * PROGRAM_MS_MAX),
      sessions: { started: () => {}, ended: () => {} },
    });
    note(request.origin, `(started: ${words}; ${endWords(done)}${request.wantsOutput ? `, it printed ${done.output.length} bytes` : ''})`, null);
    for (const line of done.text.split('\n')) if (line !== '' && logged.length < STEPS_MAX) logged.push(line);
    return done;
  }

  function answer(request: FilterRequest): Answers[FilterRequest['kind']] | Promise<Answers[FilterRequest['kind']]> {
    switch (request.kind) {
      case 'act':
        // The usual recipe against doublets would end every test here.
        if (request.action.kind === 'pipe' && isDoubletTest(request.action.command)) {
          note(request.action.origin, `(not started: ${commandWords(request.action.command)}; it is taken not to have seen the message before)`, null);
          return { isDone: false, problem: null, exit: 1 };
        }
        note(request.action.origin, actionWords(request.action, isChanged(request.action.message, input)), request.action);
        return { isDone: true, problem: null, exit: 0, stored: request.action.kind === 'store' ? request.action.path : undefined };
      case 'bytes':
        return bytesOf(input, request.from, request.to);
      case 'run':
        return program(request);
      case 'file':
        return readFile(at(request.path), request.bytesMax);
      case 'stat':
        return kindOf(at(request.path));
      case 'size':
        return sizeOf(at(request.path));
      case 'chdir':
        if (!isDirectory(at(request.path))) return false;
        directory = at(request.path);
        return true;
      case 'environment':
        return options.environment[request.name] ?? null;
      case 'lock':
        return true;
      case 'unlock':
        return null;
      case 'log':
        for (const line of request.text.split('\n')) if (line !== '' && logged.length < STEPS_MAX) logged.push(line);
        return null;
      case 'mailboxIdExists':
        assume(`there is a mailbox with the id ${request.mailboxId}`);
        return true;
      case 'mailboxExists':
        assume(`there is a mailbox "${request.mailbox}"`);
        return true;
      case 'specialUseExists':
        assume(`there is a mailbox for ${request.uses.join(' ')}`);
        return true;
      case 'metadata':
        assume(`the annotation ${request.annotation} is not set`);
        return null;
      case 'duplicate':
        assume('a message like this was not seen before');
        return false;
      case 'listed':
        assume(`"${request.value}" is not in the list ${request.list}`);
        return false;
      case 'script':
        return options.script === undefined ? includedText(options.scriptDirectory, request.name) : options.script(request.location, request.name);
    }
  }

  let step = run.next();
  for (let requests = 0; step.done !== true; requests += 1) {
    if (requests >= REQUESTS_MAX) {
      run.return({ kind: 'done', exitCode: null });
      return { steps, logged, end: { kind: 'failed', problem: { file: '', line: 0, text: `it asked for more than ${REQUESTS_MAX} things and was ended` } } };
    }
    const given = answer(step.value);
    step = run.next(given instanceof Promise ? await given : given);
  }
  return { steps, logged, end: step.value };
}

const NOT_STARTED: RunAnswer = { exit: 0, signal: null, isTimedOut: false, output: new Uint8Array(0), isTruncated: false, isInputRefused: false };

/** "formail -D 8192 cache": succeeds for a message that was seen before. */
const isDoubletTest = (command: Command): boolean => /^\s*(?:\S*\/)?formail\b[^|;&]*\s-D\b/.test(commandWords(command));

/** null: a bare name, and there is no folder for such programs. Shells and paths are found as they are. */
function located(command: Command, programDirectory: string | undefined): Command | null {
  if (command.kind === 'shell' || programDirectory === undefined) return command;
  const [name = '', ...rest] = command.argv;
  return programDirectory === '' || name === '' || name.includes('/') ? null : { kind: 'argv', argv: [join(programDirectory, name), ...rest] };
}

/** Filters that change nothing give back what they got, perhaps with a blank line at the end. */
function isChanged(version: MessageVersion, input: FilterInput): 'header' | 'header and body' | null {
  if (version === null) return null;
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').trimEnd();
  // The From_ line that mailboxes begin with is no part of the message.
  const isSameHeader = text(version.header).replace(/^From .*\n/, '') === text(input.header);
  const isSameBody = version.body === null || text(version.body) === text(input.body ?? new Uint8Array(0));
  if (!isSameBody) return 'header and body';
  return isSameHeader ? null : 'header';
}

function endWords({ exit, signal, isTimedOut, startError }: ProgramAnswer): string {
  if (startError !== null) return `it could not be started: ${startError}`;
  if (isTimedOut) return 'it took too long and was ended';
  return exit === null ? `it was ended by ${signal ?? 'a signal'}` : `it ended with ${exit}`;
}

function bytesOf(input: FilterInput, from: number, to: number): Uint8Array {
  return Buffer.concat([input.header, input.body ?? new Uint8Array(0)]).subarray(from, to);
}

/** null when it is not there or is no file. */
function readFile(path: string, bytesMax: number): Uint8Array | null {
  let descriptor: number;
  try {
    if (!statSync(path).isFile()) return null; // a pipe would be waited for
    descriptor = openSync(path, 'r');
  } catch {
    return null; // what the run is told then is that there is none
  }
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(descriptor).size, bytesMax));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function includedText(directory: string, name: string): string | null {
  if (!/^[^/\0]{1,255}$/.test(name) || name.startsWith('.')) return null;
  const bytes = readFile(join(directory, `${name}.sieve`), SCRIPT_BYTES_MAX) ?? readFile(join(directory, name), SCRIPT_BYTES_MAX);
  return bytes === null ? null : Buffer.from(bytes).toString('utf8');
}

function look(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null; // not there, or in a folder that may not be entered: to the run it is the same
  }
}

function sizeOf(path: string): number | null {
  return look(path)?.size ?? null;
}

function isDirectory(path: string): boolean {
  return look(path)?.isDirectory() === true;
}

function kindOf(path: string): FileKind {
  const found = look(path);
  if (found === null) return null;
  if (found.isFile()) return 'file';
  if (!found.isDirectory()) return 'other';
  return ['tmp', 'new', 'cur'].every((name) => isDirectory(join(path, name))) ? 'maildir' : 'directory';
}
