/** When a session speaks without having been asked: in IDLE, and between commands for NOTIFY. What it says stands in tell-updates.ts and notify.ts. */
import { annotatedForeign } from './metadata.ts';
import { MetadataNews } from './metadata-news.ts';
import { refusalOf } from './refusal.ts';
import type { ImapSession } from './session.ts';
import { tellLevel } from './tell-updates.ts';

export class Unasked {
  readonly #session: ImapSession;
  /** ENABLE METADATA; null for nearly all. */
  #metadata: MetadataNews | null = null;
  /** In IDLE there was more to tell than the client has read. */
  #isUnread = false;

  constructor(session: ImapSession) {
    this.#session = session;
  }

  /** The selected mailbox has changed. */
  viewChanged(): void {
    const session = this.#session;
    if (session.notify !== null) this.newsCame();
    else if (!session.maySpeak) return;
    else if (session.out.isFull) this.#tellWhenRead();
    else {
      session.tellUpdates(true);
      tellLevel(session);
      session.out.flush();
    }
  }

  /** A client in IDLE that does not read gets everything at once when it does. */
  #tellWhenRead(): void {
    if (this.#isUnread) return;
    const session = this.#session;
    this.#isUnread = true;
    void session.out.drain().then(() => {
      this.#isUnread = false;
      if (!session.maySpeak || !session.isInIdle) return;
      this.tellMetadata();
      this.viewChanged();
      session.out.flush();
    });
  }

  /** NOTIFY has something to tell. */
  newsCame(): void {
    const session = this.#session;
    if (!session.maySpeak) return;
    if (session.out.isFull) session.notify?.waitForClient();
    else session.pump();
  }

  /** Tells what NOTIFY asked for. True: new messages are to be fetched now. */
  push(): boolean {
    const session = this.#session;
    const { notify } = session;
    if (notify === null || !session.maySpeak) return false;
    if (session.out.isFull) {
      notify.waitForClient();
      return false;
    }
    if (session.isInIdle || notify.pushesSelected) {
      session.tellUpdates(session.isInIdle || !notify.isDelayed);
      tellLevel(session);
    }
    session.out.write(notify.take());
    return notify.hasNewMessages;
  }

  /** All there is to be told in IDLE. */
  tellAll(): void {
    this.#session.tellUpdates(true);
    tellLevel(this.#session);
    this.tellMetadata();
  }

  // ── Annotations ──

  /** Is the client told of annotations, whatever NOTIFY says? */
  get hearsMetadata(): boolean {
    return this.#metadata !== null;
  }

  /** ENABLE METADATA: the client hears of what others change. False: it did before. */
  watchMetadata(): boolean {
    const session = this.#session;
    if (this.#metadata !== null || session.account === null) return false;
    const { announcements, reader } = session.context;
    this.#metadata = new MetadataNews(
      announcements,
      reader,
      session.account.id,
      session.connection.id,
      () => this.#annotationsChanged(),
      (owner, id) => annotatedForeign(session, owner, id),
      session.shared.news,
    );
    return true;
  }

  #annotationsChanged(): void {
    const session = this.#session;
    if (session.isClosed || !session.isInIdle) return;
    if (session.out.isFull) this.#tellWhenRead();
    else {
      this.tellMetadata();
      session.out.flush();
    }
  }

  tellMetadata(): void {
    const session = this.#session;
    if (this.#metadata === null || session.isClosed) return;
    try {
      session.out.write(this.#metadata.take(session.isUtf8 || session.isRev2));
    } catch (error) {
      // It is told the next time.
      refusalOf(session, error);
    }
  }

  /** The login is over. */
  close(): void {
    this.#metadata?.close();
    this.#metadata = null;
  }
}
