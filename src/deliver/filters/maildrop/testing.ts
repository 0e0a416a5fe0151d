/** For tests: a message, and a driver that answers from a table and keeps what was asked. */
import type { FilterEnd, FilterInput, FilterRequest } from '../filter.ts';
import { parseMaildrop } from './parse.ts';
import { type MaildropContext, runMaildrop } from './run.ts';

export const MESSAGE = 'From: "Joe" <joe@example.com>\nTo: ann@example.org\nSubject: hello world\nX-Num: 7\n\nfirst line\nsecond line\n';

export function inputOf(message: string): FilterInput {
  const end = message.indexOf('\n\n') + 2;
  const bytes = Buffer.from(message);
  const ann = { local: 'ann', domain: 'example.org' };
  return {
    header: bytes.subarray(0, end),
    size: bytes.length,
    body: bytes.subarray(end),
    envelope: {
      sender: { local: 'joe', domain: 'example.com' },
      recipient: ann,
      final: ann,
      detail: null,
      orcpt: null,
      helo: null,
      clientIp: null,
      clientName: null,
    },
    user: 'ann',
    home: '/home/ann',
    hostname: 'mx.example.org',
    domain: 'example.org',
    at: Date.UTC(2024, 0, 2, 3, 4, 5),
    zoneMinutes: 0,
    spam: null,
    virus: 0,
  };
}

export type Answering = (request: FilterRequest) => unknown;

/** Every request is answered as if all went well, unless `answering` gives something else than undefined. */
export function usual(request: FilterRequest): unknown {
  switch (request.kind) {
    case 'act':
      return { isDone: true, problem: null };
    case 'run':
      return { exit: 0, signal: null, isTimedOut: false, output: Buffer.from('output\n'), isTruncated: false, isInputRefused: false };
    case 'lock':
      return true;
    case 'file':
    case 'stat':
    case 'environment':
      return null;
    default:
      return null;
  }
}

export interface Seen {
  readonly end: FilterEnd;
  readonly requests: readonly FilterRequest[];
  /** Text of `echo`, together. */
  readonly echoed: string;
  /** Actions in short: "store box", "redirect a@b", "pipe cat", "keep", "defer". */
  readonly actions: readonly string[];
}

export function run(script: string, options: { message?: string; answering?: Answering; context?: Partial<MaildropContext> } = {}): Seen {
  const parsed = parseMaildrop(script, '~/.mailfilter');
  if ('problem' in parsed) throw new Error(`line ${parsed.problem.line}: ${parsed.problem.text}`);
  const input = inputOf(options.message ?? MESSAGE);
  const walk = runMaildrop({ script: parsed.script, environment: { DEFAULT: '/var/mail/ann' }, ...options.context }, input);
  const requests: FilterRequest[] = [];
  let echoed = '';
  const actions: string[] = [];
  let step = walk.next();
  while (step.done !== true) {
    const request = step.value;
    requests.push(request);
    if (request.kind === 'log' && request.file === null) echoed += request.text;
    if (request.kind === 'act') actions.push(short(request));
    step = walk.next(options.answering?.(request) ?? usual(request));
  }
  return { end: step.value, requests, echoed, actions };
}

function short({ action }: FilterRequest & { kind: 'act' }): string {
  switch (action.kind) {
    case 'store':
      return `store ${action.path} as ${action.format}`;
    case 'redirect':
      return `redirect ${action.address!.local}@${action.address!.domain}`;
    case 'pipe':
      return `pipe ${action.command.kind === 'shell' ? action.command.line : action.command.argv.join(' ')}`;
    case 'defer':
      return `defer ${action.origin.line}: ${action.text}`;
    default:
      return action.kind;
  }
}
