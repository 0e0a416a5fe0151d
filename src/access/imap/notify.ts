/**
 * NOTIFY (RFC 5465): a client says once what it wants to hear of, and hears of it whenever it does not speak itself. Of the selected
 * mailbox it hears the usual updates, of others a STATUS; the session asks take() whenever something may be said.
 */
import type { AccountId, Announcement, MailboxId } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { type EventGroup, NOTIFY_EVENTS, type NotifyArguments, type NotifyEvent } from '../../wire/imap/notify.ts';
import { has } from './capability.ts';
import { formatEntry } from './metadata-news.ts';
import { FreshMessages } from './notify-fresh.ts';
import { foreignPlacesOf } from './foreign-places.ts';
import { indexOf, listLine, type NameChange, type NameIndex, nameChanges, type Names, readNames, STEP } from './notify-names.ts';
import { inSlices, pause, SliceClock, type Steps } from './pace.ts';
import { foreignName, type Place } from './places.ts';
import { refusalOf } from './refusal.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Names of changed annotations that wait to be told. */
const ENTRIES_MAX = 1000;
/** Mailboxes whose numbers are told at once; of the others when it is this session's turn again. */
const STATUS_AT_ONCE = 100;
/** Names in own commands that are remembered while the names of a large account are looked through. */
const OWN_NAMES_MAX = 1000;

const BIT: Readonly<Record<NotifyEvent, number>> = {
  MESSAGENEW: 1,
  MESSAGEEXPUNGE: 2,
  FLAGCHANGE: 4,
  MAILBOXNAME: 8,
  SUBSCRIPTIONCHANGE: 16,
  MAILBOXMETADATACHANGE: 32,
  SERVERMETADATACHANGE: 64,
};
const COUNTS = BIT.MESSAGENEW | BIT.MESSAGEEXPUNGE;
const MESSAGES = COUNTS | BIT.FLAGCHANGE;

/** Their outcome is the answer to what the client asked, whatever it wants to hear besides. */
const REMOVING = new Set(['EXPUNGE', 'UID EXPUNGE', 'MOVE', 'UID MOVE', 'REPLACE', 'UID REPLACE']);
const RENAMING = new Set(['CREATE', 'DELETE', 'RENAME', 'SUBSCRIBE', 'UNSUBSCRIBE']);

interface Named {
  readonly name: string;
  readonly isOwn: boolean;
  readonly isSubscribed: boolean;
}

interface Watched {
  readonly mailboxId: MailboxId;
  readonly accountId: AccountId;
  readonly name: string;
  readonly events: number;
  /** Events that happened and were not told. */
  dirty: number;
  readonly stop: () => void;
}

export function notify(session: ImapSession, args: NotifyArguments): string | Promise<string> {
  if (!has(session, 'NOTIFY')) return 'BAD Unknown command';
  if (args.kind === 'badEvent') return `NO [BADEVENT (${[...NOTIFY_EVENTS.values()].join(' ')})] Events of another kind are not watched here`;
  // RFC 5465 section 3.1: what has gathered is told as the client wanted it before, as with NOOP.
  session.tellUpdates(true);
  return begin(session, new Notify(session, args.kind === 'set' ? args.groups : []), args);
}

async function begin(session: ImapSession, next: Notify, args: NotifyArguments): Promise<string> {
  try {
    await next.start();
  } catch (error) {
    next.close();
    throw error;
  }
  if (next.isTooMuch || session.isClosed) {
    next.close();
    return 'NO [NOTIFICATIONOVERFLOW] Too many mailboxes';
  }
  session.notify?.close();
  session.notify = next;
  session.listen();
  if (args.kind === 'set') await next.sayFirst(args.withStatus);
  return 'OK NOTIFY completed';
}

function maskOf(events: ReadonlySet<NotifyEvent>): number {
  let mask = 0;
  for (const event of events) mask |= BIT[event];
  return mask;
}

