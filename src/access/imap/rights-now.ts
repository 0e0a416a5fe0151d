/** What a session may do in the mailbox it has selected. Rights of others' mailboxes may change at any time, so they are looked up for each command. */
import { ALL_RIGHTS, maySee, ownRights, type Right, rightsFor } from './places.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Letters (RFC 4314 section 2.1); everything in a mailbox of one's own, at no cost. */
export function rightsNow(session: ImapSession, selected: Selected): string {
  if (selected.place === null) return ALL_RIGHTS;
  if (selected.view.accountId === session.account!.id) return ownRights(session);
  const owner = session.context.directory.account(selected.view.accountId);
  if (owner === null || !maySee(session, owner)) return '';
  const rows = session.context.reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=?', selected.view.mailboxId) as [string, string][];
  return rightsFor(session.account!, rows);
}

export function mayNow(session: ImapSession, selected: Selected, right: Right): boolean {
  return selected.place === null || rightsNow(session, selected).includes(right);
}
