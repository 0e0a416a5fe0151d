/** IMAP REPLACE (RFC 8508): a message comes and another goes, in one step that nobody sees half done. */
import type { AccountId, MailboxId, NewMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import { insertBlob } from './blob.ts';
import { insertEmail, insertMessage } from './deliver.ts';
import { checkKeywords, expungeMessages } from './message.ts';

export interface ReplaceInput {
  readonly from: { readonly accountId: AccountId; readonly mailboxId: MailboxId; readonly uid: number };
  /** May be the same mailbox, or one of another account. */
  readonly to: { readonly accountId: AccountId; readonly mailboxId: MailboxId };
  readonly message: NewMessage;
}

const NO_PREFIX = new Uint8Array(0);

/** Throws 'noSuchMessage' (somebody else removed the old one), 'overQuota' (of what is needed in the end), 'noSuchMailbox', 'limit'. */
function replace(tx: StoreTransaction, { from, to, message: added }: ReplaceInput): { uidValidity: number; uid: number } {
  const source = tx.state.mailbox(from.accountId, from.mailboxId);
  const target = tx.state.mailbox(to.accountId, to.mailboxId);
  const account = tx.state.account(to.accountId);
  const old = tx.get('SELECT size FROM message WHERE account_id=? AND mailbox_id=? AND uid=?', from.accountId, from.mailboxId, from.uid);
  if (old === undefined) throw new Failure('noSuchMessage', `no message ${from.uid}`);
  const isSameAccount = from.accountId === to.accountId;
  // RFC 8508 section 3.4: what counts is the difference. One that needs less than before passes even in an account that is too full.
  const growth = added.message.size - (isSameAccount ? (old[0] as number) : 0);
  if ((!isSameAccount || growth > 0) && !account.hasRoomFor(growth, isSameAccount ? 0 : 1)) throw new Failure('overQuota', 'quota exceeded');
  const words = checkKeywords(added.keywords)?.split(' ') ?? [];
  if (words.length > 0 && !target.hasRoomForKeywords(words)) throw new Failure('limit', 'too many different keywords in the mailbox');
  const blobId = insertBlob(tx, added.message, 1);
  const emailId = insertEmail(tx, to.accountId, { blobId, message: added.message, prefix: NO_PREFIX, journeyId: null });
  const uid = insertMessage(tx, account, target, emailId, added.message.size, added.flags, added.keywords, added.internalDate);
  expungeMessages(tx, source, [from.uid], false);
  return { uidValidity: target.uidValidity, uid };
}

/** Keeps to the counters in memory. */
export const REPLACE_OPERATIONS = { 'message.replace': replace };
