/**
 * Finds the messages of a mailbox that match a search, in three steps: what the view alone decides (flags, uids, modseqs); then,
 * when messages are left, the questions to the index; then each of those messages, with as little read of it as will do.
 *
 * SEARCH, SORT, THREAD, ESEARCH and contexts come here, with criteria that passed through resolveSearch() (filters.ts).
 */
import { foldForSearch } from '../../mail/text.ts';
import { hasKey, type SearchKey } from '../../wire/imap/search.ts';
import { chosenFold } from './comparator.ts';
import { pause, SliceClock } from './pace.ts';
import type { Progress } from './progress.ts';
import { Questions } from './search-index.ts';
import { compile, type Fold, LEVEL, newProbe, type Probe, type Searched, type Test } from './search-match.ts';
import { Reading } from './search-read.ts';
import { bringForward, rowsOf, SaveDates, type ViewRows } from './search-rows.ts';
import { inBoth, type Ranges } from './sequence.ts';
import type { ImapSession } from './session.ts';

/** Rows of so few messages are read one by one; for more those of the whole mailbox are kept. */
const FEW = 16;
/** So little is read in about 15 ms. The index takes 5 ms for a rare text, but a second for one that is in every message of an account. */
const LITTLE_MESSAGES = 400;
const LITTLE_BYTES = 2 * 1024 * 1024;
/** A part that may be an attachment of which only the index has the text. */
const HAS_ATTACHMENT = /"application"/i;

export interface SearchOptions {
  readonly progress?: Progress | null;
  /** Only messages at these positions are looked at. */
  readonly within?: Ranges;
  /** Another way to compare texts than the session's comparator. */
  readonly fold?: Fold;
}

export interface Found {
  /** In the client's numbering from 0, ascending. Messages that are gone match nothing. Empty when the session was closed meanwhile. */
  readonly positions: number[];
  /** 1 to 100 for each of the positions (RFC 6203 section 4); null: no key was FUZZY. */
  readonly relevancy: number[] | null;
}

export async function findMatches(session: ImapSession, mailbox: Searched, key: SearchKey, charset: string, options: SearchOptions = {}): Promise<number[]> {
  return (await search(session, mailbox, key, charset, options)).positions;
}

/** The same with relevancies. */
export async function findRelevant(session: ImapSession, mailbox: Searched, key: SearchKey, charset: string, options: SearchOptions = {}): Promise<Found> {
  return search(session, mailbox, key, charset, options);
}

async function search(session: ImapSession, mailbox: Searched, key: SearchKey, charset: string, options: SearchOptions): Promise<Found> {
  const { context } = session;
  const { view } = mailbox;
  const questions = new Questions();
  const saveDates = new SaveDates(context.reader, view.accountId, view.mailboxId);
  const fold = options.fold ?? chosenFold(session) ?? foldForSearch;
  const test = compile(key, { mailbox, charset, now: context.now(), fold, questions, saveDates });
  const work = new Work(session, mailbox, test, fold, options.progress ?? null, hasKey(key, ['fuzzy']));
  const left = await work.byView(options.within ?? narrowed(key, mailbox));
  if (left.length > 0 && !session.isClosed) await work.rest(left, questions);
  return work.found();
}

/** Where a search that names messages has to look at all. */
export function narrowed(key: SearchKey, mailbox: Searched): Ranges {
  let ranges: Ranges | null = null;
  for (const each of key.kind === 'and' ? key.keys : [key]) {
    if (each.kind !== 'uid' && each.kind !== 'sequence') continue;
    const named = mailbox.ranges(each.set, each.kind === 'uid');
    ranges = ranges === null ? named : inBoth(ranges, named);
  }
  return ranges ?? (mailbox.count === 0 ? [] : [0, mailbox.count - 1]);
}

/** Nobody waits for the answer any more. */
class Ended extends Error {}

