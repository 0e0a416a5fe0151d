/** Drives a filter's run for an account of the store: answers what it asks, gathers what it wants done. Nothing is carried out here. */
import type { AccountId, MessageReader, Role, StoreReader } from '../../ports.ts';
import { mailboxOfObjectId } from '../../store/object-id.ts';
import type { Action, Answers, FilterEnd, FilterRequest, FilterRun } from '../filters/filter.ts';
import { inboxName } from './names.ts';

export interface StoreHost {
  readonly accountId: AccountId;
  readonly reader: StoreReader;
  /** The message as it came, without this account's trace fields. */
  message(): MessageReader;
  /** A script that `include` names, or null. */
  script(location: 'personal' | 'global', name: string): string | null;
  /** RFC 7352; the answer is true when it was seen before. What is to be remembered is gathered by the host. */
  duplicate(handle: string, id: string, seconds: number, isLast: boolean): boolean;
  metadata(mailbox: string | null, annotation: string): string | null;
  /** Programs of the administrator (vnd.dovecot.execute, filter). Rejects with a sentence when there is none of that name. */
  run(request: Extract<FilterRequest, { kind: 'run' }>): Promise<Answers['run']>;
  listed(list: string, value: string): boolean | Promise<boolean>;
  log(text: string): void;
}

/** Requests of one run; a script that asks more is broken. */
const REQUESTS_MAX = 10_000;

export interface Driven {
  readonly actions: readonly Action[];
  readonly end: FilterEnd;
}

/** Answers at once as long as nothing must be waited for. */
export function driveRun(run: FilterRun, host: StoreHost): Driven | Promise<Driven> {
  const actions: Action[] = [];
  let asked = 0;
  const go = (given: unknown): Driven | Promise<Driven> => {
    let answer = given;
    for (;;) {
      const step = run.next(answer);
      if (step.done === true) return { actions, end: step.value };
      asked += 1;
      if (asked > REQUESTS_MAX) return { actions, end: tooMuch() };
      const found = answerTo(step.value, host, actions);
      if (found instanceof Promise) return found.then(go, (error: unknown) => ({ actions, end: broken(error) }));
      answer = found;
    }
  };
  try {
    return go(undefined);
  } catch (error) {
    return { actions, end: broken(error) };
  }
}

function tooMuch(): FilterEnd {
  return { kind: 'failed', problem: { file: 'filter', line: 0, text: `asks more than ${REQUESTS_MAX} questions about one message` } };
}

function broken(error: unknown): FilterEnd {
  return { kind: 'failed', problem: { file: 'filter', line: 0, text: error instanceof Error ? error.message : String(error) } };
}

const ROLE_BY_USE: Readonly<Record<string, Role>> = {
  '\\archive': 'archive',
  '\\drafts': 'drafts',
  '\\junk': 'junk',
  '\\sent': 'sent',
  '\\trash': 'trash',
};

/** "\Junk" as a role of mailboxes; null for uses that have none here. */
export function roleOfUse(use: string): Role | null {
  return ROLE_BY_USE[use.toLowerCase()] ?? null;
}

function answerTo(request: FilterRequest, host: StoreHost, actions: Action[]): unknown {
  switch (request.kind) {
    case 'act':
      actions.push(request.action);
      return { isDone: true, problem: null } satisfies Answers['act'];
    case 'bytes':
      return host.message().slice(request.from, request.to);
    case 'mailboxExists': {
      const row = host.reader.mailboxByName(host.accountId, inboxName(request.mailbox));
      return row?.isSelectable === true;
    }
    case 'mailboxIdExists':
      return mailboxOfObjectId(host.reader, host.accountId, request.mailboxId)?.isSelectable === true;
    case 'specialUseExists': {
      const rows = host.reader.mailboxes(host.accountId);
      return request.uses.every((use) => {
        const role = roleOfUse(use);
        return role !== null && rows.some((row) => row.role === role && (request.mailbox === null || row.name === inboxName(request.mailbox)));
      });
    }
    case 'duplicate':
      return host.duplicate(request.handle, request.id, request.seconds, request.isLast);
    case 'script':
      return host.script(request.location, request.name);
    case 'metadata':
      return host.metadata(request.mailbox, request.annotation);
    case 'run':
      return host.run(request);
    case 'listed':
      return host.listed(request.list, request.value);
    case 'log':
      host.log(request.text);
      return null;
    // An account of the store has no files, no locks and no environment of its own.
    case 'file':
    case 'stat':
    case 'size':
    case 'environment':
      return null;
    case 'chdir':
    case 'lock':
      return false;
    case 'unlock':
      return null;
  }
}
