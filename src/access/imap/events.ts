/** What the client did to messages, for the scripts that run at IMAP events (RFC 6785). Costs a question where nobody wants to know. */
import type { FlagChange, ImapHappening, MailboxId } from '../../ports.ts';
import { systemFlagNames } from '../../wire/imap/format.ts';
import type { ImapSession } from './session.ts';
import type { MailboxView } from './view.ts';

/** After APPEND, COPY and MOVE: `uids` are new in the mailbox. */
export function tellScripts(session: ImapSession, mailboxId: MailboxId, cause: 'APPEND' | 'COPY', fromId: MailboxId | null, uids: readonly number[]): void {
  const { imapSieve } = session.context;
  if (imapSieve === undefined || session.account === null || uids.length === 0) return;
  const what: ImapHappening = { account: session.account, mailboxId, cause, fromId };
  if (!imapSieve.isWanted(what)) return;
  imapSieve.happened(
    what,
    uids.map((uid) => ({ uid, changedFlags: [] })),
  );
}

/** Flags before they are changed; null when no script wants to know what becomes of them. */
export function flagsBefore(session: ImapSession, view: MailboxView, uids: readonly number[]): FlagsBefore | null {
  const { imapSieve } = session.context;
  if (imapSieve === undefined || session.account === null) return null;
  const what: ImapHappening = { account: session.account, mailboxId: view.mailboxId, cause: 'FLAG', fromId: null };
  if (!imapSieve.isWanted(what)) return null;
  const before = new Map<number, Flags>();
  for (const uid of uids) {
    const index = view.find(uid);
    if (index !== -1) before.set(uid, { flags: view.flags[index]!, keywords: view.keywordText(index) });
  }
  return { tell: (changed) => tellChanges(changed, before, (messages) => imapSieve.happened(what, messages)) };
}

export interface FlagsBefore {
  tell(changed: readonly FlagChange[]): void;
}

interface Flags {
  readonly flags: number;
  readonly keywords: string;
}

function tellChanges(
  changed: readonly FlagChange[],
  before: ReadonlyMap<number, Flags>,
  tell: (messages: { uid: number; changedFlags: string[] }[]) => void,
): void {
  const messages: { uid: number; changedFlags: string[] }[] = [];
  for (const after of changed) {
    const old = before.get(after.uid);
    if (old !== undefined) messages.push({ uid: after.uid, changedFlags: changedFlags(old, { flags: after.flags, keywords: after.keywords ?? '' }) });
  }
  if (messages.length > 0) tell(messages);
}

/** Names of the flags that one has and the other has not. */
export function changedFlags(before: Flags, after: Flags): string[] {
  const names = systemFlagNames(before.flags ^ after.flags);
  if (before.keywords === after.keywords) return names;
  const [a, b] = [words(before.keywords), words(after.keywords)];
  for (const [key, word] of a) if (!b.has(key)) names.push(word);
  for (const [key, word] of b) if (!a.has(key)) names.push(word);
  return names;
}

function words(text: string): Map<string, string> {
  return new Map(text === '' ? [] : text.split(' ').map((word) => [word.toLowerCase(), word]));
}
