/** Reads the pieces of `listing.ts` for a page of emails. */
import type { AccountId, EmailId } from '../ports.ts';
import type { Connection } from '../store/engines/sqlite.ts';
import { type Listed, Listing, listingRoom } from './listing.ts';

/** A piece is read when this part of its emails is wanted: unpacking it costs as much as reading so many one by one. */
const WANTED = 1 / 4;
/** Fewer emails than these are read one by one. */
const WANTED_LEAST = 32;
/** Pieces that were passed over, one after the other, until the rest of the page is not looked for: its emails lie all over. */
const PASSED_MAX = 16;
/** Pieces kept unpacked, each in up to 256 KiB of its own, mostly 60: the next page begins where this one ends. */
const KEPT = 4;

const PIECE_SQL = 'SELECT first_email, last_email, emails, derived FROM listing WHERE account_id=? AND last_email>=? ORDER BY last_email LIMIT 1';

interface Kept {
  readonly listing: Listing;
  readonly room: Buffer;
}

export class ListingReader<T extends Listed> {
  readonly #sql: string;
  readonly #texts: 1 | 2;
  /** By last email, the latest at the end. */
  readonly #kept = new Map<EmailId, Kept>();
  readonly #rooms: Buffer[] = [];
  #derived: number | null = null;

  /** `sql` gives the piece of a last email; `texts`: of each email in it. */
  constructor(sql: string, texts: 1 | 2) {
    this.#sql = sql;
    this.#texts = texts;
  }

  /** What was unpacked is forgotten: there is another index. */
  forget(): void {
    for (const { room } of this.#kept.values()) this.#rooms.push(room);
    this.#kept.clear();
  }

  /**
   * Fills `found`, in the order of `emails`, where pieces have many of them. `derived`: only those that were made in this state of the store;
   * null: it does not matter. Throws what reading a damaged index throws.
   */
  read(index: Connection, derived: number | null, account: AccountId, emails: readonly EmailId[], found: (T | null)[]): void {
    if (emails.length < WANTED_LEAST) return;
    if (this.#derived !== derived) {
      this.forget();
      this.#derived = derived;
    }
    const order = ascending(emails);
    let passed = 0;
    for (let at = 0; at < order.length && passed < PASSED_MAX; ) {
      const piece = index.get(PIECE_SQL, account, emails[order[at]!]!) as [EmailId, EmailId, number, number] | undefined;
      if (piece === undefined) return;
      const [first, last, size, madeAt] = piece;
      while (at < order.length && emails[order[at]!]! < first) at += 1;
      const from = at;
      while (at < order.length && emails[order[at]!]! <= last) at += 1;
      // A page may end where a piece has only begun.
      const isNext = at === order.length && from > 0 && passed === 0;
      const isWanted = at - from >= size * WANTED || isNext || this.#kept.has(last);
      if (!isWanted || (derived !== null && madeAt !== derived)) {
        passed += 1;
        continue;
      }
      passed = 0;
      if (from < at) this.#take(this.#piece(index, account, last), emails, order, from, at, found);
    }
  }

  #take(listing: Listing | null, emails: readonly EmailId[], order: readonly number[], from: number, to: number, found: (T | null)[]): void {
    if (listing === null) return;
    let n = 0;
    for (let i = from; i < to; i += 1) {
      const email = emails[order[i]!]!;
      while (n < listing.count && listing.email(n) < email) n += 1;
      if (n < listing.count && listing.email(n) === email) found[order[i]!] = listing.at(n) as unknown as T;
    }
  }

  #piece(index: Connection, account: AccountId, last: EmailId): Listing | null {
    let kept = this.#kept.get(last);
    if (kept === undefined) {
      const row = index.get(this.#sql, last);
      // Joined with another one since.
      if (row === undefined || row[1] !== account) return null;
      const room = this.#room();
      kept = { listing: new Listing(row[0], this.#texts, room), room };
    } else this.#kept.delete(last);
    this.#kept.set(last, kept);
    return kept.listing;
  }

  /** Memory for one more: that of the piece used longest ago, when there are enough. */
  #room(): Buffer {
    if (this.#kept.size < KEPT) return this.#rooms.pop() ?? listingRoom();
    const [oldest] = this.#kept.keys();
    const { room } = this.#kept.get(oldest!)!;
    this.#kept.delete(oldest!);
    return room;
  }
}

/** Places of the emails in ascending order of their ids: mostly they are in it. Those that are none (0) are left out. */
function ascending(emails: readonly EmailId[]): number[] {
  const order: number[] = [];
  let isSorted = true;
  let before = 0;
  for (let i = 0; i < emails.length; i += 1) {
    const email = emails[i]!;
    if (email === 0) continue;
    if (email < before) isSorted = false;
    before = email;
    order.push(i);
  }
  return isSorted ? order : order.sort((a, b) => emails[a]! - emails[b]!);
}
