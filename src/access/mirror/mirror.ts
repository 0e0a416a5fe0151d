/**
 * Keeps the mailboxes of system users equal to their Maildir or mbox files (`local.mailbox`). One for each thread; among threads, a lease that
 * the writer gives out lets one work on an account at a time. Looking costs a few stat(2) in the user's process while nothing has changed.
 */
import type { FolderScan } from '../../deliver/user-agent/folders/types.ts';
import type { AccountId, MailboxId, MailboxMirror, MirrorScope } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { syncFolder } from './sync-folder.ts';
import { RememberedListings } from './remembered.ts';
import { namesAgree, syncNames } from './sync-names.ts';
import { subscriptionsAgree, syncSubscriptions } from './sync-subscriptions.ts';
import { askFolders, type Binding, bindingOfMailbox, bindingOfName, bindingsOf, FoldersFailed, type MirrorContext, type Work } from './types.ts';
import { Watches } from './watches.ts';

/** A first look at a large folder renews it with every step it takes. */
const LEASE_MS = 120_000;
const LOCK_TRIES = 120;
const LOCK_WAIT_MS = 25;
const LOCK_WAIT_MS_MAX = 500;
/** Users whose files this server may not touch are asked for again after this. */
const REFUSED_MS = 600_000;
const RUNS_MAX = 3;

interface Waiting {
  readonly key: string;
  readonly promise: Promise<void>;
}

export class Mirror implements MailboxMirror {
  readonly #context: MirrorContext;
  readonly #owner: string;
  /** The end of what is under way, by account; the next begins there. */
  readonly #running = new Map<AccountId, Promise<void>>();
  /** Asked for and not begun: who asks for the same waits for that. */
  readonly #waiting = new Map<AccountId, Waiting[]>();
  readonly #refusedUntil = new Map<AccountId, number>();
  readonly #failing = new Set<AccountId>();
  readonly #told = new Set<string>();
  readonly #listings = new RememberedListings();
  readonly #watches: Watches;

  constructor(context: MirrorContext) {
    this.#context = context;
    this.#owner = context.newId();
    this.#watches = new Watches(context, (accountId, scope) => this.#refresh(accountId, scope));
  }

  isMirrored(accountId: AccountId): boolean {
    return this.#work(accountId) !== null;
  }

  refresh(accountId: AccountId, scope: MirrorScope): Promise<void> | null {
    return this.isMirrored(accountId) ? this.#refresh(accountId, scope) : null;
  }

  watch(accountId: AccountId, mailboxId: MailboxId | null): (() => void) | null {
    const work = this.#work(accountId);
    return work === null ? null : this.#watches.open(work, mailboxId);
  }

  close(): void {
    this.#watches.close();
  }

