/**
 * The greylist's memory of one thread: rows of the store as far as they were asked for, and the notes that wait to be written. Reads are
 * synchronous; writes go out in batches about a second later, and nobody waits for them.
 */
import { BoundedMap } from '../../directory/bounded.ts';
import type { Log, StoreReader, StoreWriter } from '../../ports.ts';
import { MINUTE } from '../../system/declare.ts';
import type { ClientNote, NotesInput, TripletNote } from './operations.ts';

export interface TripletRow {
  readonly firstAt: number;
  readonly passedAt: number | null;
  readonly expiresAt: number;
}
export interface ClientRow {
  readonly good: number;
  readonly seenAt: number;
  readonly expiresAt: number;
  /** When it was read: other threads count too, so it is read again after a while. */
  readonly readAt: number;
}

const TRIPLETS_MAX = 20_000;
const CLIENTS_MAX = 10_000;
const CLIENT_READ_AGAIN_MS = MINUTE;
const WRITE_AFTER_MS = 1000;
/** Notes that make a batch at once, and that may wait at most while the writer does not answer. */
const BATCH = 256;
const NOTES_MAX = 10_000;

export interface GreylistMemoryContext {
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  rowsMax(): number;
}

export class GreylistMemory {
  readonly #context: GreylistMemoryContext;
  readonly #triplets = new BoundedMap<string, TripletRow>();
  readonly #clients = new BoundedMap<string, ClientRow>();
  #tripletNotes = new Map<string, TripletNote>();
  #clientNotes = new Map<string, ClientNote>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #at = 0;

  constructor(context: GreylistMemoryContext) {
    this.#context = context;
  }

  /** Null when it is not known or has run out. Throws when the store cannot be read. */
  triplet(key: string, now: number): TripletRow | null {
    let row = this.#triplets.refresh(key, TRIPLETS_MAX);
    if (row === undefined) {
      const [found] = this.#context.reader.rows('SELECT first_at, passed_at, expires_at FROM greylist WHERE key=?', key) as [number, number | null, number][];
      if (found === undefined) return null;
      row = this.#triplets.set(key, { firstAt: found[0], passedAt: found[1], expiresAt: found[2] }, TRIPLETS_MAX);
    }
    return row.expiresAt > now ? row : null;
  }

  /** As `triplet`. */
  client(key: string, now: number): ClientRow | null {
    let row = this.#clients.refresh(key, CLIENTS_MAX);
    if (row === undefined || Math.abs(now - row.readAt) >= CLIENT_READ_AGAIN_MS) {
      const [found] = this.#context.reader.rows('SELECT good, seen_at, expires_at FROM greylist_client WHERE key=?', key) as [number, number, number][];
      const [good, seenAt, expiresAt] = found ?? [0, 0, 0];
      const [, add, notedAt, notedUntil] = this.#clientNotes.get(key) ?? [key, 0, 0, 0];
      row = { good: good + add, seenAt: Math.max(seenAt, notedAt), expiresAt: Math.max(expiresAt, notedUntil), readAt: now };
      this.#clients.set(key, row, CLIENTS_MAX);
    }
    return row.expiresAt > now ? row : null;
  }

  noteTriplet(key: string, row: TripletRow, now: number): void {
    this.#triplets.set(key, row, TRIPLETS_MAX);
    if (this.#tripletNotes.size >= NOTES_MAX) return;
    this.#tripletNotes.set(key, [key, row.firstAt, row.passedAt, row.expiresAt]);
    this.#noted(now);
  }

  /** `add` is 1 when one more of its triplets came back, 0 when it was only seen. */
  noteClient(key: string, old: ClientRow | null, add: 0 | 1, expiresAt: number, now: number): void {
    this.#clients.set(key, { good: (old?.good ?? 0) + add, seenAt: now, expiresAt, readAt: now }, CLIENTS_MAX);
    if (this.#clientNotes.size >= NOTES_MAX) return;
    const waiting = this.#clientNotes.get(key);
    this.#clientNotes.set(key, [key, (waiting?.[1] ?? 0) + add, now, expiresAt]);
    this.#noted(now);
  }

  #noted(now: number): void {
    this.#at = now;
    if (this.#tripletNotes.size + this.#clientNotes.size >= BATCH && this.#writing === null) {
      void this.flush();
      return;
    }
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.flush(), WRITE_AFTER_MS);
    this.#timer.unref();
  }

  /** Writes what waits; resolves when it is written or given up (a lost note costs one more wait). One batch is under way at a time. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#writing !== null) await this.#writing;
    if (this.#tripletNotes.size + this.#clientNotes.size === 0) return;
    const input: NotesInput = {
      triplets: [...this.#tripletNotes.values()],
      clients: [...this.#clientNotes.values()],
      rowsMax: this.#context.rowsMax(),
      at: this.#at,
    };
    this.#tripletNotes = new Map();
    this.#clientNotes = new Map();
    this.#writing = this.#context.writer.run('greylist.note', input).then(
      () => {},
      (cause: unknown) => this.#context.log.warn('greylist.unsaved', { rows: input.triplets.length + input.clients.length, cause }),
    );
    await this.#writing;
    this.#writing = null;
  }
}
