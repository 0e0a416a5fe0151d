/** Rights as commands ask for them (RFC 4314 section 4), and what is said where they are missing. */
import type { AccountId, MailboxId } from '../../ports.ts';
import { ALL_RIGHTS, actsAsOwner, findPlace, foreignName, isSharedAccount, may, maySee, ownRights, type Place, type Right, rightsFor } from './places.ts';
import { changeable } from './selected.ts';
import type { ImapSession } from './session.ts';

export const NO_MAILBOX = 'NO [NONEXISTENT] No such mailbox';
export const NO_RIGHT = 'NO [NOPERM] You have no right to do this';

/**
 * The mailbox of a name when the session has all of the rights on it, else the refusal. One that it may not see in lists is answered
 * like one that does not exist (RFC 4314 section 6).
 */
export function placeWith(session: ImapSession, name: string, ...rights: readonly Right[]): Place | string {
  const place = findPlace(session, name);
  if (place === null) return NO_MAILBOX;
  return missing(place, ...rights) ?? place;
}

/** The refusal, or null when the session has all of the rights. */
export function missing(place: Place, ...rights: readonly Right[]): string | null {
  if (rights.every((right) => may(place, right))) return null;
  return may(place, 'l') ? NO_RIGHT : NO_MAILBOX;
}

/** For what belongs to the account as a whole: the refusal of visitors (ANONYMOUS), or null. */
export function visitorRefusal(session: ImapSession): string | null {
  return actsAsOwner(session) ? null : NO_RIGHT;
}

/** What the session may do in a mailbox that it found before, at this moment: rights may have been taken back since. */
export function rightsNow(session: ImapSession, owner: AccountId, mailboxId: MailboxId): string {
  const { account } = session;
  if (account === null) return '';
  if (owner === account.id) return ownRights(session);
  const other = session.context.directory.account(owner);
  if (other === null || !maySee(session, other)) return '';
  return rightsFor(account, session.context.reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=?', mailboxId) as [string, string][]);
}

/** Which flags a new message may bring along (RFC 4314 section 4): the others are left out, the command does not fail. */
export interface KeptFlags {
  /** Bits of FLAG. */
  readonly flags: number;
  readonly keywords: boolean;
}

export function keptFlags(place: Place): KeptFlags {
  return changeable(place.isOwn ? ALL_RIGHTS : place.rights);
}

/** Where a mailbox of this name would be made: its account, and its name there. */
export interface CreationPlace {
  readonly owner: AccountId;
  readonly name: string;
}

const NO_CREATION = 'NO [NOPERM] You may not create a mailbox here';

/** Controls, and the separators of lines and paragraphs: no new mailbox has them in its name (RFC 9051 section 5.1); old ones may. */
const NO_NAME = /[\p{Cc}\u2028\u2029]/u;

/**
 * For CREATE and the new name of RENAME: in another account "k" on the nearest parent that exists (RFC 4314 section 4). All refusals
 * there are alike, so that nobody learns which users and mailboxes there are.
 */
export function creationPlace(session: ImapSession, name: string): CreationPlace | string {
  if (NO_NAME.test(name)) return 'NO [CANNOT] A mailbox name has no control characters';
  const accountId = session.account!.id;
  const foreign = foreignName(session, name);
  // Where nothing is shared that way the prefix is a name like any other.
  if (foreign === null || (foreign.kind === 'shared' && !hasSharedAccounts(session))) return atHome(session, name);
  if (foreign.mailbox === '') return NO_CREATION;
  const { directory, reader } = session.context;
  const owner = directory.accountByLogin(foreign.login);
  if (owner === null || owner.login !== foreign.login || isSharedAccount(session, owner.login) !== (foreign.kind === 'shared')) return NO_CREATION;
  if (owner.id === accountId) return atHome(session, foreign.mailbox);
  if (!maySee(session, owner)) return NO_CREATION;
  for (let slash = foreign.mailbox.lastIndexOf('/'); slash > 0; slash = foreign.mailbox.lastIndexOf('/', slash - 1)) {
    const parent = reader.mailboxByName(owner.id, foreign.mailbox.slice(0, slash));
    if (parent !== null) return rightsNow(session, owner.id, parent.id).includes('k') ? { owner: owner.id, name: foreign.mailbox } : NO_CREATION;
  }
  return NO_CREATION;
}

function atHome(session: ImapSession, name: string): CreationPlace | string {
  return ownRights(session).includes('k') ? { owner: session.account!.id, name } : NO_CREATION;
}

export function hasSharedAccounts(session: ImapSession): boolean {
  return session.context.settings()['imap.sharedAccounts'].length > 0;
}

/** What is said when messages should go into a mailbox that is not there: "create it first" only where that could be done. */
export function noTarget(session: ImapSession, name: string): string {
  if (/^\/|\/\/|^$/.test(name)) return 'NO [CANNOT] No mailbox can have this name';
  return typeof creationPlace(session, name) === 'string' ? NO_MAILBOX : 'NO [TRYCREATE] No such mailbox';
}
