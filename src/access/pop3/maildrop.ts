/** The maildrop of one session (RFC 1939 section 4): its mailboxes as they were at login, numbered, with what was marked as deleted or fetched. */
import type { AccountId, MailboxId } from '../../ports.ts';
import type { ShownMailbox } from './mailboxes.ts';

/** Messages of one mailbox, which have numbers one after the other. */
export interface Part {
  readonly mailbox: ShownMailbox;
  readonly first: number;
  /** `first - 1` while there are none. */
  readonly last: number;
}

/** Some messages of one mailbox, uids ascending. */
export interface Chosen {
  readonly mailbox: ShownMailbox;
  readonly uids: readonly number[];
}

export class Maildrop {
  readonly accountId: AccountId;
  readonly inbox: ShownMailbox;
  /** By message number - 1. Typed arrays: 20 bytes a message. */
  #uids = new Uint32Array(64);
  #sizes = new Float64Array(64);
  #emails = new Float64Array(64);
  #count = 0;
  /** In the order of their numbers: which mailbox a message is of is told by its number, without a byte for each message. */
  readonly #parts: { mailbox: ShownMailbox; first: number; last: number }[] = [];
  readonly #deleted = new Set<number>();
  readonly #retrieved = new Set<number>();
  #bytes = 0;
  #deletedBytes = 0;
  /** Highest number that had been read when the session began; and now (RFC 1460, LAST). */
  #lastAtLogin = 0;
  #lastRead = 0;
  /** Hidden messages that are gone for good: what is kept about them can go too. */
  readonly gone: Chosen[] = [];
  /** Mailboxes in which messages brought along unique-ids; null until somebody asks (commands/uidl.ts). */
  keptIn: readonly MailboxId[] | null = null;

  constructor(accountId: AccountId, inbox: ShownMailbox) {
    this.accountId = accountId;
    this.inbox = inbox;
  }

  /** Messages with numbers 1 to `last`, deleted ones included. */
  get last(): number {
    return this.#count;
  }
  /** Messages and octets not marked as deleted: what STAT tells. */
  get count(): number {
    return this.#count - this.#deleted.size;
  }
  get bytes(): number {
    return this.#bytes - this.#deletedBytes;
  }
  isDeleted(number: number): boolean {
    return this.#deleted.has(number);
  }
  /** Whether there is such a message that is not marked as deleted. */
  has(number: number): boolean {
    return number >= 1 && number <= this.#count && !this.#deleted.has(number);
  }
  uid(number: number): number {
    return this.#uids[number - 1]!;
  }
  size(number: number): number {
    return this.#sizes[number - 1]!;
  }
  emailId(number: number): number {
    return this.#emails[number - 1]!;
  }
  /** Mailboxes with messages. */
  get mailboxes(): ShownMailbox[] {
    return this.#parts.map(({ mailbox }) => mailbox);
  }
  /** The mailbox that message `number` is of: the last part that begins with it or before. */
  part(number: number): Part {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#parts[middle]!.first <= number) low = middle;
      else high = middle - 1;
    }
    return this.#parts[low]!;
  }

  /** What LAST tells. */
  get lastRead(): number {
    return this.#lastRead;
  }

  /** The next message; those of one mailbox come together, uids ascending. */
  add(mailbox: ShownMailbox, uid: number, size: number, emailId: number, isSeen = false): void {
    if (this.#count === this.#uids.length) {
      this.#uids = grown(this.#uids, new Uint32Array(this.#count * 2));
      this.#sizes = grown(this.#sizes, new Float64Array(this.#count * 2));
      this.#emails = grown(this.#emails, new Float64Array(this.#count * 2));
    }
    this.#uids[this.#count] = uid;
    this.#sizes[this.#count] = size;
    this.#emails[this.#count] = emailId;
    this.#count += 1;
    this.#bytes += size;
    if (isSeen) this.#lastAtLogin = this.#lastRead = this.#count;
    const part = this.#parts[this.#parts.length - 1];
    if (part?.mailbox === mailbox) part.last = this.#count;
    else this.#parts.push({ mailbox, first: this.#count, last: this.#count });
  }

  markDeleted(number: number): void {
    this.#deleted.add(number);
    this.#deletedBytes += this.size(number);
  }
  markRetrieved(number: number): void {
    this.#retrieved.add(number);
    this.#lastRead = Math.max(this.#lastRead, number);
  }
  reset(): void {
    this.#deleted.clear();
    this.#deletedBytes = 0;
    this.#lastRead = this.#lastAtLogin;
  }

  /** By mailbox. */
  deleted(): Chosen[] {
    return this.#chosen([...this.#deleted]);
  }
  /** Fetched and not deleted, by mailbox; asking again answers only what came since. */
  takeRetrieved(): Chosen[] {
    const numbers = [...this.#retrieved].filter((number) => !this.#deleted.has(number));
    this.#retrieved.clear();
    return this.#chosen(numbers);
  }

  /** Within a mailbox uids ascend with the numbers. */
  #chosen(numbers: number[]): Chosen[] {
    numbers.sort((a, b) => a - b);
    const chosen: { mailbox: ShownMailbox; uids: number[] }[] = [];
    let last = 0;
    for (const number of numbers) {
      if (number > last) {
        const part = this.part(number);
        chosen.push({ mailbox: part.mailbox, uids: [] });
        last = part.last;
      }
      chosen[chosen.length - 1]!.uids.push(this.uid(number));
    }
    return chosen;
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
