/**
 * What a run has decided so far: actions in order, without duplicates (RFC 5228 section 2.10.3), none that excludes another
 * (section 2.10.1, RFC 5429 section 2.4), and whether the implicit keep still stands (section 2.10.2).
 */
import type { Action, FlagSet, MessageVersion, Origin } from '../filter.ts';
import type { SieveLimits } from './limits.ts';
import { SieveFailure } from './failure.ts';

/** How an action goes together with others. */
type Nature = 'delivers' | 'responds' | 'rejects' | 'neutral';

const NATURES: Readonly<Record<Action['kind'], Nature>> = {
  keep: 'delivers',
  fileInto: 'delivers',
  store: 'delivers',
  redirect: 'delivers',
  pipe: 'delivers',
  discard: 'neutral',
  reject: 'rejects',
  defer: 'neutral',
  vacation: 'responds',
  notify: 'neutral',
  send: 'neutral',
};

export interface Entry {
  action: Action;
  /** Equal for actions that are one; null: never a duplicate. */
  readonly key: string | null;
  /** Which script of the chain said so. */
  readonly script: number;
  /** A pipe whose failure counts as if it had not been asked for. */
  readonly isTried: boolean;
  /** It was what cancelled the implicit keep. */
  readonly isCancelling: boolean;
}

export interface AddOptions {
  readonly key?: string | null;
  /** Keeps the implicit keep (`:copy`). */
  readonly isCopy?: boolean;
  readonly isTried?: boolean;
}

export class Result {
  readonly #limits: SieveLimits;
  readonly #version: () => MessageVersion;
  /** Of the action keep: it is one with a fileinto that has the same. */
  readonly keepKey: string;
  #entries: Entry[] = [];
  #redirects = 0;
  #script = 0;
  #isKeepCancelled = false;

  constructor(limits: SieveLimits, version: () => MessageVersion, keepKey: string = mailboxKey('INBOX')) {
    this.keepKey = keepKey;
    this.#limits = limits;
    this.#version = version;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }
  get isKeepCancelled(): boolean {
    return this.#isKeepCancelled;
  }

  /** The message as it is now, for actions that work on that. */
  version(): MessageVersion {
    return this.#version();
  }

  /** Adds an action, or makes it one with an equal one. Throws SieveFailure for what excludes another. */
  add(action: Action, options: AddOptions = {}): void {
    this.#checkConflicts(action);
    const isCancelling = CANCELLING.has(action.kind) && options.isCopy !== true;
    if (isCancelling) this.#isKeepCancelled = true;
    const key = options.key ?? null;
    const same = key === null ? undefined : this.#entries.find((entry) => entry.key === key);
    if (same !== undefined) {
      same.action = merged(same.action, action);
      return;
    }
    if (action.kind === 'redirect') {
      this.#redirects += 1;
      if (this.#redirects > this.#limits.redirects) throw new SieveFailure(action.origin, `more than ${this.#limits.redirects} redirects are not allowed`);
    }
    if (this.#entries.length >= this.#limits.actions) throw new SieveFailure(action.origin, `more than ${this.#limits.actions} actions are not allowed`);
    this.#entries.push({ action, key, script: this.#script, isTried: options.isTried === true, isCancelling });
  }

  #checkConflicts(action: Action): void {
    const nature = NATURES[action.kind];
    if (nature === 'neutral') return;
    for (const { action: other, script } of this.#entries) {
      if (script !== this.#script) continue;
      const otherNature = NATURES[other.kind];
      if (action.kind === 'vacation' && other.kind === 'vacation') throw new SieveFailure(action.origin, 'vacation can be done only once');
      if (nature === 'rejects' ? otherNature !== 'neutral' : otherNature === 'rejects') {
        throw new SieveFailure(action.origin, `${wordFor(action)} cannot go together with ${wordFor(other)} (line ${other.origin.line})`);
      }
    }
  }

  /** Does the script that just ended keep the message, implicitly or explicitly? */
  keeps(): boolean {
    return !this.#isKeepCancelled || this.#entries.some(({ action, script }) => action.kind === 'keep' && script === this.#script);
  }

  /** Begins the next script: the keep of the one before is left to it. */
  nextScript(): void {
    this.#entries = this.#entries.filter(({ action }) => action.kind !== 'keep');
    this.#isKeepCancelled = false;
    this.#script += 1;
  }

  /** Forgets what the script that just failed has gathered. */
  dropScript(): void {
    this.#entries = this.#entries.filter(({ script }) => script !== this.#script);
  }

  /** The implicit keep, where it stands and no explicit one says the same. */
  implicitKeep(origin: Origin, flags: FlagSet | null): Action | null {
    if (this.#isKeepCancelled || this.#entries.some(({ key }) => key === this.keepKey)) return null;
    return { kind: 'keep', origin, message: this.#version(), flags, isImplicit: true };
  }
}

const CANCELLING: ReadonlySet<Action['kind']> = new Set(['fileInto', 'store', 'redirect', 'pipe', 'discard', 'reject', 'defer', 'keep']);

/** In a delivery keep and fileinto "INBOX" are the same. */
export function mailboxKey(mailbox: string): string {
  return `mailbox ${mailbox.toUpperCase() === 'INBOX' ? 'INBOX' : mailbox}`;
}

/** The later of two equal actions says the flags; it stays where and what the first one was. */
function merged(first: Action, second: Action): Action {
  if ((first.kind !== 'keep' && first.kind !== 'fileInto') || (second.kind !== 'keep' && second.kind !== 'fileInto')) return first;
  if (first.kind === 'keep') return { ...first, flags: second.flags };
  return { ...first, flags: second.flags, isCreated: first.isCreated || (second.kind === 'fileInto' && second.isCreated) };
}

function wordFor(action: Action): string {
  if (action.kind === 'reject') return action.variant;
  return action.kind === 'fileInto' ? 'fileinto' : action.kind;
}
