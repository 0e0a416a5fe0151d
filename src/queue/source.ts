/** The queue tables in pages, for the loader. Read-only; one statement for many entries. */
import type { LocalTask, StoreReader } from '../ports.ts';
import type { Arrival } from '../store/operations/accept.types.ts';
import { senderKey } from './entry.ts';
import type { LoadedRow, QueueSource } from './loader.ts';

const COLUMNS =
  'e.id, e.message_id, e.blob_id, e.size, e.header_bytes, e.header_message_id, e.source, e.account_id, e.sender, e.envid, e.ret, e.smtputf8, e.has_8bit, e.created_at, ' +
  'r.n, r.kind, r.address, r.domain, r.account_id, r.orcpt, r.notify, r.attempts, r.next_attempt_at, r.is_warned, e.nexthop, e.is_junk, r.nexthop, r.task, e.arrival';
// CROSS JOIN fixes the order of the tables: by the recipients' key, never by a scan of the entries.
const FRESH = `SELECT ${COLUMNS} FROM queue_recipient r CROSS JOIN queue_entry e ON e.id=r.entry_id
 WHERE (r.entry_id, r.n) > (?, ?) AND r.attempts=0 AND e.is_held=0 ORDER BY r.entry_id, r.n LIMIT ?`;
const DUE = `SELECT ${COLUMNS} FROM queue_recipient r INDEXED BY queue_due CROSS JOIN queue_entry e ON e.id=r.entry_id
 WHERE r.attempts>0 AND r.next_attempt_at>=? AND (r.next_attempt_at, r.entry_id, r.n) > (?, ?, ?) AND r.next_attempt_at<=? AND e.is_held=0
 ORDER BY r.next_attempt_at, r.entry_id, r.n LIMIT ?`;
const HEADERS = 'SELECT id, account_id, sender FROM queue_entry WHERE id>? AND is_held=0 ORDER BY id LIMIT ?';

function toRow(row: unknown[]): LoadedRow {
  const accountId = row[7] as number | null;
  const sender = row[8] as string | null;
  return {
    entry: {
      entryId: row[0] as number,
      id: row[1] as string,
      blobId: row[2] as number,
      size: row[3] as number,
      headerBytes: row[4] as number,
      headerMessageId: row[5] as string | null,
      source: row[6] as string,
      accountId,
      sender,
      envid: row[9] as string | null,
      ret: row[10] as string | null,
      smtputf8: row[11] === 1,
      has8bit: row[12] === 1,
      createdAt: row[13] as number,
      senderKey: senderKey(accountId, sender),
      nexthop: row[24] as string | null,
      isJunk: row[25] === 1,
      arrival: row[28] === null ? null : (JSON.parse(row[28] as string) as Arrival),
    },
    recipient: {
      n: row[14] as number,
      kind: row[15] === 'local' ? 'local' : 'remote',
      address: row[16] as string,
      domain: row[17] as string,
      accountId: row[18] as number | null,
      orcpt: row[19] as string | null,
      notify: row[20] as string | null,
      attempts: row[21] as number,
      isWarned: row[23] === 1,
      nexthop: row[26] as string | null,
      task: row[27] === null ? null : (JSON.parse(row[27] as string) as LocalTask),
    },
    nextAttemptAt: row[22] as number,
  };
}

export function storeSource(reader: Pick<StoreReader, 'rows'>): QueueSource {
  return {
    fresh: (entryId, n, limit) => reader.rows(FRESH, entryId, n, limit).map(toRow),
    due: (at, entryId, n, now, limit) => reader.rows(DUE, at, at, entryId, n, now, limit).map(toRow),
    headers: (entryId, limit) =>
      reader.rows(HEADERS, entryId, limit).map((row) => [row[0] as number, senderKey(row[1] as number | null, row[2] as string | null)]),
  };
}
