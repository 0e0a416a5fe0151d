/** Drives a filter run in tests: answers from a little world in memory, and writes down what was done. */
import type { Action, FileKind, FilterEnd, FilterInput, FilterRequest, FilterRun, RunAnswer } from '../filter.ts';

export interface LittleWorld {
  readonly files?: Readonly<Record<string, string | 'unsafe'>>;
  readonly stats?: Readonly<Record<string, FileKind>>;
  /** Exit codes of pipes and runs, by a text in the command; 0 otherwise. null: could not be run. */
  readonly exits?: Readonly<Record<string, number | null>>;
  readonly outputs?: Readonly<Record<string, string>>;
  /** Paths that cannot be written. */
  readonly broken?: readonly string[];
}

export interface Driven {
  /** One line an action: "3 redirect bob@example.org". */
  readonly done: string[];
  readonly actions: Action[];
  readonly requests: FilterRequest[];
  readonly end: FilterEnd;
}

export function drive(run: FilterRun, world: LittleWorld = {}): Driven {
  const driven = { done: [] as string[], actions: [] as Action[], requests: [] as FilterRequest[] };
  let next = run.next();
  while (next.done !== true) {
    driven.requests.push(next.value);
    next = run.next(answer(next.value, world, driven));
  }
  return { ...driven, end: next.value };
}

function answer(request: FilterRequest, world: LittleWorld, driven: { done: string[]; actions: Action[] }): unknown {
  switch (request.kind) {
    case 'act':
      driven.actions.push(request.action);
      driven.done.push(`${request.action.origin.line} ${inWords(request.action)}`);
      return actAnswer(request.action, world);
    case 'file': {
      const text = world.files?.[request.path];
      return text === undefined ? null : text === 'unsafe' ? text : Buffer.from(text);
    }
    case 'stat':
      return world.stats?.[request.path] ?? null;
    case 'run': {
      const line = request.command.kind === 'shell' ? request.command.line : request.command.argv.join(' ');
      driven.done.push(`${request.origin.line} run ${line}`);
      const output = Buffer.from(Object.entries(world.outputs ?? {}).find(([part]) => line.includes(part))?.[1] ?? '');
      return { exit: exitOf(line, world), signal: null, isTimedOut: false, output, isTruncated: false, isInputRefused: false } satisfies RunAnswer;
    }
    default:
      throw new Error(`nobody expected the request ${request.kind}`);
  }
}

function actAnswer(action: Action, world: LittleWorld): { isDone: boolean; problem: string | null; exit?: number | null } {
  if (action.kind === 'pipe' && action.command.kind === 'shell') {
    const exit = exitOf(action.command.line, world);
    return { isDone: exit === 0, problem: null, exit };
  }
  if (action.kind === 'store' && world.broken?.includes(action.path) === true) return { isDone: false, problem: 'it is broken' };
  return { isDone: true, problem: null };
}

const exitOf = (line: string, world: LittleWorld): number | null => {
  const found = Object.entries(world.exits ?? {}).find(([part]) => line.includes(part));
  return found === undefined ? 0 : found[1];
};

export function inWords(action: Action): string {
  switch (action.kind) {
    case 'redirect':
      return `redirect ${action.address.local}@${action.address.domain}${action.sender === null ? '' : ` from ${action.sender.local}@${action.sender.domain}`}`;
    case 'pipe':
      return `pipe ${action.command.kind === 'shell' ? action.command.line : action.command.argv.join(' ')}`;
    case 'store':
      return `${action.format} ${action.path}`;
    case 'keep':
      return action.isImplicit ? 'keep by itself' : 'keep';
    case 'reject':
      return `reject ${action.code}: ${action.text}`;
    case 'defer':
      return `defer: ${action.text}`;
    default:
      return action.kind;
  }
}

export function littleInput(header: string, overrides: Partial<FilterInput['envelope']> = {}): FilterInput {
  const ann = { local: 'ann', domain: 'example.org' };
  const body = Buffer.from('body\n');
  const bytes = Buffer.from(`${header}\n`);
  return {
    header: bytes,
    size: bytes.length + body.length,
    body,
    envelope: {
      sender: { local: 'sender', domain: 'far.test' },
      recipient: ann,
      final: ann,
      detail: null,
      orcpt: null,
      helo: null,
      clientIp: null,
      clientName: null,
      ...overrides,
    },
    user: 'ann',
    home: '/home/ann',
    hostname: 'mx.example.org',
    domain: 'example.org',
    at: Date.UTC(2026, 0, 5, 6, 7, 8),
    zoneMinutes: 0,
    spam: null,
    virus: 0,
  };
}
