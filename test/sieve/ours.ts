/** Our reading of a script, told as `original.ts` tells Pigeonhole's. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Action, FilterRequest, RunAnswer } from '../../src/deliver/filters/filter.ts';
import { EXTENSIONS_ON, inputOf } from '../../src/deliver/filters/sieve/testing.ts';
import { compileSieve, runSieve, type SieveExtensions, type SieveScript } from '../../src/deliver/filters/sieve/sieve.ts';
import { FLAG } from '../../src/ports.ts';
import type { Case } from './cases.ts';
import { INCLUDED, JUDGED, MESSAGES } from './messages.ts';
import { type SieveOutcome, sorted } from './original.ts';

/** What Debian's Pigeonhole does not have. */
const NOT_THERE = [
  ...['ereject', 'envelope-dsn', 'redirect-dsn', 'fcc', 'extlists', 'imapsieve', 'mailboxid', 'replace', 'enclose', 'convert'],
  'comparator-i;unicode-casemap',
];
const EXTENSIONS: SieveExtensions = { ...EXTENSIONS_ON, names: new Set([...EXTENSIONS_ON.names].filter((name) => !NOT_THERE.includes(name))) };

/** `dir`: as `prepareOriginal` left it, for its programs. */
export function runOurs(dir: string, { script, message, before = [], text = MESSAGES[message] }: Case): SieveOutcome {
  const scripts: SieveScript[] = [];
  for (const one of [...before, script]) {
    const compiled = compileSieve(one, { file: 'main', extensions: EXTENSIONS });
    if ('problems' in compiled) return { compiles: false, fails: false, actions: [], implicit: null };
    scripts.push(compiled.script);
  }
  const judged = JUDGED[message];
  const spam = judged === undefined ? null : { score: judged.score, threshold: 10, isSpam: judged.score >= 10, symbols: [] };
  const input = inputOf(text, { input: { zoneMinutes: 0, at: Date.now(), spam, virus: judged?.virus ?? 0 } });
  const run = runSieve(scripts, input);
  const actions: string[] = [];
  let implicit: string | null = null;
  let step = run.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.kind !== 'act') {
      step = run.next(request.kind === 'run' ? runProgram(dir, request) : answerTo(request));
      continue;
    }
    const { action } = request;
    if (action.kind === 'keep' && action.isImplicit) implicit = shown(action);
    else actions.push(shown(action));
    step = run.next({ isDone: true, problem: null });
  }
  if (step.value.kind === 'failed') return { compiles: true, fails: true, actions, implicit: 'store INBOX' };
  return { compiles: true, fails: false, actions, implicit };
}

function runProgram(dir: string, { command, input, environment }: Extract<FilterRequest, { kind: 'run' }>): RunAnswer {
  const [name = '', ...rest] = command.kind === 'argv' ? command.argv : [];
  const { status, stdout } = spawnSync(join(dir, 'bin', name), rest, {
    input: input ?? undefined,
    env: { PATH: '/usr/bin:/bin', ...environment },
    timeout: 10_000,
  });
  return { exit: status, signal: null, isTimedOut: false, output: stdout ?? new Uint8Array(0), isTruncated: false, isInputRefused: false };
}

/** sieve-test starts with no mailbox but INBOX, and no memory. */
function answerTo(request: FilterRequest): boolean | string | null {
  if (request.kind === 'mailboxExists') return request.mailbox.toUpperCase() === 'INBOX';
  if (request.kind === 'script') return request.location === 'personal' ? (INCLUDED[request.name] ?? null) : null;
  return request.kind === 'metadata' || request.kind === 'log' ? null : false;
}

const SYSTEM_FLAGS = { seen: '\\seen', answered: '\\answered', flagged: '\\flagged', deleted: '\\deleted', draft: '\\draft' } as const;

function shown(action: Action): string {
  switch (action.kind) {
    case 'keep':
    case 'fileInto': {
      const { flags } = action;
      const names =
        flags === null
          ? []
          : [...flags.keywords, ...Object.entries(SYSTEM_FLAGS).flatMap(([key, name]) => ((flags.flags & FLAG[key as keyof typeof FLAG]) === 0 ? [] : [name]))];
      return `store ${action.kind === 'keep' ? 'INBOX' : action.mailbox}${names.length === 0 ? '' : ` [${sorted(names)}]`}`;
    }
    case 'redirect':
      return `redirect ${action.address!.local}@${action.address!.domain}`.toLowerCase();
    case 'reject':
      return `reject ${action.text.replaceAll('\r\n', '\n').trim()}`;
    case 'vacation':
      return `vacation ${action.periodSeconds} ${action.text.replaceAll('\r\n', '\n').trim()}`;
    case 'pipe':
      return `pipe ${action.command.kind === 'argv' ? action.command.argv[0] : ''}`;
    case 'send':
      return `send ${action.to.map(({ local, domain }) => `${local}@${domain}`).join(' ')}`;
    default:
      return action.kind;
  }
}
