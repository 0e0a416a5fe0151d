/**
 * The index as the loops see it (`SearchIndex` of ports.ts): read-only, in slices of rows, so that no query holds up other sessions.
 * What goes wrong here makes a search slower, not wrong: emails then count as not indexed, and their bytes are read.
 */
import type { AccountId, EmailId, ListedEnvelope, Log, SearchIndex, SimilarEmail, StoreReader, TextMatches, TextScope, ThreadFacts } from '../ports.ts';
import { type Connection, openReader } from '../store/engines/sqlite.ts';
import { candidateQuery } from './grams.ts';
import { findSimilar } from './fuzzy.ts';
import { DamagedText, Needle } from './kept-text.ts';
import { DiskReads } from '../system/disk-reads.ts';
import { firstRow, isNumbered } from './layout.ts';
import { SEARCH_LIMITS } from './limits.ts';
import { DERIVED_SQL, shortText } from './listing-keeper.ts';
import { ListingReader } from './listing-reader.ts';
import { partsOf, type TextPart } from './parts.ts';
import type { SearchProgress } from './progress.ts';

export interface SearchIndexOptions {
  readonly databasePath: string;
  /** The store's: tells what there is to be indexed. */
  readonly reader: StoreReader;
  readonly log: Log;
  /** null: there is a file, and it stays the same (tests, tools). */
  readonly progress: SearchProgress | null;
}

/** Rows that one query looks through at first, and bounds between which that goes up and down with the time it takes. */
const ROWS_FIRST = 2048;
const ROWS_LEAST = 256;
const ROWS_MOST = 8192;
/** Where more of the rows than this are candidates, looking for them is not worth it: that many times as many rows are read as they come. */
const CANDIDATES_MANY = 0.5;
const SCANNED_ROWS = 8;
/** Texts that are read with one query when all must be looked at. */
const SCAN_PAGE = 32;
const POLL_MS = 20;
/** How many rows may be read for each that is wanted. */
const NEIGHBOURS = 4;
/** Whether fewer headers than these came from the disk says nothing of the others. */
const WATCHED_LEAST = 32;
const SHORT_HEADERS_SQL = 'SELECT email_id, data FROM short_header WHERE email_id BETWEEN ? AND ? AND account_id=? ORDER BY email_id';
const LISTED_ENVELOPES_SQL = 'SELECT envelopes, account_id FROM listing WHERE last_email=?';
const LISTED_HEADERS_SQL = 'SELECT headers, account_id FROM listing_header WHERE last_email=?';
const FACTS_SQL = 'SELECT id, message_id, refs, base_subject, is_reply, thread_id FROM email';

const NOTHING_KNOWN: TextMatches = { emails: new Set(), isIndexed: () => false };

export function createSearchIndex(options: SearchIndexOptions): SearchIndex & { close(): void } {
  return new SqliteSearchIndex(options);
}

class SqliteSearchIndex implements SearchIndex {
  readonly #options: SearchIndexOptions;
  /** Of single rows of short headers. */
  readonly #reads = new DiskReads();
  #connection: Connection | null = null;
  readonly #envelopes = new ListingReader<ListedEnvelope>(LISTED_ENVELOPES_SQL, 2);
  readonly #headers = new ListingReader<readonly [EmailId, string]>(LISTED_HEADERS_SQL, 1);
  /** Number of the file that is open (progress.ts). */
  #file = 0;

  constructor(options: SearchIndexOptions) {
    this.#options = options;
  }

  async containing(accountId: AccountId, scope: TextScope, needle: string, pause: () => Promise<void>): Promise<TextMatches> {
    const index = this.#open();
    if (index === null || !isNumbered(accountId)) return NOTHING_KNOWN;
    const file = this.#file;
    let matches: TextMatches;
    try {
      matches = await this.#containing(index, accountId, scope, needle, pause);
    } catch (cause) {
      if (!this.#isOurs(index, cause)) throw cause;
      return NOTHING_KNOWN;
    }
    // Made again meanwhile: what was found came out of two indexes.
    return this.#options.progress === null || this.#options.progress.file === file ? matches : NOTHING_KNOWN;
  }

  async similar(accountId: AccountId, scope: TextScope, words: string, limit: number, pause: () => Promise<void>): Promise<SimilarEmail[]> {
    const index = this.#open();
    if (index === null || !isNumbered(accountId)) return [];
    try {
      return await findSimilar(index, accountId, scope, words, limit, pause);
    } catch (cause) {
      if (!this.#isOurs(index, cause)) throw cause;
      return [];
    }
  }

  facts(accountId: AccountId, emails: readonly EmailId[]): ThreadFacts[] {
    return this.#read((index) => {
      const facts: ThreadFacts[] = [];
      for (const email of emails) {
        const row = index.get(`${FACTS_SQL} WHERE id=? AND account_id=?`, email, accountId);
        if (row !== undefined) facts.push(factsOf(row));
      }
      return facts;
    });
  }

