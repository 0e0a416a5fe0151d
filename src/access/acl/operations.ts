/** Writer operations on rights (table acl, RFC 4314). Who may change them has been checked before. */
import type { AccountId, MailboxId } from '../../ports.ts';
import { tellSharers } from '../../store/operations/sharing.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';

/** Identifiers in the list of one mailbox: every command on it reads them all. */
export const ACL_ENTRIES_MAX = 1000;

/** In the order in which rights are written. */
const RIGHTS = 'lrswipkxtea';

export interface SetRightsInput {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  /** A login, "anyone" or "authenticated", "-" before it for rights that are taken away. Not the owner's. */
  readonly identifier: string;
  readonly mode: 'replace' | 'add' | 'remove';
  /** Letters of "lrswipkxtea", in this order. */
  readonly rights: string;
}

/** Answers what the identifier has now. Without rights it leaves the list. Throws 'noSuchMailbox', 'limit'. */
function setRights(tx: Transaction, input: SetRightsInput): string {
  const { accountId, mailboxId, identifier, mode } = input;
  if (tx.get('SELECT 1 FROM mailbox WHERE account_id=? AND id=?', accountId, mailboxId) === undefined)
    throw new Failure('noSuchMailbox', `no mailbox ${mailboxId}`);
  const before = (tx.get('SELECT rights FROM acl WHERE mailbox_id=? AND identifier=?', mailboxId, identifier)?.[0] ?? '') as string;
  const rights = [...RIGHTS]
    .filter((right) => {
      const isNamed = input.rights.includes(right);
      if (mode === 'replace') return isNamed;
      return mode === 'add' ? isNamed || before.includes(right) : before.includes(right) && !isNamed;
    })
    .join('');
  if (rights === before) return rights;
  if (before === '' && Number(tx.get('SELECT count(*) FROM acl WHERE mailbox_id=?', mailboxId)![0]) >= ACL_ENTRIES_MAX)
    throw new Failure('limit', 'too many identifiers have rights on this mailbox');
  if (rights === '') tx.run('DELETE FROM acl WHERE mailbox_id=? AND identifier=?', mailboxId, identifier);
  else
    tx.run(
      'INSERT INTO acl (mailbox_id, identifier, rights) VALUES (?, ?, ?) ON CONFLICT (mailbox_id, identifier) DO UPDATE SET rights=excluded.rights',
      mailboxId,
      identifier,
      rights,
    );
  tx.announce({ kind: 'mailboxes', accountId });
  tellSharers(tx, accountId, [identifier]);
  return rights;
}

export const ACL_OPERATIONS: Operations = { 'acl.set': setRights };
