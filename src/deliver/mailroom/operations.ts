/** What a script at an IMAP event comes to (RFC 6785 section 3), in the writer: all of it in one transaction. */
import type { AccountId, MailboxId } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { carryOut, targetMailbox } from '../../store/operations/accept.ts';
import type { DeliveryEffects, LocalCopy } from '../../store/operations/accept.types.ts';
import { insertBlob } from '../../store/operations/blob.ts';
import { insertEmail, insertMessage } from '../../store/operations/deliver.ts';
import { expungeMessages, MESSAGE_OPERATIONS } from '../../store/operations/message.ts';
import type { StoreTransaction } from '../../store/writer/group-commit.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';

export interface FlagDelta {
  readonly flags: number;
  readonly keywords: readonly string[];
}

export interface ImapScriptInput {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  readonly uid: number;
  readonly emailId: number;
  readonly copies: readonly LocalCopy[];
  readonly effects: DeliveryEffects | null;
  readonly added: FlagDelta | null;
  readonly removed: FlagDelta | null;
  /** No keep is in effect: the message is marked \Deleted, or expunged. */
  readonly isKept: boolean;
  readonly expunges: boolean;
  /** For the rows of changed copies. */
  readonly messageId: string;
}

/** The message may have gone meanwhile: it is not marked then, and what is to be copied as it was is not. Throws 'overQuota' before anything is done. */
function imapScriptDone(transaction: Transaction, input: ImapScriptInput): { copied: number; isHere: boolean } {
  const tx = transaction as StoreTransaction;
  const { accountId, mailboxId, uid, emailId } = input;
  const account = tx.state.account(accountId);
  const email = tx.get('SELECT e.prefix, length(e.prefix)+e.blob_bytes, e.blob_id FROM email e WHERE e.id=? AND e.account_id=?', emailId, accountId) as
    | [Uint8Array, number, number]
    | undefined;
  const here = tx.get('SELECT internal_date FROM message WHERE account_id=? AND mailbox_id=? AND uid=? AND email_id=?', accountId, mailboxId, uid, emailId) as
    | [number]
    | undefined;
  const copies = input.copies.filter((copy) => copy.message !== null || email !== undefined);
  const bytes = copies.reduce((sum, copy) => sum + (copy.message === null ? email![1] : copy.message.size), 0);
  if (copies.length > 0 && !account.hasRoomFor(bytes, copies.length)) throw new Failure('overQuota', 'quota exceeded');
  for (const copy of copies) copyInto(tx, input, copy, email ?? null, here?.[0] ?? tx.now);
  if (input.effects !== null) carryOut(tx, accountId, input.effects, email?.[2] ?? null);
  if (here !== undefined) mark(tx, input);
  return { copied: copies.length, isHere: here !== undefined };
}

function copyInto(
  tx: StoreTransaction,
  { accountId, emailId, messageId }: ImapScriptInput,
  copy: LocalCopy,
  email: readonly [prefix: Uint8Array, bytes: number, blobId: number] | null,
  internalDate: number,
): void {
  const account = tx.state.account(accountId);
  const target = tx.state.mailbox(accountId, targetMailbox(tx, { accountId, mailbox: copy.mailbox }));
  if (copy.message === null) {
    tx.run('UPDATE email SET refs=refs+1 WHERE id=?', emailId);
    insertMessage(tx, account, target, emailId, email![1], copy.flags, copy.keywords, internalDate);
    return;
  }
  const prefix = copy.prefix ?? email?.[0] ?? new Uint8Array(0);
  const blobId = insertBlob(tx, copy.message, 1);
  const id = insertEmail(tx, accountId, { blobId, message: copy.message, prefix, journeyId: messageId });
  insertMessage(tx, account, target, id, copy.message.size + prefix.length, copy.flags, copy.keywords, internalDate);
}

function mark(tx: StoreTransaction, { accountId, mailboxId, uid, added, removed, isKept, expunges }: ImapScriptInput): void {
  if (!isKept && expunges) {
    expungeMessages(tx, tx.state.mailbox(accountId, mailboxId), [uid], false);
    return;
  }
  const change = (mode: 'add' | 'remove', delta: FlagDelta | null): void => {
    if (delta !== null) MESSAGE_OPERATIONS['message.flags'](tx, { accountId, mailboxId, uids: [uid], mode, ...delta });
  };
  change('remove', removed);
  const deleted = isKept ? 0 : FLAG.deleted;
  change('add', deleted === 0 ? added : { flags: (added?.flags ?? 0) | deleted, keywords: added?.keywords ?? [] });
}

export const MAILROOM_OPERATIONS = { 'imapsieve.done': imapScriptDone } satisfies Operations;
