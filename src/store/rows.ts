/** Rows as arrays to the values of the ports, used by reader and writer. */
import type { MailboxRow, Role } from '../ports.ts';

export const MAILBOX_COLUMNS =
  'id, account_id, name, role, is_subscribed, is_selectable, uid_validity, uid_next, highest_modseq, message_count, unseen_count, deleted_count, bytes, recent_uid, keywords';

export function mailboxRow(row: any[]): MailboxRow {
  return {
    id: row[0],
    accountId: row[1],
    name: row[2],
    role: row[3] as Role | null,
    isSubscribed: row[4] === 1,
    isSelectable: row[5] === 1,
    uidValidity: row[6],
    uidNext: row[7],
    highestModseq: row[8],
    exists: row[9],
    unseen: row[10],
    deleted: row[11],
    bytes: row[12],
    recentUid: row[13],
    keywords: row[14],
  };
}
