/**
 * What is in a mailbox, in memory: one for each mailbox that somebody in this thread has selected, shared by all of them.
 *
 * It is brought forward by announcements and by the results of our own writes, in whatever order they come: a message is
 * added when its uid is above all others, a flag change counts when its modseq is higher than what the message has, and
 * removing what is gone does nothing.
 *
 * Invariant: the first `count` elements of `uids` never change once published; adding goes behind them, removing makes a
 * new array. Sessions keep (uids, count) as what their client knows, at the price of a reference.
 */
import type { Announcement, FlagChange, FlagSweep, MailboxRow, MessageState, StoreReader } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { pause, SliceClock } from './pace.ts';

/** Rows read in one go: a quarter of a millisecond, three when they come from the disk, where they lie in dozens of places. */
const PAGE_ROWS = 1000;
/** So many are read before SELECT is answered, unless the disk is slow. */
const AT_ONCE_ROWS = 5000;
/** Flag changes remembered for sessions that are behind; a session behind these looks at every message. */
const CHANGES_MAX = 10_000;
/** The newest of them, which are kept when they have become too many: more than one STORE makes in one transaction. */
const CHANGES_KEPT = 5000;

/** Different lists of keywords before those that nobody has are looked for. */
const KEYWORD_TEXTS_LEAST = 1000;

/** What one session hears; kept for the next one that stands where it stood. */
export interface FormattedUpdate {
  readonly fromVersion: number;
  readonly fromChange: number;
  readonly fromUids: Uint32Array;
  readonly fromCount: number;
  readonly toVersion: number;
  readonly flavour: number;
  readonly keywordsTold: number;
  readonly text: string;
  bytes: Buffer | null;
}

/** Announcements come at once; a thread that does not hear of a change for so long has other troubles, and goes on with what it knows. */
const REACH_MS = 500;

/** A session in IDLE. */
export interface Idler {
  viewChanged(): void;
}

export class MailboxView {
  readonly accountId: number;
  readonly mailboxId: number;
  readonly uidValidity: number;
  uids = new Uint32Array(16);
  count = 0;
  flags = new Uint8Array(16);
  /** Index into keywordTexts. */
  keywords = new Uint32Array(16);
  modseqs = new Float64Array(16);
  uidNext: number;
  /** All changes up to this modseq have been applied: announcements come in order. */
  highestModseq: number;
  /** The highest modseq that a message here has had. Rows are read later than the mailbox's own: some may be ahead of `highestModseq`. */
  newestModseq = 0;
  /** Raised by each change that clients may see. */
  version = 1;
  /** Raised by each removal: while it stands still, an older `uids` is a prefix of the present one. */
  removals = 0;
  /** Uids whose flags changed; the first has number `changesFrom`. */
  changes: number[] = [];
  changesFrom = 0;
  /** Messages from this uid on were not yet shown as \Recent to anybody. */
  recentUid: number;
  isGone = false;
  /** While the rows of a large mailbox are being read: resolves when all are there. Sessions may have the mailbox selected already. */
  loading: Promise<void> | null = null;
  /** Messages when reading began: what a client is told before they are all read. */
  readonly existsAtStart: number;
  /** Those who selected the mailbox before it was read. Told when it has been, before anything that happened meanwhile is applied. */
  readonly early = new Set<{ settle(): void }>();
  readonly #uidNextAtStart: number;
  #isAbandoned = false;
  /** Each different list of keywords that messages have; '' first. Another array when they are numbered anew. */
  keywordTexts: string[] = [''];
  readonly #keywordIds = new Map<string, number>([['', 0]]);
  /** Every keyword in use, by its lower-case form. */
  readonly keywordNames = new Map<string, string>();
  lastUpdate: FormattedUpdate | null = null;
  readonly idlers = new Set<Idler>();
  users = 0;
  stopWatching: () => void = () => {};
  readonly #reader: StoreReader;
  /** Announcements that came while rows were being read; null when none are. */
  #waiting: Announcement[] | null = null;

  constructor(reader: StoreReader, row: MailboxRow) {
    this.#reader = reader;
    this.accountId = row.accountId;
    this.mailboxId = row.id;
    this.uidValidity = row.uidValidity;
    this.uidNext = row.uidNext;
    this.highestModseq = Math.max(1, row.highestModseq);
    this.recentUid = row.recentUid;
    this.existsAtStart = row.exists;
    this.#uidNextAtStart = row.uidNext;
    for (const word of row.keywords === '' ? [] : row.keywords.split(' ')) this.keywordNames.set(word.toLowerCase(), word);
  }

