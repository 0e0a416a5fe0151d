/** For tests: a driver that answers from a little world in memory, and actions as lines of text. */
import { defaultsOf } from '../../../system/declare.ts';
import type { Action, Answers, FilterEnd, FilterInput, FilterProblem, FilterRequest } from '../filter.ts';
import { EXTENSION_NAMES } from './extension-names.ts';
import { SIEVE_LIMITS, type SieveLimits } from './limits.ts';
import type { SieveExtensions } from './registry.ts';
import type { SieveCause } from './run.ts';
import { SIEVE_SETTINGS, sieveExtensions } from './settings.ts';
import { compileSieve, runSieve } from './sieve.ts';

export interface World {
  readonly mailboxes?: readonly string[];
  readonly mailboxIds?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly lists?: Readonly<Record<string, readonly string[]>>;
  readonly seen?: readonly string[];
  /** What a program writes; null: it fails. */
  readonly programs?: Readonly<Record<string, string | null>>;
  readonly input?: Partial<FilterInput>;
  readonly envelope?: Partial<FilterInput['envelope']>;
  readonly cause?: SieveCause;
  readonly limits?: Partial<SieveLimits>;
  readonly extensions?: Partial<SieveExtensions>;
}

export interface Outcome {
  readonly actions: readonly Action[];
  /** One line each, short. */
  readonly lines: readonly string[];
  readonly requests: readonly FilterRequest[];
  readonly end: FilterEnd;
}

export const MESSAGE = [
  'From: Tim <tim@example.com>',
  'To: ken@example.net, "Third, Tom" <third+list@example.net>',
  'Subject: make money fast!!!',
  'Date: Fri, 20 Nov 2026 10:20:30 +0100',
  'Message-ID: <one@example.com>',
  '',
  'Hello there.',
  '',
].join('\r\n');

export const EXTENSIONS_ON: SieveExtensions = { ...sieveExtensions(defaultsOf(SIEVE_SETTINGS)), names: new Set(EXTENSION_NAMES) };

export function inputOf(message: string | Buffer, world: World = {}): FilterInput {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  const blank = bytes.indexOf('\r\n\r\n');
  const end = blank === -1 ? bytes.length : blank + 4;
  return {
    header: bytes.subarray(0, end),
    size: bytes.length,
    body: bytes.subarray(end),
    envelope: {
      sender: { local: 'tim', domain: 'example.com' },
      recipient: { local: 'ken+list', domain: 'example.net' },
      final: { local: 'ken', domain: 'example.net' },
      detail: 'list',
      orcpt: null,
      helo: 'mail.example.com',
      clientIp: '192.0.2.1',
      clientName: 'mail.example.com',
      ...world.envelope,
    },
    user: 'ken',
    home: null,
    hostname: 'mx.example.net',
    domain: 'example.net',
    at: Date.UTC(2026, 10, 20, 12, 0, 0),
    zoneMinutes: 60,
    spam: null,
    virus: 0,
    ...world.input,
  };
}

/** Compiles and runs scripts over a message; throws the problems of one that does not compile. */
export function runScripts(texts: readonly string[], message: string | Buffer = MESSAGE, world: World = {}): Outcome {
  const extensions = { ...EXTENSIONS_ON, ...(world.lists !== undefined && { lists: new Set(Object.keys(world.lists)) }), ...world.extensions };
  const limits = { ...SIEVE_LIMITS, ...world.limits };
  const scripts = texts.map((text, index) => {
    const compiled = compileSieve(text, { file: texts.length === 1 ? 'sieve:main' : `sieve:${index + 1}`, extensions, limits });
    if ('problems' in compiled) throw new Error(compiled.problems.map((problem) => `${problem.line}: ${problem.text}`).join('\n'));
    return compiled.script;
  });
  const input = inputOf(message, world);
  const run = runSieve(scripts, input, world.cause, limits);
  const actions: Action[] = [];
  const requests: FilterRequest[] = [];
  const whole = Buffer.concat([input.header, Buffer.from(typeof message === 'string' ? Buffer.from(message) : message).subarray(input.header.length)]);
  let step = run.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.kind === 'act') actions.push(request.action);
    else requests.push(request);
    step = run.next(answer(request, world, whole));
  }
  return { actions, requests, end: step.value, lines: actions.map(showAction) };
}

function answer(request: FilterRequest, world: World, whole: Buffer): Answers[FilterRequest['kind']] {
  switch (request.kind) {
    case 'act': {
      const { action } = request;
      const isLost = action.kind === 'pipe' && action.command.kind === 'argv' && (world.programs?.[action.command.argv[0]!] ?? null) === null;
      return { isDone: !isLost, problem: isLost ? 'exit code 1' : null };
    }
    case 'bytes':
      return whole.subarray(request.from, request.to);
    case 'run': {
      const output = request.command.kind === 'argv' ? (world.programs?.[request.command.argv[0]!] ?? null) : null;
      return { exit: output === null ? 1 : 0, signal: null, isTimedOut: false, output: Buffer.from(output ?? ''), isTruncated: false, isInputRefused: false };
    }
    case 'mailboxExists':
      return (world.mailboxes ?? []).includes(request.mailbox);
    case 'mailboxIdExists':
      return (world.mailboxIds ?? []).includes(request.mailboxId);
    case 'specialUseExists':
      return request.uses.every((use) => use === '\\Junk');
    case 'metadata':
      return world.metadata?.[`${request.mailbox ?? ''}${request.annotation}`] ?? null;
    case 'duplicate':
      return (world.seen ?? []).includes(request.handle);
    case 'script':
      return world.scripts?.[`${request.location} ${request.name}`] ?? null;
    case 'listed':
      return (world.lists?.[request.list] ?? []).includes(request.value);
    default:
      return null;
  }
}

/** What an action is, in a line. */
export function showAction(action: Action): string {
  const flags = 'flags' in action && action.flags !== null ? ` [${action.flags.flags} ${action.flags.keywords.join(' ')}]` : '';
  const changed = action.message === null ? '' : ' changed';
  switch (action.kind) {
    case 'keep':
      return `${action.isImplicit ? 'implicit ' : ''}keep${flags}${changed}`;
    case 'fileInto':
      return `fileinto ${action.mailbox}${flags}${action.isCreated ? ' create' : ''}${action.specialUse === null ? '' : ` ${action.specialUse}`}${(action.mailboxId ?? null) === null ? '' : ` id ${action.mailboxId}`}${changed}`;
    case 'redirect':
      return `redirect ${action.address === null ? '' : `${action.address.local}@${action.address.domain}`}${changed}`;
    case 'reject':
      return `${action.variant} ${action.text}`;
    case 'vacation':
      return `vacation ${action.periodSeconds} ${action.subject ?? '-'} ${action.text}`;
    case 'notify':
      return `notify ${action.method} ${action.importance} ${action.text ?? '-'}`;
    case 'pipe':
      return `pipe ${action.command.kind === 'argv' ? action.command.argv.join(' ') : ''}${changed}`;
    case 'send':
      return `send ${action.to.map(({ local, domain }) => `${local}@${domain}`).join(' ')}`;
    default:
      return action.kind;
  }
}

/** The problems of a script, as "line: text". */
export function problemsOf(text: string, world: World = {}): readonly string[] {
  const compiled = compileSieve(text, {
    file: 'sieve:main',
    extensions: { ...EXTENSIONS_ON, ...world.extensions },
    limits: { ...SIEVE_LIMITS, ...world.limits },
  });
  return 'problems' in compiled ? compiled.problems.map((problem: FilterProblem) => `${problem.line}: ${problem.text}`) : [];
}
