/** EXPUNGE, UID EXPUNGE, CLOSE and UNSELECT (RFC 9051 sections 6.4.1 to 6.4.3 and 6.4.9; RFC 7162 sections 3.2.7 to 3.2.9). */
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import { limited } from './message-limit.ts';
import { mayNow } from './rights-now.ts';
import { positions } from './sequence.ts';
import type { ImapSession } from './session.ts';
import { OK_WITH_LEVEL } from './tell-updates.ts';

/** `set`: uids for UID EXPUNGE, undefined for all. What is removed is told as an update, as anybody else's removals are. */
export function expunge(session: ImapSession, set: SequenceSet | undefined): string | Promise<string> {
  const selected = session.selected!;
  if (selected.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  if (!mayNow(session, selected, 'e')) return 'NO [NOPERM] Removing messages is not permitted here';
  const { view } = selected;
  let uids: number[] | null = null;
  let limit = '';
  if (set !== undefined) {
    uids = [];
    const { ranges, code } = limited(session, selected, selected.ranges(set, true));
    for (const position of positions(ranges)) uids.push(selected.uids[position]!);
    if (uids.length === 0) return 'OK EXPUNGE completed';
    limit = code;
  }
  return session.context.writer.expunge(view.accountId, view.mailboxId, uids, true).then((result) => {
    view.applyExpunged(result.uids);
    // RFC 9738 section 3: of two codes, one has a line of its own.
    const hasModseq = session.isQresync && result.uids.length > 0;
    if (limit !== '' && hasModseq) session.out.write(`* NO [${limit}] Only some of the messages were looked at\r\n`);
    if (hasModseq) return `${OK_WITH_LEVEL} EXPUNGE completed`;
    return `OK${limit === '' ? '' : ` [${limit}]`} EXPUNGE completed`;
  });
}

/** Removes what is \Deleted without saying so, then leaves the mailbox. RFC 7162 section 3.2.8: HIGHESTMODSEQ must not be said. */
export function close(session: ImapSession): string | Promise<string> {
  const selected = session.selected!;
  const { view } = selected;
  // RFC 4314 section 4: without the right the mailbox is left as it is, and that is no failure.
  if (selected.isReadOnly || !mayNow(session, selected, 'e')) return unselect(session, 'CLOSE');
  return session.context.writer.expunge(view.accountId, view.mailboxId, null, true).then((result) => {
    view.applyExpunged(result.uids);
    return unselect(session, 'CLOSE');
  });
}

export function unselect(session: ImapSession, verb: unknown): string {
  session.unselect();
  return `OK ${typeof verb === 'string' ? verb : 'UNSELECT'} completed`;
}