  /** Reads all rows: at once when they are few and the disk is quick, else in slices with a pause between them. */
  load(): void | Promise<void> {
    // What came after the mailbox's row was read is announced.
    this.#reserve(this.existsAtStart);
    const clock = new SliceClock();
    do {
      if (this.#readPage()) return undefined;
    } while (this.count < AT_ONCE_ROWS && !clock.isOver());
    this.#waiting = [];
    this.loading = this.#loadRest(clock).finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  async #loadRest(clock: SliceClock): Promise<void> {
    await pause(clock);
    try {
      while (!this.#isAbandoned && !this.#readPage()) if (clock.isOver()) await pause(clock);
    } catch (error) {
      // Who waits for it hears of the failure; who does not is told that the mailbox is gone and selects it again.
      this.isGone = true;
      this.#changed();
      throw error;
    }
    for (const selected of this.early) selected.settle();
    this.early.clear();
    this.#applyWaiting();
  }

  /** Everybody has left before the mailbox was read. The next who comes begins anew: whoever comes and goes must not fill the memory. */
  abandon(): void {
    this.#isAbandoned = true;
    this.early.clear();
    this.#waiting = null;
    this.count = 0;
    this.uids = new Uint32Array(0);
    this.flags = new Uint8Array(0);
    this.keywords = new Uint32Array(0);
    this.modseqs = new Float64Array(0);
  }

  /** The rows behind those that have been read. True: these were the last. */
  #readPage(): boolean {
    const from = this.count === 0 ? 0 : this.uids[this.count - 1]! + 1;
    const rows = this.#reader.states(this.accountId, this.mailboxId, from, this.#uidNextAtStart - 1, PAGE_ROWS);
    this.#take(rows);
    return rows.length < PAGE_ROWS;
  }

  #take(rows: readonly MessageState[]): void {
    this.#reserve(this.count + rows.length);
    for (const row of rows) this.#append(row);
  }

