/** What a Sieve script may ask about the mailboxes of a system user: those in the store, as the courier listed them, or folders on disk. */
import { hasFolder, isInStore, type MailboxHost } from './mailbox.ts';
import type { StoreMailbox } from './types.ts';

export interface AccountMailboxes extends Pick<MailboxHost, 'configuration' | 'home' | 'user'> {
  /** null: not known, every name is taken to be there. */
  readonly storeMailboxes: readonly StoreMailbox[] | null;
}

const plain = (name: string): string => (name.toUpperCase() === 'INBOX' ? 'INBOX' : name);

/** RFC 5490 section 3.1. */
export function mailboxExists(account: AccountMailboxes, mailbox: string): boolean {
  if (!isInStore(account.configuration)) return hasFolder(account, mailbox);
  const { storeMailboxes } = account;
  return storeMailboxes === null || plain(mailbox) === 'INBOX' || storeMailboxes.some(({ name }) => name === mailbox);
}

/** RFC 8579 section 3; folders on disk have no special uses. */
export function specialUseExists(account: AccountMailboxes, mailbox: string | null, uses: readonly string[]): boolean {
  if (!isInStore(account.configuration) || account.storeMailboxes === null) return false;
  const candidates = mailbox === null ? account.storeMailboxes : account.storeMailboxes.filter(({ name }) => name === plain(mailbox));
  return uses.every((use) => candidates.some(({ role }) => role !== null && role !== 'inbox' && use.toLowerCase() === `\\${role}`));
}

/** RFC 9042 section 3. */
export function mailboxIdExists(account: AccountMailboxes, mailboxId: string): boolean {
  return isInStore(account.configuration) && account.storeMailboxes?.some(({ objectId }) => objectId === mailboxId) === true;
}
