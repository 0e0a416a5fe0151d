/**
 * A whole store in memory, for tests and contract tests: reads, writes, announcements and staging by the rules of ports.ts.
 * Announcements come when `announce` lets them: at once, or after the promise of the write, as from another thread.
 */
import { openStaged } from '../../store/blobs/staging.ts';
import { digestMessage } from '../../mail/digest.ts';
import { viewOf } from '../../mail/view.ts';
import type {
  AccountId,
  Announcement,
  Announcements,
  EmailRow,
  FlagChange,
  FlagSweep,
  MailboxId,
  MailboxRow,
  MessageReader,
  MessageTuple,
  MessageView,
  MessageWriter,
  NewMessage,
  Role,
  StagedMessage,
  Staging,
  StoredBody,
  StoreReader,
  StoreWriter,
} from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import type { AnnotationsInput } from '../../store/operations/annotation.ts';
import type { ReplaceInput } from '../../store/operations/replace.ts';
import { Failure } from '../../system/failure.ts';
import { RECENT_SQL } from './status.ts';
import { COUNT_SQL, NAMES_MARK_SQL, OWN_MAILBOXES_SQL, SUBSCRIPTIONS_SQL, WITH_ROLE_SQL } from './own-mailboxes.ts';
import { SORT_ENVELOPES_SQL, SORT_ROWS_SQL } from './sort-keys.ts';

interface Message {
  uid: number;
  modseq: number;
  flags: number;
  keywords: string | null;
  internalDate: number;
  savedAt: number;
  email: Email;
}
interface Email {
  row: EmailRow;
  bytes: Buffer;
}
interface Mailbox {
  id: MailboxId;
  accountId: AccountId;
  name: string;
  role: Role | null;
  isSubscribed: boolean;
  isSelectable: boolean;
  uidValidity: number;
  uidNext: number;
  highestModseq: number;
  recentUid: number;
  messages: Message[];
  expunged: [modseq: number, uid: number][];
  expungedFloor: number;
}
type Listener = (announcement: Announcement) => void;

export class MemoryStore implements StoreReader, StoreWriter, Announcements {
  readonly #mailboxes = new Map<MailboxId, Mailbox>();
  readonly #emails = new Map<number, Email>();
  readonly #subscriptions = new Map<AccountId, Set<string>>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly quotas = new Map<AccountId, number>();
  /** Thrown by the next write, once. */
  failure: Failure | null = null;
  #ids = 0;
  #modseq = 1;
  #namesMark = 0;
  now: () => number = () => Date.UTC(2026, 0, 2, 3, 4, 5);
  /** How announcements travel. */
  announce: (send: () => void) => void = (send) => send();

  // ── Announcements ──

