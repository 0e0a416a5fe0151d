/**
 * Counters of mailboxes and accounts, kept in memory by the only writer and written back once a commit:
 * ten messages to one mailbox cost one UPDATE. They are dropped whenever a transaction is rolled back.
 */
import type { AccountId, Announcement, FlagChange, MailboxId, MessageTuple } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { Connection } from '../engines/sqlite.ts';
import type { IdKind } from '../transaction.ts';

/** Above this many changes in one commit an announcement says "read again" instead of listing them. */
const CHANGES_ANNOUNCED_MAX = 5000;

/** Different keywords of one mailbox: SELECT names them all. */
export const MAILBOX_KEYWORDS_MAX = 500;

/** Usage and modseq follow from the mailboxes; the account's own modseq is what a mailbox that is gone had reached. */
const ACCOUNT_SQL = `SELECT a.id, max(a.modseq, coalesce(max(b.highest_modseq), 0)), coalesce(sum(b.bytes), 0), coalesce(sum(b.message_count), 0), a.quota_bytes, a.quota_messages, a.is_disabled
  FROM account a LEFT JOIN mailbox b ON b.account_id=a.id WHERE a.id=? GROUP BY a.id`;

export class AccountState {
  readonly id: AccountId;
  modseq: number;
  usedBytes: number;
  usedMessages: number;
  readonly quotaBytes: number;
  readonly quotaMessages: number;
  readonly isDisabled: boolean;
  isDirty = false;
  readonly #dirty: AccountState[];

  constructor(row: any[], dirty: AccountState[]) {
    this.#dirty = dirty;
    [this.id, this.modseq, this.usedBytes, this.usedMessages, this.quotaBytes, this.quotaMessages] = row as number[] as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.isDisabled = row[6] === 1;
  }

  #mark(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    this.#dirty.push(this);
  }

  hasRoomFor(bytes: number, messages: number): boolean {
    return (
      (this.quotaBytes === 0 || this.usedBytes + bytes <= this.quotaBytes) && (this.quotaMessages === 0 || this.usedMessages + messages <= this.quotaMessages)
    );
  }

  use(bytes: number, messages: number): void {
    this.usedBytes += bytes;
    this.usedMessages += messages;
  }

  /** The mailbox whose change it marks keeps it (`MailboxState.raise`); `keepModseq` where no mailbox does. */
  nextModseq(): number {
    this.modseq += 1;
    return this.modseq;
  }

  keepModseq(): void {
    this.#mark();
  }
}

export class MailboxState {
  readonly id: MailboxId;
  readonly accountId: AccountId;
  readonly uidValidity: number;
  uidNext: number;
  highestModseq: number;
  messageCount: number;
  unseenCount: number;
  deletedCount: number;
  bytes: number;
  isDirty = false;
  added: MessageTuple[] = [];
  flags: FlagChange[] = [];
  expunged: number[] = [];
  /** Every keyword ever set here, as first written, and its lower-case form. */
  keywords: string;
  #keywordSet: Set<string> | null = null;
  readonly #dirty: MailboxState[];

  constructor(row: any[], dirty: MailboxState[]) {
    this.#dirty = dirty;
    [this.id, this.accountId, this.uidValidity, this.uidNext, this.highestModseq, this.messageCount, this.unseenCount, this.deletedCount, this.bytes] =
      row as number[] as [number, number, number, number, number, number, number, number, number];
    this.keywords = row[9];
  }

