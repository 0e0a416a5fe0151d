/**
 * The views of one thread: opened by the first session that selects a mailbox, shared by all. The last that leaves a mailbox does
 * not close its view at once: clients come back, and a view that is kept is brought forward by announcements like any other.
 */
import type { Announcements, MailboxRow, StoreReader } from '../../ports.ts';
import { MailboxView } from './view.ts';

interface Open {
  readonly view: MailboxView;
  /** When the last session left, on the clock of `now`; 0 while somebody is there. */
  leftAt: number;
}

/** A view nobody came back to for so long is dropped. */
const KEPT_MS = 5 * 60_000;
/** Smaller mailboxes are read again faster than a view is worth keeping. */
const KEPT_MESSAGES_LEAST = 1000;
/** All views that wait for somebody to come back, in octets: two million messages. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

export class Views {
  readonly #reader: StoreReader;
  readonly #announcements: Announcements;
  readonly #open = new Map<number, Open>();
  /** Those nobody has selected, the one left longest ago first. */
  readonly #kept = new Set<Open>();
  #keptBytes = 0;
  #sweep: NodeJS.Timeout | null = null;

  constructor(reader: StoreReader, announcements: Announcements) {
    this.#reader = reader;
    this.#announcements = announcements;
  }

  /**
   * The view of a mailbox, for one more user; release() it. null: the mailbox is gone.
   * Watching begins before the first read, so that nothing falls between the two.
   */
  acquire(accountId: number, mailboxId: number): MailboxView | null | Promise<MailboxView | null> {
    const view = this.acquireNow(accountId, mailboxId);
    return view === null || view.loading === null ? view : view.loading.then(() => view);
  }

  /** The same at once: `loading` of a large mailbox's view is still to be awaited. */
  acquireNow(accountId: number, mailboxId: number): MailboxView | null {
    const open = this.#open.get(mailboxId);
    // Mailbox ids are never reused and belong to one account; the check is for the day somebody breaks that.
    if (open !== undefined && open.view.accountId === accountId && !open.view.isGone) {
      open.view.users += 1;
      this.#takeBack(open);
      return open.view;
    }
    return this.#begin(accountId, mailboxId);
  }

  #begin(accountId: number, mailboxId: number): MailboxView | null {
    let view: MailboxView | null = null;
    const early: Parameters<MailboxView['apply']>[0][] = [];
    const stop = this.#announcements.watchMailbox(accountId, mailboxId, (announcement) => {
      if (view === null) early.push(announcement);
      else view.apply(announcement);
    });
    let opened: MailboxView;
    let loading: void | Promise<void>;
    try {
      const row: MailboxRow | null = this.#reader.mailboxById(accountId, mailboxId);
      if (row === null || !row.isSelectable) {
        stop();
        return null;
      }
      opened = new MailboxView(this.#reader, row);
      loading = opened.load();
    } catch (error) {
      // Half a view must not be there for the next one.
      stop();
      throw error;
    }
    view = opened;
    opened.users = 1;
    opened.stopWatching = stop;
    const entry: Open = { view: opened, leftAt: 0 };
    this.#open.set(mailboxId, entry);
    for (const announcement of early) opened.apply(announcement);
    if (loading instanceof Promise) {
      loading.catch(() => {
        stop();
        if (this.#open.get(mailboxId) === entry) this.#open.delete(mailboxId);
      });
    }
    return opened;
  }

  release(view: MailboxView): void {
    view.users -= 1;
    if (view.users > 0) return;
    const entry = this.#open.get(view.mailboxId);
    // A view of a mailbox that is gone may have been replaced in the map already.
    if (entry?.view !== view || view.isGone || view.loading !== null || view.count < KEPT_MESSAGES_LEAST) {
      if (entry?.view === view) this.#open.delete(view.mailboxId);
      view.stopWatching();
      if (view.loading !== null) view.abandon();
      return;
    }
    entry.leftAt = performance.now();
    this.#kept.add(entry);
    this.#keptBytes += view.bytes;
    for (const oldest of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) break;
      this.#drop(oldest);
    }
    if (this.#kept.size > 0 && this.#sweep === null) {
      this.#sweep = setInterval(() => this.#dropOld(), KEPT_MS / 5);
      this.#sweep.unref();
    }
  }

  #takeBack(entry: Open): void {
    if (!this.#kept.delete(entry)) return;
    entry.leftAt = 0;
    this.#count();
  }

  #count(): void {
    // Views grow while they wait, so their octets are added up anew.
    this.#keptBytes = 0;
    for (const { view } of this.#kept) this.#keptBytes += view.bytes;
  }

  #drop(entry: Open): void {
    this.#kept.delete(entry);
    this.#open.delete(entry.view.mailboxId);
    entry.view.stopWatching();
    this.#count();
  }

  #dropOld(): void {
    const before = performance.now() - KEPT_MS;
    for (const entry of this.#kept) if (entry.leftAt <= before || entry.view.isGone) this.#drop(entry);
    if (this.#kept.size > 0 || this.#sweep === null) return;
    clearInterval(this.#sweep);
    this.#sweep = null;
  }
}
