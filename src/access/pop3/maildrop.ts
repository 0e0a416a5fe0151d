/** The maildrop of one session (RFC 1939 section 4): the inbox as it was at login, numbered, with what was marked as deleted or fetched. */
import type { AccountId, MailboxId, StoreReader } from '../../ports.ts';

const PAGE_MESSAGES = 1000;
/** Pages read before other sessions get a turn. */
const PAGES_AT_ONCE = 5;

export class Maildrop {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  readonly uidValidity: number;
  /** By message number - 1. Typed arrays: 20 bytes a message. */
  #uids = new Uint32Array(64);
  #sizes = new Float64Array(64);
  #emails = new Float64Array(64);
  #count = 0;
  readonly #deleted = new Set<number>();
  readonly #retrieved = new Set<number>();
  #bytes = 0;
  #deletedBytes = 0;

  constructor(accountId: AccountId, mailboxId: MailboxId, uidValidity: number) {
    this.accountId = accountId;
    this.mailboxId = mailboxId;
    this.uidValidity = uidValidity;
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

  add(uid: number, size: number, emailId: number): void {
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
  }

  markDeleted(number: number): void {
    this.#deleted.add(number);
    this.#deletedBytes += this.size(number);
  }
  markRetrieved(number: number): void {
    this.#retrieved.add(number);
  }
  reset(): void {
    this.#deleted.clear();
    this.#deletedBytes = 0;
  }

  deletedUids(): number[] {
    return [...this.#deleted].map((number) => this.uid(number)).sort((a, b) => a - b);
  }
  /** Fetched and not deleted; asking again answers only what came since. */
  takeRetrievedUids(): number[] {
    const uids = [...this.#retrieved].filter((number) => !this.#deleted.has(number)).map((number) => this.uid(number));
    this.#retrieved.clear();
    return uids.sort((a, b) => a - b);
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Reads the inbox in pages, so that a large one does not hold up the other sessions. Null when the account has none. */
export async function openMaildrop(reader: StoreReader, accountId: AccountId, messagesMax: number): Promise<Maildrop | null> {
  const inbox = reader.mailboxByName(accountId, 'INBOX');
  if (inbox === null) return null;
  const maildrop = new Maildrop(accountId, inbox.id, inbox.uidValidity);
  let from = 1;
  for (let page = 1; maildrop.last < messagesMax; page += 1) {
    const limit = Math.min(PAGE_MESSAGES, messagesMax - maildrop.last);
    const rows = reader.messages(accountId, inbox.id, from, inbox.uidNext - 1, limit);
    for (const [uid, , , , , size, emailId] of rows) maildrop.add(uid, size, emailId);
    if (rows.length < limit) break;
    from = rows[rows.length - 1]![0] + 1;
    if (page % PAGES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return maildrop;
}
