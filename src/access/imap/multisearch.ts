/**
 * ESEARCH (RFC 7377): one search through several mailboxes, one response for each that has results. Mailboxes are searched one
 * after another, as they are at that moment; none is selected by it.
 */
import type { AccountId } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { hasKey } from '../../wire/imap/search.ts';
import type { SearchReturn, SearchReturns } from '../../wire/imap/search-returns.ts';
import type { EsearchArguments, MailboxSource } from '../../wire/imap/search-sources.ts';
import { rightsNow } from './acl-check.ts';
import { beginContext, type Context } from './context.ts';
import { type ResolvedSearch, resolveSearch } from './filters.ts';
import { foreignPlacesOf } from './foreign-places.ts';
import { ownMailboxes, subscriptions } from './own-mailboxes.ts';
import { inSlices, pause, SliceClock, type Steps } from './pace.ts';
import { findPlace, may, ownRights, type Place } from './places.ts';
import { Progress } from './progress.ts';
import { mayNow } from './rights-now.ts';
import { numbersOf, save } from './search.ts';
import type { Searched } from './search-match.ts';
import { esearchLine, saysAnything } from './search-results.ts';
import { findRelevant } from './search-walk.ts';
import { type Ranges, savedRanges, sequenceRanges, uidRanges } from './sequence.ts';
import type { ImapSession } from './session.ts';
import type { MailboxView } from './view.ts';

const ALL: SearchReturns = { options: new Set<SearchReturn>(['ALL']), partial: null };

export async function esearch(session: ImapSession, args: EsearchArguments, tag: string): Promise<string> {
  const { selected } = session;
  const wantsSelected = args.sources.some(({ kind }) => kind === 'selected');
  if (wantsSelected && selected === null) return 'BAD ESEARCH of the selected mailbox needs one';
  if (args.returns?.options.has('UPDATE') && selected === null) return 'BAD UPDATE needs a selected mailbox';
  const saves = args.returns?.options.has('SAVE') === true;
  const resolved = resolveSearch(session, args);
  if (typeof resolved === 'string') {
    if (saves && !resolved.startsWith('BAD')) selected!.saved = new Uint32Array(0);
    return resolved;
  }
  if (hasKey(resolved.key, ['modseq'])) session.enableCondstore();
  // RFC 7377 section 2.2: only the selected mailbox's results are kept up to date.
  const context = wantsSelected && args.returns?.options.has('UPDATE') ? beginContext(session, tag, true, resolved, null) : null;
  if (typeof context === 'string') return context;
  const work = new MultiSearch(session, args.returns ?? ALL, resolved, tag, context);
  try {
    const places = await inSlices(placesOf(session, args.sources));
    // What was selected is gone with the connection.
    if (session.isClosed) return '';
    await work.run(places, wantsSelected);
  } catch (error) {
    if (saves) selected!.saved = new Uint32Array(0);
    context?.drop();
    throw error;
  }
  return session.isClosed ? '' : 'OK ESEARCH completed';
}

/** Mailboxes looked at between two yields. */
const STEP = 256;

/** The mailboxes that the sources name and the session may read, each once; the selected one apart. */
function* placesOf(session: ImapSession, sources: readonly MailboxSource[]): Steps<readonly Place[]> {
  const places = new Map<number, Place>();
  // A command may name many sources: what there is is looked up once.
  let own: readonly Place[] | null = null;
  let foreign: readonly Place[] | null = null;
  const add = (place: Place | null, isNamed: boolean): void => {
    // RFC 7377 section 2.2: others are passed over, as if they were not there.
    if (place?.row.isSelectable && may(place, 'r') && (isNamed || may(place, 'l'))) places.set(place.row.id, place);
  };
  for (const source of sources) {
    yield;
    if (source.kind === 'selected') continue;
    if ('names' in source) {
      for (const name of source.names) {
        yield;
        add(findPlace(session, name), true);
      }
      if (source.kind === 'mailboxes') continue;
    }
    own ??= yield* ownPlaces(session);
    let isMeant = (_place: Place): boolean => true;
    let others: readonly Place[] = [];
    // RFC 5465 section 6.3: where filters may deliver to any mailbox, "inboxes" are all of them, as "personal" are.
    if (source.kind === 'subscribed') {
      const subscribed = yield* subscriptions(session.context.reader, session.account!.id);
      isMeant = ({ row, name, owner }) => (owner === session.account!.id ? row.isSubscribed : subscribed.has(name));
      others = foreign ??= yield* foreignPlacesOf(session);
    } else if ('names' in source) {
      isMeant = below(source.names, source.kind === 'subtree-one', session.account!.id);
      others = foreign ??= yield* foreignPlacesOf(session);
    }
    let looked = 0;
    for (const list of [own, others]) {
      for (const place of list) {
        looked += 1;
        if (looked % STEP === 0) yield;
        if (isMeant(place)) add(place, false);
      }
    }
  }
  return [...places.values()];
}

