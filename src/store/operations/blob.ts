/** Blobs: immutable bytes shared by email rows and queue entries, counted by `refs`. */
import type { BlobId, EmailId, StagedMessage } from '../../ports.ts';
import type { Transaction } from '../transaction.ts';

/** Where the writer thread finds the files of large blobs; set once when the thread starts. */
let removeFile: (name: string) => void = () => {};

/** Says how the file of a blob that nobody refers to any more is removed (after the commit). */
export function setBlobFileRemover(remove: (name: string) => void): void {
  removeFile = remove;
}

/** Inserts the bytes with `refs` references. */
export function insertBlob(tx: Transaction, message: StagedMessage, refs: number): BlobId {
  const id = tx.nextId('blob');
  const blob = message.blob;
  if (blob.kind === 'inline') tx.run('INSERT INTO blob (id, refs, bytes, codec, data) VALUES (?, ?, ?, ?, ?)', id, refs, message.size, blob.codec, blob.data);
  else tx.run('INSERT INTO blob (id, refs, bytes, codec, file, frames) VALUES (?, ?, ?, ?, ?, ?)', id, refs, message.size, blob.codec, blob.path, blob.frames);
  return id;
}

/** Takes `count` references away; with the last one the blob goes, and its file after the commit. */
export function releaseBlob(tx: Transaction, id: BlobId, count = 1): void {
  const row = tx.get('SELECT refs, file FROM blob WHERE id=?', id);
  if (row === undefined) return;
  const [refs, file] = row as [number, string | null];
  if (refs > count) {
    tx.run('UPDATE blob SET refs=refs-? WHERE id=?', count, id);
    return;
  }
  tx.run('DELETE FROM blob WHERE id=?', id);
  if (file !== null) tx.afterCommit(() => removeFile(file));
}

/** Takes one message row's reference from an email; with the last one the email goes and releases its blob. */
export function releaseEmail(tx: Transaction, id: EmailId): void {
  const row = tx.get('SELECT refs, blob_id FROM email WHERE id=?', id);
  if (row === undefined) return;
  const [refs, blobId] = row as [number, number];
  if (refs > 1) {
    tx.run('UPDATE email SET refs=refs-1 WHERE id=?', id);
    return;
  }
  tx.run('DELETE FROM email WHERE id=?', id);
  releaseBlob(tx, blobId);
}

/** The same for many, each named as often as it loses a reference. Neighbours that nobody else refers to go together: what arrived in one go mostly leaves so. */
export function releaseEmails(tx: Transaction, ids: readonly EmailId[]): void {
  for (const [from, to] of neighbours(ids)) {
    const rows = from === to ? [] : (tx.all('SELECT refs, blob_id FROM email WHERE id BETWEEN ? AND ?', from, to) as [number, number][]);
    if (rows.length !== to - from + 1 || rows.some(([refs]) => refs !== 1)) {
      for (let id = from; id <= to; id += 1) releaseEmail(tx, id);
      continue;
    }
    tx.run('DELETE FROM email WHERE id BETWEEN ? AND ?', from, to);
    releaseBlobs(
      tx,
      rows.map((row) => row[1]),
    );
  }
}

function releaseBlobs(tx: Transaction, ids: readonly BlobId[]): void {
  for (const [from, to] of neighbours(ids)) {
    // Whether data is null is in the head of a row: asking for the name of a file would read all of the data before it.
    const row = from === to ? undefined : tx.get('SELECT count(*), max(refs), total(data IS NULL) FROM blob WHERE id BETWEEN ? AND ?', from, to);
    if (row?.[0] === to - from + 1 && row[1] === 1 && row[2] === 0) tx.run('DELETE FROM blob WHERE id BETWEEN ? AND ?', from, to);
    else for (let id = from; id <= to; id += 1) releaseBlob(tx, id);
  }
}

/** [from, to] of each run of ids that follow one another. */
function* neighbours(ids: readonly number[]): Generator<[from: number, to: number]> {
  const sorted = [...ids].sort((a, b) => a - b);
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end]! + 1) end += 1;
    yield [sorted[start]!, sorted[end]!];
    start = end + 1;
  }
}
