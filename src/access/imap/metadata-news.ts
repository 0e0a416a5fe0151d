/** Which annotations others changed, for a client that wants to hear of it (RFC 5464 section 4.4.2): names only, each once. */
import type { AccountId, Announcement, Announcements, MailboxId, StoreReader } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';

/** Entries remembered for a client that sends nothing; from then on it is told no more until it does. */
const ENTRIES_MAX = 1000;

export class MetadataNews {
  readonly #stop: () => void;
  readonly #accountId: AccountId;
  readonly #reader: StoreReader;
  readonly #changed = new Map<MailboxId, Set<string>>();
  #count = 0;

  /** `own`: changes by this session are no news. `onNews` is called after each of the others'. */
  constructor(announcements: Announcements, reader: StoreReader, accountId: AccountId, own: string, onNews: () => void) {
    this.#accountId = accountId;
    this.#reader = reader;
    this.#stop = announcements.watchAccount(accountId, (announcement: Announcement) => {
      if (announcement.kind !== 'metadata' || announcement.by === own) return;
      this.#note(announcement.mailboxId, announcement.entries);
      onNews();
    });
  }

  #note(mailboxId: MailboxId, entries: readonly string[]): void {
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
    if (this.#count === 0) return '';
    let text = '';
    for (const [mailboxId, entries] of this.#changed) {
      // A mailbox that is gone took its annotations with it.
      const name = mailboxId === 0 ? '""' : this.#nameOf(mailboxId, isUtf8);
      if (name !== null) text += `* METADATA ${name} ${[...entries].map(formatEntry).join(' ')}\r\n`;
    }
    this.#changed.clear();
    this.#count = 0;
    return text;
  }

  #nameOf(mailboxId: MailboxId, isUtf8: boolean): string | null {
    const row = this.#reader.mailboxById(this.#accountId, mailboxId);
    return row === null ? null : formatMailbox(row.name, isUtf8);
  }

  close(): void {
    this.#stop();
  }
}

/** entry = astring; names are ASCII. */
export function formatEntry(entry: string): string {
  return /^[^\x00-\x20(){%*"\\]+$/.test(entry) ? entry : `"${entry.replace(/["\\]/g, '\\$&')}"`;
}
