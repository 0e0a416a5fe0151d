/** A host that performs nothing and writes down what would be done, for `posthorn filter test`. Files are read; programs run only when asked for. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatAddress } from '../../mail/address.ts';
import { folderKind } from '../agents/mh.ts';
import type { Action, FilterRequest, Origin, RunAnswer } from '../filters/filter.ts';
import type { FilterHost } from './driver.ts';
import { isDirectory, readTrusted } from './files.ts';
import { commandText, NO_SESSIONS, runProgram } from './program.ts';

export interface DryHostOptions {
  /** The whole message in the run's form, for `bytes`. */
  readonly message: Uint8Array;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Really run the programs of conditions and filters; otherwise each is taken to succeed without output. Actions are never performed. */
  readonly runsPrograms: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Included scripts of Sieve; null: there is none of that name. */
  script?(location: 'personal' | 'global', name: string): string | null;
}

export interface Recorded {
  readonly origin: Origin;
  readonly action: Action | null;
  /** "keep in INBOX", "run spamc (not run)", as it would be printed. */
  readonly words: string;
}

export function dryHost(options: DryHostOptions): FilterHost & { readonly recorded: readonly Recorded[]; readonly logged: readonly string[] } {
  const recorded: Recorded[] = [];
  const logged: string[] = [];
  let directory = options.directory;
  const path = (name: string): string => resolve(directory, name.replaceAll('\0', '_'));
  const guarded = <T>(work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch (error) {
      logged.push(String((error as Error).message));
      return otherwise;
    }
  };

  async function run(request: Extract<FilterRequest, { kind: 'run' }>): Promise<RunAnswer> {
    const text = commandText(request.command);
    recorded.push({ origin: request.origin, action: null, words: `${options.runsPrograms ? 'run' : 'would run'} ${text}` });
    if (!options.runsPrograms) return { exit: 0, signal: null, isTimedOut: false, output: new Uint8Array(0), isTruncated: false, isInputRefused: false };
    const answer = await runProgram({
      command: request.command,
      input: request.input === null ? null : [request.input],
      directory,
      environment: { ...options.environment, ...request.environment },
      timeoutMs: Math.min(request.timeoutMs ?? options.timeoutMs, options.timeoutMs),
      outputMax: request.wantsOutput ? request.outputMax : 0,
      umask: request.umask,
      waits: true,
      signal: options.signal,
      sessions: NO_SESSIONS,
    });
    if (answer.text !== '') logged.push(answer.text);
    return answer;
  }

  function answer(request: FilterRequest): unknown {
    switch (request.kind) {
      case 'act':
        recorded.push({ origin: request.action.origin, action: request.action, words: actionWords(request.action) });
        return { isDone: true, problem: null, exit: 0, ...(request.action.kind === 'store' ? { stored: path(request.action.path) } : {}) };
      case 'bytes':
        return options.message.subarray(request.from, request.to);
      case 'run':
        return run(request);
      case 'file':
        return guarded(() => readTrusted(path(request.path), process.getuid?.() ?? -1, request.bytesMax), null);
      case 'stat':
        return guarded(() => folderKind(path(request.path)), null);
      case 'size':
        return guarded(() => statSync(path(request.path), { throwIfNoEntry: false })?.size ?? null, null);
      case 'chdir':
        if (!isDirectory(path(request.path))) return false;
        directory = path(request.path);
        return true;
      case 'environment':
        return options.environment[request.name] ?? null;
      case 'log':
        logged.push(request.text);
        return null;
      case 'lock':
      case 'mailboxExists':
        return true;
      case 'script':
        return options.script?.(request.location, request.name) ?? null;
      case 'unlock':
      case 'metadata':
        return null;
      case 'specialUseExists':
      case 'duplicate':
      case 'mailboxIdExists':
      case 'listed':
        return false;
    }
  }
  return { answer, recorded, logged };
}

/** One line for people. */
export function actionWords(action: Action): string {
  const changed = action.message === null ? '' : ' (changed)';
  switch (action.kind) {
    case 'keep':
      return `keep in INBOX${action.isImplicit ? ' (no rule said otherwise)' : ''}${changed}`;
    case 'fileInto':
      return `file into ${action.mailbox}${changed}`;
    case 'store':
      return `store in ${[action.path, ...action.links.map((link) => link.path)].map((one) => join(one)).join(', ')} (${action.format})${changed}`;
    case 'redirect':
      return `send on to ${formatAddress(action.address)}${changed}`;
    case 'pipe':
      return `pipe to ${commandText(action.command)}${changed}`;
    case 'discard':
      return 'discard';
    case 'reject':
      return `reject: ${action.text}`;
    case 'defer':
      return `defer: ${action.text}`;
    case 'vacation':
      return `answer (vacation): ${action.subject ?? 'Auto: …'}`;
    case 'notify':
      return `notify ${action.method}`;
    case 'send':
      return `send a message to ${action.to.map(formatAddress).join(', ')}`;
  }
}
