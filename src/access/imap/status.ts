/** STATUS (RFC 9051 section 6.3.11; RFC 8474 section 4.3, RFC 9208 section 4.1.4), answered from the counters of the mailbox row. */
import type { MailboxRow } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { mailboxObjectId } from '../../store/object-id.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { StatusItem } from '../../wire/imap/list.ts';
import { placeWith } from './acl-check.ts';
import { pause, SliceClock } from './pace.ts';
import type { ImapSession } from './session.ts';

/** RECENT is not kept: counted up to here, which no client shows exactly. */
const RECENT_MAX = 10_000;
export const RECENT_SQL = 'SELECT count(*) FROM (SELECT 1 FROM message WHERE account_id=? AND mailbox_id=? AND uid>=? LIMIT ?)';
/** UIDs looked at in one go for DELETED-STORAGE: about a millisecond, ten when they come from the disk. */
const DELETED_UIDS = 5000;

export function status(session: ImapSession, args: { name: string; items: StatusItem[] }): string | Promise<string> {
  const place = placeWith(session, args.name, 'r');
  if (typeof place === 'string') return place;
  const { row, name } = place;
  if (!row.isSelectable) return 'NO [CANNOT] This name only holds other mailboxes';
  const deleted = deletedBytes(session, row, args.items);
  if (deleted instanceof Promise)
    return deleted.then((bytes) => {
      session.out.write(statusLine(session, row, args.items, name, bytes));
      return 'OK STATUS completed';
    });
  session.out.write(statusLine(session, row, args.items, name, deleted));
  return 'OK STATUS completed';
}

/** The untagged response; also for LIST RETURN (STATUS …). `deleted`: octets for DELETED-STORAGE. */
export function statusLine(session: ImapSession, row: MailboxRow, items: readonly StatusItem[], name: string = row.name, deleted = 0): string {
  if (items.includes('HIGHESTMODSEQ')) session.enableCondstore();
  const values = items.map((item) => `${item} ${statusValue(session, row, item, deleted)}`);
  return `* STATUS ${formatMailbox(name, session.isUtf8 || session.isRev2)} (${values.join(' ')})\r\n`;
}

/** Octets that EXPUNGE would free, when it is asked for. At once where nothing is deleted, which is nearly always. */
export function deletedBytes(session: ImapSession, row: MailboxRow, items: readonly StatusItem[]): number | Promise<number> {
  return !items.includes('DELETED-STORAGE') || row.deleted === 0 ? 0 : sumDeleted(session, row);
}

async function sumDeleted(session: ImapSession, { accountId, id, uidNext }: MailboxRow): Promise<number> {
  const clock = new SliceClock();
  let total = 0;
  // UIDs may be few and far between: the next slice begins at the next message.
  for (let uid = 1; uid < uidNext && !session.isClosed; ) {
    const [next] = session.context.reader.messages(accountId, id, uid, uidNext, 1);
    if (next === undefined) break;
    const to = next[0] + DELETED_UIDS - 1;
    const [row] = session.context.reader.rows(
      'SELECT coalesce(sum(size), 0) FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? AND flags & ? <> 0',
      accountId,
      id,
      next[0],
      to,
      FLAG.deleted,
    );
    total += Number(row?.[0] ?? 0);
    uid = to + 1;
    if (clock.isOver()) await pause(clock);
  }
  return total;
}

function statusValue(session: ImapSession, row: MailboxRow, item: StatusItem, deleted: number): number | string {
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
    case 'DELETED-STORAGE':
      // In the octets of SIZE, not in the units of STORAGE: RFC 9208 section 4.1.4 speaks of the sum of RFC822.SIZE.
      return deleted;
    case 'SIZE':
      return row.bytes;
    case 'HIGHESTMODSEQ':
      return Math.max(1, row.highestModseq);
    case 'APPENDLIMIT':
      return session.context.settings()['imap.appendBytesMax'];
    case 'MAILBOXID':
      return `(${mailboxObjectId(row)})`;
    default:
      if (row.recentUid >= row.uidNext) return 0;
      return Number(session.context.reader.rows(RECENT_SQL, row.accountId, row.id, row.recentUid, RECENT_MAX)[0]![0]);
  }
}
