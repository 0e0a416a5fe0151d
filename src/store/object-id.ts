/** What mailboxes, emails and threads are called for ever (RFC 8474), from the numbers of their rows. */
import type { AccountId, EmailId, MailboxRow, StoreReader } from '../ports.ts';

/**
 * What names a mailbox through all its renames (MAILBOXID, RFC 8474 section 4). Its UIDVALIDITY is part of it: the number of a mailbox
 * that was deleted may come again.
 */
export function mailboxObjectId({ id, uidValidity }: Pick<MailboxRow, 'id' | 'uidValidity'>): string {
  return `F${id}-${uidValidity}`;
}

export function mailboxOfObjectId(reader: Pick<StoreReader, 'mailboxes'>, accountId: AccountId, objectId: string): MailboxRow | null {
  return reader.mailboxes(accountId).find((row) => mailboxObjectId(row) === objectId) ?? null;
}

/** EMAILID (RFC 8474 section 5.1): all copies of a message within an account share the email. */
export function emailObjectId(emailId: EmailId): string {
  return `E${emailId}`;
}

/** The email's number of an EMAILID; -1 for what cannot be one. */
export function emailOfObjectId(objectId: string): EmailId {
  return numberBehind('E', objectId);
}

/** THREADID (RFC 8474 section 5.2). */
export function threadObjectId(threadId: number): string {
  return `T${threadId}`;
}

/** The thread's number of a THREADID; -1 for what cannot be one. */
export function threadOfObjectId(objectId: string): number {
  return numberBehind('T', objectId);
}

/** Object ids are compared with their case. */
function numberBehind(letter: string, objectId: string): number {
  const digits = objectId.slice(1);
  return objectId.startsWith(letter) && /^[1-9][0-9]{0,15}$/.test(digits) ? Number(digits) : -1;
}
