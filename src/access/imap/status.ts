/** STATUS (RFC 9051 section 6.3.11), answered from the counters of the mailbox row. */
import type { MailboxRow } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { StatusItem } from '../../wire/imap/list.ts';
import { findName } from './select.ts';
import type { ImapSession } from './session.ts';

/** RECENT is the only item that is not kept: counted up to here, which no client shows exactly. */
const RECENT_MAX = 10_000;

export function status(session: ImapSession, args: { name: string; items: StatusItem[] }): string {
  const name = findName(session, args.name);
  const row = session.context.reader.mailboxByName(session.account!.id, name);
  if (row === null) return 'NO [NONEXISTENT] No such mailbox';
  if (!row.isSelectable) return 'NO [CANNOT] This name only holds other mailboxes';
  session.out.write(statusLine(session, row, args.items));
  return 'OK STATUS completed';
}

/** The untagged response; also for LIST RETURN (STATUS …). */
export function statusLine(session: ImapSession, row: MailboxRow, items: readonly StatusItem[]): string {
  if (items.includes('HIGHESTMODSEQ')) session.enableCondstore();
  const values = items.map((item) => `${item} ${statusValue(session, row, item)}`);
  return `* STATUS ${formatMailbox(row.name, session.isUtf8 || session.isRev2)} (${values.join(' ')})\r\n`;
}

function statusValue(session: ImapSession, row: MailboxRow, item: StatusItem): number {
  switch (item) {
    case 'MESSAGES':
      return row.exists;
    case 'UIDNEXT':
      return row.uidNext;
    case 'UIDVALIDITY':
      return row.uidValidity;
    case 'UNSEEN':
      return row.unseen;
    case 'DELETED':
      return row.deleted;
    case 'SIZE':
      return row.bytes;
    case 'HIGHESTMODSEQ':
      return Math.max(1, row.highestModseq);
    case 'APPENDLIMIT':
      return session.context.settings()['imap.appendBytesMax'];
    default:
      if (row.recentUid >= row.uidNext) return 0;
      return session.context.reader.messages(row.accountId, row.id, row.recentUid, 0xffffffff, RECENT_MAX).length;
  }
}
