/**
 * From one local name to everything it leads to: aliases within aliases, files of members, owners. Answers at once while no table has to
 * be waited for. Pure but for its hooks.
 */
import { extensionAt } from '../../directory/tables/search.ts';
import { addressKey, formatAddress } from '../../mail/address.ts';
import type { Destination } from '../../mail/destination.ts';
import type { Address, LocalTask, RouteStep } from '../../ports.ts';
import type { AliasEntry, Aliases } from './database.ts';
import type { Includes } from './include.ts';
import type { FileUser } from './owner.ts';

export type AliasPlace = 'alias' | 'include';

export interface ExpansionHooks {
  readonly aliases: Aliases;
  readonly includes: Includes;
  /** Characters that begin the extension of a local part; '' for none. Postfix recipient_delimiter. */
  readonly delimiters: string;
  /** The domain of names that have none, and of owners. Postfix myorigin. */
  readonly origin: string;
  /** Whether the names of this domain are looked up here: the domains of the local class. */
  isLocal(domain: string): boolean | Promise<boolean>;
  /** Where "|command" and "/file" may stand (`aliases.commands`, `aliases.files`). */
  mayRun(place: AliasPlace): boolean;
  mayWrite(place: AliasPlace): boolean;
  readonly owner: 'name' | 'expanded';
}

export interface ExpansionLimits {
  readonly depthMax: number;
  /** Users, addresses and tasks together. */
  readonly targetsMax: number;
}

/** undefined: the message's own sender stays. */
interface Sent {
  readonly sender?: Address;
}
export interface AliasUser extends Sent {
  /** In lower case, without extension. Whether there is such a user is for the caller to see. */
  readonly name: string;
  readonly detail: string | null;
  readonly address: Address;
  /** Written as `\name`, or the alias leads to itself: nothing is looked up for it any more. */
  readonly isFinal: boolean;
}
export interface AliasAddress extends Sent {
  readonly address: Address;
}
export interface AliasTask extends Sent {
  readonly task: LocalTask;
  /** The alias in which it stands, for RECIPIENT and Delivered-To. */
  readonly address: Address;
}
export interface AliasProblem {
  /** The whole recipient is to be tried again later; else the rest is delivered and this is reported. */
  readonly isTemporary: boolean;
  /** "5.3.5", "4.3.5" or "5.4.6". */
  readonly code: string;
  /** A sentence for the report. */
  readonly text: string;
}

export interface Expansion {
  readonly users: readonly AliasUser[];
  /** Of other domains or classes: they go through the router again. */
  readonly addresses: readonly AliasAddress[];
  readonly tasks: readonly AliasTask[];
  readonly problems: readonly AliasProblem[];
}

/**
 * Expands `start`, whose domain is of the local class. null: no alias has this name, with or without its extension. `steps` gathers the
 * way, from `depth` on. Throws or rejects with TableError.
 */
export function expandAliases(
  start: Address,
  hooks: ExpansionHooks,
  limits: ExpansionLimits,
  steps?: RouteStep[],
  depth = 0,
): Expansion | null | Promise<Expansion | null> {
  const walk = new Walk(hooks, limits, steps ?? null, depth);
  return drive(walk.start(start));
}

/** Runs as far as it goes without waiting, and on from there when what it waits for has come. */
function drive<T>(run: Generator<Promise<unknown>, T, any>): T | Promise<T> {
  const first = run.next();
  return first.done === true ? first.value : wait(run, first.value);
}
async function wait<T>(run: Generator<Promise<unknown>, T, any>, first: Promise<unknown>): Promise<T> {
  let waited = first;
  for (;;) {
    let answer: unknown;
    let next: IteratorResult<Promise<unknown>, T>;
    try {
      answer = await waited;
    } catch (error) {
      next = run.throw(error);
      if (next.done === true) return next.value;
      waited = next.value;
      continue;
    }
    next = run.next(answer);
    if (next.done === true) return next.value;
    waited = next.value;
  }
}

type Steps<T> = Generator<Promise<unknown>, T, any>;

/** Where on the way a destination stands. */
interface Place {
  readonly kind: AliasPlace;
  /** The alias it is in, as addressed. */
  readonly address: Address;
  /** The alias' name: one that leads to itself means the user. */
  readonly name: string;
  readonly by: string;
  readonly user: FileUser;
  readonly sender: Address | undefined;
  readonly depth: number;
}

/** Too much: what was found so far is not delivered either. */
class Overflow extends Error {}

