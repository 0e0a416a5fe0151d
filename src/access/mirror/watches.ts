/**
 * Folders that somebody looks at just now (IDLE, NOTIFY): looked at again when the user's watcher tells of a change. While there is no watcher (too
 * many users, a process that died) they are looked at from time to time from here, and a watcher is asked for again.
 */
import type { FolderWatch } from '../../deliver/user-agent/client.ts';
import type { FolderNews, WatchWish } from '../../deliver/user-agent/folders/watch.ts';
import type { AccountId, MailboxId, MirrorScope } from '../../ports.ts';
import { bindingsOf, type MirrorContext, type Work } from './types.ts';

/** Looks for accounts without a watcher that are under way at once: each may have to start a process. */
const LOOKS_AT_ONCE = 4;
/** With a watcher that lives, every so many turns all the same: a watcher may be stopped by its user. */
const TURNS_WITH_WATCHER = 10;

interface Watch {
  readonly work: Work;
  /** Who looks at what: counts. */
  readonly mailboxes: Map<MailboxId, number>;
  /** Who looks at all. */
  whole: number;
  folders: FolderWatch | null;
  /** The watcher has said something: it is there. */
  isAlive: boolean;
  /** As it was wished last. */
  wish: string;
  turns: number;
  timer: NodeJS.Timeout | null;
  isRefreshing: boolean;
  /** To be looked at when that is done. */
  readonly waiting: Set<MailboxId>;
  allWaiting: boolean;
}

export class Watches {
  readonly #context: MirrorContext;
  readonly #refresh: (accountId: AccountId, scope: MirrorScope) => Promise<void>;
  readonly #open = new Map<AccountId, Watch>();
  #looks = 0;
  readonly #lookers: (() => void)[] = [];
  #isClosed = false;

  constructor(context: MirrorContext, refresh: (accountId: AccountId, scope: MirrorScope) => Promise<void>) {
    this.#context = context;
    this.#refresh = refresh;
  }

  /** `mailboxId` null: all mailboxes, and which there are. One watcher for all who look at an account; answers the way to stop, for once. */
  open(work: Work, mailboxId: MailboxId | null): () => void {
    const watch = this.#open.get(work.accountId) ?? this.#begin(work);
    if (mailboxId === null) watch.whole += 1;
    else watch.mailboxes.set(mailboxId, (watch.mailboxes.get(mailboxId) ?? 0) + 1);
    this.#wish(watch);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      if (mailboxId === null) watch.whole -= 1;
      else {
        const left = watch.mailboxes.get(mailboxId)! - 1;
        if (left === 0) watch.mailboxes.delete(mailboxId);
        else watch.mailboxes.set(mailboxId, left);
      }
      if (watch.whole === 0 && watch.mailboxes.size === 0) this.#end(watch);
      else this.#wish(watch);
    };
  }

  #begin(work: Work): Watch {
    const watch: Watch = {
      work,
      mailboxes: new Map(),
      whole: 0,
      folders: null,
      isAlive: false,
      wish: '',
      turns: 0,
      timer: null,
      isRefreshing: false,
      waiting: new Set(),
      allWaiting: false,
    };
    this.#open.set(work.accountId, watch);
    this.#nextTurn(watch);
    return watch;
  }

  #end(watch: Watch): void {
    if (this.#open.get(watch.work.accountId) === watch) this.#open.delete(watch.work.accountId);
    if (watch.timer !== null) clearTimeout(watch.timer);
    watch.folders?.stop();
    watch.folders = null;
  }

  /** Tells the watcher what is looked at now, when that is not what it knows; begins one when there is none. */
  #wish(watch: Watch): void {
    const { work, mailboxes, whole } = watch;
    const { 'local.folderPoll': pollMs, 'local.folderWatch': isWatching } = this.#context.settings();
    const bindings = bindingsOf(this.#context.reader, work.accountId);
    const looked = bindings.filter(({ mailboxId }) => mailboxes.has(mailboxId));
    const others = whole > 0 ? bindings.filter(({ mailboxId }) => !mailboxes.has(mailboxId)) : [];
    const wish: WatchWish = {
      paths: [...looked, ...others].map(({ path }) => path),
      // A mailbox that has no folder yet gets one when its first message comes.
      names: whole > 0 || looked.length < mailboxes.size,
      pollMs,
      isWatching,
    };
    const text = JSON.stringify(wish);
    if (watch.folders !== null && watch.wish === text) return;
    watch.wish = text;
    if (watch.folders !== null) return watch.folders.update(wish);
    const folders = this.#context.agent.watch(
      work.user,
      work.mailbox,
      wish,
      (news) => {
        watch.isAlive = true;
        if (watch.folders === folders) this.#heard(watch, news);
      },
      () => {
        if (watch.folders !== folders) return;
        watch.folders = null; // the next turn asks for another
        watch.isAlive = false;
      },
    );
    watch.folders = folders;
  }

  #heard(watch: Watch, { paths, names }: FolderNews): void {
    if (names) watch.allWaiting = true;
    else if (paths.length > 0) {
      const changed = new Set(paths);
      for (const { path, mailboxId } of bindingsOf(this.#context.reader, watch.work.accountId)) if (changed.has(path)) watch.waiting.add(mailboxId);
    }
    this.#look(watch);
  }

  #look(watch: Watch): void {
    if (watch.isRefreshing || (!watch.allWaiting && watch.waiting.size === 0)) return;
    const scope: MirrorScope = watch.allWaiting ? { kind: 'all' } : { kind: 'mailboxes', ids: [...watch.waiting] };
    watch.isRefreshing = true;
    watch.allWaiting = false;
    watch.waiting.clear();
    // It never rejects.
    void this.#refresh(watch.work.accountId, scope).then(() => {
      watch.isRefreshing = false;
      if (this.#isClosed || this.#open.get(watch.work.accountId) !== watch) return;
      if (scope.kind === 'all') this.#wish(watch); // folders have come and gone
      this.#look(watch);
    });
  }

  /** Chained, and a few accounts at once: when looks take longer than the time between them, they become fewer. */
  #nextTurn(watch: Watch): void {
    const pollMs = this.#context.settings()['local.folderPoll'];
    watch.timer = setTimeout(() => this.#queue(watch), pollMs).unref();
  }

  #queue(watch: Watch): void {
    watch.turns += 1;
    if (watch.isAlive && watch.turns % TURNS_WITH_WATCHER !== 0) return this.#nextTurn(watch);
    this.#lookers.push(() => {
      if (this.#open.get(watch.work.accountId) !== watch) return this.#looked();
      const { accountId } = watch.work;
      const scope: MirrorScope = watch.whole > 0 ? { kind: 'all' } : { kind: 'mailboxes', ids: [...watch.mailboxes.keys()] };
      void this.#refresh(accountId, scope).then(() => {
        this.#looked();
        if (this.#isClosed || this.#open.get(accountId) !== watch) return;
        this.#wish(watch);
        this.#nextTurn(watch);
      });
    });
    this.#serve();
  }

  #looked(): void {
    this.#looks -= 1;
    this.#serve();
  }

  #serve(): void {
    while (this.#looks < LOOKS_AT_ONCE) {
      const next = this.#lookers.shift();
      if (next === undefined) return;
      this.#looks += 1;
      next();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#lookers.length = 0;
    for (const watch of [...this.#open.values()]) this.#end(watch);
  }
}
