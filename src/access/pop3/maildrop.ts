/** The maildrop of one session (RFC 1939 section 4): the inbox as it was at login, numbered, with what was marked as deleted or fetched. */
import { type AccountId, FLAG, type MailboxId, type StoreReader } from '../../ports.ts';
import type { Pop3Choice } from './choice.ts';

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
  /** Highest number that had been read when the session began; and now (RFC 1460, LAST). */
  #lastAtLogin = 0;
  #lastRead = 0;
  /** Hidden messages that are gone for good: what is kept about them can go too. */
  readonly gone: number[] = [];

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

  /** What LAST tells. */
  get lastRead(): number {
    return this.#lastRead;
  }

  add(uid: number, size: number, emailId: number, isSeen = false): void {
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

/** Uids of hidden messages looked up at once, and how many of those that are gone one session tells. */
const GONE_MAX = 1000;

/** Reads the inbox in pages, so that a large one does not hold up the other sessions. Null when the account has none. */
export async function openMaildrop(
  reader: StoreReader,
  accountId: AccountId,
  messagesMax: number,
  choice: Pick<Pop3Choice, 'shows' | 'since'> = { shows: 'all', since: Number.NEGATIVE_INFINITY },
): Promise<Maildrop | null> {
  const inbox = reader.mailboxByName(accountId, 'INBOX');
  if (inbox === null) return null;
  const maildrop = new Maildrop(accountId, inbox.id, inbox.uidValidity);
  const hasHidden = reader.rows('SELECT 1 FROM pop3_hidden WHERE mailbox_id=? LIMIT 1', inbox.id).length > 0;
  let from = 1;
  for (let page = 1; maildrop.last < messagesMax; page += 1) {
    const rows = reader.messages(accountId, inbox.id, from, inbox.uidNext - 1, PAGE_MESSAGES);
    const next = rows.length < PAGE_MESSAGES ? inbox.uidNext : rows[rows.length - 1]![0] + 1;
    const hidden = hasHidden ? hiddenUids(reader, inbox.id, from, next - 1) : NONE;
    for (const [uid, , flags, , internalDate, size, emailId] of rows) {
      const isSeen = (flags & FLAG.seen) !== 0;
      const isShown = !hidden.delete(uid) && internalDate >= choice.since && (choice.shows === 'all' || !isSeen);
      if (isShown && maildrop.last < messagesMax) maildrop.add(uid, size, emailId, isSeen);
    }
    for (const uid of hidden) if (maildrop.gone.length < GONE_MAX) maildrop.gone.push(uid);
    if (rows.length < PAGE_MESSAGES) break;
    from = next;
    if (page % PAGES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return maildrop;
}
const NONE = new Set<number>();

function hiddenUids(reader: StoreReader, mailboxId: MailboxId, from: number, to: number): Set<number> {
  return new Set(reader.rows('SELECT uid FROM pop3_hidden WHERE mailbox_id=? AND uid BETWEEN ? AND ?', mailboxId, from, to).map(([uid]) => uid as number));
}
