/** Which mailboxes of an account POP3 shows, in which order, and which of them have rows in POP3's own tables. */
import type { AccountId, MailboxId, MailboxRow, Role, StoreReader } from '../../ports.ts';
import type { Pop3Choice } from './choice.ts';

/** Not for a client that takes everything it is shown for new mail. */
const NOT_SHOWN: ReadonlySet<Role | null> = new Set<Role | null>(['trash', 'junk', 'drafts', 'sent']);

export interface ShownMailbox {
  readonly id: MailboxId;
  readonly name: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly exists: number;
  /** Another mailbox of the account has the same UIDVALIDITY: imports take over those of the old server, where this may happen. */
  readonly sharesUidValidity: boolean;
}

/** The inbox first, then the others by name; empty when there is no inbox. */
export function shownMailboxes(reader: StoreReader, accountId: AccountId, shows: Pop3Choice['shows']): ShownMailbox[] {
  const inbox = reader.mailboxByName(accountId, 'INBOX');
  if (inbox === null) return [];
  if (shows !== 'everywhere') return [{ ...inbox, sharesUidValidity: false }];
  const all = reader.mailboxes(accountId).filter(({ isSelectable }) => isSelectable);
  const trash = trashAmong(all);
  const others = all.filter(({ id, role }) => id !== inbox.id && id !== trash?.id && !NOT_SHOWN.has(role)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const timesUsed = new Map<number, number>();
  for (const { uidValidity } of all) timesUsed.set(uidValidity, (timesUsed.get(uidValidity) ?? 0) + 1);
  return [inbox, ...others].map(({ id, name, uidValidity, uidNext, exists }) => ({
    id,
    name,
    uidValidity,
    uidNext,
    exists,
    sharesUidValidity: (timesUsed.get(uidValidity) ?? 0) > 1,
  }));
}

/** Where 'pop3.deletes' = "trash" moves messages to: by role, else by name. Selectable mailboxes are expected. */
export function trashAmong(mailboxes: readonly MailboxRow[]): MailboxRow | undefined {
  return mailboxes.find(({ role }) => role === 'trash') ?? mailboxes.find(({ name }) => name === 'Trash');
}

/** Those of the account's mailboxes `ids` that have rows in `table`. */
export function mailboxesWith(reader: StoreReader, table: 'pop3_hidden' | 'pop3_uidl', accountId: AccountId, ids: readonly MailboxId[]): MailboxId[] {
  if (ids.length <= 1) return ids.filter((id) => reader.rows(`SELECT 1 FROM ${table} WHERE mailbox_id=? LIMIT 1`, id).length > 0);
  const having = reader.rows(`SELECT id FROM mailbox WHERE account_id=? AND EXISTS (SELECT 1 FROM ${table} WHERE mailbox_id=mailbox.id)`, accountId) as [
    MailboxId,
  ][];
  const known = new Set(having.map(([id]) => id));
  return ids.filter((id) => known.has(id));
}
