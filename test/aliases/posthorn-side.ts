/** What we do with a case: the aliases' expansion and the runs of .forward, with the mailboxes, programs and other hosts only written down. */
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ForwardContext, runForward } from '../../src/deliver/filters/forward/run.ts';
import { forwardCandidates, forwardFileProblem } from '../../src/deliver/filters/forward/candidates.ts';
import { hasDeliveredTo } from '../../src/deliver/filters/forward/loop.ts';
import type { FilterInput } from '../../src/deliver/filters/filter.ts';
import { TableProblem } from '../../src/directory/tables/errors.ts';
import { createTables } from '../../src/directory/tables/open.ts';
import { extensionAt } from '../../src/directory/tables/search.ts';
import { TABLES_SETTINGS } from '../../src/directory/tables/settings.ts';
import { formatAddress, parseMailbox } from '../../src/mail/address.ts';
import type { Address } from '../../src/ports.ts';
import { createAliases } from '../../src/route/aliases/database.ts';
import { type ExpansionHooks, expandAliases } from '../../src/route/aliases/expand.ts';
import { createIncludes } from '../../src/route/aliases/include.ts';
import { defaultsOf } from '../../src/system/declare.ts';

export interface SystemUser {
  readonly uid: number;
  readonly home: string;
}
export interface Situation {
  readonly dir: string;
  readonly users: ReadonlyMap<string, SystemUser>;
  readonly aliases: string;
  readonly header: string;
  readonly options: Options;
}

/** What Postfix calls recipient_delimiter, expand_owner_alias, allow_mail_to_commands and allow_mail_to_files. */
export interface Options {
  readonly delimiters: string;
  readonly owner: 'name' | 'expanded';
  readonly runsIncluded: boolean;
}

const LOCAL = new Set(['mx.test', 'localhost']);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const settings = defaultsOf(TABLES_SETTINGS);

/** Outcomes in words, each once, sorted: "mailbox bob+x", "remote far@far.test from sender@far.test", "command …", "file …", "maildir …", "bounce", "defer". */
export function posthornOutcome(situation: Situation, to: string, from: string): string[] {
  const { options } = situation;
  const file = join(situation.dir, 'our-aliases');
  writeFileSync(file, situation.aliases);
  const surroundings = { log: silent, settings: () => settings, now: Date.now };
  try {
    const tables = createTables(surroundings);
    const hooks: ExpansionHooks = {
      aliases: createAliases({ sources: [`hash:${file}`] }, tables, surroundings),
      includes: createIncludes(surroundings),
      delimiters: options.delimiters,
      origin: 'mx.test',
      isLocal: (domain) => LOCAL.has(domain),
      mayRun: (place) => options.runsIncluded || place === 'alias',
      mayWrite: (place) => options.runsIncluded || place === 'alias',
      owner: options.owner,
    };
    const world = new World(situation, hooks);
    world.deliver(parseMailbox(`${to}@mx.test`)!, from, situation.header);
    return [...world.outcomes].sort();
  } catch (error) {
    if (error instanceof TableProblem) return ['refused'];
    throw error;
  }
}

class World {
  readonly outcomes = new Set<string>();
  readonly #situation: Situation;
  readonly #hooks: ExpansionHooks;

  constructor(situation: Situation, hooks: ExpansionHooks) {
    this.#situation = situation;
    this.#hooks = hooks;
  }