  #knownKeywords(): Set<string> {
    this.#keywordSet ??= new Set(this.keywords === '' ? [] : this.keywords.toLowerCase().split(' '));
    return this.#keywordSet;
  }

  /** Would these words make more different keywords than a mailbox may have? */
  hasRoomForKeywords(words: readonly string[]): boolean {
    const known = this.#knownKeywords();
    return known.size + words.filter((word) => !known.has(word.toLowerCase())).length <= MAILBOX_KEYWORDS_MAX;
  }

  /** A message here has these keywords now (separated by spaces). */
  noteKeywords(keywords: string): void {
    const known = this.#knownKeywords();
    for (const word of keywords.split(' ')) {
      if (known.has(word.toLowerCase())) continue;
      known.add(word.toLowerCase());
      this.keywords = this.keywords === '' ? word : `${this.keywords} ${word}`;
      this.#mark();
    }
  }

  #mark(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    this.#dirty.push(this);
  }

  /** The next UID, or `least` when that is higher. */
  takeUid(least = 0): number {
    const uid = Math.max(this.uidNext, least);
    if (uid >= 0xffffffff) throw new Failure('limit', `mailbox ${this.id} has used all UIDs`);
    this.uidNext = uid + 1;
    this.#mark();
    return uid;
  }

  countIn(flags: number, size: number): void {
    this.messageCount += 1;
    this.bytes += size;
    if ((flags & FLAG.seen) === 0) this.unseenCount += 1;
    if ((flags & FLAG.deleted) !== 0) this.deletedCount += 1;
    this.#mark();
  }

  countOut(flags: number, size: number): void {
    this.messageCount -= 1;
    this.bytes -= size;
    if ((flags & FLAG.seen) === 0) this.unseenCount -= 1;
    if ((flags & FLAG.deleted) !== 0) this.deletedCount -= 1;
    this.#mark();
  }

  /** For many messages at once. */
  countChanged(unseen: number, deleted: number): void {
    this.unseenCount += unseen;
    this.deletedCount += deleted;
    this.#mark();
  }

  countFlags(before: number, after: number): void {
    if (((before ^ after) & FLAG.seen) !== 0) this.unseenCount += (after & FLAG.seen) !== 0 ? -1 : 1;
    if (((before ^ after) & FLAG.deleted) !== 0) this.deletedCount += (after & FLAG.deleted) !== 0 ? 1 : -1;
    this.#mark();
  }

  raise(modseq: number): void {
    this.highestModseq = modseq;
    this.#mark();
  }

  /** The announcement of what happened since the last call, or null. */
  takeAnnouncement(): Announcement | null {
    const changes = this.added.length + this.flags.length + this.expunged.length;
    if (changes === 0) return null;
    const isResync = changes > CHANGES_ANNOUNCED_MAX;
    const announcement: Announcement = {
      kind: 'messages',
      accountId: this.accountId,
      mailboxId: this.id,
      modseq: this.highestModseq,
      uidNext: this.uidNext,
      added: isResync ? [] : this.added,
      flags: isResync ? [] : this.flags,
      expunged: isResync ? [] : this.expunged,
      isResync,
    };
    this.added = [];
    this.flags = [];
    this.expunged = [];
    return announcement;
  }
}

/** Ids reserved at once, of the kinds that deliveries use up; a crash skips the rest of a block. */
const ID_BLOCKS: Partial<Record<IdKind, number>> = { email: 1000, blob: 1000, entry: 1000 };

/** Kept states; the least recently made are dropped beyond this. */
const STATES_MAX = 20_000;

