/** 'posthorn store check': every blob is readable, every count is what it should be. Reads only; repair is an operation. */
import type { StorePaths } from './paths.ts';
import { CODEC, decompressFrame, frameOffsets } from './blobs/codec.ts';
import { COUNT_CHECKS } from './counts.ts';
import { outdatedEmails } from './derived.ts';
import { openReader } from './engines/sqlite.ts';
import { SqliteReader } from './reader.ts';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

export interface CheckResult {
  readonly accounts: number;
  readonly mailboxes: number;
  readonly messages: number;
  readonly emails: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly queued: number;
  /** Sentences, at most 1,000. Empty: all is well. */
  readonly problems: string[];
  /** True when some of them are counts that 'store check --repair' sets right. */
  readonly isRepairable: boolean;
}

const PROBLEMS_MAX = 1000;

/** Rows that point at nothing: these are losses, not counts. */
const REFERENCE_CHECKS: readonly { readonly what: string; readonly sql: string }[] = [
  {
    what: 'message % (mailbox/uid) has no email row',
    sql: "SELECT m.mailbox_id || '/' || m.uid FROM message m LEFT JOIN email e ON e.id=m.email_id AND e.account_id=m.account_id WHERE e.id IS NULL LIMIT 1000",
  },
  {
    what: 'message % (mailbox/uid) is in no mailbox',
    sql: "SELECT m.mailbox_id || '/' || m.uid FROM message m LEFT JOIN mailbox b ON b.id=m.mailbox_id AND b.account_id=m.account_id WHERE b.id IS NULL LIMIT 1000",
  },
  { what: 'email % has no blob', sql: 'SELECT e.id FROM email e LEFT JOIN blob b ON b.id=e.blob_id WHERE b.id IS NULL LIMIT 1000' },
  { what: 'queue entry % has no blob', sql: 'SELECT q.id FROM queue_entry q LEFT JOIN blob b ON b.id=q.blob_id WHERE b.id IS NULL LIMIT 1000' },
  {
    what: 'queue entry % has no recipient',
    sql: 'SELECT q.id FROM queue_entry q LEFT JOIN queue_recipient r ON r.entry_id=q.id WHERE r.entry_id IS NULL LIMIT 1000',
  },
  {
    what: 'queue recipient of entry % has no entry',
    sql: 'SELECT r.entry_id FROM queue_recipient r LEFT JOIN queue_entry q ON q.id=r.entry_id WHERE q.id IS NULL LIMIT 1000',
  },
];

/** Looks at everything. Works beside a running server (its own read-only connection, one snapshot for the counts). */
export async function checkStore(paths: StorePaths, signal: AbortSignal): Promise<CheckResult> {
  const connection = openReader(paths.database, 16_000);
  const reader = new SqliteReader(connection, paths.blobs);
  const problems: string[] = [];
  const say = (text: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(text);
  };
  try {
    for (const [line] of connection.all('PRAGMA quick_check(100)')) if (line !== 'ok') say(`database: ${line}`);
    connection.exec('BEGIN');
    let isRepairable = false;
    for (const check of COUNT_CHECKS) {
      for (const [id] of connection.all(check.sql)) {
        isRepairable = true;
        say(check.what.replace('%', String(id)));
      }
    }
    for (const check of REFERENCE_CHECKS) for (const [id] of connection.all(check.sql)) say(check.what.replace('%', String(id)));
    const count = (table: string): number => Number(connection.get(`SELECT count(*) FROM ${table}`)![0]);
    const totals = {
      accounts: count('account'),
      mailboxes: count('mailbox'),
      messages: count('message'),
      emails: count('email'),
      queued: count('queue_entry'),
    };
    connection.exec('COMMIT');
    for await (const { id } of outdatedEmails(reader, signal)) {
      isRepairable = true;
      say(`email ${id} has an outdated envelope or structure`);
    }
    const { blobs, bytes } = await checkBlobs(connection, paths.blobs, say, signal);
    return { ...totals, blobs, bytes, problems, isRepairable };
  } finally {
    connection.close();
  }
}

async function checkBlobs(
  connection: ReturnType<typeof openReader>,
  blobDir: string,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<{ blobs: number; bytes: number }> {
  let blobs = 0;
  let bytes = 0;
  let last = 0;
  while (!signal.aborted) {
    const rows = connection.all('SELECT id, bytes, codec, data, file, frames FROM blob WHERE id>? ORDER BY id LIMIT 200', last);
    if (rows.length === 0) break;
    for (const [id, size, codec, data, file, frames] of rows) {
      last = id;
      blobs += 1;
      bytes += size;
      try {
        const found = file === null ? decompressFrame(data, codec, Math.max(size, 1)).length : await fileBytes(join(blobDir, file), codec, frames);
        if (found !== size) say(`blob ${id} has ${found} bytes instead of ${size}`);
      } catch (error) {
        // A blob that vanished between the page and now was released by the running server.
        if (connection.get('SELECT 1 FROM blob WHERE id=?', id) === undefined) continue;
        say(`blob ${id}${file === null ? '' : ` (file blobs/${file})`} cannot be read: ${(error as Error).message}`);
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { blobs, bytes };
}

async function fileBytes(path: string, codec: number, frames: Uint8Array): Promise<number> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(path, 'r');
    const offsets = frameOffsets(frames);
    let total = 0;
    for (let i = 0; i + 1 < offsets.length; i += 1) {
      const length = offsets[i + 1]! - offsets[i]!;
      const frame = Buffer.allocUnsafe(length);
      const { bytesRead } = await handle.read(frame, 0, length, offsets[i]!);
      if (bytesRead !== length) throw new Error('the file is short');
      total += codec === CODEC.raw ? length : decompressFrame(frame, codec).length;
    }
    return total;
  } finally {
    await handle?.close();
  }
}
