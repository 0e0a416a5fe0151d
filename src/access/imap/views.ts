/** The views of one thread: opened by the first session that selects a mailbox, dropped with the last. */
import type { Announcements, MailboxRow, StoreReader } from '../../ports.ts';
import { MailboxView } from './view.ts';

interface Open {
  readonly view: MailboxView;
  loading: Promise<void> | null;
}

export class Views {
  readonly #reader: StoreReader;
  readonly #announcements: Announcements;
  readonly #open = new Map<number, Open>();

  constructor(reader: StoreReader, announcements: Announcements) {
    this.#reader = reader;
    this.#announcements = announcements;
  }

  /**
   * The view of a mailbox, for one more user; release() it. null: the mailbox is gone.
   * Watching begins before the first read, so that nothing falls between the two.
   */
  acquire(accountId: number, mailboxId: number): MailboxView | null | Promise<MailboxView | null> {
    const open = this.#open.get(mailboxId);
    // Mailbox ids are never reused and belong to one account; the check is for the day somebody breaks that.
    if (open !== undefined && open.view.accountId === accountId && !open.view.isGone) {
      open.view.users += 1;
      return open.loading === null ? open.view : open.loading.then(() => open.view);
    }
    return this.#begin(accountId, mailboxId);
  }

  #begin(accountId: number, mailboxId: number): MailboxView | null | Promise<MailboxView | null> {
    let view: MailboxView | null = null;
    const early: Parameters<MailboxView['apply']>[0][] = [];
    const stop = this.#announcements.watchMailbox(accountId, mailboxId, (announcement) => {
      if (view === null) early.push(announcement);
      else view.apply(announcement);
    });
    const row: MailboxRow | null = this.#reader.mailboxById(accountId, mailboxId);
    if (row === null || !row.isSelectable) {
      stop();
      return null;
    }
    const opened = new MailboxView(this.#reader, row);
    view = opened;
    opened.users = 1;
    opened.stopWatching = stop;
    const entry: Open = { view: opened, loading: null };
    this.#open.set(mailboxId, entry);
    const loading = opened.load();
    for (const announcement of early) opened.apply(announcement);
    if (!(loading instanceof Promise)) return opened;
    entry.loading = loading.then(
      () => {
        entry.loading = null;
      },
      (error) => {
        stop();
        if (this.#open.get(mailboxId) === entry) this.#open.delete(mailboxId);
        throw error;
      },
    );
    return entry.loading.then(() => opened);
  }

  release(view: MailboxView): void {
    view.users -= 1;
    if (view.users > 0) return;
    // A view of a mailbox that is gone may have been replaced in the map already.
    if (this.#open.get(view.mailboxId)?.view === view) this.#open.delete(view.mailboxId);
    view.stopWatching();
  }
}
