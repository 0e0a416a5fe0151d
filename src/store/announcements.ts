/** Hands announcements to those who watch, in commit order. One in each thread. */
import type { AccountId, Announcement, Announcements, MailboxId } from '../ports.ts';

type Listener = (announcement: Announcement) => void;

export class AnnouncementHub implements Announcements {
  readonly #mailboxes = new Map<MailboxId, Set<Listener>>();
  readonly #accounts = new Map<AccountId, Set<Listener>>();
  readonly #kinds = new Map<string, Set<Listener>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  watchMailbox(_accountId: AccountId, mailboxId: MailboxId, listener: Listener): () => void {
    return watch(this.#mailboxes, mailboxId, listener);
  }
  watchAccount(accountId: AccountId, listener: Listener): () => void {
    return watch(this.#accounts, accountId, listener);
  }
  on(kind: 'directory' | 'queue' | 'metadata', listener: Listener): () => void {
    return watch(this.#kinds, kind, listener);
  }

  publish(announcements: readonly Announcement[]): void {
    for (const announcement of announcements) {
      switch (announcement.kind) {
        case 'messages':
          this.#tell(this.#mailboxes.get(announcement.mailboxId), announcement);
          break;
        case 'mailboxGone':
          this.#tell(this.#mailboxes.get(announcement.mailboxId), announcement);
          this.#tell(this.#accounts.get(announcement.accountId), announcement);
          break;
        case 'metadata':
          this.#tell(this.#accounts.get(announcement.accountId), announcement);
          this.#tell(this.#kinds.get(announcement.kind), announcement);
          break;
        case 'mailboxes':
          this.#tell(this.#accounts.get(announcement.accountId), announcement);
          break;
        default:
          this.#tell(this.#kinds.get(announcement.kind), announcement);
      }
    }
  }

  #tell(listeners: Set<Listener> | undefined, announcement: Announcement): void {
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        listener(announcement);
      } catch (error) {
        // One session's bug must not keep the news from the others.
        this.#onError(error);
      }
    }
  }
}

function watch<K>(map: Map<K, Set<Listener>>, key: K, listener: Listener): () => void {
  let listeners = map.get(key);
  if (listeners === undefined) {
    listeners = new Set();
    map.set(key, listeners);
  }
  listeners.add(listener);
  return () => {
    const present = map.get(key);
    present?.delete(listener);
    if (present?.size === 0) map.delete(key);
  };
}
