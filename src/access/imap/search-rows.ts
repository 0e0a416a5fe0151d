/**
 * What never changes of the messages of a mailbox: internal date, size and email id, for searches and sorting. Kept beside the
 * view for all sessions that share it, and dropped with it: 28 octets a message, read at the first search that needs them,
 * later only for messages that are new. What was removed stays until half of it is, as nobody looks it up.
 */
import type { AccountId, StoreReader } from '../../ports.ts';
import { readSaveDates, type SaveDate } from './fetch-more.ts';
import { indexOfUid, type MailboxView } from './view.ts';

/** About 3 ms. */
const PAGE_ROWS = 5000;
const PAGE_DATES = 1000;
/** Dropped and read again when there are so many more than in the mailbox. */
const STALE_MAX = 1000;

export class ViewRows {
  uids = new Uint32Array(64);
  internalDates = new Float64Array(64);
  sizes = new Float64Array(64);
  emailIds = new Float64Array(64);
  count = 0;

  /** Index into the arrays, or -1: not read (yet), or gone. */
  find(uid: number): number {
    return indexOfUid(this.uids, this.count, uid);
  }

  get lastUid(): number {
    return this.count === 0 ? 0 : this.uids[this.count - 1]!;
  }

  /** Reads one page of what is new. False: there was nothing. */
  readPage(reader: StoreReader, view: MailboxView): boolean {
    const rows = reader.messages(view.accountId, view.mailboxId, this.lastUid + 1, 0xffffffff, PAGE_ROWS);
    this.#reserve(this.count + rows.length);
    for (const row of rows) {
      this.uids[this.count] = row[0];
      this.internalDates[this.count] = row[4];
      this.sizes[this.count] = row[5];
      this.emailIds[this.count] = row[6];
      this.count += 1;
    }
    return rows.length > 0;
  }

  #reserve(size: number): void {
    if (size <= this.uids.length) return;
    const capacity = Math.ceil(size * 1.25);
    this.uids = grown(new Uint32Array(capacity), this.uids, this.count);
    this.internalDates = grown(new Float64Array(capacity), this.internalDates, this.count);
    this.sizes = grown(new Float64Array(capacity), this.sizes, this.count);
    this.emailIds = grown(new Float64Array(capacity), this.emailIds, this.count);
  }
}

function grown<T extends Uint32Array | Float64Array>(larger: T, old: T, count: number): T {
  larger.set(old.subarray(0, count));
  return larger;
}

const KEPT = new WeakMap<MailboxView, ViewRows>();

/** The rows of a view as far as they have been read; bring them forward before use. */
export function rowsOf(view: MailboxView): ViewRows {
  let rows = KEPT.get(view);
  if (rows === undefined || rows.count > 2 * view.count + STALE_MAX) {
    rows = new ViewRows();
    KEPT.set(view, rows);
  }
  return rows;
}

/** Reads what is new in the view, `pause` (which lets other sessions run) after each page. Answers at once when nothing is. */
export function bringForward(reader: StoreReader, view: MailboxView, pause: () => Promise<void>): ViewRows | Promise<ViewRows> {
  const rows = rowsOf(view);
  if (rows.lastUid >= view.lastUid) return rows;
  rows.readPage(reader, view);
  return rows.lastUid >= view.lastUid ? rows : readOn(rows, reader, view, pause);
}

async function readOn(rows: ViewRows, reader: StoreReader, view: MailboxView, pause: () => Promise<void>): Promise<ViewRows> {
  do await pause();
  while (rows.readPage(reader, view) && rows.lastUid < view.lastUid);
  return rows;
}

/** When messages were saved in their mailbox (RFC 8514), read in pages in the order of their uids. */
export class SaveDates {
  readonly #reader: StoreReader;
  readonly #accountId: AccountId;
  readonly #mailboxId: number;
  #rows: SaveDate[] = [];
  #at = 0;

  constructor(reader: StoreReader, accountId: AccountId, mailboxId: number) {
    this.#reader = reader;
    this.#accountId = accountId;
    this.#mailboxId = mailboxId;
  }

  /** Milliseconds; null: the message is gone. To be asked in ascending order. */
  of(uid: number): number | null {
    if (this.#rows.length === 0 || uid > this.#rows.at(-1)![0] || uid < this.#rows[this.#at]![0]) {
      this.#rows = readSaveDates(this.#reader, this.#accountId, this.#mailboxId, uid, 0xffffffff, PAGE_DATES);
      this.#at = 0;
    }
    while (this.#at + 1 < this.#rows.length && this.#rows[this.#at]![0] < uid) this.#at += 1;
    const row = this.#rows[this.#at];
    return row?.[0] === uid ? row[1] : null;
  }
}
