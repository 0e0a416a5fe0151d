/**
 * COPY and MOVE where mailboxes of several people are in play: into another account, or with flags that must not come along.
 * Between accounts a message becomes an email of the target's account with the same bytes: the blob is shared, nothing else.
 */
import type { AccountId, EmailId, MailboxId } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import { insertMessage } from './deliver.ts';
import { expungeMessages, runsOf } from './message.ts';

export interface CopyAcrossInput {
  readonly from: { readonly accountId: AccountId; readonly mailboxId: MailboxId };
  /** May be the same account, or the same mailbox. */
  readonly to: { readonly accountId: AccountId; readonly mailboxId: MailboxId };
  readonly uids: readonly number[];
  readonly move: boolean;
  /** Flags (FLAG bits) that the copies keep, and whether they keep keywords (RFC 4314 section 4). */
  readonly flags: number;
  readonly keywords: boolean;
}

/** All or none. Pairs are in uid order. Throws 'overQuota' (of the target's owner), 'noSuchMailbox', 'noSuchAccount', 'limit'. */
function copyAcross(tx: StoreTransaction, input: CopyAcrossInput): { uidValidity: number; pairs: [from: number, to: number][] } {
  const source = tx.state.mailbox(input.from.accountId, input.from.mailboxId);
  const target = tx.state.mailbox(input.to.accountId, input.to.mailboxId);
  const account = tx.state.account(input.to.accountId);
  const uids = [...new Set(input.uids)].sort((a, b) => a - b);
  const rows = runsOf(tx, source, uids, () => true).flat();
  const isAcross = input.from.accountId !== input.to.accountId;
  const bytes = rows.reduce((sum, row) => sum + row[5], 0);
  if ((isAcross || !input.move) && !account.hasRoomFor(bytes, rows.length)) throw new Failure('overQuota', 'quota exceeded');
  if (input.keywords) {
    const words = new Set(rows.flatMap((row) => row[3]?.split(' ') ?? []));
    if (words.size > 0 && !target.hasRoomForKeywords([...words])) throw new Failure('limit', 'too many different keywords in the mailbox');
  }
  const pairs: [number, number][] = [];
  /** An email of the source that several messages share is one email of the target too. */
  const emails = new Map<EmailId, EmailId>();
  for (const [uid, , flags, keywords, internalDate, size, emailId] of rows) {
    const emailHere = isAcross ? emailFor(tx, emails, input.from.accountId, emailId, input.to.accountId) : emailId;
    if (!isAcross) tx.run('UPDATE email SET refs=refs+1 WHERE id=?', emailId);
    const kept = input.keywords ? keywords : null;
    pairs.push([uid, insertMessage(tx, account, target, emailHere, size, flags & input.flags, kept, internalDate)]);
  }
  if (input.move && rows.length > 0)
    expungeMessages(
      tx,
      source,
      pairs.map(([uid]) => uid),
      false,
    );
  return { uidValidity: target.uidValidity, pairs };
}

/** An email of `to` with the bytes of one of `from`, with one more reference. Its thread and its way here are the target's own business. */
function emailFor(tx: StoreTransaction, made: Map<EmailId, EmailId>, from: AccountId, emailId: EmailId, to: AccountId): EmailId {
  const known = made.get(emailId);
  if (known !== undefined) {
    tx.run('UPDATE email SET refs=refs+1 WHERE id=? AND account_id=?', known, to);
    return known;
  }
  const id = tx.nextId('email');
  const copied = tx.run(
    'INSERT INTO email (id, account_id, refs, blob_id, prefix, blob_bytes, header_bytes, envelope, body_structure, parts, message_id, sent_at, saved_at)' +
      ' SELECT ?, ?, 1, blob_id, prefix, blob_bytes, header_bytes, envelope, body_structure, parts, message_id, sent_at, ? FROM email WHERE id=? AND account_id=?',
    id,
    to,
    tx.now,
    emailId,
    from,
  );
  // A message row names its email; one without is damage, and half a copy must not stay.
  if (copied !== 1) throw new Error(`no email ${emailId} in account ${from}`);
  tx.run('UPDATE blob SET refs=refs+1 WHERE id=(SELECT blob_id FROM email WHERE id=?)', id);
  made.set(emailId, id);
  return id;
}

/** Keeps to the counters in memory. */
export const COPY_ACROSS_OPERATIONS = { 'message.copyAcross': copyAcross };
