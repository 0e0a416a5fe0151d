/** EXPUNGE, UID EXPUNGE, CLOSE and UNSELECT (RFC 9051 sections 6.4.1 to 6.4.3 and 6.4.9). */
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import { positions } from './sequence.ts';
import type { ImapSession } from './session.ts';

/** `set`: uids for UID EXPUNGE, undefined for all. What is removed is told as an update, as anybody else's removals are. */
export function expunge(session: ImapSession, set: SequenceSet | undefined): string | Promise<string> {
  const selected = session.selected!;
  if (selected.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  const { view } = selected;
  let uids: number[] | null = null;
  if (set !== undefined) {
    uids = [];
    for (const position of positions(selected.ranges(set, true))) uids.push(selected.uids[position]!);
    if (uids.length === 0) return 'OK EXPUNGE completed';
  }
  return session.context.writer.expunge(view.accountId, view.mailboxId, uids, true).then((result) => {
    view.applyExpunged(result.uids);
    return 'OK EXPUNGE completed';
  });
}

/** Removes what is \Deleted without saying so, then leaves the mailbox. */
export function close(session: ImapSession): string | Promise<string> {
  const { view, isReadOnly } = session.selected!;
  if (isReadOnly) return unselect(session, 'CLOSE');
  return session.context.writer.expunge(view.accountId, view.mailboxId, null, true).then((result) => {
    view.applyExpunged(result.uids);
    return unselect(session, 'CLOSE');
  });
}

export function unselect(session: ImapSession, verb: unknown): string {
  session.unselect();
  return `OK ${typeof verb === 'string' ? verb : 'UNSELECT'} completed`;
}
