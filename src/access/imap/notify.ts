/**
 * NOTIFY (RFC 5465): a client says once what it wants to hear of, and hears of it whenever it does not speak itself. Of the selected
 * mailbox it hears the usual updates, of others a STATUS; the session asks take() whenever something may be said.
 */
import type { Announcement, MailboxId } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { type EventGroup, NOTIFY_EVENTS, type NotifyArguments } from '../../wire/imap/notify.ts';
import { has } from './capability.ts';
import { foreignPlacesOf } from './foreign-places.ts';
import { formatEntry, sharedEntries } from './metadata-news.ts';
import { FreshMessages } from './notify-fresh.ts';
import { BIT, COUNTS, maskOf, MESSAGES, NotifyGroups } from './notify-groups.ts';
import { indexOf, listLine, type NameChange, type NameEntry, type NameIndex, nameChanges, type Names, readNames, STEP } from './notify-names.ts';
import { type Wanted, Watches } from './notify-watches.ts';
import { inSlices, pause, SliceClock, type Steps } from './pace.ts';
import { actsAsOwner, ownRights, type Place } from './places.ts';
import { refusalOf } from './refusal.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Names of changed annotations that wait to be told. */
const ENTRIES_MAX = 1000;
/** Names in own commands that are remembered while the names of a large account are looked through. */
const OWN_NAMES_MAX = 1000;

/** Their outcome is the answer to what the client asked, whatever it wants to hear besides. */
const REMOVING = new Set(['EXPUNGE', 'UID EXPUNGE', 'MOVE', 'UID MOVE', 'REPLACE', 'UID REPLACE']);
const RENAMING = new Set(['CREATE', 'DELETE', 'RENAME', 'SUBSCRIBE', 'UNSUBSCRIBE']);

export function notify(session: ImapSession, args: NotifyArguments): string | Promise<string> {
  if (!has(session, 'NOTIFY')) return 'BAD Unknown command';
  if (args.kind === 'badEvent') return `NO [BADEVENT (${[...NOTIFY_EVENTS.values()].join(' ')})] Events of another kind are not watched here`;
  // RFC 5465 section 3.1: what has gathered is told as the client wanted it before, as with NOOP.
  session.tellUpdates(true);
  return begin(session, new Notify(session, args.kind === 'set' ? args.groups : []), args);
}

async function begin(session: ImapSession, next: Notify, args: NotifyArguments): Promise<string> {
  // Their EXISTS has just been said: what the client wanted to know of each belongs to it.
  await session.notify?.sendNewMessages();
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
  if (session.notify !== null) {
    next.inherit(session.notify);
    session.notify.close();
  }
  session.notify = next;
  session.listen();
  if (args.kind === 'set') await next.sayFirst(args.withStatus);
  return 'OK NOTIFY completed';
}

export class Notify {
  readonly #session: ImapSession;
  readonly #groups: NotifyGroups;
  /** Message events of the selected mailbox, 0 for none. */
  #selectedMask = 0;
  isDelayed = false;
  readonly #watches: Watches;
  #stopAccount: (() => void) | null = null;
  /** Of a system user: other programs' changes to the folders are taken in while somebody listens. */
  #unwatchFolders: (() => void) | null = null;
  /** As they were at the last look; what is different at the next has happened meanwhile. */
  #names: Names = new Map();
  /** There was a first look. */
  #isStarted = false;
  #areNamesDirty = false;
  /** The names are being looked through; they may be thousands. What was found waits in `#namesText`. */
  #isLooking = false;
  #namesText = '';
  /** A look that took several slices has come to its end. */
  #hasLooked = false;
  #isClosed = false;
  readonly #metadata = new Map<MailboxId, Set<string>>();
  #entries = 0;
  /** null: nothing is to be fetched of new messages. */
  #fresh: FreshMessages | null = null;
  /** What the running command itself brings about, and those before it as long as the names are not looked through. */
  readonly #ownNames = new Set<string>();
  #isRenaming = false;
  #isRemoving = false;
  #isWaiting = false;
  #isOverflow = false;
  isTooMuch = false;

  constructor(session: ImapSession, groups: readonly EventGroup[]) {
    this.#session = session;
    this.#watches = new Watches(session, () => this.#schedule());
    this.#groups = new NotifyGroups(groups);
    for (const { mailboxes, events, items } of groups) {
      if (mailboxes.kind !== 'selected' && mailboxes.kind !== 'selected-delayed') continue;
      this.#selectedMask = maskOf(events);
      this.isDelayed = mailboxes.kind === 'selected-delayed';
      this.#fresh = items.length === 0 ? null : new FreshMessages(items);
    }
  }

