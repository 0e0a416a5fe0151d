/**
 * Keeps search.db level with the store. All of it runs in one thread, one thing after the other: `catchUp()` brings in what is new,
 * `readAttachments()` the texts that take longer, `removeGone()` takes out what is no longer there, `tidy()` merges.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { AccountId, EmailId, Log, Metrics, StoreReader } from '../ports.ts';
import type { Connection } from '../store/engines/sqlite.ts';
import { Failure } from '../system/failure.ts';
import type { AttachmentReader } from './attachments/reader.ts';
import { attachmentText } from './attachments/text.ts';
import { isDamage, makeSearchDatabase, openSearchDatabase } from './database.ts';
import { GramCutter } from './grams.ts';
import { encodeKept } from './kept-text.ts';
import { firstRow, isNumbered, lastRow } from './layout.ts';
import { SEARCH_LIMITS } from './limits.ts';
import { ListingKeeper } from './listing-keeper.ts';
import { EMAIL_SQL, NEXT_EMAILS_SQL, type PreparedEmail, prepareEmail, type StoredEmail, UNREADABLE } from './prepare.ts';
import type { SearchProgress } from './progress.ts';
import type { SearchSettings } from './settings.ts';
import { assignThread, forgetThreads } from './threads.ts';

export interface IndexerOptions {
  readonly databasePath: string;
  readonly reader: StoreReader;
  readonly log: Log;
  readonly metrics: Metrics;
  settings(): SearchSettings;
  /** Shared with the readers of the index; null in tests that need none. */
  readonly progress: SearchProgress | null;
  /** null: texts of attachments are left out. */
  readonly attachments: AttachmentReader | null;
}

/** Emails whose identity is compared with the store's when the index is opened. */
const COMPARED = 50;
const KNOWN_SQL = 'SELECT id, account_id, saved_at FROM email WHERE id<=? ORDER BY id DESC LIMIT ?';
/** Pages that one step of merging may write: some 10 ms. */
const MERGE_PAGES = 64;
const GRAMS = ['header_grams', 'body_grams', 'attachment_grams'] as const;
const EMAIL_PAGE = 2000;

/** Nearly all headers are ASCII: text is read faster than bytes, which have to become text. */
function kept(short: string): string | Uint8Array {
  return /^[\x01-\x7f]*$/.test(short) ? short : Buffer.from(short, 'latin1');
}

export class Indexer {
  readonly #options: IndexerOptions;
  #connection: Connection;
  #listing: ListingKeeper;
  #cursor: EmailId;
  readonly #grams = new GramCutter();
  #isClosed = false;
  #isDamaged = false;
  /** Accounts that lost emails; null: not known which, as after a start. */
  #gone: Set<AccountId> | null = null;
  #sliceAt = performance.now();

