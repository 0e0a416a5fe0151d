/**
 * Brings recipients from the store into the bounded memory of the courier, fairly. Pure but for the `QueueSource` it reads.
 *
 * Three lanes share the memory, so that none can fill it alone:
 *   fresh  mail never tried, in order of arrival                                  (half)
 *   ahead  when `fresh` is full: later arrivals, a few for each sender            (a fifth)
 *   due    mail whose next attempt is due, by time                                (the rest)
 * The lane `ahead` is why a mailing of a million recipients does not make another sender's message wait for its end.
 */
import type { Lane, QueuedRecipient, QueueEntry } from './entry.ts';

export interface LoadedRow {
  readonly entry: Omit<QueueEntry, 'owned' | 'isDropped' | 'outside'>;
  readonly recipient: Omit<QueuedRecipient, 'lane' | 'losses' | 'outside'>;
  readonly nextAttemptAt: number;
}

/** Pages of the queue tables; held entries are left out. */
export interface QueueSource {
  /** Recipients never tried, after (entryId, n), in that order. */
  fresh(entryId: number, n: number, limit: number): LoadedRow[];
  /** [entryId, senderKey] of entries after `entryId`, in order. */
  headers(entryId: number, limit: number): [entryId: number, senderKey: string][];
  /** Recipients tried before whose time has come, after (at, entryId, n), by time. */
  due(at: number, entryId: number, n: number, now: number, limit: number): LoadedRow[];
}

export interface Loaded {
  readonly entry: QueueEntry;
  readonly recipient: QueuedRecipient;
}

const PAGE = 256; // recipients read with one statement
const HEADERS_PAGE = 1000;
const PASS_REST_MS = 30_000; // between two walks through arrivals that did not fit
const RESCAN_MS = 60_000; // everything is looked at again, in case an announcement was missed

export class Loader {
  readonly entries = new Map<number, QueueEntry>();
  readonly inMemory: Record<Lane, number> = { fresh: 0, ahead: 0, due: 0 };
  readonly #source: QueueSource;
  readonly #memoryMax: () => number;
  readonly #bySender = new Map<string, number>();
  #freshEntry = 0;
  #freshN = -1;
  #isFreshAtEnd = false;
  #aheadEntry = 0;
  #isAheadAtEnd = true;
  #aheadAgainAt = 0;
  #dueAt = 0;
  #dueEntry = 0;
  #dueN = -1;
  #isDueAtEnd = false;
  #dueLookedAt = 0;
  #rescanAt = 0;

  constructor(source: QueueSource, memoryMax: () => number) {
    this.#source = source;
    this.#memoryMax = memoryMax;
  }

  get total(): number {
    return this.inMemory.fresh + this.inMemory.ahead + this.inMemory.due;
  }

  /** New entries were announced. */
  announced(): void {
    this.#isFreshAtEnd = false;
    this.#isAheadAtEnd = false;
  }

  /** Starts reading again just after `entryId`, and retries from the beginning; what is in memory is skipped. */
  rewind(entryId = 0): void {
    if (entryId < this.#freshEntry) {
      this.#freshEntry = Math.max(0, entryId);
      this.#freshN = entryId <= 0 ? -1 : Number.MAX_SAFE_INTEGER;
    }
    this.#isFreshAtEnd = false;
    this.#aheadEntry = 0;
    this.#rewindDue();
  }

