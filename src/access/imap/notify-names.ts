/** The mailbox names one client hears of (RFC 5465 sections 5.4 and 5.5): what was there at the last look, and what a new look says. */
import type { AccountId, MailboxId, StoreReader } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { ownMailboxes, subscriptions } from './own-mailboxes.ts';
import type { Steps } from './pace.ts';
import type { Place } from './places.ts';

/** Names looked at between two yields: an account may have thousands. */
export const STEP = 256;

export interface NameEntry {
  readonly name: string;
  readonly isSubscribed: boolean;
  readonly isSelectable: boolean;
  /** Of the session's own account; others' mailboxes stand here under the session's names for them. */
  readonly isOwn: boolean;
}

export type Names = ReadonlyMap<MailboxId, NameEntry>;

/**
 * `foreign`: the mailboxes of others that the session may see. That it may no longer is the same as their being gone (RFC 5465 section 5.4).
 * `seesOwn`: a visitor may lack the right to see those of the account.
 */
export function* readNames(reader: StoreReader, accountId: AccountId, foreign: readonly Place[], seesOwn: boolean): Steps<Names> {
  const names = new Map<MailboxId, NameEntry>();
  const own = seesOwn ? yield* ownMailboxes(reader, accountId) : [];
  for (const { id, name, isSubscribed, isSelectable } of own) {
    names.set(id, { name, isSubscribed, isSelectable, isOwn: true });
    if (names.size % STEP === 0) yield;
  }
  if (foreign.length === 0) return names;
  const subscribed = yield* subscriptions(reader, accountId);
  for (const { row, name } of foreign) {
    names.set(row.id, { name, isSubscribed: subscribed.has(name), isSelectable: row.isSelectable, isOwn: false });
    if (names.size % STEP === 0) yield;
  }
  return names;
}

export interface NameChange {
  readonly kind: 'name' | 'subscription';
  readonly name: string;
  readonly isOwn: boolean;
  /** What it was called before; null: it was not renamed. */
  readonly oldName: string | null;
  /** A mailbox the client knows under another name, and is not told of the rename: its numbers must be told anew. */
  readonly movedId: MailboxId | null;
}

/** What is different, in the order in which it is to be told. A renamed mailbox stands for all below it. */
export function* nameChanges(before: Names, after: Names): Steps<NameChange[]> {
  let looked = 0;
  const isStep = (): boolean => {
    looked += 1;
    return looked % STEP === 0;
  };
  const all = new Map<string, string>();
  const ownRenamed = new Set<string>();
  for (const [id, entry] of after) {
    if (isStep()) yield;
    const old = before.get(id);
    if (old === undefined || old.name === entry.name) continue;
    all.set(old.name, entry.name);
    if (entry.isOwn) ownRenamed.add(entry.name);
  }
  const renamed = yield* whole(all, before, after);
  const changes = new Map<string, NameChange>();
  const affected = (name: string, isOwn: boolean, movedId: MailboxId | null = null): void => {
    if (!changes.has(name)) changes.set(name, { kind: 'name', name, isOwn, oldName: null, movedId });
  };
  const withParent = (name: string, isOwn: boolean): void => {
    affected(name, isOwn);
    const slash = name.lastIndexOf('/');
    if (slash > 0 && isOwn) affected(name.slice(0, slash), isOwn);
  };
  for (const [from, to] of renamed) {
    if (isStep()) yield;
    if (!followsParent(renamed, from, to)) changes.set(to, { kind: 'name', name: to, isOwn: ownRenamed.has(to), oldName: from, movedId: null });
  }
  for (const [id, { name, isOwn }] of before) {
    if (isStep()) yield;
    const now = after.get(id);
    if (now === undefined) withParent(name, isOwn);
    else if (now.name !== name && !renamed.has(name) && !followsParent(renamed, name, now.name)) {
      affected(name, isOwn);
      affected(now.name, isOwn, id);
    }
  }
  for (const [id, { name, isSelectable, isOwn }] of after) {
    if (isStep()) yield;
    const old = before.get(id);
    // RFC 5465 section 5.4: that there is a new INBOX after it was renamed goes without saying.
    if (old === undefined && name !== 'INBOX') withParent(name, isOwn);
    else if (old !== undefined && old.isSelectable !== isSelectable) affected(name, isOwn);
  }
  for (const [id, { name, isSubscribed, isOwn }] of after) {
    if (isStep()) yield;
    const old = before.get(id);
    if (old !== undefined && old.isSubscribed !== isSubscribed && !changes.has(name))
      changes.set(name, { kind: 'subscription', name, isOwn, oldName: null, movedId: null });
  }
  return [...changes.values()];
}

