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
