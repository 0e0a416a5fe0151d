/**
 * The queue's operations in the writer. A courier holds no lease on rows: it owns what it loaded, in memory, for as long as its
 * epoch is the newest. A report with an older epoch is refused, so two couriers never both settle a recipient.
 */
import type { MessageId, QueueAnnouncement } from '../ports.ts';
import type { AcceptInput, AcceptOutput, DeliveryEffects } from '../store/operations/accept.types.ts';
import { acceptInto, carryOut } from '../store/operations/accept.ts';
import { releaseBlob } from '../store/operations/blob.ts';
import type { StoreTransaction } from '../store/writer/group-commit.ts';
import type { Operations, Transaction } from '../store/transaction.ts';
import { Failure } from '../system/failure.ts';

export interface RecipientReport {
  readonly n: number;
  readonly address: string;
  /** `delivered`, `failed`: the recipient is finished (a failure's report to the sender travels in `bounces`). `deferred`: later. */
  readonly kind: 'delivered' | 'deferred' | 'failed';
  readonly code: number;
  readonly enhanced: string;
  readonly reply: string;
  readonly host: string;
  /** For `deferred`. */
  readonly nextAttemptAt: number;
  /** A delay warning goes out with this report. */
  readonly isWarned: boolean;
  /** Failed because of its age. */
  readonly isExpired: boolean;
}
export interface EntryReport {
  readonly entryId: number;
  readonly id: MessageId;
  readonly results: readonly RecipientReport[];
}
export interface ReportInput {
  readonly epoch: number;
  readonly entries: readonly EntryReport[];
  readonly bounces: readonly AcceptInput[];
  /** What the rules of system users do besides. */
  readonly effects?: readonly SettledEffects[];
}

export interface SettledEffects {
  readonly accountId: number;
  readonly effects: DeliveryEffects;
}

const JOURNEY_ADDRESSES_MAX = 50;
const ADMIN_BATCH_MAX = 1000;

function checkEpoch(tx: Transaction, epoch: number): void {
  const row = tx.get("SELECT epoch FROM courier WHERE role='courier'");
  if (row === undefined || row[0] !== epoch) throw new Failure('staleLease', `courier epoch ${epoch} is not the newest`);
}

/** Raises the epoch; answers the new one. */
function courierStart(tx: Transaction): number {
  const row = tx.get("SELECT epoch FROM courier WHERE role='courier'");
  const epoch = row === undefined ? 1 : Number(row[0]) + 1;
  if (row === undefined) tx.run("INSERT INTO courier (role, epoch) VALUES ('courier', ?)", epoch);
  else tx.run("UPDATE courier SET epoch=? WHERE role='courier'", epoch);
  return epoch;
}

/** Removes the entry, and its hold on the bytes, when no recipient is left. */
function settleEntry(tx: Transaction, entryId: number): boolean {
  if (tx.get('SELECT 1 FROM queue_recipient WHERE entry_id=? LIMIT 1', entryId) !== undefined) return false;
  const entry = tx.get('SELECT blob_id FROM queue_entry WHERE id=?', entryId);
  if (entry === undefined) return false;
  tx.run('DELETE FROM queue_entry WHERE id=?', entryId);
  releaseBlob(tx, Number(entry[0]));
  return true;
}

/** Settles what a batch of attempts came to. Recipients that are gone (deleted meanwhile) are passed over. */
function report(tx: Transaction, input: ReportInput): { entriesDone: number } {
  checkEpoch(tx, input.epoch);
  let entriesDone = 0;
  for (const entry of input.entries) {
    let isFinished = false;
    for (const result of entry.results) {
      if (result.kind === 'deferred') {
        tx.run(
          'UPDATE queue_recipient SET attempts=attempts+1, next_attempt_at=?, last_attempt_at=?, last_code=?, last_enhanced=?, last_reply=?, last_host=?, is_warned=max(is_warned, ?) WHERE entry_id=? AND n=?',
          result.nextAttemptAt,
          tx.now,
          result.code,
          result.enhanced,
          result.reply,
          result.host,
          result.isWarned ? 1 : 0,
          entry.entryId,
          result.n,
        );
      } else {
        tx.run('DELETE FROM queue_recipient WHERE entry_id=? AND n=?', entry.entryId, result.n);
        isFinished = true;
      }
    }
    if (isFinished && settleEntry(tx, entry.entryId)) entriesDone += 1;
    writeJourney(tx, entry);
  }
  for (const bounce of input.bounces) acceptInto(tx, bounce);
  for (const { accountId, effects } of input.effects ?? []) carryOut(tx as StoreTransaction, accountId, effects, null);
  return { entriesDone };
}