export class Notify {
  readonly #session: ImapSession;
  #groups: readonly { readonly group: EventGroup; readonly mask: number }[];
  /** Names may be thousands, and are compared with thousands. */
  readonly #named = new Map<EventGroup, ReadonlySet<string>>();
  /** Message events of the selected mailbox, 0 for none. */
  #selectedMask = 0;
  isDelayed = false;
  readonly #watched = new Map<MailboxId, Watched>();
  #stopAccount: (() => void) | null = null;
  /** Of a system user: other programs' changes to the folders are taken in while somebody listens. */
  #unwatchFolders: (() => void) | null = null;
  /** Those of `#watched` that have something to tell. */
  readonly #dirty = new Set<MailboxId>();
  #names: Names = new Map();
  #areNamesDirty = false;
  /** The names are being looked through; they may be thousands. What was found waits in `#namesText`. */
  #isLooking = false;
  #namesText = '';
  #isClosed = false;
  readonly #metadata = new Map<MailboxId, Set<string>>();
  #entries = 0;
  /** null: nothing is to be fetched of new messages. */
  #fresh: FreshMessages | null = null;
  /** What the running command itself brings about, and those before it as long as the names are not looked through. */
  readonly #ownNames = new Set<string>();
  #isRemoving = false;
  #isWaiting = false;
  #isOverflow = false;
  isTooMuch = false;

  constructor(session: ImapSession, groups: readonly EventGroup[]) {
    this.#session = session;
    const others: { group: EventGroup; mask: number }[] = [];
    for (const group of groups) {
      const mask = maskOf(group.events);
      if (group.mailboxes.kind === 'selected' || group.mailboxes.kind === 'selected-delayed') {
        this.#selectedMask = mask;
        this.isDelayed = group.mailboxes.kind === 'selected-delayed';
        this.#fresh = group.items.length === 0 ? null : new FreshMessages(group.items);
      } else if (mask !== 0) {
        others.push({ group, mask });
        if ('names' in group.mailboxes) this.#named.set(group, new Set(group.mailboxes.names));
      }
    }
    this.#groups = others;
  }