class Walk {
  readonly #hooks: ExpansionHooks;
  readonly #limits: ExpansionLimits;
  readonly #steps: RouteStep[] | null;
  readonly #stepDepth: number;
  readonly #users: AliasUser[] = [];
  readonly #addresses: AliasAddress[] = [];
  readonly #tasks: AliasTask[] = [];
  readonly #problems: AliasProblem[] = [];
  /** Everything met already: names, addresses, tasks, files of members. */
  readonly #seen = new Set<string>();
  /** The aliases between the start and here. */
  readonly #path = new Set<string>();
  readonly #isLocal = new Map<string, boolean>();

  constructor(hooks: ExpansionHooks, limits: ExpansionLimits, steps: RouteStep[] | null, stepDepth: number) {
    this.#hooks = hooks;
    this.#limits = limits;
    this.#steps = steps;
    this.#stepDepth = stepDepth;
  }

  *start(address: Address): Steps<Expansion | null> {
    const entry = yield* this.#find(address.local.toLowerCase(), null);
    if (entry === null) return null;
    try {
      yield* this.#alias(entry, address, undefined, 0);
    } catch (error) {
      if (!(error instanceof Overflow)) throw error;
      return { users: [], addresses: [], tasks: [], problems: [{ isTemporary: false, code: '5.4.6', text: error.message }] };
    }
    return { users: this.#users, addresses: this.#addresses, tasks: this.#tasks, problems: this.#problems };
  }

  /** The alias of a name, else that of the name without its extension; not the one we come from. */
  *#find(name: string, from: string | null): Steps<AliasEntry | null> {
    if (name !== from) {
      let found = this.#hooks.aliases.find(name);
      if (found instanceof Promise) found = (yield found) as AliasEntry | null;
      if (found !== null) return found;
    }
    const at = extensionAt(name, this.#hooks.delimiters);
    if (at === -1 || name.slice(0, at) === from) return null;
    let found = this.#hooks.aliases.find(name.slice(0, at), true);
    if (found instanceof Promise) found = (yield found) as AliasEntry | null;
    return found;
  }

  *#alias(entry: AliasEntry, address: Address, outer: Address | undefined, depth: number): Steps<void> {
    if (depth >= this.#limits.depthMax) throw new Overflow(`aliases stand within each other more than ${this.#limits.depthMax} deep`);
    this.#say(depth, formatAddress(address), `aliases ${entry.by}`);
    const sender = yield* this.#owner(entry.name, outer);
    this.#path.add(entry.name);
    const place: Place = { kind: 'alias', address, name: entry.name, by: entry.by, user: entry.user, sender, depth: depth + 1 };
    for (const destination of entry.destinations) yield* this.#destination(destination, place);
    this.#path.delete(entry.name);
  }

  /** Reports go to the owner of the innermost alias that has one. */
  *#owner(name: string, outer: Address | undefined): Steps<Address | undefined> {
    const key = `owner-${name}`;
    let found = this.#hooks.aliases.find(key);
    if (found instanceof Promise) found = (yield found) as AliasEntry | null;
    if (found === null) return outer;
    const only = found.destinations.length === 1 ? found.destinations[0]! : null;
    if (this.#hooks.owner === 'expanded' && only?.kind === 'address') return { local: only.local, domain: only.domain ?? this.#hooks.origin };
    return { local: key, domain: this.#hooks.origin };
  }

  *#destination(destination: Destination, place: Place): Steps<void> {
    switch (destination.kind) {
      case 'address': {
        const domain = destination.domain ?? this.#hooks.origin;
        let isLocal = this.#isLocal.get(domain);
        if (isLocal === undefined) {
          const answer = this.#hooks.isLocal(domain);
          isLocal = answer instanceof Promise ? ((yield answer) as boolean) : answer;
          this.#isLocal.set(domain, isLocal);
        }
        const address = { local: destination.local, domain };
        if (isLocal) yield* this.#name(address, destination.isFinal, place);
        else this.#address(address, place);
        return;
      }
      case 'command':
        if (!this.#hooks.mayRun(place.kind)) this.#problem(place, '5.7.1', `programs may not be named in ${where(place)}`);
        else if (place.user === undefined) this.#problem(place, '5.3.5', `the owner of ${where(place)} is no user of this machine`);
        else this.#task({ kind: 'command', command: destination.command, user: place.user }, `|${destination.command}`, place);
        return;
      case 'file':
      case 'maildir':
        if (!this.#hooks.mayWrite(place.kind)) this.#problem(place, '5.7.1', `files may not be named in ${where(place)}`);
        else if (destination.path.startsWith('~')) this.#problem(place, '5.3.5', `"${destination.path.slice(0, 80)}": an alias has no home directory`);
        else if (place.user === undefined) this.#problem(place, '5.3.5', `the owner of ${where(place)} is no user of this machine`);
        else this.#task({ kind: 'file', path: destination.path, user: place.user }, destination.path, place);
        return;
      case 'include':
        yield* this.#include(destination.path, place);
        return;
      case 'invalid':
        this.#problem(place, '5.1.3', `"${destination.text.slice(0, 80)}" in ${where(place)}: ${destination.problem}`);
    }
  }

  /** A name of the local class: an alias, or a user. */
  *#name(address: Address, isFinal: boolean, place: Place): Steps<void> {
    const name = address.local.toLowerCase();
    let isEnd = isFinal || name === place.name;
    if (!isFinal) {
      const entry = yield* this.#find(name, place.name);
      if (entry !== null) {
        if (this.#path.has(entry.name)) {
          this.#problem(place, '5.4.6', `the alias "${entry.name}" leads back to itself`);
          return;
        }
        // What it leads to is there already, or on its way.
        if (!this.#once(`alias ${name}`)) return;
        yield* this.#alias(entry, address, place.sender, place.depth);
        return;
      }
      const at = extensionAt(name, this.#hooks.delimiters);
      isEnd ||= at !== -1 && name.slice(0, at) === place.name;
    }
    if (!this.#once(`user ${name}`)) return;
    const at = extensionAt(name, this.#hooks.delimiters);
    const user = { name: at === -1 ? name : name.slice(0, at), detail: at === -1 ? null : address.local.slice(at + 1), address, isFinal: isEnd };
    this.#users.push(place.sender === undefined ? user : { ...user, sender: place.sender });
    this.#count();
    this.#say(place.depth, formatAddress(address), `user, by ${place.by}`);
  }

  #address(address: Address, place: Place): void {
    if (!this.#once(`address ${addressKey(address)}`)) return;
    this.#addresses.push(place.sender === undefined ? { address } : { address, sender: place.sender });
    this.#count();
    this.#say(place.depth, formatAddress(address), `by ${place.by}`);
  }

  #task(task: LocalTask, what: string, place: Place): void {
    if (!this.#once(`task ${'user' in task ? (task.user ?? '') : ''} ${what}`)) return;
    this.#tasks.push(place.sender === undefined ? { task, address: place.address } : { task, address: place.address, sender: place.sender });
    this.#count();
    this.#say(place.depth, what, `by ${place.by}`);
  }

  *#include(path: string, place: Place): Steps<void> {
    if (place.depth >= this.#limits.depthMax) throw new Overflow(`lists stand within each other more than ${this.#limits.depthMax} deep`);
    // A file that includes itself says nothing new the second time.
    if (!this.#once(`include ${path}`)) return;
    this.#say(place.depth, `:include:${path}`, `by ${place.by}`);
    let file = this.#hooks.includes.read(path);
    if (file instanceof Promise) file = (yield file) as Awaited<typeof file>;
    if (file.kind === 'problem') {
      this.#problem(place, file.isTemporary ? '4.3.5' : '5.3.5', `a list in ${where(place)} cannot be read`, file.isTemporary);
      return;
    }
    const inside = { ...place, kind: 'include' as const, user: file.user, depth: place.depth + 1 };
    for (const destination of file.destinations) yield* this.#destination(destination, { ...inside, by: `${path}:${destination.line}` });
  }

  #once(key: string): boolean {
    const before = this.#seen.size;
    this.#seen.add(key);
    return this.#seen.size > before;
  }

  #count(): void {
    if (this.#users.length + this.#addresses.length + this.#tasks.length > this.#limits.targetsMax)
      throw new Overflow(`it expands to more than ${this.#limits.targetsMax} recipients`);
  }

  #problem(place: Place, code: string, text: string, isTemporary = false): void {
    if (!this.#once(`problem ${text}`)) return;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ isTemporary, code, text });
    this.#say(place.depth, text, `by ${place.by}`);
  }

  #say(depth: number, what: string, by: string): void {
    this.#steps?.push({ depth: this.#stepDepth + depth, what, by });
  }
}

/** Reported one by one; the report of a list of ten thousand wrong addresses needs no more. */
const PROBLEMS_MAX = 100;

/** For people who write to it: the name of the list, not the path of its file. */
const where = (place: Place): string => (place.kind === 'alias' ? `the alias "${place.name}"` : `a list of the alias "${place.name}"`);