  #applyWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const announcement of waiting ?? []) this.apply(announcement);
  }

  #reserve(size: number): void {
    if (size <= this.uids.length) return;
    const capacity = Math.max(16, Math.ceil(size * 1.25));
    this.uids = grown(new Uint32Array(capacity), this.uids, this.count);
    this.flags = grown(new Uint8Array(capacity), this.flags, this.count);
    this.keywords = grown(new Uint32Array(capacity), this.keywords, this.count);
    this.modseqs = grown(new Float64Array(capacity), this.modseqs, this.count);
  }

  #append(row: MessageState): void {
    this.#reserve(this.count + 1);
    const at = this.count;
    this.uids[at] = row[0];
    this.modseqs[at] = row[1];
    if (row[1] > this.newestModseq) this.newestModseq = row[1];
    this.flags[at] = row[2];
    this.keywords[at] = row[3] === null ? 0 : this.#keywordId(row[3]);
    this.count += 1;
    if (row[0] >= this.uidNext) this.uidNext = row[0] + 1;
  }

  #keywordId(text: string): number {
    let id = this.#keywordIds.get(text);
    if (id === undefined) {
      if (this.keywordTexts.length >= this.#keywordTextsMost) this.#forgetKeywords();
      id = this.keywordTexts.length;
      this.keywordTexts.push(text);
      this.#keywordIds.set(text, id);
      for (const word of text.split(' ')) if (!this.keywordNames.has(word.toLowerCase())) this.keywordNames.set(word.toLowerCase(), word);
    }
    return id;
  }

  /** Lists that no message has any more go: whoever sets other keywords again and again must not fill the memory. */
  #forgetKeywords(): void {
    const texts = [''];
    const moved = new Uint32Array(this.keywordTexts.length);
    for (let i = 0; i < this.count; i += 1) {
      const id = this.keywords[i]!;
      if (id === 0) continue;
      if (moved[id] === 0) {
        moved[id] = texts.length;
        texts.push(this.keywordTexts[id]!);
      }
      this.keywords[i] = moved[id]!;
    }
    this.keywordTexts = texts;
    this.#keywordIds.clear();
    for (let id = 0; id < texts.length; id += 1) this.#keywordIds.set(texts[id]!, id);
    this.#keywordTextsMost = Math.max(KEYWORD_TEXTS_LEAST, 2 * texts.length);
  }
  #keywordTextsMost = KEYWORD_TEXTS_LEAST;

  /**
   * What the store has committed up to `modseq` was announced and is on its way to this thread: resolves when it is applied. Another client
   * may have been answered in the meantime, and one that now comes here must not find less than that one was told.
   */
  reach(modseq: number): Promise<void> {
    if (this.highestModseq >= modseq || this.isGone) return Promise.resolve();
    return new Promise((resolve) => {
      const follower = { modseq, resolve };
      this.#followers.add(follower);
      const timer = setTimeout(() => {
        this.#followers.delete(follower);
        resolve();
      }, REACH_MS);
      timer.unref();
      follower.resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Octets of the arrays. */
  get bytes(): number {
    return this.uids.length * (4 + 1 + 4 + 8);
  }

  get lastUid(): number {
    return this.count === 0 ? 0 : this.uids[this.count - 1]!;
  }

  /** Index of a uid, or -1. */
  find(uid: number): number {
    return indexOfUid(this.uids, this.count, uid);
  }

  keywordText(index: number): string {
    return this.keywordTexts[this.keywords[index]!]!;
  }

  isSeen(index: number): boolean {
    return (this.flags[index]! & FLAG.seen) !== 0;
  }

  // ── Changes ──

  /** An announcement of this mailbox. */
  apply(announcement: Announcement): void {
    if (this.#waiting !== null) {
      this.#waiting.push(announcement);
      return;
    }
    if (announcement.kind === 'mailboxGone') {
      this.isGone = true;
      this.#changed();
      return;
    }
    if (announcement.kind !== 'messages') return;
    if (announcement.isResync) {
      this.#resync(announcement.modseq, announcement.uidNext);
      return;
    }
    for (const row of announcement.added) this.#add(row);
    for (const change of announcement.flags) this.#setFlags(change);
    if (announcement.sweep !== undefined) this.#sweep(announcement.sweep);
    if (announcement.expunged.length > 0) this.#remove(announcement.expunged);
    if (announcement.modseq > this.highestModseq) this.highestModseq = announcement.modseq;
    if (announcement.uidNext > this.uidNext) this.uidNext = announcement.uidNext;
    this.#changed();
  }

  /** The result of our own STORE. */
  applyFlags(changes: readonly FlagChange[]): void {
    for (const change of changes) this.#setFlags(change);
    if (changes.length > 0) this.#changed();
  }

  /**
   * All changes of a sweep must be known before anything is said of it. Usually they are: it was announced before it was answered. Not so
   * while the mailbox is being read again: then the messages are read here.
   */
  catchUpWith(sweep: FlagSweep): void {
    if (sweep.modseq <= this.highestModseq) return;
    for (let i = 0; i < sweep.ranges.length; i += 2) {
      for (let from = sweep.ranges[i]!; from <= sweep.ranges[i + 1]!; ) {
        const rows = this.#reader.states(this.accountId, this.mailboxId, from, sweep.ranges[i + 1]!, PAGE_ROWS);
        for (const row of rows) this.#setFlags({ uid: row[0], modseq: row[1], flags: row[2], keywords: row[3] });
        if (rows.length < PAGE_ROWS) break;
        from = rows.at(-1)![0] + 1;
      }
    }
    this.#changed();
  }

  /** Flag changes so far, since the view was made. */
  get changesSoFar(): number {
    return this.changesFrom + this.changes.length;
  }

  /** How often the flags of each of these messages have changed since `changesSoFar` was `from`; null when that is not known any more. */
  changesSince(from: number, uids: readonly number[]): Map<number, number> | null {
    if (from < this.changesFrom) return null;
    const counts = new Map<number, number>(uids.map((uid) => [uid, 0]));
    for (let i = from - this.changesFrom; i < this.changes.length; i += 1) {
      const count = counts.get(this.changes[i]!);
      if (count !== undefined) counts.set(this.changes[i]!, count + 1);
    }
    return counts;
  }

  /** The result of our own EXPUNGE or MOVE. */
  applyExpunged(uids: readonly number[]): void {
    this.#remove(uids);
    this.#changed();
  }

  /** Our own APPEND or COPY came to this mailbox: reads what is new, so that the client hears of it before the OK. */
  catchUp(): void {
    if (this.#waiting !== null) return;
    const before = this.count;
    for (;;) {
      const rows = this.#reader.states(this.accountId, this.mailboxId, this.lastUid + 1, 0xffffffff, PAGE_ROWS);
      for (const row of rows) this.#append(row);
      if (rows.length < PAGE_ROWS) break;
    }
    if (this.count !== before) this.#changed();
  }

  #add(row: MessageState): void {
    if (row[0] > this.lastUid) this.#append(row);
    else this.#setFlags({ uid: row[0], flags: row[2], keywords: row[3], modseq: row[1] });
  }

  #setFlags(change: FlagChange): void {
    const index = this.find(change.uid);
    if (index === -1 || change.modseq <= this.modseqs[index]!) return;
    this.flags[index] = change.flags;
    this.keywords[index] = change.keywords === null ? 0 : this.#keywordId(change.keywords);
    this.modseqs[index] = change.modseq;
    if (change.modseq > this.newestModseq) this.newestModseq = change.modseq;
    this.changes.push(change.uid);
  }

  #sweep({ ranges, and, or, modseq }: FlagSweep): void {
    const { uids, flags, modseqs } = this;
    for (let i = 0; i < ranges.length; i += 2) {
      const last = ranges[i + 1]!;
      for (let at = lowerBound(uids, this.count, ranges[i]!); at < this.count && uids[at]! <= last; at += 1) {
        const after = (flags[at]! & and) | or;
        // What has a higher modseq was read after the sweep: it is in it already.
        if (after === flags[at] || modseqs[at]! >= modseq) continue;
        flags[at] = after;
        modseqs[at] = modseq;
        this.changes.push(uids[at]!);
      }
    }
    if (modseq > this.newestModseq) this.newestModseq = modseq;
  }

  #remove(uids: readonly number[]): void {
    const gone = new Set(uids);
    let first = 0;
    while (first < this.count && !gone.has(this.uids[first]!)) first += 1;
    if (first === this.count) return;
    const kept = new Uint32Array(this.uids.length);
    kept.set(this.uids.subarray(0, first));
    let to = first;
    for (let from = first; from < this.count; from += 1) {
      const uid = this.uids[from]!;
      if (gone.has(uid)) continue;
      kept[to] = uid;
      this.flags[to] = this.flags[from]!;
      this.keywords[to] = this.keywords[from]!;
      this.modseqs[to] = this.modseqs[from]!;
      to += 1;
    }
    this.uids = kept;
    this.count = to;
    this.removals += 1;
  }

  /** Too much changed to be spelt out: reads everything again, then compares. */
  #resync(modseq: number, uidNext: number): void {
    this.#waiting = [];
    this.#readAgain(modseq, uidNext).catch(() => {
      // The next selection of this mailbox reads it from the start; sessions on this view are told that it is gone.
      this.isGone = true;
      this.#waiting = null;
      this.#changed();
    });
  }

  async #readAgain(modseq: number, uidNext: number): Promise<void> {
    const present = new Set<number>();
    let from = 0;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const rows = this.#reader.states(this.accountId, this.mailboxId, from, 0xffffffff, PAGE_ROWS);
      for (const row of rows) {
        present.add(row[0]);
        this.#add(row);
      }
      if (rows.length < PAGE_ROWS) break;
      from = rows.at(-1)![0] + 1;
    }
    const gone: number[] = [];
    for (let i = 0; i < this.count; i += 1) if (!present.has(this.uids[i]!)) gone.push(this.uids[i]!);
    if (gone.length > 0) this.#remove(gone);
    if (modseq > this.highestModseq) this.highestModseq = modseq;
    if (uidNext > this.uidNext) this.uidNext = uidNext;
    this.#changed();
    this.#applyWaiting();
  }

  #isNotifying = false;
  /** Who waits for the view to come to a modseq. */
  readonly #followers = new Set<{ readonly modseq: number; resolve: () => void }>();

  #changed(): void {
    this.version += 1;
    for (const follower of this.#followers) {
      if (this.highestModseq < follower.modseq && !this.isGone) continue;
      this.#followers.delete(follower);
      follower.resolve();
    }
    if (this.changes.length > CHANGES_MAX) {
      this.changesFrom += this.changes.length - CHANGES_KEPT;
      this.changes = this.changes.slice(-CHANGES_KEPT);
    }
    if (this.idlers.size > 0 && !this.#isNotifying) {
      this.#isNotifying = true;
      setImmediate(() => this.#notify([...this.idlers], 0));
    }
  }

  /** Some hundred sessions at a time, so that thousands of them do not hold up everybody else. */
  #notify(idlers: readonly Idler[], from: number): void {
    if (from === 0) this.#isNotifying = false;
    const to = Math.min(idlers.length, from + 400);
    for (let i = from; i < to; i += 1) if (this.idlers.has(idlers[i]!)) idlers[i]!.viewChanged();
    if (to < idlers.length) setImmediate(() => this.#notify(idlers, to));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(larger: T, old: T, count: number): T {
  larger.set(old.subarray(0, count));
  return larger;
}

/** Binary search in the first `count` elements; -1 when the uid is not among them. */
export function indexOfUid(uids: Uint32Array, count: number, uid: number): number {
  const at = lowerBound(uids, count, uid);
  return at < count && uids[at] === uid ? at : -1;
}

/** Index of the first of `count` ascending uids that is >= `uid`. */
export function lowerBound(uids: Uint32Array, count: number, uid: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (uids[middle]! < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