  factsAfter(accountId: AccountId, after: EmailId, limit: number): ThreadFacts[] {
    return this.#read((index) => index.all(`${FACTS_SQL} WHERE account_id=? AND id>? ORDER BY id LIMIT ?`, accountId, after, limit).map(factsOf));
  }

  shortHeaders(accountId: AccountId, emails: readonly EmailId[]): (string | null)[] {
    const found: (string | null)[] = new Array(emails.length).fill(null);
    const listed: (readonly [EmailId, string] | null)[] = new Array(emails.length).fill(null);
    this.#read((index) => {
      if (this.#reads.takeCold()) this.#headers.read(index, null, accountId, emails, listed);
      const left: number[] = [];
      for (let i = 0; i < emails.length; i += 1) {
        const one = listed[i]!;
        if (one !== null) found[i] = one[1];
        else if (emails[i] !== 0) left.push(i);
      }
      const read = (): void => readShortHeaders(index, accountId, emails, left, found);
      if (left.length < WATCHED_LEAST) read();
      else this.#reads.watch(left.length, read);
      return [];
    });
    return found;
  }

  envelopes(accountId: AccountId, emails: readonly EmailId[]): (ListedEnvelope | null)[] {
    const found: (ListedEnvelope | null)[] = new Array(emails.length).fill(null);
    this.#read((index) => {
      this.#envelopes.read(index, Number(this.#options.reader.rows(DERIVED_SQL)[0]?.[0] ?? 0), accountId, emails, found);
      return [];
    });
    return found;
  }

  async settled(ms: number): Promise<boolean> {
    const { progress, reader } = this.#options;
    const target = Number(reader.rows('SELECT max(id) FROM email')[0]?.[0] ?? 0);
    if (progress !== null) return progress.reached(target, ms);
    const end = performance.now() + ms;
    for (;;) {
      const index = this.#open();
      if (index !== null && cursorOf(index) >= target) return true;
      const left = end - performance.now();
      if (left <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, left)));
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#envelopes.forget();
    this.#headers.forget();
  }

  #read<T>(work: (index: Connection) => T[]): T[] {
    const index = this.#open();
    if (index === null) return [];
    try {
      return work(index);
    } catch (cause) {
      if (!this.#isOurs(index, cause)) throw cause;
      return [];
    }
  }

  /** The file that now counts, opened when first needed; null: there is none yet. */
  #open(): Connection | null {
    const file = this.#options.progress?.file ?? 1;
    if (file !== this.#file) {
      this.close();
      this.#file = file;
    }
    if (file === 0) return null;
    if (this.#connection === null) {
      try {
        this.#connection = openReader(this.#options.databasePath);
      } catch (cause) {
        this.#options.log.warn('search.open.failed', { cause });
        return null;
      }
    }
    return this.#connection;
  }

  /** Did the index fail, rather than the caller's pause? Then the indexer is told, and the search goes on without. */
  #isOurs(index: Connection, cause: unknown): boolean {
    // Closed during a pause, because another search met damage or there is a new file.
    if (!index.db.isOpen) return true;
    const code = (cause as { errcode?: number } | null)?.errcode;
    const isDamaged = cause instanceof DamagedText || (code !== undefined && [11, 26].includes(code & 0xff));
    if (code === undefined && !isDamaged) return false;
    this.#options.log.warn('search.failed', { cause });
    if (isDamaged) this.#options.progress?.damaged();
    this.close();
    return true;
  }

  async #containing(index: Connection, accountId: AccountId, scope: TextScope, text: string, pause: () => Promise<void>): Promise<TextMatches> {
    const cursor = cursorOf(index);
    const incomplete = new Set(index.all('SELECT id FROM email WHERE account_id=? AND is_complete=0', accountId).map((row) => row[0] as EmailId));
    const emails = new Set<EmailId>();
    const needle = new Needle(text);
    const last = firstRow(accountId) + Number(index.get('SELECT last FROM account WHERE id=?', accountId)?.[0] ?? 0);
    const query = candidateQuery(text);
    for (const part of partsOf(scope)) {
      const found = new Search(index, part, needle, pause, emails);
      if (query === null) await found.scan(firstRow(accountId) + 1, last);
      else await found.candidates(query, firstRow(accountId) + 1, last);
    }
    return { emails, isIndexed: (email) => email <= cursor && !incomplete.has(email) };
  }
}