function* ownPlaces(session: ImapSession): Steps<Place[]> {
  const owner = session.account!.id;
  const rows = yield* ownMailboxes(session.context.reader, owner);
  const isOwn = session.account!.visitorRights === undefined;
  return rows.map((row) => ({ row, name: row.name, owner, isOwn, rights: ownRights(session) }));
}

/** Is a mailbox below one of the names? `isNear`: one level down only. An empty name is above all of one's own. */
function below(names: readonly string[], isNear: boolean, accountId: AccountId): (place: Place) => boolean {
  const tops = new Set(names.map((name) => (name.endsWith('/') ? name.slice(0, -1) : name)));
  const hasRoot = tops.has('');
  return ({ name, owner }) => {
    let slash = name.lastIndexOf('/');
    if (hasRoot && owner === accountId && (slash === -1 || !isNear)) return true;
    for (; slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
      if (tops.has(name.slice(0, slash))) return true;
      if (isNear) return false;
    }
    return false;
  };
}

class MultiSearch {
  readonly #session: ImapSession;
  readonly #returns: SearchReturns;
  readonly #search: ResolvedSearch;
  readonly #tag: string;
  readonly #progress: Progress;
  readonly #hasModseq: boolean;
  readonly #context: Context | null;

  constructor(session: ImapSession, returns: SearchReturns, search: ResolvedSearch, tag: string, context: Context | null) {
    this.#session = session;
    this.#returns = returns;
    this.#search = search;
    this.#tag = tag;
    this.#context = context;
    this.#progress = new Progress(session, tag, 'Searching');
    this.#hasModseq = hasKey(search.key, ['modseq']);
  }

  async run(places: readonly Place[], wantsSelected: boolean): Promise<void> {
    const session = this.#session;
    // Gone while the mailboxes were looked up.
    if (session.isClosed) return;
    const { selected, shared } = session;
    let total = places.reduce((sum, { row }) => sum + row.exists, 0);
    if (wantsSelected) total += selected!.count;
    let done = 0;
    const clock = new SliceClock();
    if (wantsSelected && mayNow(session, selected!, 'r')) {
      this.#progress.part(0, total);
      await this.#one(selected!, selected!.name, true);
      done += selected!.count;
    } else this.#context?.drop();
    for (const { row, name, owner } of places) {
      if (session.isClosed) return;
      if (clock.isOver()) await pause(clock);
      if (selected?.view.mailboxId === row.id && wantsSelected) continue;
      this.#progress.part(done, total);
      done += row.exists;
      if (row.exists === 0) continue;
      // The mailboxes before it took their time.
      if (owner !== session.account!.id && !rightsNow(session, owner, row.id).includes('r')) continue;
      const acquired = shared.views.acquire(owner, row.id);
      const view = acquired instanceof Promise ? await acquired : acquired;
      // Deleted just now.
      if (view === null) continue;
      try {
        await this.#one(asItIs(view), name, false);
      } finally {
        shared.views.release(view);
      }
      if (session.out.isFull) await session.out.drain();
    }
  }

  async #one(mailbox: Searched, name: string, isSelected: boolean): Promise<void> {
    const session = this.#session;
    const { key, charset } = this.#search;
    const { positions, relevancy } = await findRelevant(session, mailbox, key, charset, { progress: this.#progress });
    if (session.isClosed) return;
    if (isSelected) {
      if (this.#returns.options.has('SAVE')) save(session.selected!, positions, this.#returns);
      this.#context?.start(numbersOf(mailbox, positions, true));
    }
    if (positions.length === 0 || !saysAnything(this.#returns)) return;
    const { view } = mailbox;
    const modseqOf = (i: number): number => {
      const index = view.find(mailbox.uids[positions[i]!]!);
      return index === -1 ? 0 : view.modseqs[index]!;
    };
    const correlator = ` MAILBOX ${formatMailbox(name, session.isUtf8 || session.isRev2)} UIDVALIDITY ${view.uidValidity}`;
    const results = { numbers: numbersOf(mailbox, positions, true), relevancy, modseqOf: this.#hasModseq ? modseqOf : null };
    session.out.write(esearchLine(this.#tag, correlator, true, this.#returns, results));
  }
}

/** A mailbox that is not selected, as it is now. */
function asItIs(view: MailboxView): Searched {
  const { uids, count } = view;
  return {
    view,
    uids,
    count,
    ranges(set, isUid): Ranges {
      // "$" belongs to the selected mailbox.
      if (set === null) return savedRanges(null, uids, count);
      return isUid ? uidRanges(set, uids, count) : sequenceRanges(set, count);
    },
    isRecent: (uid) => uid >= view.recentUid,
  };
}
