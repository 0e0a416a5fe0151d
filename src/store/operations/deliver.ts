/** Putting one message into one mailbox: the rows every way of arriving shares (delivery, APPEND, import). */
import type { BlobId, EmailId, StagedMessage } from '../../ports.ts';
import type { AccountState, MailboxState } from '../writer/state.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';

export interface EmailSource {
  readonly blobId: BlobId;
  readonly message: StagedMessage;
  readonly prefix: Uint8Array;
  readonly journeyId: string | null;
}

export function insertEmail(tx: StoreTransaction, accountId: number, source: EmailSource): EmailId {
  const id = tx.nextId('email');
  const digest = source.message.digest;
  tx.run(
    'INSERT INTO email (id, account_id, refs, blob_id, prefix, blob_bytes, header_bytes, envelope, body_structure, parts, message_id, sent_at, saved_at, journey_id) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    accountId,
    source.blobId,
    source.prefix,
    source.message.size,
    digest.headerBytes,
    digest.envelope,
    digest.bodyStructure,
    digest.parts,
    digest.messageId,
    digest.sentAt,
    tx.now,
    source.journeyId,
  );
  return id;
}

/** Adds a message row with a new UID (`uidLeast` or higher) and modseq, counts it, and notes it for the announcement. Answers the UID. */
export function insertMessage(
  tx: StoreTransaction,
  account: AccountState,
  mailbox: MailboxState,
  emailId: EmailId,
  size: number,
  flags: number,
  keywords: string | null,
  internalDate: number,
  uidLeast = 0,
): number {
  tx.markWritten();
  const uid = mailbox.takeUid(uidLeast);
  const modseq = account.nextModseq();
  tx.run(
    'INSERT INTO message (account_id, mailbox_id, uid, modseq, flags, keywords, internal_date, saved_at, size, email_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    mailbox.accountId,
    mailbox.id,
    uid,
    modseq,
    flags,
    keywords,
    internalDate,
    tx.now,
    size,
    emailId,
  );
  mailbox.raise(modseq);
  mailbox.countIn(flags, size);
  if (keywords !== null) mailbox.noteKeywords(keywords);
  mailbox.added.push([uid, modseq, flags, keywords, internalDate, size, emailId]);
  account.use(size, 1);
  return uid;
}