export class WriterState {
  readonly #connection: Connection;
  readonly #accounts = new Map<AccountId, AccountState>();
  readonly #mailboxes = new Map<MailboxId, MailboxState>();
  readonly #roles = new Map<string, MailboxId>();
  readonly #dirtyAccounts: AccountState[] = [];
  readonly #dirtyMailboxes: MailboxState[] = [];
  readonly #ids = new Map<IdKind, number>();
  /** Up to where the table says ids are handed out: a commit that stays below need not write it. */
  readonly #reservedIds = new Map<IdKind, number>();
  readonly #dirtyIds = new Set<IdKind>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#loadIds();
  }

  #loadIds(): void {
    this.#ids.clear();
    this.#reservedIds.clear();
    for (const [name, value] of this.#connection.all('SELECT name, value FROM counter')) {
      this.#ids.set(name, value);
      this.#reservedIds.set(name, value);
    }
    this.#dirtyIds.clear();
  }

  /** Gives back what was reserved and not used; at an orderly end. */
  saveIds(): void {
    for (const [kind, value] of this.#ids) this.#connection.run('UPDATE counter SET value=? WHERE name=?', value, kind);
  }

  nextId(kind: IdKind, least = 0): number {
    const id = Math.max((this.#ids.get(kind) ?? 0) + 1, least);
    this.#ids.set(kind, id);
    if (id > (this.#reservedIds.get(kind) ?? 0)) {
      this.#reservedIds.set(kind, id + (ID_BLOCKS[kind] ?? 1) - 1);
      this.#dirtyIds.add(kind);
    }
    return id;
  }

  /** Throws Failure 'noSuchAccount'. */
  account(id: AccountId): AccountState {
    let state = this.#accounts.get(id);
    if (state === undefined) {
      const row = this.#connection.get(ACCOUNT_SQL, id);
      if (row === undefined) throw new Failure('noSuchAccount', `no account ${id}`);
      state = new AccountState(row, this.#dirtyAccounts);
      this.#accounts.set(id, state);
    }
    return state;
  }

  /** Throws Failure 'noSuchMailbox' also when the mailbox belongs to another account or only exists as a parent. */
  mailbox(accountId: AccountId, id: MailboxId): MailboxState {
    let state = this.#mailboxes.get(id);
    if (state === undefined) {
      const row = this.#connection.get(
        'SELECT id, account_id, uid_validity, uid_next, highest_modseq, message_count, unseen_count, deleted_count, bytes, keywords FROM mailbox WHERE id=? AND is_selectable=1',
        id,
      );
      if (row === undefined) throw new Failure('noSuchMailbox', `no mailbox ${id}`);
      state = new MailboxState(row, this.#dirtyMailboxes);
      this.#mailboxes.set(id, state);
    }
    if (state.accountId !== accountId) throw new Failure('noSuchMailbox', `no mailbox ${id} in account ${accountId}`);
    return state;
  }

  /** The mailbox of a role ("inbox") or name; 0 when there is none. */
  mailboxIdByRole(accountId: AccountId, role: string): MailboxId {
    const key = `${accountId}/${role}`;
    let id = this.#roles.get(key);
    if (id === undefined) {
      id = Number(this.#connection.get('SELECT id FROM mailbox WHERE account_id=? AND role=? AND is_selectable=1', accountId, role)?.[0] ?? 0);
      if (id !== 0) this.#roles.set(key, id);
    }
    return id;
  }

  /** Writes the counters that changed; to be called before the commit and before any operation that reads them by SQL. */
  flush(announce: (announcement: Announcement) => void): void {
    for (const state of this.#dirtyMailboxes) {
      state.isDirty = false;
      this.#connection.run(
        'UPDATE mailbox SET uid_next=?, highest_modseq=?, message_count=?, unseen_count=?, deleted_count=?, bytes=?, keywords=? WHERE id=?',
        state.uidNext,
        state.highestModseq,
        state.messageCount,
        state.unseenCount,
        state.deletedCount,
        state.bytes,
        state.keywords,
        state.id,
      );
      const announcement = state.takeAnnouncement();
      if (announcement !== null) announce(announcement);
    }
    this.#dirtyMailboxes.length = 0;
    for (const state of this.#dirtyAccounts) {
      if (!state.isDirty) continue;
      state.isDirty = false;
      this.#connection.run('UPDATE account SET modseq=? WHERE id=?', state.modseq, state.id);
    }
    this.#dirtyAccounts.length = 0;
    for (const kind of this.#dirtyIds)
      this.#connection.run(
        'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value',
        kind,
        this.#reservedIds.get(kind)!,
      );
    this.#dirtyIds.clear();
    if (this.#mailboxes.size > STATES_MAX || this.#accounts.size > STATES_MAX) this.forget();
  }

  /** Drops what is known of mailboxes and accounts (all written), after an operation that changed those rows by SQL. */
  forget(): void {
    this.#accounts.clear();
    this.#mailboxes.clear();
    this.#roles.clear();
  }

  /** After a rollback nothing in memory is true any more. */
  reset(): void {
    this.#dirtyAccounts.length = 0;
    this.#dirtyMailboxes.length = 0;
    this.forget();
    this.#loadIds();
  }
}
