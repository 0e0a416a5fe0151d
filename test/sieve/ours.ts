/** Our reading of a script, told as `original.ts` tells Pigeonhole's. */
import type { Action, FilterRequest } from '../../src/deliver/filters/filter.ts';
import { EXTENSIONS_ON, inputOf } from '../../src/deliver/filters/sieve/testing.ts';
import { compileSieve, runSieve, type SieveExtensions } from '../../src/deliver/filters/sieve/sieve.ts';
import { FLAG } from '../../src/ports.ts';
import { INCLUDED } from './messages.ts';
import { type SieveOutcome, sorted } from './original.ts';

/** What Debian's Pigeonhole has with the configuration of the test. */
const NOT_THERE = [
  'ereject',
  'envelope-dsn',
  'redirect-dsn',
  'fcc',
  'extlists',
  'vnd.dovecot.pipe',
  'vnd.dovecot.filter',
  'vnd.dovecot.execute',
  'vnd.dovecot.report',
  'imapsieve',
];
const EXTENSIONS: SieveExtensions = { ...EXTENSIONS_ON, names: new Set([...EXTENSIONS_ON.names].filter((name) => !NOT_THERE.includes(name))) };

export function runOurs(script: string, message: string): SieveOutcome {
  const compiled = compileSieve(script, { file: 'main', extensions: EXTENSIONS });
  if ('problems' in compiled) return { compiles: false, fails: false, actions: [], implicit: null };
  const input = inputOf(message, { input: { zoneMinutes: 0, at: Date.now() } });
  const run = runSieve([compiled.script], input);
  const actions: string[] = [];
  let implicit: string | null = null;
  let step = run.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.kind !== 'act') {
      step = run.next(answerTo(request));
      continue;
    }
    const { action } = request;
    if (action.kind === 'keep' && action.isImplicit) implicit = shown(action);
    else actions.push(shown(action));
    step = run.next({ isDone: true, problem: null });
  }
  if (step.value.kind === 'failed') return { compiles: true, fails: true, actions: [], implicit: 'store INBOX' };
  return { compiles: true, fails: false, actions, implicit };
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
    default:
      return action.kind;
  }
}
