/** Writer operations on the keys that URLs are signed with (table urlauth_key, RFC 4467 section 2.2). One key for each mailbox. */
import type { AccountId, MailboxId } from '../../ports.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';

export interface UrlKeyInput {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  /** 32 random bytes: what the key becomes if there is none. */
  readonly fresh: Uint8Array;
}

/** The mailbox's key, made now if it had none. Throws 'noSuchMailbox'. */
function urlKey(tx: Transaction, { accountId, mailboxId, fresh }: UrlKeyInput): Uint8Array {
  const known = tx.get('SELECT key FROM urlauth_key WHERE mailbox_id=?', mailboxId);
  if (known !== undefined) return known[0];
  if (tx.get('SELECT 1 FROM mailbox WHERE account_id=? AND id=?', accountId, mailboxId) === undefined)
    throw new Failure('noSuchMailbox', `no mailbox ${mailboxId}`);
  tx.run('INSERT INTO urlauth_key (mailbox_id, key) VALUES (?, ?)', mailboxId, fresh);
  return fresh;
}

/** Takes back all URLs of a mailbox, or with `mailboxId` null of all of an account's: the next URL makes a new key. */
function resetUrlKeys(tx: Transaction, { accountId, mailboxId }: { accountId: AccountId; mailboxId: MailboxId | null }): void {
  if (mailboxId === null) tx.run('DELETE FROM urlauth_key WHERE mailbox_id IN (SELECT id FROM mailbox WHERE account_id=?)', accountId);
  else tx.run('DELETE FROM urlauth_key WHERE mailbox_id=?', mailboxId);
}

export const URLAUTH_OPERATIONS: Operations = { 'urlauth.key': urlKey, 'urlauth.reset': resetUrlKeys };
