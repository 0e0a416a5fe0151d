/**
 * Contexts (RFC 5267): searches and sorts whose client is told of each change of their results, by ADDTO and REMOVEFROM, until it
 * cancels them or leaves the mailbox. Only messages that are new or whose flags changed are tested again.
 *
 * What is told goes out with the mailbox's own updates: REMOVEFROM before them, while sequence numbers still stand for what was
 * removed, and ADDTO behind them, when the client knows the message. Flags are tested at once; criteria for which messages must be
 * read are tested beside, and told with the next updates.
 */
import type { Collation } from '../../mail/collation.ts';
import { imapString } from '../../wire/imap/format.ts';
import { hasKey } from '../../wire/imap/search.ts';
import type { SortCriterion } from '../../wire/imap/sort.ts';
import { chosenFold, comparatorOf } from './comparator.ts';
import { frozenKey } from './context-key.ts';
import { ContextResults, type UidOrder } from './context-results.ts';
import type { ResolvedSearch } from './filters.ts';
import { SliceClock } from './pace.ts';
import { Questions } from './search-index.ts';
import { compile, LEVEL, newProbe, type Searched } from './search-match.ts';
import { SaveDates } from './search-rows.ts';
import { findMatches } from './search-walk.ts';
import type { Selected } from './selected.ts';
import { uidRanges } from './sequence.ts';
import type { ImapSession } from './session.ts';
import { type MailboxKeys, keysOf, type TextColumn } from './sort-keys.ts';
import { orderOf, textColumns } from './sort-order.ts';
import { indexOfUid, lowerBound } from './view.ts';

/** Contexts of one selected mailbox, and results that all of them may hold. */
const CONTEXTS_MAX = 16;
const RESULTS_MAX = 1_000_000;

/** By the mailbox as the client selected it: they end with it. */
const CONTEXTS = new WeakMap<Selected, Contexts>();

/** null: the client wants no updates of searches; so do nearly all. */
export function contextsOf(selected: Selected): Contexts | null {
  return CONTEXTS.get(selected) ?? null;
}

/**
 * RETURN (UPDATE): begins a context, before the search is made; `start` it with what the search found, or `drop` it. null: refused, and
 * the client has been told (section 4.3.1). A string is the tagged response that refuses the whole command.
 */
export function beginContext(
  session: ImapSession,
  tag: string,
  isUid: boolean,
  search: ResolvedSearch,
  criteria: readonly SortCriterion[] | null,
): Context | null | string {
  const selected = session.selected!;
  let contexts = contextsOf(selected);
  if (contexts?.has(tag)) return 'BAD Tag reuse';
  // How alike two texts are may change with every message: nobody could keep such results up to date.
  const isFuzzy = hasKey(search.key, ['fuzzy']);
  if (isFuzzy || contexts?.isFull === true) {
    session.out.write(`* NO [NOUPDATE ${imapString(tag)}] ${isFuzzy ? 'FUZZY results are not updated' : 'Too many contexts'}\r\n`);
    return null;
  }
  if (contexts === null) {
    contexts = new Contexts(session, selected);
    CONTEXTS.set(selected, contexts);
  }
  const context = new Context(session, contexts, tag, isUid, { key: frozenKey(search.key, selected), charset: search.charset }, criteria);
  contexts.add(context);
  return context;
}

/** CANCELUPDATE */
export function cancelUpdate(session: ImapSession, tags: readonly string[]): string {
  const contexts = contextsOf(session.selected!);
  let isUnknown = false;
  for (const tag of tags) if (contexts?.cancel(tag) !== true) isUnknown = true;
  return isUnknown ? 'NO No updates were on their way for that tag' : 'OK No further updates';
}

/** The contexts of one session on one selected mailbox. */
export class Contexts {
  readonly #session: ImapSession;
  readonly selected: Selected;
  readonly #contexts = new Map<string, Context>();

  constructor(session: ImapSession, selected: Selected) {
    this.#session = session;
    this.selected = selected;
  }

  has(tag: string): boolean {
    return this.#contexts.has(tag);
  }