  #watch(key: string, listener: Listener): () => void {
    const present = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, present);
    present.add(listener);
    return () => present.delete(listener);
  }
  watchMailbox(_accountId: AccountId, mailboxId: MailboxId, listener: Listener): () => void {
    return this.#watch(`m${mailboxId}`, listener);
  }
  watchAccount(accountId: AccountId, listener: Listener): () => void {
    return this.#watch(`a${accountId}`, listener);
  }
  on(kind: 'directory' | 'queue' | 'metadata', listener: Listener): () => void {
    return this.#watch(kind, listener);
  }
  publish(announcement: Announcement): void {
    const key =
      announcement.kind === 'messages' || announcement.kind === 'mailboxGone'
        ? `m${announcement.mailboxId}`
        : announcement.kind === 'mailboxes' || announcement.kind === 'metadata'
          ? `a${announcement.accountId}`
          : announcement.kind;
    this.announce(() => {
      for (const listener of [...(this.#listeners.get(key) ?? [])]) listener(announcement);
    });
  }
  watching(mailboxId: MailboxId): number {
    return this.#listeners.get(`m${mailboxId}`)?.size ?? 0;
  }

  #told(mailbox: Mailbox, change: { added?: Message[]; flags?: FlagChange[]; expunged?: number[]; sweep?: FlagSweep }): void {
    this.publish({
      kind: 'messages',
      accountId: mailbox.accountId,
      mailboxId: mailbox.id,
      modseq: mailbox.highestModseq,
      uidNext: mailbox.uidNext,
      added: (change.added ?? []).map(tuple),
      flags: change.flags ?? [],
      expunged: change.expunged ?? [],
      ...(change.sweep === undefined ? {} : { sweep: change.sweep }),
      isResync: false,
    });
  }

  /** Says "read again", as after a change too large to spell out. */
  announceResync(mailboxId: MailboxId): void {
    const mailbox = this.#mailboxes.get(mailboxId)!;
    this.publish({
      kind: 'messages',
      accountId: mailbox.accountId,
      mailboxId,
      modseq: mailbox.highestModseq,
      uidNext: mailbox.uidNext,
      added: [],
      flags: [],
      expunged: [],
      isResync: true,
    });
  }

  // ── Reads ──

  #of(accountId: AccountId): Mailbox[] {
    return [...this.#mailboxes.values()].filter((mailbox) => mailbox.accountId === accountId).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  #get(accountId: AccountId, id: MailboxId): Mailbox {
    const mailbox = this.#mailboxes.get(id);
    if (mailbox === undefined || mailbox.accountId !== accountId) throw new Failure('noSuchMailbox');
    return mailbox;
  }
  mailboxes(accountId: AccountId): MailboxRow[] {
    return this.#of(accountId).map(row);
  }
  mailboxByName(accountId: AccountId, name: string): MailboxRow | null {
    const found = this.#of(accountId).find((mailbox) => mailbox.name === name);
    return found === undefined ? null : row(found);
  }
  mailboxById(accountId: AccountId, id: MailboxId): MailboxRow | null {
    const found = this.#mailboxes.get(id);
    return found === undefined || found.accountId !== accountId ? null : row(found);
  }
  messages(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageTuple[] {
    const mailbox = this.#mailboxes.get(mailboxId);
    if (mailbox === undefined || mailbox.accountId !== accountId) return [];
    const found: MessageTuple[] = [];
    for (let at = firstAt(mailbox.messages, fromUid); at < mailbox.messages.length && found.length < limit; at += 1) {
      if (mailbox.messages[at]!.uid > toUid) break;
      found.push(tuple(mailbox.messages[at]!));
    }
    return found;
  }
  states(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageTuple[] {
    return this.messages(accountId, mailboxId, fromUid, toUid, limit);
  }
  message(accountId: AccountId, mailboxId: MailboxId, uid: number): MessageTuple | null {
    return this.messages(accountId, mailboxId, uid, uid, 1)[0] ?? null;
  }
  /** Forgets all removals so far, as the store does after a while. */
  pruneExpunged(mailboxId: MailboxId): void {
    const mailbox = this.#mailboxes.get(mailboxId)!;
    mailbox.expungedFloor = mailbox.expunged.at(-1)?.[0] ?? mailbox.expungedFloor;
    mailbox.expunged = [];
  }
  expungedSince(accountId: AccountId, mailboxId: MailboxId, since: number, limit: number): [number, number][] {
    return this.#get(accountId, mailboxId)
      .expunged.filter(([modseq]) => modseq > since)
      .slice(0, limit);
  }
  email(accountId: AccountId, id: number): EmailRow | null {
    const email = this.#emails.get(id);
    const isTheirs = this.#of(accountId).some((mailbox) => mailbox.messages.some((message) => message.email.row.id === id));
    return email === undefined || !isTheirs ? null : email.row;
  }
  envelopes(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): [number, string, string, number, number][] {
    return this.messages(accountId, mailboxId, fromUid, toUid, limit).map(([uid, , , , , , emailId]) => {
      const { row: email } = this.#emails.get(emailId)!;
      return [uid, email.envelope, email.bodyStructure, emailId, email.prefix.length + email.headerBytes];
    });
  }
  open(email: EmailRow): MessageReader {
    return memoryReader(Buffer.concat([email.prefix, this.#emails.get(email.id)!.bytes]), email.prefix.length);
  }
  bodies(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): StoredBody[] {
    return this.messages(accountId, mailboxId, fromUid, toUid, limit).map((message) => {
      const email = this.#emails.get(message[6])!.row;
      return { message, email, open: () => this.open(email) };
    });
  }
  openBlob(): MessageReader {
    throw new Error('the queue is not here');
  }
  usage(accountId: AccountId): { bytes: number; messages: number; quotaBytes: number; quotaMessages: number } {
    const rows = this.mailboxes(accountId);
    return {
      bytes: rows.reduce((sum, mailbox) => sum + mailbox.bytes, 0),
      messages: rows.reduce((sum, mailbox) => sum + mailbox.exists, 0),
      quotaBytes: this.quotas.get(accountId) ?? 0,
      quotaMessages: 0,
    };
  }
  /** Knows the queries of this room. */
  rows(sql: string, ...parameters: (string | number | null)[]): unknown[][] {
    if (sql === OWN_MAILBOXES_SQL) return this.#mailboxRows(parameters as [number, string, number]);
    if (sql === COUNT_SQL) return [[this.#of(parameters[0] as number).length]];
    if (sql === NAMES_MARK_SQL) return [[this.#namesMark]];
    if (sql === WITH_ROLE_SQL) return this.#of(parameters[0] as number).some(({ role }) => role === parameters[1]) ? [[1]] : [];
    if (sql === RECENT_SQL) return [[this.messages(...(parameters as [number, number, number]), 0xffffffff, parameters[3] as number).length]];
    if (sql === SUBSCRIPTIONS_SQL) return this.#subscriptionRows(parameters as [number, string, number]);
    if (sql.includes(' FROM annotation ')) return this.#annotationRows(sql, parameters);
    if (sql === SORT_ROWS_SQL || sql === SORT_ENVELOPES_SQL) return this.#sortRows(sql, parameters as [number, number, number, number, number]);
    if (sql.startsWith('SELECT expunged_floor ')) return [[this.#mailboxes.get(parameters[0] as number)?.expungedFloor ?? 0]];
    if (sql.startsWith('SELECT m.uid, e.envelope FROM ')) {
      const [accountId, mailboxId, from, to, limit] = parameters as [number, number, number, number, number];
      return this.envelopes(accountId, mailboxId, from, to, limit).map(([uid, envelope]) => [uid, envelope]);
    }
    if (sql.startsWith('SELECT uid, email_id FROM message '))
      return this.messages(...(parameters as [number, number, number, number, number])).map((row) => [row[0], row[6]]);
    if (sql.startsWith('SELECT uid, saved_at FROM message ')) return this.#saveDates(parameters as number[]);
    if (sql === 'SELECT name, value FROM account_option WHERE account_id=?') return [...this.options];
    // Rights and keys of URLs are tested with the real store.
    if (/ (acl|account_option|urlauth_key) /.test(sql)) return [];
    throw new Error(`unknown query ${sql}`);
  }

  /** Called before each page of mailboxes is read: a test may change them between two. */
  beforePage: (after: string) => void = () => {};
  #mailboxRows([accountId, after, limit]: [number, string, number]): unknown[][] {
    this.beforePage(after);
    return this.mailboxes(accountId)
      .filter(({ name }) => name > after)
      .slice(0, limit)
      .map((box) => {
        const flags = [Number(box.isSubscribed), Number(box.isSelectable)];
        const counts = [box.highestModseq, box.exists, box.unseen, box.deleted, box.bytes, box.recentUid];
        return [box.id, box.accountId, box.name, box.role, ...flags, box.uidValidity, box.uidNext, ...counts, ''];
      });
  }
  #subscriptionRows([accountId, after, limit]: [number, string, number]): unknown[][] {
    const names = [...(this.#subscriptions.get(accountId) ?? [])].sort();
    return names
      .filter((name) => name > after)
      .slice(0, limit)
      .map((name) => [name]);
  }

  #saveDates([, mailboxId, from, to, limit]: number[]): unknown[][] {
    const { messages } = this.#mailboxes.get(mailboxId!)!;
    return messages
      .filter(({ uid }) => uid >= from! && uid <= to!)
      .slice(0, limit)
      .map(({ uid, savedAt }) => [uid, savedAt]);
  }

  /** Choices by name, of whichever account. */
  readonly options = new Map<string, string>();

  #sortRows(sql: string, parameters: [number, number, number, number, number]): unknown[][] {
    return this.messages(...parameters).map(([uid, , , , internalDate, size, emailId]) => {
      const { envelope, sentAt } = this.#emails.get(emailId)!.row;
      return sql === SORT_ENVELOPES_SQL ? [uid, envelope] : [uid, internalDate, size, emailId, sentAt];
    });
  }

  /** "mailbox entry" to value; of one account, as the tests have it. */
  readonly annotations = new Map<string, Uint8Array>();
  #annotationRows(sql: string, [, mailboxId, entry]: (string | number | null)[]): unknown[][] {
    const exact = this.annotations.get(`${mailboxId} ${entry}`);
    if (sql.startsWith('SELECT value')) return exact === undefined ? [] : [[exact]];
    const below = [...this.annotations].map(([key, value]) => [key.split(' ') as [string, string], value] as const);
    return below
      .filter(([[id, name]]) => id === String(mailboxId) && (name === entry || name.startsWith(`${entry}/`)))
      .map(([[, name], value]) => [name, value])
      .sort();
  }

  #setAnnotations({ accountId, mailboxId, changes, limits, by }: AnnotationsInput): void {
    if (changes.some(({ value }) => value !== null && value.length > limits.valueBytesMax)) throw new Failure('messageTooBig');
    const number = [...this.annotations.keys()].filter((key) => key.startsWith(`${mailboxId} `)).length;
    const added = changes.filter(({ entry, value }) => value !== null && !this.annotations.has(`${mailboxId} ${entry}`)).length;
    if (number + added > limits.entriesMax) throw new Failure('limit');
    for (const { entry, value } of changes) {
      if (value === null) this.annotations.delete(`${mailboxId} ${entry}`);
      else this.annotations.set(`${mailboxId} ${entry}`, value);
    }
    this.publish({ kind: 'metadata', accountId, mailboxId, entries: changes.map(({ entry }) => entry), by });
  }

  // ── Writes ──

  /** Every write settles later, as one that waits for the disk does. */
  async #write<T>(run: () => T): Promise<T> {
    await Promise.resolve();
    if (this.failure !== null) {
      const { failure } = this;
      this.failure = null;
      throw failure;
    }
    return run();
  }

  #raise(mailbox: Mailbox): number {
    this.#modseq += 1;
    mailbox.highestModseq = this.#modseq;
    return this.#modseq;
  }

  append(accountId: AccountId, mailboxId: MailboxId, messages: readonly NewMessage[]): Promise<{ uidValidity: number; uids: number[] }> {
    return this.#write(() => {
      const mailbox = this.#get(accountId, mailboxId);
      const quota = this.quotas.get(accountId) ?? 0;
      const bytes = messages.reduce((sum, { message }) => sum + message.size, 0);
      if (quota > 0 && this.usage(accountId).bytes + bytes > quota) throw new Failure('overQuota');
      const added = messages.map((message) => this.#insert(mailbox, this.#newEmail(message.message), message));
      this.#told(mailbox, { added });
      return { uidValidity: mailbox.uidValidity, uids: added.map(({ uid }) => uid) };
    });
  }

  #replace({ from, to, message }: ReplaceInput): { uidValidity: number; uid: number } {
    const source = this.#get(from.accountId, from.mailboxId);
    const target = this.#get(to.accountId, to.mailboxId);
    const old = source.messages.find(({ uid }) => uid === from.uid);
    if (old === undefined) throw new Failure('noSuchMessage');
    const added = this.#insert(target, this.#newEmail(message.message), message);
    this.#told(target, { added: [added] });
    this.#remove(source, new Set([old]));
    return { uidValidity: target.uidValidity, uid: added.uid };
  }

  #newEmail(message: StagedMessage): Email {
    if (message.blob.kind !== 'inline') throw new Error('only inline here');
    this.#ids += 1;
    const { digest } = message;
    const bytes = Buffer.from(message.blob.data);
    const email: Email = {
      bytes,
      row: {
        id: this.#ids,
        blobId: this.#ids,
        prefix: new Uint8Array(0),
        blobBytes: bytes.length,
        headerBytes: digest.headerBytes,
        envelope: digest.envelope,
        bodyStructure: digest.bodyStructure,
        parts: digest.parts,
        messageId: digest.messageId,
        sentAt: digest.sentAt,
        savedAt: this.now(),
      },
    };
    this.#emails.set(email.row.id, email);
    return email;
  }

  #insert(mailbox: Mailbox, email: Email, like: { flags: number; keywords: string | null; internalDate: number }): Message {
    const message: Message = {
      uid: mailbox.uidNext,
      modseq: this.#raise(mailbox),
      flags: like.flags,
      keywords: like.keywords,
      internalDate: like.internalDate,
      savedAt: this.now(),
      email,
    };
    mailbox.uidNext += 1;
    mailbox.messages.push(message);
    return message;
  }

  /** A delivery: what 'accept' does to a mailbox, at once. */
  deliver(mailboxId: MailboxId, text: string | Uint8Array, over: { flags?: number; keywords?: string | null; at?: number; prefix?: string } = {}): number {
    const mailbox = this.#mailboxes.get(mailboxId)!;
    const email = this.#newEmail(this.stage(Buffer.from(text as string)));
    if (over.prefix !== undefined) email.row = { ...email.row, prefix: Buffer.from(over.prefix) };
    const message = this.#insert(mailbox, email, { flags: over.flags ?? 0, keywords: over.keywords ?? null, internalDate: over.at ?? this.now() });
    this.#emails.set(email.row.id, email);
    this.#told(mailbox, { added: [message] });
    return message.uid;
  }

  copy(
    accountId: AccountId,
    from: MailboxId,
    uids: readonly number[],
    to: MailboxId,
    move: boolean,
  ): Promise<{ uidValidity: number; pairs: [number, number][] }> {
    return this.#write(() => {
      const source = this.#get(accountId, from);
      const target = this.#get(accountId, to);
      const wanted = new Set(uids);
      const taken = source.messages.filter(({ uid }) => wanted.has(uid));
      const added = taken.map((message) => this.#insert(target, message.email, message));
      this.#told(target, { added });
      if (move) this.#remove(source, new Set(taken));
      return { uidValidity: target.uidValidity, pairs: taken.map((message, i) => [message.uid, added[i]!.uid]) };
    });
  }

  #remove(mailbox: Mailbox, gone: ReadonlySet<Message>): { uids: number[]; modseq: number } {
    if (gone.size === 0) return { uids: [], modseq: mailbox.highestModseq };
    const modseq = this.#raise(mailbox);
    const uids = [...gone].map(({ uid }) => uid);
    mailbox.messages = mailbox.messages.filter((message) => !gone.has(message));
    for (const uid of uids) mailbox.expunged.push([modseq, uid]);
    this.#told(mailbox, { expunged: uids });
    return { uids, modseq };
  }

  flags(
    accountId: AccountId,
    mailboxId: MailboxId,
    uids: readonly number[],
    mode: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
    unchangedSince?: number,
  ): Promise<{ changed: FlagChange[]; modified: number[] }> {
    return this.#write(() => {
      const mailbox = this.#get(accountId, mailboxId);
      const changed: FlagChange[] = [];
      const modified: number[] = [];
      let modseq = 0;
      for (const uid of uids) {
        const message = mailbox.messages[firstAt(mailbox.messages, uid)];
        if (message?.uid !== uid) continue;
        if (unchangedSince !== undefined && message.modseq > unchangedSince) {
          modified.push(uid);
          continue;
        }
        const nextFlags = mode === 'replace' ? flags : mode === 'add' ? message.flags | flags : message.flags & ~flags;
        const nextKeywords = changedKeywords(message.keywords, mode, keywords);
        if (nextFlags === message.flags && nextKeywords === message.keywords) continue;
        if (modseq === 0) modseq = this.#raise(mailbox);
        Object.assign(message, { flags: nextFlags, keywords: nextKeywords, modseq });
        changed.push({ uid, flags: nextFlags, keywords: nextKeywords, modseq });
      }
      if (changed.length > 0) this.#told(mailbox, { flags: changed });
      return { changed, modified };
    });
  }

  /** With the announcement of a sweep, as the real store has it. */
  sweep(
    accountId: AccountId,
    mailboxId: MailboxId,
    ranges: readonly number[],
    mode: 'add' | 'remove',
    flags: number,
  ): Promise<{ changed: number; modseq: number }> {
    return this.#write(() => {
      const mailbox = this.#get(accountId, mailboxId);
      const [and, or] = mode === 'add' ? [-1, flags] : [~flags, 0];
      const isIn = (uid: number): boolean => ranges.some((from, i) => i % 2 === 0 && uid >= from && uid <= ranges[i + 1]!);
      const changed = mailbox.messages.filter((message) => isIn(message.uid) && ((message.flags & and) | or) !== message.flags);
      if (changed.length === 0) return { changed: 0, modseq: 0 };
      const modseq = this.#raise(mailbox);
      for (const message of changed) Object.assign(message, { flags: (message.flags & and) | or, modseq });
      this.#told(mailbox, { sweep: { ranges, and, or, modseq } });
      return { changed: changed.length, modseq };
    });
  }

  expunge(accountId: AccountId, mailboxId: MailboxId, uids: readonly number[] | null, onlyDeleted: boolean): Promise<{ uids: number[]; modseq: number }> {
    return this.#write(() => {
      const mailbox = this.#get(accountId, mailboxId);
      const wanted = uids === null ? null : new Set(uids);
      const isGone = (message: Message): boolean => (wanted === null || wanted.has(message.uid)) && (!onlyDeleted || (message.flags & FLAG.deleted) !== 0);
      return this.#remove(mailbox, new Set(mailbox.messages.filter(isGone)));
    });
  }

  /** At once, for setting up tests. */
  addMailbox(accountId: AccountId, name: string, role: Role | null = null, isSubscribed = role !== null): Mailbox {
    this.#ids += 1;
    this.#modseq += 1;
    const mailbox: Mailbox = {
      id: this.#ids,
      accountId,
      name,
      role,
      isSubscribed,
      isSelectable: true,
      uidValidity: 1000 + this.#ids,
      uidNext: 1,
      highestModseq: this.#modseq,
      recentUid: 1,
      messages: [],
      expunged: [],
      expungedFloor: 0,
    };
    this.#mailboxes.set(mailbox.id, mailbox);
    return mailbox;
  }

  createMailbox(accountId: AccountId, name: string, role: Role | null = null): Promise<MailboxRow> {
    return this.#write(() => {
      const existing = this.#of(accountId).find((mailbox) => mailbox.name === name);
      if (existing?.isSelectable) throw new Failure('mailboxExists');
      if (existing !== undefined) this.#mailboxes.delete(existing.id);
      const levels = name.split('/');
      if (levels.some((level) => level === '')) throw new Failure('cannot');
      for (let depth = 1; depth < levels.length; depth += 1) {
        const parent = levels.slice(0, depth).join('/');
        if (this.mailboxByName(accountId, parent) === null) this.addMailbox(accountId, parent);
      }
      const mailbox = this.addMailbox(accountId, name, role, this.#subscriptions.get(accountId)?.delete(name) === true || role !== null);
      this.publish({ kind: 'mailboxes', accountId });
      return row(mailbox);
    });
  }

  deleteMailbox(accountId: AccountId, id: MailboxId): Promise<void> {
    return this.#write(() => {
      const mailbox = this.#get(accountId, id);
      const hasChildren = this.#of(accountId).some(({ name }) => name.startsWith(`${mailbox.name}/`));
      if (mailbox.name === 'INBOX' || (!mailbox.isSelectable && hasChildren)) throw new Failure('cannot');
      if (mailbox.isSubscribed) this.#subscribed(accountId).add(mailbox.name);
      if (hasChildren) Object.assign(mailbox, { isSelectable: false, messages: [], role: null });
      else this.#mailboxes.delete(id);
      this.#namesMark += 1;
      this.publish({ kind: 'mailboxGone', accountId, mailboxId: id });
      this.publish({ kind: 'mailboxes', accountId });
    });
  }

  #subscribed(accountId: AccountId): Set<string> {
    const names = this.#subscriptions.get(accountId) ?? new Set();
    this.#subscriptions.set(accountId, names);
    return names;
  }

  renameMailbox(accountId: AccountId, id: MailboxId, name: string): Promise<void> {
    return this.#write(() => this.renameNow(accountId, id, name));
  }

  /** The same at once, as a change by another thread between two reads. */
  renameNow(accountId: AccountId, id: MailboxId, name: string): void {
    const mailbox = this.#get(accountId, id);
    if (this.mailboxByName(accountId, name) !== null) throw new Failure('mailboxExists');
    if (name.startsWith(`${mailbox.name}/`)) throw new Failure('cannot');
    this.#namesMark += 1;
    if (mailbox.name === 'INBOX') {
      Object.assign(mailbox, { name, role: null });
      this.addMailbox(accountId, 'INBOX', 'inbox');
      this.publish({ kind: 'mailboxGone', accountId, mailboxId: id });
    } else {
      const before = mailbox.name;
      for (const child of this.#of(accountId)) if (child.name.startsWith(`${before}/`)) child.name = name + child.name.slice(before.length);
      mailbox.name = name;
    }
    this.publish({ kind: 'mailboxes', accountId });
  }

  subscribe(accountId: AccountId, name: string, isSubscribed: boolean): Promise<void> {
    return this.#write(() => {
      const mailbox = this.#of(accountId).find((each) => each.name === name);
      if (mailbox !== undefined) mailbox.isSubscribed = isSubscribed;
      else if (isSubscribed) this.#subscribed(accountId).add(name);
      if (!isSubscribed) this.#subscribed(accountId).delete(name);
      this.publish({ kind: 'mailboxes', accountId });
    });
  }

  claimRecent(accountId: AccountId, mailboxId: MailboxId, uid: number): Promise<void> {
    const mailbox = this.#get(accountId, mailboxId);
    mailbox.recentUid = Math.max(mailbox.recentUid, uid);
    return Promise.resolve();
  }

  run<T>(operation: string, input: unknown): Promise<T> {
    if (operation === 'message.replace') return this.#write(() => this.#replace(input as ReplaceInput) as T);
    if (operation === 'metadata.set') return this.#write(() => this.#setAnnotations(input as AnnotationsInput) as T);
    throw new Error(`no operation ${operation}`);
  }

  // ── Staging ──

  stage(message: Uint8Array): StagedMessage {
    return { size: message.length, blob: { kind: 'inline', codec: 0, data: Uint8Array.from(message) }, digest: digestMessage(message) };
  }
}

