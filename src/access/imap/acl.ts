/** SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 section 3). */
import type { SetRightsInput } from '../acl/operations.ts';
import { canonicalIdentifier } from '../acl/identifier.ts';
import { formatIdentifier, formatRights, type IdentifierArguments, type SetAclArguments } from '../../wire/imap/acl.ts';
import { ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { NO_MAILBOX, placeWith } from './acl-check.ts';
import { ALL_RIGHTS, findPlace, may, type Place, type Right } from './places.ts';
import type { ImapSession } from './session.ts';

const OWNER_KEEPS = 'NO [CANNOT] The owner of a mailbox keeps all rights';

export function setAcl(session: ImapSession, args: SetAclArguments): string | Promise<string> {
  const place = administered(session, args.name);
  if (typeof place === 'string') return place;
  const owner = ownerLogin(session, place);
  const identifier = canonical(session, owner, args.identifier);
  // The same words whether there is such a user or not: nobody finds out by trying.
  if (identifier === null) return 'NO [CANNOT] Mailboxes cannot be shared with this identifier';
  if (isOwner(identifier, owner)) {
    const takesNothing = !identifier.startsWith('-') && (args.mode === 'add' || (args.mode === 'replace' && args.rights === ALL_RIGHTS));
    return takesNothing ? 'OK SETACL completed' : OWNER_KEEPS;
  }
  return change(session, place, identifier, args.mode, args.rights).then(() => 'OK SETACL completed');
}

export function deleteAcl(session: ImapSession, args: IdentifierArguments): string | Promise<string> {
  const place = administered(session, args.name);
  if (typeof place === 'string') return place;
  const owner = ownerLogin(session, place);
  // Also of users that are not there any more.
  const asSent = prepared(session, owner, args.identifier);
  const identifier = storedRights(session, place).some(([known]) => known === asSent) ? asSent : canonical(session, owner, args.identifier);
  if (identifier === null) return 'OK DELETEACL completed';
  if (isOwner(identifier, owner)) return OWNER_KEEPS;
  return change(session, place, identifier, 'replace', '').then(() => 'OK DELETEACL completed');
}

export function getAcl(session: ImapSession, name: string): string {
  const place = administered(session, name);
  if (typeof place === 'string') return place;
  let text = ` ${formatIdentifier(ownerLogin(session, place))} ${formatRights(ALL_RIGHTS)}`;
  for (const [identifier, rights] of storedRights(session, place)) text += ` ${formatIdentifier(identifier)} ${formatRights(rights)}`;
  session.out.write(`* ACL ${shown(session, place)}${text}\r\n`);
  return 'OK GETACL completed';
}

export function listRights(session: ImapSession, args: IdentifierArguments): string {
  const place = administered(session, args.name);
  if (typeof place === 'string') return place;
  const owner = ownerLogin(session, place);
  const identifier = canonical(session, owner, args.identifier);
  const always = identifier === owner ? formatRights(ALL_RIGHTS) : '""';
  // Any right can be given without any other; "c" and "d" stand by themselves then (RFC 4314 section 2.1.1).
  const grantable = identifier === null || isOwner(identifier, owner) ? '' : ` ${[...ALL_RIGHTS, 'c', 'd'].join(' ')}`;
  session.out.write(`* LISTRIGHTS ${shown(session, place)} ${formatIdentifier(args.identifier)} ${always}${grantable}\r\n`);
  return 'OK LISTRIGHTS completed';
}

const SOME_RIGHT: readonly Right[] = ['l', 'r', 'i', 'k', 'x', 'a'];

export function myRights(session: ImapSession, name: string): string {
  const place = findPlace(session, name);
  if (place === null || !place.row.isSelectable || !SOME_RIGHT.some((right) => may(place, right))) return NO_MAILBOX;
  session.out.write(myRightsLine(session, place.name, place.rights));
  return 'OK MYRIGHTS completed';
}

/** The untagged response; also for LIST RETURN (MYRIGHTS) (RFC 8440). */
export function myRightsLine(session: ImapSession, name: string, rights: string): string {
  return `* MYRIGHTS ${formatMailbox(name, session.isUtf8 || session.isRev2)} ${formatRights(rights)}\r\n`;
}

/** A mailbox whose list the session may see and change, or the refusal. */
function administered(session: ImapSession, name: string): Place | string {
  const place = placeWith(session, name, 'a');
  if (typeof place === 'string') return place;
  return place.row.isSelectable ? place : NO_MAILBOX;
}

function shown(session: ImapSession, place: Place): string {
  return formatMailbox(place.name, session.isUtf8 || session.isRev2);
}

function ownerLogin(session: ImapSession, place: Place): string {
  if (place.owner === session.account!.id) return session.account!.login;
  return session.context.directory.account(place.owner)?.login ?? '';
}

function isOwner(identifier: string, owner: string): boolean {
  return identifier === owner || identifier === `-${owner}`;
}

function prepared(session: ImapSession, owner: string, identifier: string): string {
  const { text } = canonicalIdentifier(session.context.directory, session.context.settings(), owner, identifier);
  if (text === null) throw new ImapSyntaxError('Identifier is not allowed'); // RFC 4314 section 3: BAD when SASLprep fails
  return text;
}

/** As it is stored; null for one that mailboxes of this owner cannot be shared with. */
function canonical(session: ImapSession, owner: string, identifier: string): string | null {
  const { text, isKnown } = canonicalIdentifier(session.context.directory, session.context.settings(), owner, identifier);
  if (text === null) throw new ImapSyntaxError('Identifier is not allowed');
  return isKnown ? text : null;
}

function storedRights(session: ImapSession, place: Place): [identifier: string, rights: string][] {
  return session.context.reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=? ORDER BY identifier', place.row.id) as [string, string][];
}

function change(session: ImapSession, place: Place, identifier: string, mode: SetRightsInput['mode'], rights: string): Promise<unknown> {
  const input: SetRightsInput = { accountId: place.owner, mailboxId: place.row.id, identifier, mode, rights };
  return session.context.writer.run('acl.set', input).then(() => {
    session.context.log.info('imap.acl.changed', {
      session: session.connection.id,
      account: session.account?.id,
      mailbox: place.row.id,
      identifier,
      mode,
      rights,
    });
  });
}