  get isFull(): boolean {
    let results = 0;
    for (const context of this.#contexts.values()) results += context.size;
    return this.#contexts.size >= CONTEXTS_MAX || results >= RESULTS_MAX;
  }

  add(context: Context): void {
    this.#contexts.set(context.tag, context);
  }

  cancel(tag: string): boolean {
    return this.#contexts.delete(tag);
  }

  /** To be called before the updates of the mailbox are said, also when there are none. */
  beforeUpdates(): void {
    for (const context of this.#contexts.values()) this.#session.out.write(context.removals());
  }

  /** To be called behind them. */
  afterUpdates(): void {
    for (const context of this.#contexts.values()) this.#session.out.write(context.additions());
  }

  /** Something can be told that came too late for the updates before. */
  ready(): void {
    // Now where the client listens (IDLE, NOTIFY), and otherwise with its next command: what waits besides could be an EXPUNGE.
    const { view } = this.selected;
    if (this.#session.selected === this.selected && view.idlers.has(this.#session)) this.#session.viewChanged();
  }
}

export class Context {
  readonly tag: string;
  readonly #session: ImapSession;
  readonly #contexts: Contexts;
  readonly #isUid: boolean;
  readonly #search: ResolvedSearch;
  readonly #fold: ((text: string) => string) | undefined;
  readonly #results: ContextResults;
  readonly #ordering: Ordering | null;
  /** What the flags say is enough to decide. */
  readonly #isByView: boolean;
  #isStarted = false;
  /** Up to where the view's changes have been looked at. */
  #cursor: number;
  #modseq: number;
  #lastUid: number;
  #removals: number;
  /** Messages that must be tested, while a test runs beside. */
  readonly #untested = new Set<number>();
  #isTesting = false;
  #hasFailed = false;
  /** Messages that match no longer, and that match and are not told yet. */
  readonly #toRemove = new Set<number>();
  readonly #toAdd = new Set<number>();

  constructor(session: ImapSession, contexts: Contexts, tag: string, isUid: boolean, search: ResolvedSearch, criteria: readonly SortCriterion[] | null) {
    const { view } = contexts.selected;
    this.tag = tag;
    this.#session = session;
    this.#contexts = contexts;
    this.#isUid = isUid;
    this.#search = search;
    this.#fold = chosenFold(session);
    this.#ordering = criteria === null ? null : new Ordering(keysOf(session.context.reader, view), criteria, comparatorOf(session));
    this.#results = new ContextResults(this.#ordering?.order ?? null);
    this.#cursor = view.changesFrom + view.changes.length;
    this.#modseq = view.highestModseq;
    // What the client does not know yet is not searched by the command: it is tested as new.
    const { selected } = contexts;
    this.#lastUid = selected.count === 0 ? 0 : selected.uids[selected.count - 1]!;
    this.#removals = view.removals;
    this.#isByView = this.#ordering === null && this.#test(new Uint32Array(0)) !== null;
  }

  get size(): number {
    return this.#results.uids.length;
  }

  /** `uids`: what the command found, in its order. */
  start(uids: readonly number[]): void {
    this.#results.start(uids);
    this.#isStarted = true;
    // What was removed while the search went on is found at the next look.
    this.#removals = -1;
  }

  drop(): void {
    this.#contexts.cancel(this.tag);
  }

  /** REMOVEFROM, or ''. */
  removals(): string {
    if (!this.#isStarted) return '';
    if (this.#hasFailed) {
      this.drop();
      return `* NO [NOUPDATE ${imapString(this.tag)}] The results are no longer followed\r\n`;
    }
    this.#look();
    if (this.#toRemove.size === 0) return '';
    const { selected } = this.#contexts;
    const item = this.#results.remove(this.#toRemove, (uid) => this.#number(selected, uid));
    this.#toRemove.clear();
    return this.#line(item);
  }

  /** ADDTO, or ''. */
  additions(): string {
    if (!this.#isStarted || this.#toAdd.size === 0) return '';
    const { selected } = this.#contexts;
    const known: number[] = [];
    for (const uid of this.#toAdd) if (selected.position(uid) !== -1) known.push(uid);
    if (known.length === 0) return '';
    for (const uid of known) this.#toAdd.delete(uid);
    return this.#line(this.#results.add(known, (uid) => this.#number(selected, uid)));
  }

  #line(item: string): string {
    return item === '' ? '' : `* ESEARCH (TAG ${imapString(this.tag)})${this.#isUid ? ' UID' : ''}${item}\r\n`;
  }

  #number(selected: Selected, uid: number): number {
    return this.#isUid ? uid : selected.position(uid) + 1;
  }

  /** Finds out what changed since the last look. */
  #look(): void {
    const { view } = this.#contexts.selected;
    if (view.removals !== this.#removals) {
      this.#removals = view.removals;
      for (const uid of this.#results.uids) if (view.find(uid) === -1) this.#toRemove.add(uid);
      for (const uid of this.#toAdd) if (view.find(uid) === -1) this.#toAdd.delete(uid);
    }
    for (const uid of this.#changed()) this.#untested.add(uid);
    for (let i = lowerBound(view.uids, view.count, this.#lastUid + 1); i < view.count; i += 1) this.#untested.add(view.uids[i]!);
    this.#lastUid = Math.max(this.#lastUid, view.lastUid);
    if (this.#untested.size === 0) return;
    if (!this.#isByView) {
      if (!this.#isTesting) void this.#testBeside();
      return;
    }
    const uids = Uint32Array.from(this.#untested).sort();
    this.#untested.clear();
    const matches = this.#test(uids)!;
    for (let i = 0; i < uids.length; i += 1) this.#decide(uids[i]!, matches(i));
  }

  /** Uids whose flags changed; some more where the view no longer remembers. */
  #changed(): number[] {
    const { view } = this.#contexts.selected;
    const cursor = this.#cursor;
    const modseq = this.#modseq;
    this.#cursor = view.changesFrom + view.changes.length;
    this.#modseq = view.highestModseq;
    if (cursor >= view.changesFrom) return view.changes.slice(cursor - view.changesFrom);
    const changed: number[] = [];
    for (let i = 0; i < view.count; i += 1) if (view.modseqs[i]! > modseq) changed.push(view.uids[i]!);
    return changed;
  }

  #decide(uid: number, isMatch: boolean): void {
    const isIn = this.#results.has(uid);
    if (isMatch) {
      this.#toRemove.delete(uid);
      if (!isIn) this.#toAdd.add(uid);
    } else {
      this.#toAdd.delete(uid);
      if (isIn) this.#toRemove.add(uid);
    }
  }

  /** The messages as a mailbox of their own, in which uids mean what they do in the whole. */
  #mailbox(uids: Uint32Array): Searched {
    const { selected } = this.#contexts;
    return {
      view: selected.view,
      uids,
      count: uids.length,
      ranges: (set) => uidRanges(set ?? [], uids, uids.length),
      isRecent: (uid) => selected.isRecent(uid),
    };
  }

  /** A test of the messages by what the view knows; null: that is not enough. A message that is gone matches nothing. */
  #test(uids: Uint32Array): ((i: number) => boolean) | null {
    const { context } = this.#session;
    const { view } = this.#contexts.selected;
    const { key, charset } = this.#search;
    const test = compile(key, {
      mailbox: this.#mailbox(uids),
      charset,
      now: context.now(),
      fold: this.#fold ?? ((text) => text),
      questions: new Questions(),
      saveDates: new SaveDates(context.reader, view.accountId, view.mailboxId),
    });
    if (test.cost !== LEVEL.view) return null;
    const probe = newProbe();
    return (i) => {
      probe.position = i;
      probe.index = view.find(uids[i]!);
      return probe.index !== -1 && test.run(probe) === true;
    };
  }

  /** Tests by reading messages, and learns their place in the order. What changes meanwhile is tested again. */
  async #testBeside(): Promise<void> {
    this.#isTesting = true;
    try {
      while (this.#untested.size > 0 && this.#isWanted) {
        const uids = Uint32Array.from(this.#untested).sort();
        this.#untested.clear();
        const { key, charset } = this.#search;
        const found = new Set(await findMatches(this.#session, this.#mailbox(uids), key, charset, this.#fold === undefined ? {} : { fold: this.#fold }));
        if (found.size > 0) await this.#ordering?.bringForward();
        for (let i = 0; i < uids.length; i += 1) {
          // Without a place it was expunged at once; it can be left out.
          const isMatch = found.has(i) && (this.#ordering === null || this.#ordering.knows(uids[i]!));
          if (!this.#untested.has(uids[i]!)) this.#decide(uids[i]!, isMatch);
        }
      }
    } catch (cause) {
      // The results can no longer be followed: the client hears so with the next updates, as at the beginning it would have.
      this.#hasFailed = true;
      const { context, connection } = this.#session;
      context.log.warn('imap.context.failed', { session: connection.id, cause: cause instanceof Error ? cause.message : String(cause) });
      return;
    } finally {
      this.#isTesting = false;
    }
    if (this.#toAdd.size > 0 || this.#toRemove.size > 0) this.#contexts.ready();
  }

  /** Does somebody still wait for it? */
  get #isWanted(): boolean {
    const { selected } = this.#contexts;
    return !this.#session.isClosed && this.#session.selected === selected && contextsOf(selected)?.has(this.tag) === true;
  }
}

/** The order of a SORT, for putting single messages in. */
class Ordering {
  readonly #keys: MailboxKeys;
  readonly #columns: readonly TextColumn[];
  readonly order: UidOrder;

  constructor(keys: MailboxKeys, criteria: readonly SortCriterion[], collation: Collation) {
    this.#keys = keys;
    this.#columns = textColumns(keys, criteria, collation);
    this.order = orderOf(keys, criteria, collation);
  }

  bringForward(): Promise<void> {
    return this.#keys.fill(this.#columns, new SliceClock());
  }

  knows(uid: number): boolean {
    return indexOfUid(this.#keys.uids, this.#keys.count, uid) !== -1;
  }
}
