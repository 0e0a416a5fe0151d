/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8; RFC 6154 for CREATE with USE; rights: RFC 4314). */
import type { Role } from '../../ports.ts';
import { mailboxObjectId } from '../../store/object-id.ts';
import { creationPlace, placeWith } from './acl-check.ts';
import { has } from './capability.ts';
import { oldNameLine } from './old-name.ts';
import { hasRole } from './own-mailboxes.ts';
import { findPlace } from './places.ts';
import type { ImapSession } from './session.ts';
import { SPECIAL_USE } from './special-use.ts';

/** A trailing separator only says that children will follow (RFC 9051 section 6.3.4). */
function withoutSeparator(name: string): string {
  return (name.endsWith('/') ? name.slice(0, -1) : name).normalize('NFC');
}

export function create(session: ImapSession, args: { name: string; use: string[] }): string | Promise<string> {
  const name = withoutSeparator(args.name);
  if (name === '') return 'NO [CANNOT] A mailbox needs a name';
  const place = creationPlace(session, name);
  if (typeof place === 'string') return place;
  let role: Role | null = null;
  if (args.use.length > 1) return 'NO [USEATTR] A mailbox has one special use at most';
  if (args.use.length === 1) {
    for (const [known, attribute] of SPECIAL_USE) if (attribute.toUpperCase() === `\\${args.use[0]}`) role = known;
    if (role === null) return 'NO [USEATTR] Special use is not supported';
    // What a mailbox is for is its owner's business (RFC 6154 section 2: uses are of the user's own mail store).
    if (place.owner !== session.account!.id) return 'NO [USEATTR] Only your own mailboxes have special uses';
    if (role !== null && hasRole(session.context.reader, place.owner, role)) return 'NO [USEATTR] Another mailbox has this special use';
  }
  return session.context.writer.createMailbox(place.owner, place.name, role).then((row) => {
    session.out.write(oldNameLine(session, [], name, args.name));
    // RFC 8474 section 4.1
    return has(session, 'OBJECTID') ? `OK [MAILBOXID (${mailboxObjectId(row)})] CREATE completed` : 'OK CREATE completed';
  });
}

export function remove(session: ImapSession, given: string): string | Promise<string> {
  const place = placeWith(session, given, 'x');
  if (typeof place === 'string') return place;
  const { owner, row } = place;
  if (row.name === 'INBOX') return 'NO [CANNOT] INBOX cannot be deleted';
  if (session.selected?.view.mailboxId === row.id) {
    session.unselect();
    session.out.write('* OK [CLOSED] Selected mailbox is being deleted\r\n');
  }
  return session.context.writer.deleteMailbox(owner, row.id).then(() => {
    session.out.write(oldNameLine(session, ['\\NonExistent'], place.name, given));
    return 'OK DELETE completed';
  });
}

export function rename(session: ImapSession, args: { from: string; to: string }): string | Promise<string> {
  const to = withoutSeparator(args.to);
  if (to === '') return 'NO [CANNOT] A mailbox needs a name';
  if (to === 'INBOX') return 'NO [ALREADYEXISTS] Mailbox exists';
  const place = placeWith(session, args.from, 'x');
  if (typeof place === 'string') return place;
  const target = creationPlace(session, to);
  if (typeof target === 'string') return target;
  const { owner, row } = place;
  // Quota, rights and annotations belong to an account; messages can be copied across, a mailbox as such cannot.
  if (target.owner !== owner) return 'NO [CANNOT] A mailbox stays in its account';
  // Renaming INBOX empties it: the selected mailbox is then another one.
  if (row.name === 'INBOX') {
    if (!place.isOwn) return 'NO [CANNOT] Only its owner can rename INBOX';
    if (session.selected?.view.mailboxId === row.id) {
      session.unselect();
      session.out.write('* OK [CLOSED] Selected mailbox is being renamed\r\n');
    }
  }
  return session.context.writer.renameMailbox(owner, row.id, target.name).then(() => {
    session.out.write(oldNameLine(session, [], to, args.from, args.to));
    return 'OK RENAME completed';
  });
}

/**
 * A name may be subscribed to without existing (RFC 9051 section 6.3.7), so no right is needed (RFC 4314 section 4), and nothing is learnt
 * by it. Subscriptions to mailboxes of others belong to the session's account, by the name that it knows them by.
 */
export function subscribe(session: ImapSession, given: string, isSubscribed: boolean): Promise<string> {
  const place = findPlace(session, given);
  const name = place === null ? withoutSeparator(given) : place.isOwn ? place.row.name : place.name;
  return session.context.writer
    .subscribe(session.account!.id, name, isSubscribed)
    .then(() => (isSubscribed ? 'OK SUBSCRIBE completed' : 'OK UNSUBSCRIBE completed'));
}