/** One row for recipients with the same answer, ending in the other side's words. */
function writeJourney(tx: Transaction, entry: EntryReport): void {
  const { results } = entry;
  for (let i = 0; i < results.length; ) {
    const first = results[i]!;
    const to = [first.address];
    let next = i + 1;
    for (; next < results.length; next++) {
      const other = results[next]!;
      if (other.kind !== first.kind || other.reply !== first.reply || other.host !== first.host || to.length >= JOURNEY_ADDRESSES_MAX) break;
      to.push(other.address);
    }
    const fields: Record<string, unknown> = { to, host: first.host, code: first.code, enhanced: first.enhanced, reply: first.reply };
    if (first.kind === 'deferred') fields.nextAttemptAt = first.nextAttemptAt;
    tx.journey({ id: entry.id, at: tx.now, stage: 'deliver', event: first.isExpired ? 'expired' : first.kind, fields });
    i = next;
  }
}

export interface DeliverLocalInput {
  readonly epoch: number;
  readonly entryId: number;
  readonly n: number;
  /** One delivery, nothing remote, `whenFull: 'refuse'`. */
  readonly accept: AcceptInput;
}
/** Tries a recipient of kind 'local' again: mailbox rows and removal from the queue in one transaction (exactly once). */
function deliverLocal(tx: Transaction, input: DeliverLocalInput): AcceptOutput['deliveries'][number] {
  checkEpoch(tx, input.epoch);
  if (tx.get('SELECT 1 FROM queue_recipient WHERE entry_id=? AND n=?', input.entryId, input.n) === undefined) throw new Failure('noSuchEntry');
  const result = acceptInto(tx, input.accept).deliveries[0]!;
  // 'handled' is an end as well: its effects are part of this transaction, and would be had again with each further try.
  if (result.kind === 'delivered' || result.kind === 'handled') {
    tx.run('DELETE FROM queue_recipient WHERE entry_id=? AND n=?', input.entryId, input.n);
    settleEntry(tx, input.entryId);
    if (result.kind === 'delivered')
      tx.journey({
        id: input.accept.id,
        at: tx.now,
        stage: 'deliver',
        event: 'delivered',
        fields: { to: [input.accept.deliveries[0]!.address], host: 'local' },
      });
  }
  return result;
}

export interface EntriesInput {
  readonly entryIds: readonly number[];
}
type Verb = (tx: Transaction, entryId: number) => number;

/** Does `verb` to each entry and tells the courier. Answers how many changed. At most 1,000 entries a call. */
const forEntries =
  (event: string, verb: Verb) =>
  (tx: Transaction, input: EntriesInput): { changed: number } => {
    if (input.entryIds.length > ADMIN_BATCH_MAX) throw new Failure('limit', `at most ${ADMIN_BATCH_MAX} entries at once`);
    let changed = 0;
    const entries: QueueAnnouncement[] = [];
    for (const entryId of input.entryIds) {
      const row = tx.get('SELECT message_id FROM queue_entry WHERE id=?', entryId);
      if (row === undefined || verb(tx, entryId) === 0) continue;
      changed += 1;
      entries.push({ entryId, id: String(row[0]), isChange: true });
      tx.journey({ id: String(row[0]), at: tx.now, stage: 'queue', event, fields: {} });
    }
    if (entries.length > 0) tx.announce({ kind: 'queue', entries });
    return { changed };
  };

const retry: Verb = (tx, entryId) => tx.run('UPDATE queue_recipient SET next_attempt_at=? WHERE entry_id=? AND next_attempt_at>?', tx.now, entryId, tx.now);

export const QUEUE_OPERATIONS: Operations = {
  'courier.start': courierStart,
  'queue.report': report,
  'queue.deliverLocal': deliverLocal,
  'queue.hold': forEntries('held', (tx, entryId) => tx.run('UPDATE queue_entry SET is_held=1 WHERE id=? AND is_held=0', entryId)),
  'queue.release': forEntries('released', (tx, entryId) => {
    const changed = tx.run('UPDATE queue_entry SET is_held=0 WHERE id=? AND is_held=1', entryId);
    if (changed > 0) retry(tx, entryId);
    return changed;
  }),
  // Entries whose time has come already count too: the announcement also ends the wait for a dead destination.
  'queue.retry': forEntries('retry', (tx, entryId) => {
    retry(tx, entryId);
    return 1;
  }),
  // Once more from the beginning: a new lifetime, attempts forgotten.
  'queue.requeue': forEntries('requeued', (tx, entryId) => {
    tx.run('UPDATE queue_recipient SET attempts=0, next_attempt_at=?, is_warned=0 WHERE entry_id=?', tx.now, entryId);
    return tx.run('UPDATE queue_entry SET created_at=?, is_held=0 WHERE id=?', tx.now, entryId);
  }),
  'queue.delete': forEntries('deleted', (tx, entryId) => {
    tx.run('DELETE FROM queue_recipient WHERE entry_id=?', entryId);
    return settleEntry(tx, entryId) ? 1 : 0;
  }),
};