  deliver(address: Address, from: string, header: string): void {
    if (!LOCAL.has(address.domain)) {
      this.outcomes.add(`remote ${formatAddress(address).toLowerCase()} from ${from}`);
      return;
    }
    const expansion = expandAliases(address, this.#hooks, { depthMax: 50, targetsMax: 1000 });
    if (expansion instanceof Promise) throw new Error('files answer at once');
    if (expansion === null) {
      this.#user(address, from, header);
      return;
    }
    if (expansion.problems.length > 0) this.outcomes.add(expansion.problems.some((problem) => problem.isTemporary) ? 'defer' : 'bounce');
    for (const user of expansion.users) this.#user(user.address, inWords(user.sender, from), header);
    for (const { address: to, sender } of expansion.addresses) this.deliver(to, inWords(sender, from), header);
    for (const { task } of expansion.tasks)
      this.outcomes.add(task.kind === 'command' ? `command ${task.command}` : task.kind === 'file' ? fileInWords(task.path) : '');
  }

  #user(address: Address, from: string, header: string): void {
    const local = address.local.toLowerCase();
    const at = extensionAt(local, this.#hooks.delimiters);
    const name = at === -1 ? local : local.slice(0, at);
    const user = this.#situation.users.get(name);
    if (user === undefined || hasDeliveredTo(Buffer.from(header), address)) {
      this.outcomes.add('bounce');
      return;
    }
    const extension = at === -1 ? null : local.slice(at + 1);
    const values = {
      user: name,
      home: user.home,
      shell: '/bin/sh',
      recipient: formatAddress(address),
      extension,
      delimiter: at === -1 ? '' : local[at]!,
      domain: address.domain,
      local,
    };
    const path = forwardCandidates(values).find((candidate) => lstatSync(candidate, { throwIfNoEntry: false }) !== undefined);
    const text = path === undefined ? null : readAs(user.uid, path);
    if (path === undefined || text === null || text === 'unsafe') {
      this.outcomes.add(`mailbox ${local}`);
      return;
    }
    this.#run(text.toString('utf8'), path, { address, local, name, user, from, header });
  }

  #run(text: string, path: string, who: { address: Address; local: string; name: string; user: SystemUser; from: string; header: string }): void {
    const context: ForwardContext = {
      homeDirectory: who.user.home,
      origin: 'mx.test',
      isOwn: ({ local, domain }) => LOCAL.has(domain) && local.toLowerCase().split(/[-+]/)[0] === who.name,
      mayRun: (place) => this.#situation.options.runsIncluded || place === 'forward',
      mayWrite: (place) => this.#situation.options.runsIncluded || place === 'forward',
    };
    const redirects: Address[] = [];
    let isDeferred = false;
    let ownExtension: string | null = null;
    const isOwn = (to: Address): boolean => {
      const is = context.isOwn(to);
      if (is) ownExtension ??= to.local.toLowerCase();
      return is;
    };
    const run = runForward(text, path, { ...context, isOwn }, inputFor(who));
    let next = run.next();
    while (next.done !== true) {
      const request = next.value;
      let answer: unknown = null;
      if (request.kind === 'file') answer = readAs(who.user.uid, request.path);
      else if (request.kind === 'act') {
        const { action } = request;
        answer = { isDone: true, problem: null };
        if (action.kind === 'keep') this.outcomes.add(`mailbox ${action.isImplicit ? who.local : (ownExtension ?? who.local)}`);
        else if (action.kind === 'redirect') redirects.push(action.address);
        else if (action.kind === 'store') this.outcomes.add(`${action.format === 'maildir' ? 'maildir' : 'file'} ${action.path}`);
        else if (action.kind === 'reject') this.outcomes.add('bounce');
        else if (action.kind === 'defer') isDeferred = true;
        else if (action.kind === 'pipe' && action.command.kind === 'shell') {
          const exit = Number(/^exit (\d+)$/.exec(action.command.line)?.[1] ?? 0);
          answer = { isDone: exit === 0, problem: null, exit };
          if (exit === 0) this.outcomes.add(`command ${action.command.line}`);
        }
      } else throw new Error(`a .forward asks for no ${request.kind}`);
      next = run.next(answer);
    }
    if (next.value.kind === 'failed') this.outcomes.add(`mailbox ${who.local}`);
    if (isDeferred) this.outcomes.add('defer');
    else for (const to of redirects) this.deliver(to, who.from, `Delivered-To: ${formatAddress(who.address)}\n${who.header}`);
  }
}

const fileInWords = (path: string): string => (path.endsWith('/') ? `maildir ${path.slice(0, -1)}` : `file ${path}`);

const inWords = (sender: Address | undefined, other: string): string => (sender === undefined ? other : formatAddress(sender));

function inputFor(who: { address: Address; name: string; user: SystemUser; header: string }): FilterInput {
  const header = Buffer.from(`${who.header}\n`);
  return {
    header,
    size: header.length,
    body: Buffer.alloc(0),
    envelope: { sender: null, recipient: who.address, final: who.address, detail: null, orcpt: null, helo: null, clientIp: null, clientName: null },
    user: who.name,
    home: who.user.home,
    hostname: 'mx.test',
    domain: who.address.domain,
    at: 0,
    zoneMinutes: 0,
    spam: null,
    virus: 0,
  };
}

/** The content as the user may have it; the test runs as root and looks at the mode itself. */
function readAs(uid: number, path: string): Buffer | null | 'unsafe' {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (forwardFileProblem({ isRegular: stats.isFile(), mode: stats.mode, uid: stats.uid }, uid) !== null) return 'unsafe';
  return (stats.mode & (stats.uid === uid ? 0o400 : 0o004)) === 0 ? null : readFileSync(path);
}
