/** Folders that somebody looks at just now: looked at again when the system tells of a change, and from time to time where it does not. */
import { bindingsOf, type MirrorContext, type Work } from './types.ts';

interface Watch {
  users: number;
  timer: NodeJS.Timeout;
  stop: () => void;
  isRefreshing: boolean;
  isAgain: boolean;
}

export class Watches {
  readonly #context: MirrorContext;
  readonly #refresh: (accountId: number, mailboxId: number) => Promise<void>;
  readonly #open = new Map<number, Watch>();

  constructor(context: MirrorContext, refresh: (accountId: number, mailboxId: number) => Promise<void>) {
    this.#context = context;
    this.#refresh = refresh;
  }

  /** One watch for all who look at the mailbox; answers the way to stop, which may be called once. */
  open(work: Work, mailboxId: number): () => void {
    let watch = this.#open.get(mailboxId);
    if (watch === undefined) {
      watch = this.#begin(work, mailboxId);
      this.#open.set(mailboxId, watch);
    }
    watch.users += 1;
    const mine = watch;
    return () => {
      mine.users -= 1;
      if (mine.users > 0) return;
      if (this.#open.get(mailboxId) === mine) this.#open.delete(mailboxId);
      clearInterval(mine.timer);
      mine.stop();
    };
  }

  #begin(work: Work, mailboxId: number): Watch {
    const look = (): void => {
      if (watch.isRefreshing) {
        watch.isAgain = true;
        return;
      }
      watch.isRefreshing = true;
      watch.isAgain = false;
      void this.#refresh(work.accountId, mailboxId).then(() => {
        watch.isRefreshing = false;
        if (watch.isAgain && watch.users > 0) look();
      });
    };
    const path = bindingsOf(this.#context.reader, work.accountId).find((binding) => binding.mailboxId === mailboxId)?.path ?? null;
    const watch: Watch = {
      users: 0,
      timer: setInterval(look, this.#context.settings()['local.folderPoll']),
      stop: path === null ? () => {} : this.#context.agent.watch(work.user, work.mailbox, path, look),
      isRefreshing: false,
      isAgain: false,
    };
    watch.timer.unref();
    return watch;
  }

  close(): void {
    for (const watch of this.#open.values()) {
      clearInterval(watch.timer);
      watch.stop();
    }
    this.#open.clear();
  }
}
