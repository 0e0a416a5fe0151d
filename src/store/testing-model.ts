/** What the store must do, written as plainly as possible: maps in memory, one operation after the other. For the property test. */
import type { AccountId, EmailId, FailureCode, MailboxId } from '../ports.ts';
import { FLAG } from '../ports.ts';

export interface ModelMessage {
  flags: number;
  /** Sorted, as the store keeps them; null for none. */
  keywords: string | null;
  readonly size: number;
  readonly date: number;
  /** Shared by copies of one message; 0 until the store has given it a number. */
  readonly email: { id: EmailId };
}
export interface ModelMailbox {
  id: MailboxId;
  uidValidity: number;
  uidNext: number;
  isSelectable: boolean;
  messages: Map<number, ModelMessage>;
}
export interface ModelAccount {
  readonly id: AccountId;
  readonly mailboxes: Map<string, ModelMailbox>;
  quotaBytes: number;
  quotaMessages: number;
}

/** An expected failure of the model. */
export class Refusal extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode) {
    super(code);
    this.code = code;
  }
}

export function usage(account: ModelAccount): { bytes: number; messages: number } {
  let bytes = 0;
  let messages = 0;
  for (const box of account.mailboxes.values()) {
    messages += box.messages.size;
    for (const message of box.messages.values()) bytes += message.size;
  }
  return { bytes, messages };
}

export function hasRoom(account: ModelAccount, bytes: number, messages: number): boolean {
  const used = usage(account);
  return (
    (account.quotaBytes === 0 || used.bytes + bytes <= account.quotaBytes) && (account.quotaMessages === 0 || used.messages + messages <= account.quotaMessages)
  );
}

export function put(box: ModelMailbox, message: ModelMessage): number {
  const uid = box.uidNext;
  box.uidNext += 1;
  box.messages.set(uid, message);
  return uid;
}

export function changeFlags(box: ModelMailbox, uids: readonly number[], mode: 'add' | 'remove' | 'replace', flags: number, words: readonly string[]): number[] {
  const changed: number[] = [];
  for (const uid of uids) {
    const message = box.messages.get(uid);
    if (message === undefined) continue;
    const present = message.keywords === null ? [] : message.keywords.split(' ');
    const after = mode === 'add' ? message.flags | flags : mode === 'remove' ? message.flags & ~flags : flags;
    const kept =
      mode === 'add' ? [...new Set([...present, ...words])] : mode === 'remove' ? present.filter((word) => !words.includes(word)) : [...new Set(words)];
    const keywords = kept.length === 0 ? null : kept.sort().join(' ');
    if (after === message.flags && keywords === message.keywords) continue;
    message.flags = after;
    message.keywords = keywords;
    changed.push(uid);
  }
  return changed;
}

/** `uids` null: all. */
export function expunge(box: ModelMailbox, uids: readonly number[] | null, onlyDeleted: boolean): number[] {
  const gone = [...box.messages.keys()].filter(
    (uid) => (uids === null || uids.includes(uid)) && (!onlyDeleted || (box.messages.get(uid)!.flags & FLAG.deleted) !== 0),
  );
  for (const uid of gone) box.messages.delete(uid);
  return gone;
}

/** A mailbox that is not yet known by its numbers: they are read from the store after the commit. */
function fresh(isSelectable = true): ModelMailbox {
  return { id: 0, uidValidity: 0, uidNext: 1, isSelectable, messages: new Map() };
}

function parents(name: string): string[] {
  const levels = name.split('/');
  return levels.slice(1).map((_, n) => levels.slice(0, n + 1).join('/'));
}
const hasChildren = (account: ModelAccount, name: string): boolean => [...account.mailboxes.keys()].some((other) => other.startsWith(`${name}/`));

export function createMailbox(account: ModelAccount, name: string): void {
  if (account.mailboxes.get(name)?.isSelectable === true) throw new Refusal('mailboxExists');
  for (const parent of parents(name)) if (!account.mailboxes.has(parent)) account.mailboxes.set(parent, fresh());
  account.mailboxes.set(name, fresh());
}

export function deleteMailbox(account: ModelAccount, name: string): void {
  const box = account.mailboxes.get(name);
  if (box === undefined) throw new Refusal('noSuchMailbox');
  if (name === 'INBOX') throw new Refusal('cannot');
  if (!hasChildren(account, name)) {
    account.mailboxes.delete(name);
    return;
  }
  if (!box.isSelectable) throw new Refusal('cannot');
  box.isSelectable = false;
  box.messages.clear();
}

export function renameMailbox(account: ModelAccount, from: string, to: string): void {
  const box = account.mailboxes.get(from);
  if (box === undefined) throw new Refusal('noSuchMailbox');
  const target = account.mailboxes.get(to);
  if (target !== undefined && (target.isSelectable || hasChildren(account, to))) throw new Refusal('mailboxExists');
  if (to.startsWith(`${from}/`)) throw new Refusal('cannot');
  const moved: [string, string][] =
    from === 'INBOX' ? [] : [...account.mailboxes.keys()].filter((name) => name.startsWith(`${from}/`)).map((name) => [name, to + name.slice(from.length)]);
  if (moved.some(([, name]) => account.mailboxes.has(name))) throw new Refusal('mailboxExists');
  for (const parent of parents(to)) if (!account.mailboxes.has(parent)) account.mailboxes.set(parent, fresh());
  account.mailboxes.delete(from);
  account.mailboxes.set(to, box);
  for (const [old, name] of moved) {
    account.mailboxes.set(name, account.mailboxes.get(old)!);
    account.mailboxes.delete(old);
  }
  if (from === 'INBOX') account.mailboxes.set('INBOX', fresh());
}