/** Messages that must be read, unless the index knows. */
interface Kept {
  readonly positions: number[];
  readonly emails: number[];
  /** All their sizes. */
  bytes: number;
}

/** One search at work. */
class Work {
  readonly #session: ImapSession;
  readonly #mailbox: Searched;
  readonly #test: Test;
  readonly #fold: Fold;
  readonly #progress: Progress | null;
  readonly #clock = new SliceClock();
  readonly #probe: Probe = newProbe();
  /** Relevancies by position; null: nobody asks. */
  readonly #relevancy: Map<number, number> | null;
  /** Found by the view alone, and by reading; each ascending. */
  #sure: number[] = [];
  #read: number[] = [];
  #rows: ViewRows | null = null;
  /** How many messages must be read; null while that is not known. */
  #total: number | null = null;

  constructor(session: ImapSession, mailbox: Searched, test: Test, fold: Fold, progress: Progress | null, isFuzzy: boolean) {
    this.#session = session;
    this.#mailbox = mailbox;
    this.#test = test;
    this.#fold = fold;
    this.#progress = progress;
    this.#relevancy = isFuzzy ? new Map() : null;
  }

  /** Decides what needs nothing but the view; answers the positions that need more. */
  async byView(ranges: Ranges): Promise<number[]> {
    const left: number[] = [];
    const probe = this.#probe;
    probe.level = LEVEL.view;
    for (let i = 0; i < ranges.length; i += 2) {
      const end = Math.min(ranges[i + 1]!, this.#mailbox.count - 1);
      for (let position = ranges[i]!; position <= end; position += 1) {
        const index = this.#index(position);
        if (index !== -1) {
          probe.position = position;
          probe.index = index;
          const answer = this.#run(probe);
          if (answer === true) this.#sure.push(position);
          else if (answer === undefined) left.push(position);
        }
        if ((position & 1023) === 1023 && this.#clock.isOver()) {
          await this.#pause(0);
          if (this.#session.isClosed) return [];
        }
      }
    }
    return left;
  }

  /** Index in the view of the message at a position, or -1. The view may have moved on since the client was last told. */
  #index(position: number): number {
    const { uids, view } = this.#mailbox;
    return uids === view.uids && position < view.count ? position : view.find(uids[position]!);
  }

  /** Decides what the view alone does not. */
  async rest(left: readonly number[], questions: Questions): Promise<void> {
    try {
      await this.#byReading(await this.#prepare(left, questions));
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
  }

  /** Reads the rows of the messages, and asks the index; answers the positions that are still undecided. */
  async #prepare(left: readonly number[], questions: Questions): Promise<readonly number[]> {
    const { context } = this.#session;
    const { view } = this.#mailbox;
    this.#total = left.length;
    const rest = async (): Promise<void> => {
      await this.#pause(0);
      // Ends the index's search too.
      if (this.#session.isClosed) throw new Ended();
    };
    if (left.length > FEW) this.#rows = await bringForward(context.reader, view, rest);
    else if (rowsOf(view).lastUid >= this.#mailbox.uids[left.at(-1)!]!) this.#rows = rowsOf(view);
    if (questions.isEmpty) return left;
    const kept = await this.#byRows(left);
    this.#total = kept.positions.length;
    if (context.search !== undefined && kept.positions.length > 0) {
      // The index keeps texts folded by the default, i;unicode-casemap.
      const asksTexts = this.#fold === foldForSearch && !this.#isLittle(kept);
      await questions.ask(context.search, view.accountId, kept.emails, asksTexts, rest);
    }
    questions.giveUp();
    return kept.positions;
  }

  /** Decides what rows can decide. */
  async #byRows(left: readonly number[]): Promise<Kept> {
    const kept: Kept = { positions: [], emails: [], bytes: 0 };
    const probe = this.#probe;
    for (let i = 0; i < left.length; i += 1) {
      const position = left[i]!;
      probe.index = this.#index(position);
      if (probe.index !== -1 && this.#row(position)) {
        probe.position = position;
        probe.level = LEVEL.row;
        // One that matches is decided again later, among the others.
        if (this.#run(probe) !== false) {
          kept.positions.push(position);
          kept.emails.push(probe.email);
          kept.bytes += probe.size;
        }
      }
      if ((i & 1023) === 1023 && this.#clock.isOver()) {
        await this.#pause(0);
        if (this.#session.isClosed) return { positions: [], emails: [], bytes: 0 };
      }
    }
    return kept;
  }

  /** Are the messages read sooner than the index is asked, and is nothing in them that only the index knows? */
  #isLittle({ emails, bytes }: Kept): boolean {
    if (emails.length > LITTLE_MESSAGES || bytes > LITTLE_BYTES) return false;
    const { reader } = this.#session.context;
    return !emails.some((email) => HAS_ATTACHMENT.test(reader.email(this.#mailbox.view.accountId, email)?.bodyStructure ?? ''));
  }

  /** Fills the probe's fields of LEVEL.row; false: the message is gone. */
  #row(position: number): boolean {
    const { uids, view } = this.#mailbox;
    const probe = this.#probe;
    const uid = uids[position]!;
    probe.uid = uid;
    if (this.#rows !== null) {
      const at = this.#rows.find(uid);
      if (at === -1) return false;
      probe.internalDate = this.#rows.internalDates[at]!;
      probe.size = this.#rows.sizes[at]!;
      probe.email = this.#rows.emailIds[at]!;
      return true;
    }
    const row = this.#session.context.reader.message(view.accountId, view.mailboxId, uid);
    if (row === null) return false;
    [, , , , probe.internalDate, probe.size, probe.email] = row;
    return true;
  }

  /** Decides the rest, in order. */
  async #byReading(left: readonly number[]): Promise<void> {
    const probe = this.#probe;
    const reading = new Reading(this.#session, this.#mailbox, left, this.#fold, (given) => this.#run(given));
    for (let i = 0; i < left.length; i += 1) {
      const position = left[i]!;
      const index = this.#index(position);
      if (index !== -1 && this.#row(position)) {
        probe.position = position;
        probe.index = index;
        probe.level = LEVEL.row;
        let answer = this.#run(probe);
        if (answer === undefined) {
          const later = reading.decide(probe, i);
          answer = later instanceof Promise ? await later : later;
        }
        if (answer) {
          this.#read.push(position);
          // Keys that are no texts match as they always do.
          this.#relevancy?.set(position, probe.scored === 0 ? 100 : Math.max(1, Math.round(probe.scores / probe.scored)));
        }
      }
      // A message that was opened may have taken long by itself.
      if (((i & 63) === 0 || probe.level >= LEVEL.header) && this.#clock.isOver()) {
        await this.#pause(i);
        if (this.#session.isClosed) return;
      }
    }
  }

  #run(probe: Probe): boolean | undefined {
    probe.scores = 0;
    probe.scored = 0;
    return this.#test.run(probe);
  }

  /** `done`: how many of the messages that must be read. */
  async #pause(done: number): Promise<void> {
    this.#progress?.tell(done, this.#total);
    await pause(this.#clock);
  }

  found(): Found {
    if (this.#session.isClosed) return { positions: [], relevancy: this.#relevancy === null ? null : [] };
    const positions = merged(this.#sure, this.#read);
    const relevancy = this.#relevancy;
    return { positions, relevancy: relevancy === null ? null : positions.map((position) => relevancy.get(position) ?? 100) };
  }
}

/** Two ascending lists without common members as one. */
function merged(a: number[], b: number[]): number[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const out: number[] = [];
  let j = 0;
  for (const each of a) {
    while (j < b.length && b[j]! < each) {
      out.push(b[j]!);
      j += 1;
    }
    out.push(each);
  }
  while (j < b.length) {
    out.push(b[j]!);
    j += 1;
  }
  return out;
}
