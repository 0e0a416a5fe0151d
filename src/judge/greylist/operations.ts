/**
 * The greylist's rows in the writer. Notes come in batches, nobody waits for them: a note that is lost in a crash costs a client one
 * more wait, never a message.
 */
import type { Operations, Transaction } from '../../store/transaction.ts';

/** [key, first_at, passed_at or null, expires_at] */
export type TripletNote = readonly [key: string, firstAt: number, passedAt: number | null, expiresAt: number];
/** One more triplet of this client came back (`add` 1), or it was seen again (0). */
export type ClientNote = readonly [key: string, add: number, seenAt: number, expiresAt: number];

export interface NotesInput {
  readonly triplets: readonly TripletNote[];
  readonly clients: readonly ClientNote[];
  readonly rowsMax: number;
  /** Milliseconds: the time of the batch. */
  readonly at: number;
}
export interface SweepInput {
  readonly rowsMax: number;
  /** Rows removed from each table at most. */
  readonly batch: number;
  readonly at: number;
}
export interface SweepOutput {
  readonly removed: number;
  /** False when there is more to remove. */
  readonly isDone: boolean;
}

/** Removed with one batch of notes when there are too many rows: more than a batch adds, so that a flood does not outrun it. */
const TRIM_BATCH = 1000;

const COUNT = { greylist: 'SELECT count(*) FROM greylist', greylist_client: 'SELECT count(*) FROM greylist_client' };
const REMOVE = {
  greylist: 'DELETE FROM greylist WHERE key IN (SELECT key FROM greylist WHERE expires_at<=? ORDER BY expires_at LIMIT ?)',
  greylist_client: 'DELETE FROM greylist_client WHERE key IN (SELECT key FROM greylist_client WHERE expires_at<=? ORDER BY expires_at LIMIT ?)',
};

type Name = keyof typeof COUNT;
const NAMES: readonly Name[] = ['greylist', 'greylist_client'];
type Rows = Record<Name, number>;

/** Rows in each table, in the writer's memory; counted at first use and with each sweep. A batch that was rolled back makes it inexact until then. */
const known = new WeakMap<Transaction, Rows>();

function countRows(tx: Transaction): Rows {
  const rows = { greylist: Number(tx.get(COUNT.greylist)![0]), greylist_client: Number(tx.get(COUNT.greylist_client)![0]) };
  known.set(tx, rows);
  return rows;
}

function remove(tx: Transaction, rows: Rows, name: Name, expiredAt: number, most: number): number {
  const removed = most > 0 ? tx.run(REMOVE[name], expiredAt, most) : 0;
  rows[name] -= removed;
  return removed;
}

function note(tx: Transaction, input: NotesInput): void {
  const rows = known.get(tx) ?? countRows(tx);
  for (const triplet of input.triplets) if (noteTriplet(tx, triplet, input.at)) rows.greylist += 1;
  for (const client of input.clients) if (noteClient(tx, client)) rows.greylist_client += 1;
  for (const name of NAMES) if (rows[name] > input.rowsMax) remove(tx, rows, name, Number.MAX_SAFE_INTEGER, Math.min(rows[name] - input.rowsMax, TRIM_BATCH));
}

/** True when there is a row more. */
function noteTriplet(tx: Transaction, [key, firstAt, passedAt, expiresAt]: TripletNote, at: number): boolean {
  const row = tx.get('SELECT first_at, passed_at, expires_at FROM greylist WHERE key=?', key);
  if (row === undefined) {
    tx.run('INSERT INTO greylist (key, first_at, passed_at, expires_at) VALUES (?, ?, ?, ?)', key, firstAt, passedAt, expiresAt);
    return true;
  }
  const [oldFirst, oldPassed, oldExpires] = row as [number, number | null, number];
  const update = 'UPDATE greylist SET first_at=?, passed_at=?, expires_at=? WHERE key=?';
  // Two threads may have met the same triplet within a second: the earlier first time counts, and having come back is not undone.
  if (oldExpires <= at) tx.run(update, firstAt, passedAt, expiresAt, key);
  else tx.run(update, Math.min(oldFirst, firstAt), oldPassed ?? passedAt, Math.max(oldExpires, expiresAt), key);
  return false;
}

function noteClient(tx: Transaction, [key, add, seenAt, expiresAt]: ClientNote): boolean {
  if (tx.run('UPDATE greylist_client SET good=good+?, seen_at=max(seen_at, ?), expires_at=max(expires_at, ?) WHERE key=?', add, seenAt, expiresAt, key) > 0)
    return false;
  tx.run('INSERT INTO greylist_client (key, good, seen_at, expires_at) VALUES (?, ?, ?, ?)', key, add, seenAt, expiresAt);
  return true;
}

/** Removes what has run out, and what is too much, oldest end first. */
function sweep(tx: Transaction, input: SweepInput): SweepOutput {
  const rows = countRows(tx);
  let removed = 0;
  let isDone = true;
  for (const name of NAMES) {
    let here = remove(tx, rows, name, input.at, input.batch);
    here += remove(tx, rows, name, Number.MAX_SAFE_INTEGER, Math.min(input.batch - here, rows[name] - input.rowsMax));
    isDone &&= here < input.batch;
    removed += here;
  }
  return { removed, isDone };
}

/** They touch only their own two tables: they may run among deliveries (LIGHT_OPERATIONS). */
export const GREYLIST_OPERATIONS = { 'greylist.note': note, 'greylist.sweep': sweep } satisfies Operations;