/**
 * Those renames that may be told as such: whoever hears of one moves the mailbox with all that it knows below it. Where something else
 * happened there too since the last look, or something stands where it goes, each name is told by itself.
 */
function* whole(renamed: ReadonlyMap<string, string>, before: Names, after: Names): Steps<ReadonlyMap<string, string>> {
  if (renamed.size === 0) return renamed;
  const targets = new Set(renamed.values());
  const taken = new Set<string>();
  const torn = new Set<string>();
  let looked = 0;
  for (const [id, { name }] of before) {
    looked += 1;
    if (looked % STEP === 0) yield;
    const now = after.get(id)?.name;
    for (let end = name.length; end > 0; end = name.lastIndexOf('/', end - 1)) {
      const top = name.slice(0, end);
      if (targets.has(top)) taken.add(top);
      const to = renamed.get(top);
      if (to !== undefined && now !== to + name.slice(end)) torn.add(top);
    }
  }
  const kept = new Map<string, string>();
  for (const [from, to] of renamed) {
    looked += 1;
    if (looked % STEP === 0) yield;
    if (!torn.has(from) && !taken.has(to) && !isBelowAny(renamed, to)) kept.set(from, to);
  }
  return kept;
}

/** Would the rename of one of these take the name along? */
function isBelowAny(renamed: ReadonlyMap<string, string>, name: string): boolean {
  for (let end = name.length; end > 0; end = name.lastIndexOf('/', end - 1)) if (renamed.has(name.slice(0, end))) return true;
  return false;
}

function followsParent(renamed: ReadonlyMap<string, string>, from: string, to: string): boolean {
  for (let slash = from.lastIndexOf('/'); slash > 0; slash = from.lastIndexOf('/', slash - 1)) {
    const parent = renamed.get(from.slice(0, slash));
    if (parent !== undefined && to === parent + from.slice(slash)) return true;
  }
  return false;
}

/** The same to be looked up by name: changes may be as many as names. */
export interface NameIndex {
  readonly entries: ReadonlyMap<string, NameEntry>;
  /** Names that have others below them. */
  readonly parents: ReadonlySet<string>;
}

export function* indexOf(names: Names): Steps<NameIndex> {
  const entries = new Map<string, NameEntry>();
  const parents = new Set<string>();
  for (const entry of names.values()) {
    entries.set(entry.name, entry);
    if (entries.size % STEP === 0) yield;
    for (let slash = entry.name.lastIndexOf('/'); slash > 0; slash = entry.name.lastIndexOf('/', slash - 1)) {
      const parent = entry.name.slice(0, slash);
      if (parents.has(parent)) break;
      parents.add(parent);
    }
  }
  return { entries, parents };
}

/** The LIST response of a name as it is now. */
export function listLine({ entries, parents }: NameIndex, { name, oldName }: NameChange, isUtf8: boolean): string {
  const entry = entries.get(name) ?? null;
  const hasChildren = parents.has(name);
  const attributes = entry?.isSelectable === true ? [] : ['\\NonExistent'];
  if (entry !== null || hasChildren) attributes.push(hasChildren ? '\\HasChildren' : '\\HasNoChildren');
  if (entry?.isSubscribed === true) attributes.push('\\Subscribed');
  const old = oldName === null ? '' : ` ("OLDNAME" (${formatMailbox(oldName, isUtf8)}))`;
  return `* LIST (${attributes.join(' ')}) "/" ${formatMailbox(name, isUtf8)}${old}\r\n`;
}