  /** null: the account's mail is in the store alone. */
  #work(accountId: AccountId): Work | null {
    const mailbox = this.#context.settings()['local.mailbox'];
    if (mailbox === 'store') return null;
    const user = this.#context.directory.account(accountId)?.systemUser ?? null;
    if (user === null) return null;
    const until = this.#refusedUntil.get(accountId);
    if (until !== undefined && until > this.#context.now()) return null;
    return { context: this.#context, accountId, user, mailbox, owner: this.#owner, told: this.#told, listings: this.#listings };
  }

  /** Never rejects: a folder that cannot be looked at leaves the mailbox as it was. */
  #refresh(accountId: AccountId, scope: MirrorScope): Promise<void> {
    const key = JSON.stringify(scope);
    const waiting = this.#waiting.get(accountId) ?? [];
    const same = waiting.find((other) => other.key === key);
    if (same !== undefined) return same.promise;
    const before = this.#running.get(accountId);
    const promise = (before ?? Promise.resolve()).then(() => {
      const left = (this.#waiting.get(accountId) ?? []).filter((other) => other.promise !== promise);
      if (left.length === 0) this.#waiting.delete(accountId);
      else this.#waiting.set(accountId, left);
      return this.#guarded(accountId, scope);
    });
    this.#waiting.set(accountId, [...waiting, { key, promise }]);
    this.#running.set(accountId, promise);
    void promise.then(() => {
      if (this.#running.get(accountId) === promise) this.#running.delete(accountId);
    });
    return promise;
  }

  async #guarded(accountId: AccountId, scope: MirrorScope): Promise<void> {
    const { log, metrics } = this.#context;
    for (let run = 1; ; run += 1) {
      const work = this.#work(accountId);
      if (work === null) return;
      try {
        await this.#run(work, scope);
        if (this.#failing.delete(accountId)) log.info('mirror.recovered', { user: work.user });
        return;
      } catch (error) {
        if (error instanceof Failure && (error.code === 'staleLease' || error.code === 'noSuchMailbox') && run < RUNS_MAX) continue;
        if (error instanceof FoldersFailed && error.reason === 'refused') this.#refusedUntil.set(accountId, this.#context.now() + REFUSED_MS);
        metrics.count('mirror.failed');
        // Once until it works again: clients ask every minute.
        const fields = {
          user: work.user,
          cause: error instanceof Failure || error instanceof FoldersFailed ? error.message : ((error as Error).stack ?? String(error)),
        };
        if (this.#failing.has(accountId)) log.debug('mirror.failed', fields);
        else log.warn('mirror.failed', fields);
        this.#failing.add(accountId);
        return;
      }
    }
  }

  async #run(work: Work, scope: MirrorScope): Promise<void> {
    const { reader } = this.#context;
    const { accountId } = work;
    const wanted = scope.kind === 'all' ? null : this.#bindings(work, scope);
    let only = wanted === null || wanted.includes(null) ? null : wanted.map((binding) => binding!.path);
    const place = `${work.user}:${work.mailbox}`;
    const hasPlace = (): boolean => reader.rows('SELECT 1 FROM mirror_place WHERE account_id=? AND place=?', accountId, place).length > 0;
    const isPlaced = hasPlace();
    let scan = await this.#scan(work, isPlaced ? only : null);
    // A folder that is not where it was: renamed or removed, as the whole list tells.
    if (only?.some((path) => path !== '' && !scan.folders.some((folder) => folder.path === path))) {
      only = null;
      scan = await this.#scan(work, null);
    }
    if (isPlaced && (only !== null || (namesAgree(work, scan.folders) && subscriptionsAgree(work, scan.subscriptions))) && this.#areEqual(work, scope, scan))
      return;
    await this.#locked(work, async () => {
      if (!hasPlace()) await this.#context.writer.run('mirror.place', { accountId, owner: work.owner, place });
      // What somebody else did before the lease was had, is in the store now.
      let { folders } = scan;
      if (only === null || this.#bindings(work, { kind: 'all' }).length === 0) {
        await syncNames(work, folders);
        if (!subscriptionsAgree(work, scan.subscriptions)) await syncSubscriptions(work);
        folders = (await this.#scan(work, null)).folders;
      }
      const known = new Map(folders.map((folder) => [folder.path, folder]));
      for (const binding of this.#bindings(work, scope)) {
        if (binding === null) continue;
        const folder = known.get(binding.path);
        if (folder === undefined && binding.path !== '') continue; // it went this moment
        await syncFolder(work, binding, folder?.state ?? null);
      }
    });
  }

  /** The bindings that the scope is about; null among them for a mailbox that has no folder yet, and for the list of folders. */
  #bindings(work: Work, scope: MirrorScope): (Binding | null)[] {
    const { reader } = this.#context;
    if (scope.kind === 'all') return bindingsOf(reader, work.accountId);
    if (scope.kind === 'names') return [null];
    if (scope.kind === 'mailbox') return [bindingOfName(reader, work.accountId, scope.name)];
    return scope.ids.map((id) => bindingOfMailbox(reader, work.accountId, id));
  }

  #areEqual(work: Work, scope: MirrorScope, { folders }: FolderScan): boolean {
    const states = new Map(folders.map((folder) => [folder.path, folder.state]));
    for (const binding of this.#bindings(work, scope)) {
      if (binding === null) continue;
      const row = this.#context.reader.mailboxById(work.accountId, binding.mailboxId);
      if (row === null || row.name !== binding.name) return false;
      if (binding.state === null || binding.state !== states.get(binding.path) || row.highestModseq !== binding.modseq) return false;
    }
    return true;
  }

  /** Throws FoldersFailed 'away' when there is no mailbox where there was one: a home that is not mounted must not empty the store's. */
  async #scan(work: Work, only: readonly string[] | null): Promise<FolderScan> {
    const { answer } = await askFolders(work, { op: 'scan', only });
    if (!answer.isThere) {
      const [[known]] = this.#context.reader.rows('SELECT count(*) FROM mirror_file WHERE account_id=?', work.accountId) as [[number]];
      if (known > 0) throw new FoldersFailed(`the mailbox of ${work.user} is not there`, 'away');
    }
    return answer;
  }

  async #locked(work: Work, act: () => Promise<void>): Promise<void> {
    const { writer } = this.#context;
    const lease = { accountId: work.accountId, owner: work.owner };
    let waitMs = LOCK_WAIT_MS;
    for (let attempt = 1; !(await writer.run<boolean>('mirror.lock', { ...lease, leaseMs: LEASE_MS })); attempt += 1) {
      if (attempt >= LOCK_TRIES) throw new FoldersFailed('another thread works on these folders for too long', 'busy');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = Math.min(LOCK_WAIT_MS_MAX, waitMs * 1.5);
    }
    try {
      await act();
    } finally {
      await writer.run('mirror.unlock', lease).catch(() => {}); // it ends with its time
    }
  }
}
