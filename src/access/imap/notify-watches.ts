/** Mailboxes that are not selected and that a client hears of (RFC 5465 sections 5.1 to 5.3): what happened in each since it was told, as a STATUS. */
import type { AccountId, Announcement, MailboxId } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { rightsNow } from './acl-check.ts';
import { BIT, COUNTS, MESSAGES } from './notify-groups.ts';
import { STEP } from './notify-names.ts';
import type { Steps } from './pace.ts';
import type { ImapSession } from './session.ts';

/** Mailboxes whose numbers are told at once; of the others when it is this session's turn again. */
const STATUS_AT_ONCE = 100;

/** A mailbox that is to be watched; `events`: bits of BIT among MESSAGES. */
export interface Wanted {
  readonly accountId: AccountId;
  readonly name: string;
  readonly events: number;
}

interface Watched {
  readonly accountId: AccountId;
  name: string;
  events: number;
  /** Events that happened and were not told. */
  dirty: number;
  readonly stop: () => void;
}

export class Watches {
  readonly #session: ImapSession;
  readonly #onNews: () => void;
  readonly #watched = new Map<MailboxId, Watched>();
  /** Those of `#watched` that have something to tell. */
  readonly #dirty = new Set<MailboxId>();
  #isClosed = false;

  /** `onNews`: something happened. */
  constructor(session: ImapSession, onNews: () => void) {
    this.#session = session;
    this.#onNews = onNews;
  }

  /** From now on these. `isNew`: has the client not known the mailbox before? Then what is in it already is news. */
  *follow(wanted: ReadonlyMap<MailboxId, Wanted>, isNew: (id: MailboxId) => boolean): Steps<void> {
    let looked = 0;
    for (const [id, watched] of this.#watched) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (this.#isClosed) return;
      const now = wanted.get(id);
      if (now === undefined) {
        watched.stop();
        this.#watched.delete(id);
        this.#dirty.delete(id);
        continue;
      }
      // The watch goes on under another name: what happened and what happens meanwhile is kept.
      watched.name = now.name;
      watched.events = now.events;
      watched.dirty &= now.events;
    }
    for (const [id, now] of wanted) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (this.#isClosed) return;
      if (!this.#watched.has(id)) this.#watch(id, now, isNew(id));
    }
  }

  #watch(id: MailboxId, { accountId, name, events }: Wanted, isNew: boolean): void {
    const stop = this.#session.context.announcements.watchMailbox(accountId, id, (announcement) => this.#changed(id, announcement));
    this.#watched.set(id, { accountId, name, events, dirty: 0, stop });
    if (isNew) this.meet(id);
  }

  /** The client has not known the mailbox: what is in it already is news. Scripts file messages into mailboxes that they make. */
  meet(id: MailboxId): void {
    const watched = this.#watched.get(id);
    if (watched !== undefined && (this.#session.context.reader.mailboxById(watched.accountId, id)?.uidNext ?? 1) > 1) this.mark(id, MESSAGES);
  }

  #changed(id: MailboxId, announcement: Announcement): void {
    if (announcement.kind !== 'messages') return;
    let happened = 0;
    if (announcement.isResync) happened = MESSAGES;
    else {
      if (announcement.added.length > 0) happened |= BIT.MESSAGENEW;
      if (announcement.expunged.length > 0) happened |= BIT.MESSAGEEXPUNGE;
      if (announcement.flags.length > 0 || announcement.sweep !== undefined) happened |= BIT.FLAGCHANGE;
    }
    if (this.mark(id, happened)) this.#onNews();
  }

  /** These events happened and were not told. False: none of them is wanted. */
  mark(id: MailboxId, events: number): boolean {
    const watched = this.#watched.get(id);
    const happened = (watched?.events ?? 0) & events;
    if (watched === undefined || happened === 0) return false;
    watched.dirty |= happened;
    this.#dirty.add(id);
    return true;
  }

  /** What the client was not told yet of mailboxes that are watched here too: now it is to be told here. */
  inherit(before: Watches): void {
    for (const id of before.#dirty) this.mark(id, before.#watched.get(id)?.dirty ?? 0);
  }

  get hasNews(): boolean {
    return this.#dirty.size > 0;
  }

  /** STATUS responses of some mailboxes in which something happened; `hasNews` says whether there are more. Nothing of the selected one. */
  take(selectedId: MailboxId): string {
    let text = '';
    let told = 0;
    for (const id of this.#dirty) {
      if (told >= STATUS_AT_ONCE) break;
      told += 1;
      this.#dirty.delete(id);
      const watched = this.#watched.get(id);
      if (watched === undefined) continue;
      const { dirty } = watched;
      watched.dirty = 0;
      // RFC 5465 section 3.1: of the selected mailbox only what SELECTED asks for.
      if (dirty !== 0 && id !== selectedId) text += this.#status(id, watched, dirty, false);
    }
    return text;
  }

  /** How they all stand, one by one: what NOTIFY SET STATUS must say (RFC 5465 section 3.1). What happened since the watch began is in it. */
  *first(selectedId: () => MailboxId): Generator<string, void, void> {
    for (const [id, watched] of this.#watched) {
      if (id === selectedId()) continue;
      this.#dirty.delete(id);
      watched.dirty = 0;
      yield this.#status(id, watched, watched.events, true);
    }
  }

  #status(id: MailboxId, { accountId, name, events: wanted }: Watched, events: number, isFirst: boolean): string {
    const session = this.#session;
    const row = session.context.reader.mailboxById(accountId, id);
    if (row === null) return '';
    // That rights were taken back need not have been heard of here: of what was shared with everybody not all are told.
    if (accountId !== session.account?.id && !rightsNow(session, accountId, id).includes('r')) return '';
    const items: string[] = [];
    if ((events & COUNTS) !== 0) items.push(`MESSAGES ${row.exists}`, `UIDNEXT ${row.uidNext}`);
    if (isFirst || (events & BIT.FLAGCHANGE) !== 0) items.push(`UIDVALIDITY ${row.uidValidity}`);
    // Who hears of flags is after the number of unseen messages, which new ones change too.
    if ((wanted & BIT.FLAGCHANGE) !== 0) items.push(`UNSEEN ${row.unseen}`);
    if (session.isCondstore || (isFirst && (events & BIT.FLAGCHANGE) !== 0)) items.push(`HIGHESTMODSEQ ${Math.max(1, row.highestModseq)}`);
    return `* STATUS ${formatMailbox(name, session.isUtf8 || session.isRev2)} (${items.join(' ')})\r\n`;
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
    this.#dirty.clear();
    this.#isClosed = true;
  }
}