/** One text in one part of one account's emails. */
class Search {
  readonly #index: Connection;
  readonly #part: TextPart;
  readonly #needle: Needle;
  readonly #pause: () => Promise<void>;
  readonly #emails: Set<EmailId>;
  #sliceAt = performance.now();

  constructor(index: Connection, part: TextPart, needle: Needle, pause: () => Promise<void>, emails: Set<EmailId>) {
    this.#index = index;
    this.#part = part;
    this.#needle = needle;
    this.#pause = pause;
    this.#emails = emails;
  }

  /** By the trigrams, then by the text itself. */
  async candidates(query: string, first: number, last: number): Promise<void> {
    const sql = `SELECT rowid FROM ${this.#part.grams} WHERE ${this.#part.grams} MATCH ? AND rowid BETWEEN ? AND ?`;
    const textSql = `SELECT email_id, ${this.#part.column} FROM ${this.#part.table} WHERE row=?`;
    let rows = ROWS_FIRST;
    for (let from = first; from <= last; ) {
      const to = Math.min(last, from + rows - 1);
      const began = performance.now();
      const found = this.#index.all(sql, query, from, to);
      const took = performance.now() - began;
      if (took < SEARCH_LIMITS.querySliceMs / 4) rows = Math.min(ROWS_MOST, rows * 2);
      else if (took > SEARCH_LIMITS.querySliceMs) rows = Math.max(ROWS_LEAST, rows >> 1);
      const looked = to + 1 - from;
      from = to + 1;
      if (this.#isOver()) await this.#breathe();
      for (const [row] of found) {
        const kept = this.#index.get(textSql, row);
        // Removed since: it is in no mailbox any more.
        if (kept !== undefined) this.#look(kept[0], kept[1]);
        if (this.#isOver()) await this.#breathe();
      }
      if (found.length > looked * CANDIDATES_MANY) {
        const end = Math.min(last, to + looked * SCANNED_ROWS);
        await this.scan(to + 1, end);
        from = end + 1;
      }
    }
  }

  /** Every text in turn. */
  async scan(first: number, last: number): Promise<void> {
    const sql = `SELECT row, email_id, ${this.#part.column} FROM ${this.#part.table} WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?`;
    for (let from = first; from <= last; ) {
      const page = this.#index.all(sql, from, last, SCAN_PAGE);
      for (const [, email, text] of page) {
        this.#look(email, text);
        if (this.#isOver()) await this.#breathe();
      }
      if (page.length < SCAN_PAGE) return;
      from = page.at(-1)![0] + 1;
    }
  }

  #look(email: EmailId, text: Uint8Array): void {
    if (this.#emails.has(email)) return;
    if (this.#needle.isIn(text)) this.#emails.add(email);
  }

  #isOver(): boolean {
    return performance.now() - this.#sliceAt >= SEARCH_LIMITS.querySliceMs;
  }

  async #breathe(): Promise<void> {
    await this.#pause();
    this.#sliceAt = performance.now();
  }
}

/** Fills `found` at the places in `left`. */
function readShortHeaders(index: Connection, accountId: AccountId, emails: readonly EmailId[], left: readonly number[], found: (string | null)[]): void {
  for (let at = 0; at < left.length; ) {
    // Messages that came one after the other are neighbours here too: one query for all of them.
    const first = emails[left[at]!]!;
    let end = at + 1;
    while (end < left.length && emails[left[end]!]! > emails[left[end - 1]!]! && emails[left[end]!]! - first < (end - at + 1) * NEIGHBOURS) end += 1;
    let from = at;
    for (const [email, data] of index.all(SHORT_HEADERS_SQL, first, emails[left[end - 1]!]!, accountId) as [EmailId, string | Uint8Array][]) {
      while (from < end && emails[left[from]!]! < email) from += 1;
      if (from < end && emails[left[from]!] === email) found[left[from]!] = shortText(data);
    }
    at = end;
  }
}

function cursorOf(index: Connection): EmailId {
  return Number(index.get("SELECT value FROM state WHERE name='cursor'")?.[0] ?? 0);
}

function factsOf(row: any[]): ThreadFacts {
  return {
    email: row[0],
    messageId: row[1],
    references: row[2] === '' ? [] : row[2].split('\n'),
    baseSubject: row[3],
    isReply: row[4] === 1,
    threadId: row[5],
  };
}
