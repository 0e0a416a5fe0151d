/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8; RFC 6154 for CREATE with USE). */
import type { Role } from '../../ports.ts';
import { findName } from './select.ts';
import type { ImapSession } from './session.ts';

/** Special-use attributes (RFC 6154 section 2) and the roles they are. */
export const SPECIAL_USE: ReadonlyMap<Role, string> = new Map<Role, string>([
  ['sent', '\\Sent'],
  ['drafts', '\\Drafts'],
  ['trash', '\\Trash'],
  ['junk', '\\Junk'],
  ['archive', '\\Archive'],
]);

/** A trailing separator only says that children will follow (RFC 9051 section 6.3.4). */
function withoutSeparator(name: string): string {
  return (name.endsWith('/') ? name.slice(0, -1) : name).normalize('NFC');
}

export function create(session: ImapSession, args: { name: string; use: string[] }): string | Promise<string> {
  const name = withoutSeparator(args.name);
  if (name === '') return 'NO [CANNOT] A mailbox needs a name';
  let role: Role | null = null;
  if (args.use.length > 1) return 'NO [USEATTR] A mailbox has one special use at most';
  if (args.use.length === 1) {
    for (const [known, attribute] of SPECIAL_USE) if (attribute.toUpperCase() === `\\${args.use[0]}`) role = known;
    if (role === null) return 'NO [USEATTR] Special use is not supported';
    if (session.context.reader.mailboxes(session.account!.id).some((mailbox) => mailbox.role === role))
      return 'NO [USEATTR] Another mailbox has this special use';
  }
  return session.context.writer.createMailbox(session.account!.id, name, role).then(() => 'OK CREATE completed');
}

export function remove(session: ImapSession, given: string): string | Promise<string> {
  const accountId = session.account!.id;
  const name = findName(session, given);
  if (name === 'INBOX') return 'NO [CANNOT] INBOX cannot be deleted';
  const row = session.context.reader.mailboxByName(accountId, name);
  if (row === null) return 'NO [NONEXISTENT] No such mailbox';
  if (session.selected?.view.mailboxId === row.id) {
    session.unselect();
    session.out.write('* OK [CLOSED] Selected mailbox is being deleted\r\n');
  }
  return session.context.writer.deleteMailbox(accountId, row.id).then(() => 'OK DELETE completed');
}

export function rename(session: ImapSession, args: { from: string; to: string }): string | Promise<string> {
  const accountId = session.account!.id;
  const name = findName(session, args.from);
  const to = withoutSeparator(args.to);
  if (to === '') return 'NO [CANNOT] A mailbox needs a name';
  if (to === 'INBOX') return 'NO [ALREADYEXISTS] Mailbox exists';
  const row = session.context.reader.mailboxByName(accountId, name);
  if (row === null) return 'NO [NONEXISTENT] No such mailbox';
  // Renaming INBOX empties it: the selected mailbox is then another one.
  if (name === 'INBOX' && session.selected?.view.mailboxId === row.id) {
    session.unselect();
    session.out.write('* OK [CLOSED] Selected mailbox is being renamed\r\n');
  }
  return session.context.writer.renameMailbox(accountId, row.id, to).then(() => 'OK RENAME completed');
}

/** A name may be subscribed to without existing (RFC 9051 section 6.3.7). */
export function subscribe(session: ImapSession, given: string, isSubscribed: boolean): Promise<string> {
  const name = withoutSeparator(findName(session, given));
  return session.context.writer
    .subscribe(session.account!.id, name, isSubscribed)
    .then(() => (isSubscribed ? 'OK SUBSCRIBE completed' : 'OK UNSUBSCRIBE completed'));
}