  /** Opens the index or begins a new one. Throws when the disk does not let it. */
  constructor(options: IndexerOptions) {
    this.#options = options;
    const opened = openSearchDatabase(options.databasePath, (connection) => this.#isOfThisStore(connection));
    this.#connection = opened.connection;
    this.#listing = new ListingKeeper(this.#connection, options.reader);
    this.#cursor = this.#readCursor();
    if (opened.madeAnew !== null && opened.madeAnew !== 'missing') options.log.warn('search.made', { why: opened.madeAnew });
    options.progress?.opened(this.#cursor);
  }

  get cursor(): EmailId {
    return this.#cursor;
  }

  /** Emails of the store that are newer than the cursor, more or less (ids have gaps). */
  get backlog(): number {
    return Math.max(0, Number(this.#options.reader.rows('SELECT max(id) FROM email')[0]?.[0] ?? 0) - this.#cursor);
  }

  /** Emails of the account may have been removed; null: of any. */
  noteGone(account: AccountId | null): void {
    if (account === null) this.#gone = null;
    else this.#gone?.add(account);
  }

  /** The index is made again at the next `catchUp()`. */
  noteDamage(): void {
    this.#isDamaged = true;
  }

  /** Indexes what is stored now (what comes meanwhile may be left to the next call). Answers how many emails. Rejects with what SQLite or the disk says; to be called again then. */
  async catchUp(): Promise<number> {
    let done = 0;
    if (this.#isDamaged || this.#options.progress?.isDamaged === true) this.#makeAnew(new Error('damage was met'));
    while (!this.#isClosed) {
      const emails = this.#options.reader.rows(NEXT_EMAILS_SQL, this.#cursor, SEARCH_LIMITS.batchMessages) as StoredEmail[];
      if (emails.length === 0) break;
      try {
        const taken = await this.#indexBatch(emails);
        done += taken;
        // The rest are so few that more of them are worth waiting for: a transaction costs as much for one as for many.
        if (taken === emails.length && emails.length < SEARCH_LIMITS.batchMessages) break;
      } catch (error) {
        if (this.#isClosed) break;
        if (this.#connection.db.isTransaction) this.#connection.exec('ROLLBACK');
        if (!isDamage(error)) throw error;
        this.#makeAnew(error);
      }
    }
    await this.#refreshListing();
    return done;
  }

  /** Reads the attachments of emails that wait for it. Stops early when `isWanted` says that something else is more urgent. */
  async readAttachments(isWanted: () => boolean = () => true): Promise<number> {
    let done = 0;
    const { attachments } = this.#options;
    while (!this.#isClosed && isWanted()) {
      const next = this.#connection.get('SELECT t.row, t.email_id, t.attempts, e.account_id FROM attachment_todo t JOIN email e ON e.id=t.email_id LIMIT 1');
      if (next === undefined) break;
      const [row, email, attempts, account] = next as [number, EmailId, number, AccountId];
      // Counted before the attempt: what ends the process is not tried for ever.
      this.#connection.run('UPDATE attachment_todo SET attempts=attempts+1 WHERE row=?', row);
      const isTried = attachments !== null && this.#options.settings()['search.attachments'] && attempts < SEARCH_LIMITS.attachmentAttempts;
      const text = isTried ? await this.#attachmentText(attachments, email, account) : '';
      if (this.#isClosed) break;
      this.#write(() => {
        if (
          text !== '' &&
          this.#connection.run('INSERT OR REPLACE INTO kept_attachment (row, email_id, text) VALUES (?, ?, ?)', row, email, encodeKept(text)) > 0
        )
          this.#addGrams('attachment_grams', row, text);
        this.#connection.run('DELETE FROM attachment_todo WHERE row=?', row);
      });
      if (text !== '') this.#options.metrics.count('search.attachments');
      done += 1;
      await this.#breathe();
    }
    return done;
  }

  /** Takes out emails that no mailbox has any more, of accounts that were noted. Answers how many. */
  async removeGone(): Promise<number> {
    let removed = 0;
    const accounts = this.#gone === null ? this.#connection.all('SELECT id FROM account').map((row) => row[0] as AccountId) : [...this.#gone];
    this.#gone = new Set();
    for (const account of accounts) {
      removed += await this.#removeGoneOf(account);
      if (this.#isClosed) return removed;
    }
    return removed;
  }

  /** Merges the index's pieces and gives free pages back, a little at a time. False: nothing was left to do. */
  tidy(): boolean {
    let isBusy = false;
    for (const table of GRAMS) {
      const before = this.#changes();
      this.#connection.run(`INSERT INTO ${table}(${table}, rank) VALUES('merge', ${MERGE_PAGES})`);
      // FTS5's documentation: fewer than two changes mean that nothing was merged.
      if (this.#changes() - before >= 2) isBusy = true;
    }
    if (!isBusy && Number(this.#connection.get('PRAGMA freelist_count')![0]) > 0) {
      this.#connection.all(`PRAGMA incremental_vacuum(${MERGE_PAGES})`);
      isBusy = true;
    }
    return isBusy;
  }

  /** Whatever is under way ends without being committed: it is done again at the next start. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  #changes(): number {
    return Number(this.#connection.get('SELECT total_changes()')![0]);
  }

  #readCursor(): EmailId {
    return Number(this.#connection.get("SELECT value FROM state WHERE name='cursor'")![0]);
  }

  /** Ids are never used twice in one store; an index of a later copy of it, or of another, knows emails that this one does not. */
  #isOfThisStore(connection: Connection): boolean {
    const { reader } = this.#options;
    const cursor = Number(connection.get("SELECT value FROM state WHERE name='cursor'")![0]);
    const handedOut = Number(reader.rows("SELECT value FROM counter WHERE name='email'")[0]?.[0] ?? 0);
    if (cursor > handedOut) return false;
    for (const [id, savedAt] of connection.all('SELECT id, saved_at FROM email ORDER BY id DESC LIMIT ?', COMPARED)) {
      const there = reader.rows('SELECT saved_at FROM email WHERE id=?', id)[0];
      if (there !== undefined && there[0] !== savedAt) return false;
    }
    // And the other way round, for who lost the last of what the index knows: each email up to the cursor has been looked at.
    for (const [id, account, savedAt] of reader.rows(KNOWN_SQL, cursor, COMPARED) as [EmailId, AccountId, number][])
      if (isNumbered(account) && connection.get('SELECT saved_at FROM email WHERE id=?', id)?.[0] !== savedAt) return false;
    return true;
  }

  #makeAnew(cause: unknown): void {
    this.#options.log.warn('search.made', { why: 'damaged', cause });
    this.#options.metrics.count('search.made');
    this.#connection.close();
    this.#connection = makeSearchDatabase(this.#options.databasePath, false);
    this.#listing = new ListingKeeper(this.#connection, this.#options.reader);
    this.#cursor = 0;
    this.#isDamaged = false;
    this.#options.progress?.opened(this.#cursor);
  }

  async #indexBatch(emails: readonly StoredEmail[]): Promise<number> {
    const began = performance.now();
    this.#connection.exec('BEGIN IMMEDIATE');
    let characters = 0;
    let done = 0;
    let cursor = this.#cursor;
    const accounts = new Set<AccountId>();
    for (const email of emails) {
      if (isNumbered(email[1])) {
        const prepared = await this.#prepare(email);
        if (this.#isClosed) throw new Error('closed');
        characters += prepared.header.length + prepared.body.length;
        this.#insert(email, prepared);
        accounts.add(email[1]);
      }
      cursor = email[0];
      done += 1;
      if (characters > SEARCH_LIMITS.batchCharacters) break;
      await this.#breathe();
      if (this.#isClosed) throw new Error('closed');
    }
    for (const account of accounts) this.#listing.extend(account);
    this.#connection.run("UPDATE state SET value=? WHERE name='cursor'", cursor);
    this.#connection.exec('COMMIT');
    this.#cursor = cursor;
    this.#options.progress?.advance(cursor);
    this.#options.metrics.count('search.indexed', done);
    this.#options.metrics.count('search.seconds', (performance.now() - began) / 1000);
    this.#options.metrics.gauge('search.backlog', this.backlog);
    return done;
  }

  /** Envelopes may have been made again in the store: what stands in the index is made again too. Until then readers see that it is of another state. */
  async #refreshListing(): Promise<void> {
    if (this.#isClosed) return;
    const derived = this.#listing.derived();
    if (Number(this.#connection.get("SELECT value FROM state WHERE name='derived'")![0]) === derived) return;
    for (let after: EmailId | null = 0; after !== null; ) {
      const from: EmailId = after;
      this.#write(() => {
        after = this.#listing.refresh(from);
      });
      await this.#breathe();
      if (this.#isClosed) return;
    }
    this.#connection.run("UPDATE state SET value=? WHERE name='derived'", derived);
  }

  async #prepare(email: StoredEmail): Promise<PreparedEmail> {
    try {
      return await prepareEmail(this.#options.reader, email, this.#options.settings()['search.textBytesMax']);
    } catch (cause) {
      // The store's database cannot be read now: the whole batch is done again.
      if ((cause as { errcode?: number }).errcode !== undefined) throw cause;
      // Removed between the page of rows and its turn.
      if (this.#options.reader.rows('SELECT 1 FROM email WHERE id=?', email[0]).length === 0) return UNREADABLE;
      // Damaged bytes, or a message that our own code stumbles over: searches read it themselves, and the others are not held up.
      this.#options.log.warn('search.email.failed', { email: email[0], cause: cause instanceof Failure ? cause.code : cause });
      return UNREADABLE;
    }
  }

  #insert(email: StoredEmail, prepared: PreparedEmail): void {
    const connection = this.#connection;
    const [id, account, , , , , , savedAt] = email;
    const last = Number(connection.get('SELECT last FROM account WHERE id=?', account)?.[0] ?? 0) + 1;
    connection.run('INSERT INTO account (id, last) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET last=excluded.last', account, last);
    const row = firstRow(account) + last;
    const { facts } = prepared;
    const thread = assignThread(connection, account, id, facts);
    connection.run(
      'INSERT INTO email (id, account_id, row, saved_at, is_complete, message_id, refs, base_subject, is_reply, thread_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      account,
      row,
      savedAt,
      prepared.isComplete ? 1 : 0,
      facts.messageId,
      facts.references.join('\n'),
      facts.baseSubject,
      facts.isReply ? 1 : 0,
      thread,
    );
    connection.run('INSERT INTO kept (row, email_id, header, body) VALUES (?, ?, ?, ?)', row, id, encodeKept(prepared.header), encodeKept(prepared.body));
    if (prepared.short !== null) connection.run('INSERT INTO short_header (email_id, account_id, data) VALUES (?, ?, ?)', id, account, kept(prepared.short));
    this.#addGrams('header_grams', row, prepared.header);
    this.#addGrams('body_grams', row, prepared.body);
    if (prepared.hasAttachments) connection.run('INSERT INTO attachment_todo (row, email_id, attempts) VALUES (?, ?, 0)', row, id);
  }

  #addGrams(table: (typeof GRAMS)[number], row: number, text: string): void {
    if (text !== '') this.#connection.run(`INSERT INTO ${table}(rowid, text) VALUES (?, ?)`, row, this.#grams.words(text));
  }

  async #attachmentText(attachments: AttachmentReader, email: EmailId, account: AccountId): Promise<string> {
    const { reader, log, settings } = this.#options;
    const stored = reader.rows(EMAIL_SQL, email, account)[0] as StoredEmail | undefined;
    if (stored === undefined) return '';
    try {
      return await attachmentText(reader, stored, attachments, settings()['search.textBytesMax']);
    } catch (cause) {
      log.debug('search.attachment.failed', { email, cause });
      return '';
    }
  }

  async #removeGoneOf(account: AccountId): Promise<number> {
    const { reader } = this.#options;
    const alive = new Set<EmailId>();
    // In pages by the primary key; an email that moves between two of them is looked for by itself below.
    let [mailbox, uid] = [0, 0];
    for (;;) {
      const rows = reader.rows(
        'SELECT mailbox_id, uid, email_id FROM message WHERE account_id=? AND (mailbox_id, uid)>(?, ?) ORDER BY mailbox_id, uid LIMIT ?',
        account,
        mailbox,
        uid,
        EMAIL_PAGE,
      ) as [number, number, EmailId][];
      for (const row of rows) alive.add(row[2]);
      if (rows.length < EMAIL_PAGE) break;
      [mailbox, uid] = rows.at(-1)!;
      await this.#breathe();
      if (this.#isClosed) return 0;
    }
    const gone: EmailId[] = [];
    let after = 0;
    for (;;) {
      const ids = this.#connection.all('SELECT id FROM email WHERE account_id=? AND id>? ORDER BY id LIMIT ?', account, after, EMAIL_PAGE);
      for (const [id] of ids) {
        after = id;
        if (!alive.has(id) && reader.rows('SELECT 1 FROM email WHERE id=?', id).length === 0) gone.push(id);
      }
      if (ids.length < EMAIL_PAGE) break;
      await this.#breathe();
      if (this.#isClosed) return 0;
    }
    for (let at = 0; at < gone.length; at += SEARCH_LIMITS.removeAtOnce) {
      this.#write(() => this.#remove(account, gone.slice(at, at + SEARCH_LIMITS.removeAtOnce)));
      await turn();
      if (this.#isClosed) return at;
    }
    if (this.#connection.get('SELECT 1 FROM kept WHERE row BETWEEN ? AND ? LIMIT 1', firstRow(account), lastRow(account)) === undefined)
      this.#write(() => {
        // The account's numbers are not used again while it exists: a search under way may hold some.
        if (reader.rows('SELECT 1 FROM account WHERE id=?', account).length > 0) return;
        this.#connection.run('DELETE FROM account WHERE id=?', account);
        this.#connection.run('DELETE FROM thread_key WHERE account_id=?', account);
      });
    return gone.length;
  }

  #remove(account: AccountId, emails: readonly EmailId[]): void {
    const threads = new Set<number>();
    for (const id of emails) {
      const [row, thread] = this.#connection.get('SELECT row, thread_id FROM email WHERE id=?', id) as [number, number];
      threads.add(thread);
      for (const table of GRAMS) this.#connection.run(`DELETE FROM ${table} WHERE rowid=?`, row);
      this.#connection.run('DELETE FROM kept WHERE row=?', row);
      this.#connection.run('DELETE FROM short_header WHERE email_id=?', id);
      this.#connection.run('DELETE FROM kept_attachment WHERE row=?', row);
      this.#connection.run('DELETE FROM attachment_todo WHERE row=?', row);
      this.#connection.run('DELETE FROM email WHERE id=?', id);
    }
    this.#listing.remove(account, emails);
    forgetThreads(this.#connection, account, threads);
    this.#options.metrics.count('search.removed', emails.length);
  }

  #write(work: () => void): void {
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#connection.exec('COMMIT');
    } catch (error) {
      if (this.#connection.db.isTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    }
  }

  /** Lets the thread's messages in, now and then. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#sliceAt < SEARCH_LIMITS.sliceMs) return;
    await turn();
    this.#sliceAt = performance.now();
  }
}