  /** Begins to watch; done when `isTooMuch` says whether that can be. */
  async start(): Promise<void> {
    if (this.#groups.isEmpty) return;
    const { account, context } = this.#session;
    // Watching begins before the first look, so that nothing falls between the two.
    this.#stopAccount = context.announcements.watchAccount(account!.id, (announcement) => this.#accountChanged(announcement));
    this.#unwatchFolders = context.mirror?.watch(account!.id, null) ?? null;
    await inSlices(this.#look());
  }

  /** What the client was not told by the time it asked for something else: told here, as far as it is wanted still. */
  inherit(before: Notify): void {
    // It gave up: as if the client had asked for nothing.
    if (before.#isClosed) return;
    this.#watches.inherit(before.#watches);
    this.#namesText = before.#namesText;
    if (before.#isUnsure) {
      // The client knows its mailboxes as they were when `before` looked at them; those of others it may not have heard of.
      const names = new Map<MailboxId, NameEntry>();
      for (const [id, entry] of this.#names) {
        if (!entry.isOwn) names.set(id, entry);
        else if (!before.#names.has(id)) this.#watches.meet(id);
      }
      for (const [id, entry] of before.#names) if (entry.isOwn) names.set(id, entry);
      this.#names = names;
      this.#areNamesDirty = !this.#groups.isEmpty;
      for (const name of before.#ownNames) this.#ownNames.add(name);
    }
    for (const [mailboxId, entries] of before.#metadata) this.#noteEntries(mailboxId, [...entries]);
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
    if (!this.#isUnsure) this.#ownNames.clear();
    this.#isRenaming = RENAMING.has(verb);
    if (this.#isRenaming && this.#ownNames.size < OWN_NAMES_MAX) for (const name of namesIn(args)) this.#ownNames.add(name);
    this.#fresh?.commandBegins();
  }

  commandEnds(text: string): void {
    this.#isRenaming = false;
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
      if (!rights.includes('r') && this.#groups.names(name)) out.write(`* LIST (\\NoAccess) "/" ${formatMailbox(name, this.#isUtf8)}\r\n`);
    }
    if (!withStatus) return;
    for (const status of this.#watches.first(() => this.#selectedId)) {
      out.write(status);
      if (out.isFull) await out.drain();
      if (clock.isOver()) await pause(clock);
      if (this.#isClosed) return;
    }
  }

  /** What there is to tell, once. Of a large account the rest comes when it has been looked through (newsCame). */
  take(): string {
    try {
      return this.#take();
    } catch (error) {
      // What happened cannot be read: the client learns that it is not told everything any more, and its command is answered.
      refusalOf(this.#session, error);
      return this.#giveUp();
    }
  }

  #take(): string {
    if (this.#isOverflow) return this.#giveUp();
    // Under the names that the client knows: a look that takes long tells of others at its end, and the next may begin at once.
    let text = '';
    if (this.#hasLooked) text += this.#takeNames();
    if (this.#areNamesDirty && !this.#isLooking) this.#lookAgain();
    // What the client does itself is known now; what others do with the same names from here on is news.
    if (!this.#isUnsure && !this.#isRenaming) this.#ownNames.clear();
    if (!this.#isLooking) text += this.#takeNames();
    if (this.#entries > 0) text += this.#takeMetadata();
    return this.#isOverflow ? text + this.#giveUp() : text;
  }

  #takeNames(): string {
    this.#hasLooked = false;
    const text = this.#namesText + this.#watches.take(this.#selectedId);
    this.#namesText = '';
    if (this.#watches.hasNews) this.#schedule();
    return text;
  }

  /** The client reads slowly: it is told when it has taken what was sent. */
  waitForClient(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#session.out.drain().then(() => {
      this.#isWaiting = false;
      this.#schedule();
    });
  }

  close(): void {
    this.#stopAccount?.();
    this.#stopAccount = null;
    this.#unwatchFolders?.();
    this.#unwatchFolders = null;
    this.#watches.close();
    this.#isClosed = true;
  }

  // ── What happens ──

  /** Are the names another than at the last look, or may they be? */
  get #isUnsure(): boolean {
    return this.#areNamesDirty || this.#isLooking;
  }

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
    if (this.#session.notify === this) this.#session.newsCame();
  }

  #accountChanged(announcement: Announcement): void {
    if (announcement.kind === 'mailboxes' || announcement.kind === 'mailboxGone') this.#areNamesDirty = true;
    else if (announcement.kind === 'metadata') {
      if (announcement.by === this.#session.connection.id || this.#session.unasked.hearsMetadata) return;
      const { mailboxId, entries } = announcement;
      this.#noteEntries(mailboxId, actsAsOwner(this.#session) ? entries : sharedEntries(entries));
    } else return;
    this.#schedule();
  }

  #noteEntries(mailboxId: MailboxId, entries: readonly string[]): void {
    const wanted = mailboxId === 0 ? BIT.SERVERMETADATACHANGE : BIT.MAILBOXMETADATACHANGE;
    const entry = this.#names.get(mailboxId);
    // A mailbox that has just come to be is known with the next look.
    const mayConcern = mailboxId === 0 || entry === undefined ? this.#groups.wants(wanted) : this.#groups.of(entry, wanted) !== 0;
    if (!mayConcern || (mailboxId !== 0 && entry === undefined && !this.#isUnsure)) return;
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
    return this.#groups.meansForeign(this.#session) ? yield* foreignPlacesOf(this.#session) : [];
  }

  /** Reads which mailboxes there are, and brings the watches in line with them. */
  *#look(): Steps<void> {
    const { context } = this.#session;
    const accountId = this.#session.account!.id;
    const foreign = yield* this.#foreign();
    const readable = new Map(foreign.filter(({ rights }) => rights.includes('r')).map((place) => [place.row.id, place]));
    const rights = ownRights(this.#session);
    const names = yield* readNames(context.reader, accountId, foreign, rights.includes('l'));
    const wanted = new Map<MailboxId, Wanted>();
    let looked = 0;
    for (const [id, entry] of names) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (!entry.isSelectable || !(entry.isOwn ? rights.includes('r') : readable.has(id))) continue;
      const events = this.#groups.of(entry, MESSAGES);
      if (events !== 0) wanted.set(id, { accountId: readable.get(id)?.owner ?? accountId, name: entry.name, events });
    }
    // The client may have asked for something else meanwhile, or be gone.
    if (this.#isClosed) return;
    if (wanted.size > context.settings()['imap.notifyMailboxesMax']) {
      this.isTooMuch = true;
      this.#isOverflow = true;
      return;
    }
    const known = this.#isStarted ? this.#names : names;
    this.#isStarted = true;
    this.#names = names;
    yield* this.#watches.follow(wanted, (id) => !known.has(id));
  }

  // ── What is said ──

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
        this.#hasLooked = true;
        this.#namesText += text;
        this.#schedule();
      },
      (error: unknown) => {
        this.#isLooking = false;
        if (this.#isClosed) return;
        refusalOf(this.#session, error);
        this.#isOverflow = true;
        this.#schedule();
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
    for (const [id, { name }] of after) {
      looked += 1;
      if (looked % STEP === 0) yield;
      // Another mailbox of a name that the client knows: the numbers it knows are those of the one that is gone.
      if (!before.has(id) && then.entries.has(name)) this.#watches.mark(id, MESSAGES);
    }
    for (const change of changes) {
      looked += 1;
      if (looked % STEP === 0) yield;
      if (change.movedId !== null) this.#watches.mark(change.movedId, MESSAGES);
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
    return this.#groups.of(named, wanted) !== 0 || this.#groups.of(formerly, wanted) !== 0;
  }

  #takeMetadata(): string {
    let text = '';
    for (const [mailboxId, entries] of this.#metadata) {
      const entry = this.#names.get(mailboxId);
      if (mailboxId !== 0 && entry === undefined && this.#isUnsure) continue;
      this.#metadata.delete(mailboxId);
      this.#entries -= entries.size;
      // Gone, or never one of those that are meant.
      if (mailboxId !== 0 && (entry === undefined || this.#groups.of(entry, BIT.MAILBOXMETADATACHANGE) === 0)) continue;
      const name = entry === undefined ? '""' : formatMailbox(entry.name, this.#isUtf8);
      if (entries.size > 0) text += `* METADATA ${name} ${[...entries].map(formatEntry).join(' ')}\r\n`;
    }
    return text;
  }
}

/** Mailbox names among the arguments of a command that changes names. */
function namesIn(args: unknown): readonly string[] {
  const given = typeof args === 'string' ? [args] : args !== null && typeof args === 'object' ? Object.values(args) : [];
  return given.filter((value): value is string => typeof value === 'string').map((name) => (name.endsWith('/') ? name.slice(0, -1) : name));
}
