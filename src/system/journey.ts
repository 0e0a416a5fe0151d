/**
 * The journey of each message, in a database file of its own: written in batches by one thread, found again by message id,
 * address, Message-ID or client. It may lag by a second and lose that second in a crash; mail never waits for it.
 *
 * Everything is appended. An ordinary index over keys would dirty a page somewhere for each key, 10 KB and more written for a
 * message; instead, the keys of some thousand events make one sorted chunk, and a search looks into the chunks, newest first.
 */
import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { JourneyEvent, JourneyStage, Milliseconds } from '../ports.ts';
import { fieldsJson, type WrittenEvent } from './journey-fields.ts';
import { findKey, type KeyEntry, keyHash, packKeys } from './journey-keys.ts';

/** Keys kept of one event: a message to 1,000 recipients can be found by each of them. */
export const KEYS_PER_EVENT_MAX = 1100;
/** Rows removed by one call of prune(). */
const PRUNE_ROWS = 2000;
const FOUND_MAX = 1000;
/** A chunk of the index is closed when one of these is reached: a quarter of a megabyte at most. */
const CHUNK_EVENTS = 4096;
const CHUNK_KEYS = 16_384;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY,             -- in order of writing
  message_id TEXT NOT NULL,
  at INTEGER NOT NULL,                -- ms
  stage TEXT NOT NULL,
  event TEXT NOT NULL,
  fields TEXT NOT NULL,               -- JSON
  hashes BLOB NOT NULL                -- of its keys, a double each
);
CREATE INDEX IF NOT EXISTS event_message ON event (message_id);
CREATE TABLE IF NOT EXISTS chunk (
  last_id INTEGER PRIMARY KEY,        -- events (previous chunk's last_id, last_id]
  first_id INTEGER NOT NULL,
  since INTEGER NOT NULL,             -- least and greatest "at"
  until INTEGER NOT NULL,
  keys BLOB NOT NULL                  -- sorted; see journey-keys.ts
);
PRAGMA user_version = 1;
`;

export interface JourneyOptions {
  readonly keepMs: number;
  readonly rowsMax: number;
}
export interface JourneyQuery {
  /** A message id, an address, a Message-ID with or without brackets, or a client's address or name. */
  readonly text: string;
  readonly since?: Milliseconds;
  readonly until?: Milliseconds;
  /** Most messages in the answer; default 20, newest first. */
  readonly limit?: number;
}
export interface JourneyMessage {
  readonly id: string;
  /** In order of time. */
  readonly events: readonly { readonly at: Milliseconds; readonly stage: JourneyStage; readonly event: string; readonly fields: Record<string, any> }[];
}
/** Events in order of writing, for those who look at all messages. */
export interface JourneyPage {
  /** Ids above this. */
  readonly after: number;
  readonly since: Milliseconds;
  /** Events of these names only. */
  readonly events: readonly string[];
  readonly limit: number;
}
export interface JourneyPageRow {
  readonly row: number;
  readonly id: string;
  readonly at: Milliseconds;
  readonly event: string;
  readonly fields: Record<string, any>;
}
export interface JourneyStore {
  page(query: JourneyPage): JourneyPageRow[];
  /** One transaction for the batch. Throws SQLite's error when the disk is full; nothing of the batch is kept then. */
  write(events: readonly (JourneyEvent | WrittenEvent)[]): void;
  /** The messages found, newest first, each with its whole path. */
  find(query: JourneyQuery): JourneyMessage[];
  /** Removes at most 2,000 rows that are too old or too many; answers how many: call again while it is not 0. */
  prune(now: Milliseconds): number;
  setOptions(options: JourneyOptions): void;
  close(): void;
}

/**
 * Opens or creates the database at `path` (':memory:' for tests). To be used by one thread only. A damaged file is put aside as
 * `path`.damaged and a new one begun: paths of old messages are worth less than a server that starts.
 */
export function openJourney(path: string, options: JourneyOptions): JourneyStore {
  try {
    return new SqliteJourney(path, options);
  } catch (error) {
    const code = (error as { errcode?: number }).errcode;
    if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) throw error;
    renameSync(path, `${path}.damaged`);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    return new SqliteJourney(path, options);
  }
}
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** What find() needs of events that no chunk covers yet. */
interface Tail {
  readonly keys: KeyEntry[];
  firstId: number;
  since: number;
  until: number;
}
const emptyTail = (firstId: number): Tail => ({ keys: [], firstId, since: Number.MAX_SAFE_INTEGER, until: 0 });

class SqliteJourney implements JourneyStore {
  readonly #database: DatabaseSync;
  readonly #insertEvent: StatementSync;
  readonly #insertChunk: StatementSync;
  #options: JourneyOptions;
  #nextId: number;
  #tail: Tail;

  constructor(path: string, options: JourneyOptions) {
    this.#options = options;
    this.#database = new DatabaseSync(path, { timeout: 2000 });
    // The order counts: page size and vacuum mode are fixed once the journal mode is set.
    this.#database.exec('PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;');
    this.#database.exec('PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;');
    this.#database.exec(SCHEMA);
    this.#insertEvent = this.#database.prepare('INSERT INTO event (id, message_id, at, stage, event, fields, hashes) VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#insertChunk = this.#database.prepare('INSERT INTO chunk (last_id, first_id, since, until, keys) VALUES (?, ?, ?, ?, ?)');
    const chunked = Number(this.#rows('SELECT coalesce(max(last_id), 0) FROM chunk')[0]![0]);
    this.#nextId = Math.max(chunked, Number(this.#rows('SELECT coalesce(max(id), 0) FROM event')[0]![0])) + 1;
    this.#tail = emptyTail(chunked + 1);
    for (const [id, at, hashes] of this.#rows('SELECT id, at, hashes FROM event WHERE id > ? ORDER BY id', chunked))
      extend(this.#tail, id as number, at as number, hashesOfBlob(hashes as Uint8Array));
  }

  setOptions(options: JourneyOptions): void {
    this.#options = options;
  }

  write(events: readonly (JourneyEvent | WrittenEvent)[]): void {
    if (events.length === 0) return;
    let id = this.#nextId;
    let tail: Tail = { ...this.#tail, keys: [...this.#tail.keys] }; // a batch that fails must leave the old one
    this.#transaction(() => {
      for (const event of events) {
        const hashes = hashesOf(event);
        this.#insertEvent.run(
          id,
          event.id,
          event.at,
          event.stage,
          event.event,
          typeof event.fields === 'string' ? event.fields : fieldsJson(event.fields),
          blobOfHashes(hashes),
        );
        extend(tail, id, event.at, hashes);
        id += 1;
        if (tail.keys.length < CHUNK_KEYS && id - tail.firstId < CHUNK_EVENTS) continue;
        this.#insertChunk.run(id - 1, tail.firstId, tail.since, tail.until, packKeys(tail.keys, tail.firstId));
        tail = emptyTail(id);
      }
    });
    this.#nextId = id;
    this.#tail = tail;
  }

  find(query: JourneyQuery): JourneyMessage[] {
    const text = query.text.trim();
    const since = query.since ?? 0;
    const until = query.until ?? Number.MAX_SAFE_INTEGER;
    const limit = Math.min(query.limit ?? 20, FOUND_MAX);
    const ids = new Set<string>();
    const id = text.toLowerCase();
    if (this.#rows('SELECT 1 FROM event WHERE message_id = ? AND at BETWEEN ? AND ? LIMIT 1', id, since, until).length > 0) ids.add(id);
    for (const messageId of this.#byKey(keyHash(text), since, until)) {
      if (ids.size >= limit) break;
      ids.add(messageId);
    }
    return [...ids].map((messageId) => ({ id: messageId, events: this.#path(messageId) }));
  }

  page(query: JourneyPage): JourneyPageRow[] {
    const names = query.events.map(() => '?').join(',');
    return this.#rows(
      `SELECT id, message_id, at, event, fields FROM event WHERE id > ? AND at >= ? AND event IN (${names}) ORDER BY id LIMIT ?`,
      query.after,
      query.since,
      ...query.events,
      Math.min(query.limit, FOUND_MAX),
    ).map(([row, id, at, event, fields]) => ({
      row: row as number,
      id: id as string,
      at: at as number,
      event: event as string,
      fields: JSON.parse(fields as string),
    }));
  }

  /** Message ids of events with this key, newest event first, possibly more than once. */
  *#byKey(hash: number, since: number, until: number): Generator<string> {
    const event = this.#database.prepare('SELECT message_id, at, hashes FROM event WHERE id = ?');
    event.setReturnArrays(true);
    const check = function* (eventIds: Iterable<number>): Generator<string> {
      for (const eventId of eventIds) {
        const row = event.get(eventId) as unknown as [string, number, Uint8Array] | undefined;
        // Gone meanwhile, out of the range, or another key with the same first half of its hash.
        if (row !== undefined && row[1] >= since && row[1] <= until && hashesOfBlob(row[2]).includes(hash)) yield row[0];
      }
    };
    const recent = this.#tail.keys.filter((entry) => entry.hash === hash).map((entry) => entry.id);
    yield* check(recent.reverse());
    for (const [lastId] of this.#rows('SELECT last_id FROM chunk WHERE until >= ? AND since <= ? ORDER BY last_id DESC', since, until)) {
      const chunk = this.#rows('SELECT keys, first_id FROM chunk WHERE last_id = ?', lastId as number)[0];
      if (chunk !== undefined) yield* check(findKey(chunk[0] as Uint8Array, chunk[1] as number, hash).reverse());
    }
  }

  #path(messageId: string): JourneyMessage['events'] {
    const rows = this.#rows('SELECT at, stage, event, fields FROM event WHERE message_id = ? ORDER BY at, id LIMIT 10000', messageId);
    return rows.map(([at, stage, event, fields]) => ({
      at: at as number,
      stage: stage as JourneyStage,
      event: event as string,
      fields: JSON.parse(fields as string),
    }));
  }

  prune(now: Milliseconds): number {
    const oldest = this.#rows('SELECT min(id) FROM event')[0]![0] as number | null;
    if (oldest === null) return 0;
    // Ids have no holes but at the front, so the count is their distance. The oldest are at the front: both tests end there.
    const removed = this.#database
      .prepare('DELETE FROM event WHERE id >= ? AND id < ? AND (id < ? OR at < ?)')
      .run(oldest, oldest + PRUNE_ROWS, this.#nextId - this.#options.rowsMax, now - this.#options.keepMs).changes;
    if (Number(removed) === 0) return 0;
    const first = (this.#rows('SELECT min(id) FROM event')[0]![0] as number | null) ?? this.#nextId;
    // The newest chunk stays: it marks where the tail begins.
    this.#database.prepare('DELETE FROM chunk WHERE last_id < ? AND last_id < (SELECT max(last_id) FROM chunk)').run(first);
    this.#database.exec('PRAGMA incremental_vacuum(2000)');
    return Number(removed);
  }

  close(): void {
    this.#database.close();
  }

  #rows(sql: string, ...parameters: (string | number)[]): unknown[][] {
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    return statement.all(...parameters) as unknown as unknown[][];
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function extend(tail: Tail, id: number, at: number, hashes: readonly number[]): void {
  for (const hash of hashes) tail.keys.push({ hash, id });
  if (at < tail.since) tail.since = at;
  if (at > tail.until) tail.until = at;
}

function hashesOf(event: Pick<JourneyEvent, 'keys'>): number[] {
  const hashes = new Set<number>();
  for (const key of event.keys ?? []) {
    if (hashes.size >= KEYS_PER_EVENT_MAX) break;
    if (key !== '') hashes.add(keyHash(key));
  }
  return [...hashes];
}
function blobOfHashes(hashes: readonly number[]): Uint8Array {
  return new Uint8Array(new Float64Array(hashes).buffer);
}
function hashesOfBlob(blob: Uint8Array): number[] {
  return [...new Float64Array(blob.slice().buffer)]; // copied: a view of doubles must be aligned
}
