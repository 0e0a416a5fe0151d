/**
 * Drives the run of a filter without doing anything: actions are written down and taken for done, programs are not started, files are read
 * (includes, word lists) and never written.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Action, Answers, FileKind, FilterEnd, FilterInput, FilterRequest, FilterRun, Origin, RunAnswer } from '../deliver/filters/filter.ts';
import { actionWords, commandWords } from './filter-words.ts';

/** A run that asks for more goes in circles. */
const REQUESTS_MAX = 100_000;
const STEPS_MAX = 10_000;
const SCRIPT_BYTES_MAX = 1024 * 1024;

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
}

/** `run` is a fresh run over `input`. */
export function dryRun(run: FilterRun, input: FilterInput, options: DryOptions): DryRun {
  const steps: DryStep[] = [];
  const logged: string[] = [];
  let { directory } = options;
  const note = (origin: Origin, text: string, action: Action | null): void => {
    if (steps.length < STEPS_MAX) steps.push({ origin, text, action });
  };
  const at = (path: string): string => resolve(directory, path);

  function answer(request: FilterRequest): Answers[FilterRequest['kind']] {
    switch (request.kind) {
      case 'act':
        note(request.action.origin, actionWords(request.action), request.action);
        return { isDone: true, problem: null, exit: 0, stored: request.action.kind === 'store' ? request.action.path : undefined };
      case 'bytes':
        return bytesOf(input, request.from, request.to);
      case 'run':
        note(
          request.origin,
          `(not started: ${commandWords(request.command)}; it is taken to succeed${request.wantsOutput ? ' and to print nothing' : ''})`,
          null,
        );
        return { exit: 0, signal: null, isTimedOut: false, output: new Uint8Array(0), isTruncated: false, isInputRefused: false } satisfies RunAnswer;
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
      case 'mailboxExists':
      case 'specialUseExists':
        return true;
      case 'metadata':
        return null;
      case 'duplicate':
      case 'listed':
        return false;
      case 'script':
        return includedText(options.scriptDirectory, request.name);
    }
  }

  let step = run.next();
  for (let requests = 0; step.done !== true; requests += 1) {
    if (requests >= REQUESTS_MAX) {
      run.return({ kind: 'done', exitCode: null });
      return { steps, logged, end: { kind: 'failed', problem: { file: '', line: 0, text: `it asked for more than ${REQUESTS_MAX} things and was ended` } } };
    }
    step = run.next(answer(step.value));
  }
  return { steps, logged, end: step.value };
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