  #rewindDue(): void {
    this.#dueAt = 0;
    this.#dueEntry = 0;
    this.#dueN = -1;
    this.#isDueAtEnd = false;
  }

  /** The next recipients for the schedule; a few pages at most, so that one call stays short. Empty when nothing fits or waits. */
  fill(now: number): Loaded[] {
    const max = this.#memoryMax();
    const loaded: Loaded[] = [];
    if (now >= this.#rescanAt) {
      if (this.#rescanAt !== 0 && this.total === 0) this.rewind();
      // Always: a result that became durable late (the disk was full) may be due at a time that was passed already.
      else this.#rewindDue();
      this.#rescanAt = now + RESCAN_MS;
    }
    this.#fillDue(now, Math.floor(max * 0.3), loaded);
    const isFreshFull = this.#fillFresh(Math.floor(max * 0.5), loaded);
    if (isFreshFull) this.#fillAhead(now, Math.floor(max * 0.2), loaded);
    return loaded;
  }

  /** The recipient left the memory: reported, dropped, or put off. */
  release(entry: QueueEntry, recipient: QueuedRecipient): void {
    if (!entry.owned.delete(recipient.n)) return;
    this.inMemory[recipient.lane] -= 1;
    const left = (this.#bySender.get(entry.senderKey) ?? 1) - 1;
    if (left === 0) this.#bySender.delete(entry.senderKey);
    else this.#bySender.set(entry.senderKey, left);
    if (entry.owned.size > 0) return;
    this.entries.delete(entry.entryId);
    if (entry.isDropped) this.rewind(entry.entryId - 1);
  }

  /** True when the lane has no room: there may be more in the store. */
  #fillFresh(laneMax: number, loaded: Loaded[]): boolean {
    for (let pages = 0; !this.#isFreshAtEnd && pages < 4; pages++) {
      if (this.inMemory.fresh >= laneMax) return true;
      const rows = this.#source.fresh(this.#freshEntry, this.#freshN, PAGE);
      for (const row of rows) {
        this.#freshEntry = row.entry.entryId;
        this.#freshN = row.recipient.n;
        // Whatever its time says: the clocks of two threads may differ by a moment, and what is passed over here is not seen again soon.
        this.#own(row, 'fresh', loaded);
      }
      if (rows.length < PAGE) this.#isFreshAtEnd = true;
    }
    return !this.#isFreshAtEnd && this.inMemory.fresh >= laneMax;
  }

  #fillAhead(now: number, laneMax: number, loaded: Loaded[]): void {
    if (this.inMemory.ahead >= laneMax) return;
    if (this.#aheadEntry < this.#freshEntry) {
      this.#aheadEntry = this.#freshEntry;
      this.#isAheadAtEnd = false;
    }
    if (this.#isAheadAtEnd) {
      if (now < this.#aheadAgainAt) return;
      this.#aheadEntry = this.#freshEntry; // another walk: senders passed over may have room now
      this.#isAheadAtEnd = false;
    }
    const share = Math.max(1, Math.floor(laneMax / 20));
    const headers = this.#source.headers(this.#aheadEntry, HEADERS_PAGE);
    for (const [entryId, sender] of headers) {
      const room = Math.min(share - (this.#bySender.get(sender) ?? 0), laneMax - this.inMemory.ahead);
      if (this.inMemory.ahead >= laneMax) return; // the walk goes on here when there is room
      this.#aheadEntry = entryId;
      if (room <= 0) continue;
      let left = room;
      for (const row of this.#source.fresh(entryId, -1, Math.min(PAGE, room + (this.entries.get(entryId)?.owned.size ?? 0)))) {
        if (row.entry.entryId !== entryId || left <= 0) break;
        if (this.#own(row, 'ahead', loaded)) left -= 1;
      }
    }
    if (headers.length < HEADERS_PAGE) {
      this.#isAheadAtEnd = true;
      this.#aheadAgainAt = now + PASS_REST_MS;
    }
  }

  #fillDue(now: number, laneMax: number, loaded: Loaded[]): void {
    if (this.#isDueAtEnd && now - this.#dueLookedAt < 1000) return;
    this.#isDueAtEnd = false;
    for (let pages = 0; pages < 4 && this.inMemory.due < laneMax; pages++) {
      const rows = this.#source.due(this.#dueAt, this.#dueEntry, this.#dueN, now, PAGE);
      for (const row of rows) {
        this.#dueAt = row.nextAttemptAt;
        this.#dueEntry = row.entry.entryId;
        this.#dueN = row.recipient.n;
        this.#own(row, 'due', loaded);
      }
      if (rows.length < PAGE) {
        this.#isDueAtEnd = true;
        this.#dueLookedAt = now;
        return;
      }
    }
  }

  /** False when the recipient is in memory already. */
  #own(row: LoadedRow, lane: Lane, loaded: Loaded[]): boolean {
    const { entryId } = row.entry;
    let entry = this.entries.get(entryId);
    if (entry?.isDropped) return false; // what was under way before the drop ends first; `release` then looks again
    if (entry === undefined) {
      entry = { ...row.entry, owned: new Set(), isDropped: false, outside: null };
      this.entries.set(entryId, entry);
    }
    if (entry.owned.has(row.recipient.n)) return false;
    entry.owned.add(row.recipient.n);
    const recipient: QueuedRecipient = { ...row.recipient, lane, losses: 0, outside: null };
    this.inMemory[lane] += 1;
    this.#bySender.set(entry.senderKey, (this.#bySender.get(entry.senderKey) ?? 0) + 1);
    loaded.push({ entry, recipient });
    return true;
  }
}
