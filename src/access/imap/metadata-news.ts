/** Which annotations others changed, for a client that wants to hear of it (RFC 5464 section 4.4.2): names only, each once. */
import type { AccountId, Announcement, Announcements, MailboxId, StoreReader } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { NewsQueue } from './news-queue.ts';

/** Entries remembered for a client that sends nothing; from then on it is told no more until it does. */
const ENTRIES_MAX = 1000;

/** The session's name for a mailbox of another account whose annotations it may see, or null. Asked when the client is told. */
export type ForeignName = (owner: AccountId, mailboxId: MailboxId) => string | null;

export class MetadataNews {
  readonly #stops: (() => void)[] = [];
  readonly #accountId: AccountId;
  readonly #reader: StoreReader;
  readonly #foreignName: ForeignName | null;
  /** Owners of those mailboxes of others that were changed. */
  readonly #owners = new Map<MailboxId, AccountId>();
  readonly #changed = new Map<MailboxId, Set<string>>();
  #count = 0;
  /** Since `onNews` was called. */
  #hasNews = false;
  readonly #onNews: () => void;
  readonly #queue: NewsQueue | null;
  /** Changes to mailboxes of others: that they may be seen is found out when it is this session's turn. */
  #foreign: { readonly owner: AccountId; readonly mailboxId: MailboxId; readonly entries: readonly string[] }[] = [];

  /**
   * `own`: changes by this session are no news. `onNews` is called after the others', when it is this session's turn in the queue (at once
   * without one: thousands of sessions may hear of one change). Without `foreignName` only own mailboxes are watched.
   */
  constructor(
    announcements: Announcements,
    reader: StoreReader,
    accountId: AccountId,
    own: string,
    onNews: () => void,
    foreignName: ForeignName | null = null,
    queue: NewsQueue | null = null,
  ) {
    this.#onNews = onNews;
    this.#queue = queue;
    this.#accountId = accountId;
    this.#reader = reader;
    this.#foreignName = foreignName;
    this.#stops.push(
      announcements.watchAccount(accountId, (announcement: Announcement) => {
        if (announcement.kind !== 'metadata' || announcement.by === own) return;
        this.#note(announcement.mailboxId, announcement.entries);
        this.#schedule();
      }),
    );
    if (foreignName === null) return;
    this.#stops.push(
      announcements.on('metadata', (announcement: Announcement) => {
        if (announcement.kind !== 'metadata' || announcement.by === own || announcement.accountId === accountId || announcement.mailboxId === 0) return;
        // Private annotations on it are the owner's.
        const shared = sharedEntries(announcement.entries);
        if (shared.length === 0 || this.#foreign.length >= ENTRIES_MAX) return;
        this.#foreign.push({ owner: announcement.accountId, mailboxId: announcement.mailboxId, entries: shared });
        this.#schedule();
      }),
    );
  }

  #schedule(): void {
    if (this.#queue === null) this.tell();
    else this.#queue.add(this);
  }

  /** Its turn among all sessions that have something to tell. */
  tell(): void {
    this.#lookAtForeign();
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#onNews();
  }

  #lookAtForeign(): void {
    if (this.#foreign.length === 0) return;
    for (const { owner, mailboxId, entries } of this.#foreign) {
      // What nobody may see must not take the room of what is to be told.
      if (this.#foreignName?.(owner, mailboxId) == null) continue;
      this.#owners.set(mailboxId, owner);
      this.#note(mailboxId, entries);
    }
    // Only now: what could not be read is looked at again.
    this.#foreign = [];
  }

  #note(mailboxId: MailboxId, entries: readonly string[]): void {
    this.#hasNews = true;
    const known = this.#changed.get(mailboxId) ?? new Set();
    for (const entry of entries) {
      if (this.#count >= ENTRIES_MAX) return;
      if (!known.has(entry)) this.#count += 1;
      known.add(entry);
    }
    if (known.size > 0) this.#changed.set(mailboxId, known);
  }

  /** The untagged responses, once; '' when there is nothing new. */
  take(isUtf8: boolean): string {
    this.#lookAtForeign();
    if (this.#count === 0) return '';
    let text = '';
    for (const [mailboxId, entries] of this.#changed) {
      // A mailbox that is gone took its annotations with it.
      const name = mailboxId === 0 ? '""' : this.#nameOf(mailboxId, isUtf8);
      if (name !== null) text += `* METADATA ${name} ${[...entries].map(formatEntry).join(' ')}\r\n`;
    }
    this.#changed.clear();
    this.#owners.clear();
    this.#count = 0;
    return text;
  }

  #nameOf(mailboxId: MailboxId, isUtf8: boolean): string | null {
    const owner = this.#owners.get(mailboxId);
    // Rights may have been taken back since.
    const name = owner === undefined ? this.#reader.mailboxById(this.#accountId, mailboxId)?.name : this.#foreignName?.(owner, mailboxId);
    return name == null ? null : formatMailbox(name, isUtf8);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    // It may stand in the queue still.
    this.#foreign = [];
    this.#hasNews = false;
  }
}

/** Those of changed entries that others than the owner may hear of, visitors (ANONYMOUS) among them. */
export function sharedEntries(entries: readonly string[]): readonly string[] {
  return entries.filter((entry) => entry.startsWith('/shared/'));
}

/** entry = astring; names are ASCII. */
export function formatEntry(entry: string): string {
  return /^[^\x00-\x20(){%*"\\]+$/.test(entry) ? entry : `"${entry.replace(/["\\]/g, '\\$&')}"`;
}
