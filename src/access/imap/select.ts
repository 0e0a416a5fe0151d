/** SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3). */
import { formatMailbox } from '../../wire/imap/format.ts';
import { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import type { MailboxView } from './view.ts';

export function select(session: ImapSession, args: { name: string; condstore: boolean }, isReadOnly: boolean): string | Promise<string> {
  const accountId = session.account!.id;
  const name = findName(session, args.name);
  const row = session.context.reader.mailboxByName(accountId, name);
  // Before the old one is let go: it may be the same, and need not be read again.
  const view = row?.isSelectable ? session.shared.views.acquire(accountId, row.id) : null;
  // Whatever comes of it, the mailbox selected before is not any more (RFC 9051 section 6.3.2).
  if (session.selected !== null) {
    session.unselect();
    session.out.write('* OK [CLOSED] Previous mailbox is closed\r\n');
  }
  if (args.condstore) session.isCondstore = true;
  if (row === null) return 'NO [NONEXISTENT] No such mailbox';
  if (!row.isSelectable) return 'NO [CANNOT] This name only holds other mailboxes';
  if (view instanceof Promise) return view.then((loaded) => opened(session, loaded, name, isReadOnly));
  return opened(session, view, name, isReadOnly);
}

/** Thunderbird may add the hierarchy separator at the end of a name. */
export function findName(session: ImapSession, name: string): string {
  if (!name.endsWith('/') || session.context.reader.mailboxByName(session.account!.id, name) !== null) return name;
  return name.slice(0, -1);
}

function opened(session: ImapSession, view: MailboxView | null, name: string, isReadOnly: boolean): string {
  if (view === null) return 'NO [NONEXISTENT] No such mailbox';
  if (session.isClosed) {
    session.shared.views.release(view);
    return '';
  }
  const selected = new Selected(view, name, isReadOnly);
  session.selected = selected;
  session.state = 'selected';
  const { out } = session;
  out.write(selected.flagLines());
  out.write(`* ${selected.count} EXISTS\r\n`);
  if (!session.isRev2) {
    session.claimRecent();
    out.write(`* ${selected.recentCount()} RECENT\r\n`);
    const unseen = firstUnseen(view);
    if (unseen !== -1) out.write(`* OK [UNSEEN ${unseen + 1}] First unseen message\r\n`);
  }
  out.write(`* OK [UIDVALIDITY ${view.uidValidity}] UIDs are valid\r\n* OK [UIDNEXT ${view.uidNext}] Predicted next UID\r\n`);
  out.write(`* OK [HIGHESTMODSEQ ${view.highestModseq}] Highest mod-sequence\r\n`);
  if (session.isRev2) out.write(`* LIST () "/" ${formatMailbox(name, true)}\r\n`);
  return isReadOnly ? 'OK [READ-ONLY] EXAMINE completed' : 'OK [READ-WRITE] SELECT completed';
}

function firstUnseen(view: MailboxView): number {
  for (let i = 0; i < view.count; i += 1) if (!view.isSeen(i)) return i;
  return -1;
}