  /** Begins to watch; done when `isTooMuch` says whether that can be. */
  async start(): Promise<void> {
    if (this.#groups.length === 0) return;
    const { account, context } = this.#session;
    // Watching begins before the first look, so that nothing falls between the two.
    this.#stopAccount = context.announcements.watchAccount(account!.id, (announcement) => this.#accountChanged(announcement));
    this.#unwatchFolders = context.mirror?.watch(account!.id, null) ?? null;
    await inSlices(this.#look());
  }

  // ── What the session asks ──

  /** Nothing is told of the selected mailbox. */
  get isSilent(): boolean {
    return (this.#selectedMask & COUNTS) === 0 && !this.#isRemoving;
  }

  get hearsFlags(): boolean {
    return (this.#selectedMask & BIT.FLAGCHANGE) !== 0 || this.#isRemoving;
  }

  /** Changes of the selected mailbox are told as they happen, outside of IDLE too. */
  get pushesSelected(): boolean {
    return (this.#selectedMask & COUNTS) !== 0;
  }

  get hasNewMessages(): boolean {
    return this.#fresh?.isWaiting === true;
  }

  /** RFC 5465 section 5: a client is not told of what it does itself. */
  commandBegins(verb: string, args: unknown): void {
    this.#isRemoving = REMOVING.has(verb);
    if (!this.#areNamesDirty && !this.#isLooking) this.#ownNames.clear();
    if (RENAMING.has(verb) && this.#ownNames.size < OWN_NAMES_MAX) for (const name of namesIn(args)) this.#ownNames.add(name);
    this.#fresh?.commandBegins();
  }

  commandEnds(text: string): void {
    const { selected } = this.#session;
    if (selected !== null) this.#fresh?.commandEnds(text, selected.view.uidValidity);
  }

  /** Updates were told; messages behind `lastBefore` are new to the client. */
  newMessages(selected: Selected, lastBefore: number): void {
    if (this.#fresh !== null && !this.#fresh.note(selected, lastBefore)) this.#isOverflow = true;
  }

  /** RFC 5465 section 5.2: what the client wants to know of new messages, behind their EXISTS. */
  sendNewMessages(): Promise<void> {
    return this.#fresh?.send(this.#session) ?? Promise.resolve();
  }

  /** Responses to NOTIFY SET itself: names the client may see but not read, and with STATUS how the others stand. */
  async sayFirst(withStatus: boolean): Promise<void> {
    const { out } = this.#session;
    const clock = new SliceClock();
    for (const { name, rights } of await inSlices(this.#foreign(), clock)) {
      if (!rights.includes('r') && this.#isNamed(name)) out.write(`* LIST (\\NoAccess) "/" ${formatMailbox(name, this.#isUtf8)}\r\n`);
    }
    if (!withStatus) return;
    for (const [mailboxId, watched] of this.#watched) {
      if ((watched.events & MESSAGES) === 0 || mailboxId === this.#selectedId) continue;
      // What has happened since the watch began is in these numbers.
      this.#dirty.delete(mailboxId);
      watched.dirty = 0;
      out.write(this.#status(mailboxId, watched, watched.events & MESSAGES, true));
      if (out.isFull) await out.drain();
      if (clock.isOver()) await pause(clock);
      if (this.#isClosed) return;
    }
  }

  /** What there is to tell, once. Of a large account the rest comes when it has been looked through (newsCame). */
  take(): string {
    if (this.#isOverflow) return this.#giveUp();
    if (this.#areNamesDirty && !this.#isLooking) this.#lookAgain();
    let text = this.#namesText;
    this.#namesText = '';
    let told = 0;
    for (const mailboxId of this.#dirty) {
      if (told >= STATUS_AT_ONCE) {
        this.#schedule();
        break;
      }
      told += 1;
      this.#dirty.delete(mailboxId);
      const watched = this.#watched.get(mailboxId);
      if (watched === undefined) continue;
      const { dirty } = watched;
      watched.dirty = 0;
      // RFC 5465 section 3.1: of the selected mailbox only what SELECTED asks for.
      if (mailboxId !== this.#selectedId) text += this.#status(mailboxId, watched, dirty, false);
    }
    if (this.#entries > 0) text += this.#takeMetadata();
    return this.#isOverflow ? text + this.#giveUp() : text;
  }

  /** The client reads slowly: it is told when it has taken what was sent. */
  waitForClient(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#session.out.drain().then(() => {
      this.#isWaiting = false;
      this.#session.newsCame();
    });
  }

  close(): void {
    this.#stopAccount?.();
    this.#stopAccount = null;
    this.#unwatchFolders?.();
    this.#unwatchFolders = null;
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
    this.#dirty.clear();
    this.#groups = [];
    this.#isClosed = true;
  }

  // ── What happens ──

  get #isUtf8(): boolean {
    return this.#session.isUtf8 || this.#session.isRev2;
  }

  get #selectedId(): MailboxId {
    return this.#session.selected?.view.mailboxId ?? 0;
  }

  /** RFC 5465 section 5.8: as if NOTIFY NONE had come. */
  #giveUp(): string {
    this.close();
    this.#isOverflow = false;
    this.#selectedMask = 0;
    this.#fresh = null;
    this.#metadata.clear();
    this.#entries = 0;
    this.#areNamesDirty = false;
    this.#namesText = '';
    this.#session.listen();
    return '* OK [NOTIFICATIONOVERFLOW] Too much to tell, nothing is watched any more\r\n';
  }

  #schedule(): void {
    if (!this.#isClosed) this.#session.shared.news.add(this);
  }

  /** Its turn among all sessions that have something to tell. */
  tell(): void {
    if (this.#session.notify !== this) return;
    try {
      this.#session.newsCame();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What happened cannot be read: the client learns that it is not told everything any more. */
  #failed(error: unknown): void {
    refusalOf(this.#session, error);
    this.#isOverflow = true;
    if (this.#session.notify === this) this.#session.newsCame();
  }

  #accountChanged(announcement: Announcement): void {
    if (announcement.kind === 'mailboxes' || announcement.kind === 'mailboxGone') this.#areNamesDirty = true;
    else if (announcement.kind === 'metadata') {
      if (announcement.by === this.#session.connection.id || this.#session.hearsMetadata) return;
      this.#noteEntries(announcement.mailboxId, announcement.entries);
    } else return;
    this.#schedule();
  }

  #mailboxChanged(watched: Watched, announcement: Announcement): void {
    if (announcement.kind !== 'messages') return;
    let happened = 0;
    if (announcement.isResync) happened = MESSAGES;
    else {
      if (announcement.added.length > 0) happened |= BIT.MESSAGENEW;
      if (announcement.expunged.length > 0) happened |= BIT.MESSAGEEXPUNGE;
      if (announcement.flags.length > 0 || announcement.sweep !== undefined) happened |= BIT.FLAGCHANGE;
    }
    happened &= watched.events;
    if (happened === 0) return;
    watched.dirty |= happened;
    this.#dirty.add(watched.mailboxId);
    this.#schedule();
  }

  #noteEntries(mailboxId: MailboxId, entries: readonly string[]): void {
    const wanted = mailboxId === 0 ? BIT.SERVERMETADATACHANGE : BIT.MAILBOXMETADATACHANGE;
    const entry = this.#names.get(mailboxId);
    const concerns = (group: EventGroup): boolean => mailboxId === 0 || (entry !== undefined && this.#matches(group, entry));
    if (!this.#groups.some(({ group, mask }) => (mask & wanted) !== 0 && concerns(group))) return;
    const known = this.#metadata.get(mailboxId) ?? new Set();
    for (const entry of entries) {
      if (this.#entries >= ENTRIES_MAX) this.#isOverflow = true;
      else if (!known.has(entry)) {
        known.add(entry);
        this.#entries += 1;
      }
    }
    this.#metadata.set(mailboxId, known);
  }

  // ── Which mailboxes ──

  *#foreign(): Steps<readonly Place[]> {
    const needs = ({ group: { mailboxes } }: { group: EventGroup }): boolean =>
      mailboxes.kind === 'subscribed' || ('names' in mailboxes && mailboxes.names.some((name) => foreignName(this.#session, name) !== null));
    return this.#groups.some(needs) ? yield* foreignPlacesOf(this.#session) : [];
  }

  #isNamed(name: string): boolean {
    return this.#groups.some(
      ({ group, group: { mailboxes }, mask }) => (mask & MESSAGES) !== 0 && mailboxes.kind === 'mailboxes' && this.#named.get(group)!.has(name),
    );
  }

  /** Is this one of the mailboxes that the group means? */
  #matches(group: EventGroup, { name, isOwn, isSubscribed }: Named): boolean {
    switch (group.mailboxes.kind) {
      case 'mailboxes':
        return this.#named.get(group)!.has(name);
      case 'subtree':
        return isAtOrBelow(this.#named.get(group)!, name);
      case 'subscribed':
        return isSubscribed;
      default:
        // RFC 5465 section 6.3: mail may be filed into any mailbox here, so "inboxes" are all of them.
        return isOwn;
    }
  }

  /** Reads which mailboxes there are, and brings the watches in line with them. */
  *#look(): Steps<void> {
    const { context } = this.#session;
    const accountId = this.#session.account!.id;
    const foreign = yield* this.#foreign();
    const readable = new Map(foreign.filter(({ rights }) => rights.includes('r')).map((place) => [place.row.id, place]));
    const names = yield* readNames(context.reader, accountId, foreign);
    const wanted = new Map<MailboxId, { accountId: AccountId; name: string; events: number }>();
    let looked = 0;
    for (const [id, entry] of names) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (!entry.isSelectable || (!entry.isOwn && !readable.has(id))) continue;
      let events = 0;
      for (const { group, mask } of this.#groups) if ((mask & MESSAGES) !== 0 && this.#matches(group, entry)) events |= mask & MESSAGES;
      if (events !== 0) wanted.set(id, { accountId: readable.get(id)?.owner ?? accountId, name: entry.name, events });
    }
    // The client may have asked for something else meanwhile, or be gone.
    if (this.#isClosed) return;
    if (wanted.size > context.settings()['imap.notifyMailboxesMax']) {
      this.isTooMuch = true;
      this.#isOverflow = true;
      return;
    }
    this.#names = names;
    for (const [id, watched] of this.#watched) {
      if (wanted.get(id)?.name === watched.name && wanted.get(id)?.events === watched.events) wanted.delete(id);
      else {
        watched.stop();
        this.#watched.delete(id);
      }
    }
    for (const [id, { accountId: owner, name, events }] of wanted) {
      const stop = context.announcements.watchMailbox(owner, id, (announcement) => this.#mailboxChanged(watched, announcement));
      const watched: Watched = { mailboxId: id, accountId: owner, name, events, dirty: 0, stop };
      this.#watched.set(id, watched);
      if (this.#watched.size % STEP !== 0) continue;
      yield;
      if (this.#isClosed) return;
    }
  }

  // ── What is said ──

  /** RFC 5465 sections 5.1 to 5.3; `isFirst`: what NOTIFY SET STATUS must say (section 3.1). */
  #status(mailboxId: MailboxId, { accountId, name, events: wanted }: Watched, events: number, isFirst: boolean): string {
    const row = this.#session.context.reader.mailboxById(accountId, mailboxId);
    if (row === null) return '';
    const items: string[] = [];
    if ((events & COUNTS) !== 0) items.push(`MESSAGES ${row.exists}`, `UIDNEXT ${row.uidNext}`);
    if (isFirst || (events & BIT.FLAGCHANGE) !== 0) items.push(`UIDVALIDITY ${row.uidValidity}`);
    // Who hears of flags is after the number of unseen messages, which new ones change too.
    if ((wanted & BIT.FLAGCHANGE) !== 0) items.push(`UNSEEN ${row.unseen}`);
    if (this.#session.isCondstore || (isFirst && (events & BIT.FLAGCHANGE) !== 0)) items.push(`HIGHESTMODSEQ ${Math.max(1, row.highestModseq)}`);
    return `* STATUS ${formatMailbox(name, this.#isUtf8)} (${items.join(' ')})\r\n`;
  }

  #lookAgain(): void {
    this.#areNamesDirty = false;
    this.#isLooking = true;
    const found = inSlices(this.#namesChanged());
    if (!(found instanceof Promise)) {
      this.#isLooking = false;
      this.#namesText += found;
      return;
    }
    found.then(
      (text) => {
        this.#isLooking = false;
        this.#namesText += text;
        this.#schedule();
      },
      (error: unknown) => {
        this.#isLooking = false;
        if (!this.#isClosed) this.#failed(error);
      },
    );
  }

  /** The responses for names that are not what they were at the last look. */
  *#namesChanged(): Steps<string> {
    const before = this.#names;
    yield* this.#look();
    const after = this.#names;
    const changes = yield* nameChanges(before, after);
    if (changes.length === 0) return '';
    const then = yield* indexOf(before);
    const now = yield* indexOf(after);
    let text = '';
    let looked = 0;
    for (const change of changes) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (!this.#isOwnChange(change) && this.#isWanted(change, then, now)) text += listLine(now, change, this.#isUtf8);
    }
    return this.#isClosed ? '' : text;
  }

  #isOwnChange({ name, oldName }: NameChange): boolean {
    const own = this.#ownNames;
    if (own.has(name) || (oldName !== null && own.has(oldName))) return true;
    for (const each of own) if (each.startsWith(`${name}/`)) return true;
    return false;
  }

  #isWanted(change: NameChange, then: NameIndex, now: NameIndex): boolean {
    const isSubscribedIn = ({ entries }: NameIndex): boolean => entries.get(change.name)?.isSubscribed === true;
    const wanted = change.kind === 'name' ? BIT.MAILBOXNAME : BIT.SUBSCRIPTIONCHANGE;
    // A subscription that ends concerns those who watch what is subscribed.
    const isSubscribed = change.kind === 'subscription' || isSubscribedIn(then) || isSubscribedIn(now);
    const named = { name: change.name, isOwn: change.isOwn, isSubscribed };
    const formerly = change.oldName === null ? named : { ...named, name: change.oldName };
    return this.#groups.some(({ group, mask }) => (mask & wanted) !== 0 && (this.#matches(group, named) || this.#matches(group, formerly)));
  }

  #takeMetadata(): string {
    let text = '';
    for (const [mailboxId, entries] of this.#metadata) {
      const name = mailboxId === 0 ? '' : this.#names.get(mailboxId)?.name;
      if (name === undefined || entries.size === 0) continue;
      text += `* METADATA ${mailboxId === 0 ? '""' : formatMailbox(name, this.#isUtf8)} ${[...entries].map(formatEntry).join(' ')}\r\n`;
    }
    this.#metadata.clear();
    this.#entries = 0;
    return text;
  }
}

function isAtOrBelow(tops: ReadonlySet<string>, name: string): boolean {
  if (tops.has(name)) return true;
  for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) if (tops.has(name.slice(0, slash))) return true;
  return false;
}

/** Mailbox names among the arguments of a command that changes names. */
function namesIn(args: unknown): readonly string[] {
  const given = typeof args === 'string' ? [args] : args !== null && typeof args === 'object' ? Object.values(args) : [];
  return given.filter((value): value is string => typeof value === 'string').map((name) => (name.endsWith('/') ? name.slice(0, -1) : name));
}
