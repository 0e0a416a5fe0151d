/** What the IMAP sessions of one thread have in common: the views, and who is logged in from where. */
import type { Account, Connection, LoopContext } from '../../ports.ts';
import { NewsQueue } from './news-queue.ts';
import type { ImapSession } from './session.ts';
import type { ImapSettings } from './settings.ts';
import { Views } from './views.ts';

/** How long a client may take to close its side after we closed ours. */
const LINGER_MS = 5000;

export class Shared {
  readonly context: LoopContext<ImapSettings>;
  readonly views: Views;
  /** Who has something to tell of what NOTIFY asked for. */
  readonly news: NewsQueue;
  readonly sessions = new Set<ImapSession>();
  /** Connections by account and client address. */
  readonly #connections = new Map<string, number>();

  constructor(context: LoopContext<ImapSettings>) {
    this.context = context;
    this.views = new Views(context.reader, context.announcements);
    this.news = new NewsQueue((error) => context.log.error('imap.bug', { cause: error instanceof Error ? error.stack : String(error) }));
  }

  /** Counts one more connection of the account; false when there are too many. */
  enter(session: ImapSession, account: Account): boolean {
    const key = keyOf(session, account);
    const count = this.#connections.get(key) ?? 0;
    if (count >= this.context.settings()['imap.connectionsPerUserMax']) return false;
    this.#connections.set(key, count + 1);
    return true;
  }

  left(session: ImapSession): void {
    this.sessions.delete(session);
    this.leave(session);
  }

  /** The session is no longer its account's. */
  leave(session: ImapSession): void {
    if (session.account === null) return;
    const key = keyOf(session, session.account);
    const count = (this.#connections.get(key) ?? 1) - 1;
    if (count > 0) this.#connections.set(key, count);
    else this.#connections.delete(key);
  }

  /** Destroys a socket whose other end does not close; the timer belongs to closing connections only. */
  linger(socket: Connection['socket']): void {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }
}

function keyOf(session: ImapSession, account: Account): string {
  return `${account.id} ${session.connection.client.ip}`;
}