/** The staging of a MemoryStore: `open` means something else there. */
export function memoryStaging(store: MemoryStore, onAbort: () => void = () => {}): Staging {
  return { open: () => new MemoryWriter(store, onAbort), stage: (message) => store.stage(message), read: (message) => openStaged(message, '') };
}

class MemoryWriter implements MessageWriter {
  size = 0;
  readonly #pieces: Buffer[] = [];
  readonly #store: MemoryStore;
  readonly #onAbort: () => void;
  constructor(store: MemoryStore, onAbort: () => void) {
    this.#store = store;
    this.#onAbort = onAbort;
  }
  write(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.#pieces.push(Buffer.from(chunk));
  }
  insert(bytes: Uint8Array): boolean {
    this.size += bytes.length;
    this.#pieces.unshift(Buffer.from(bytes));
    return true;
  }
  view(from: number): MessageView {
    return viewOf(Buffer.concat(this.#pieces).subarray(from));
  }
  finish(): StagedMessage {
    return this.#store.stage(Buffer.concat(this.#pieces));
  }
  abort(): void {
    this.#onAbort();
  }
}

function tuple(message: Message): MessageTuple {
  const { row: email } = message.email;
  return [message.uid, message.modseq, message.flags, message.keywords, message.internalDate, email.prefix.length + email.blobBytes, email.id];
}

function row(mailbox: Mailbox): MailboxRow {
  const { messages } = mailbox;
  return {
    id: mailbox.id,
    accountId: mailbox.accountId,
    name: mailbox.name,
    role: mailbox.role,
    isSubscribed: mailbox.isSubscribed,
    isSelectable: mailbox.isSelectable,
    uidValidity: mailbox.uidValidity,
    uidNext: mailbox.uidNext,
    highestModseq: mailbox.highestModseq,
    exists: messages.length,
    unseen: messages.filter(({ flags }) => (flags & FLAG.seen) === 0).length,
    deleted: messages.filter(({ flags }) => (flags & FLAG.deleted) !== 0).length,
    bytes: messages.reduce((sum, { email }) => sum + email.row.prefix.length + email.row.blobBytes, 0),
    recentUid: mailbox.recentUid,
    keywords: [...new Set(mailbox.messages.flatMap((message) => message.keywords?.split(' ') ?? []))].join(' '),
  };
}

function changedKeywords(present: string | null, mode: 'add' | 'remove' | 'replace', change: readonly string[]): string | null {
  const words = new Set(mode === 'replace' || present === null ? [] : present.split(' '));
  for (const word of change) {
    if (mode === 'remove') words.delete(word);
    else words.add(word);
  }
  return words.size === 0 ? null : [...words].sort().join(' ');
}

function firstAt(messages: readonly Message[], uid: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (messages[middle]!.uid < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

function memoryReader(bytes: Buffer, prefixBytes: number): MessageReader {
  return {
    size: bytes.length,
    prefixBytes,
    slice: (start, end) => bytes.subarray(Math.max(0, start), Math.max(0, end)),
    async *stream(start, end) {
      for (let at = start; at < Math.min(end, bytes.length); at += 65536) yield bytes.subarray(at, Math.min(end, at + 65536));
    },
    copyTo(target, at) {
      target.set(this.slice(0, bytes.length) as Uint8Array, at);
    },
    close() {},
  };
}
