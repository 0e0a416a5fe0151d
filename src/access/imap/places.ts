/**
 * Names to mailboxes. A session sees its own mailboxes under their names, those that other accounts share below
 * "Other Users/LOGIN/…" and those of accounts that exist to be shared below "Shared/LOGIN/…" (RFC 2342; prefixes are settings).
 * Whatever a command does with a mailbox begins with findPlace() and asks may() for the right it needs (RFC 4314 section 4).
 */
import type { Account, AccountId, MailboxRow } from '../../ports.ts';
import type { ImapSession } from './session.ts';

/** RFC 4314 section 2.1. */
export type Right = 'l' | 'r' | 's' | 'w' | 'i' | 'p' | 'k' | 'x' | 't' | 'e' | 'a';
/** In the order in which they are written. */
export const ALL_RIGHTS = 'lrswipkxtea';

/** Whose eyes a name is looked up with: a session, or an account that a URL speaks for. */
export type Viewer = Pick<ImapSession, 'context' | 'account'>;

export interface Place {
  readonly row: MailboxRow;
  /** As this session writes it. */
  readonly name: string;
  readonly owner: AccountId;
  readonly isOwn: boolean;
  /** Letters of what the session's account may do. */
  readonly rights: string;
}

/** On mailboxes of the own account: everything, unless whoever is logged in is nobody in particular (ANONYMOUS). */
export function ownRights({ account }: Pick<Viewer, 'account'>): string {
  return account?.visitorRights ?? ALL_RIGHTS;
}

/** May the session change what belongs to the account as a whole: subscriptions, annotations of the server, keys of URLs? */
export function actsAsOwner(session: Pick<Viewer, 'account'>): boolean {
  return ownRights(session).includes('a');
}

/** A mailbox of the session's own account. A visitor's place is like one of somebody else, with rights. */
function ownPlace(session: Viewer, row: MailboxRow, name: string): Place {
  return { row, name, owner: row.accountId, isOwn: session.account!.visitorRights === undefined, rights: ownRights(session) };
}

export function may(place: Pick<Place, 'isOwn' | 'rights'>, right: Right): boolean {
  return place.isOwn || place.rights.includes(right);
}

/** A name below a prefix, taken apart: "Other Users/anna@example.org/Work". */
interface ForeignName {
  readonly kind: 'other' | 'shared';
  readonly login: string;
  /** In the owner's own words; "" for the account itself, which is no mailbox. */
  readonly mailbox: string;
}

function prefixes(session: Viewer): readonly (readonly ['other' | 'shared', string])[] {
  const settings = session.context.settings();
  if (settings['imap.sharing'] === 'none') return [];
  const other = ['other', settings['imap.otherUsersPrefix']] as const;
  // Without shared accounts a user's own "Shared" is a name like any other.
  return settings['imap.sharedAccounts'].length === 0 ? [other] : [other, ['shared', settings['imap.sharedPrefix']]];
}

/** null: a name of the session's own mailboxes. */
export function foreignName(session: Viewer, name: string): ForeignName | null {
  for (const [kind, prefix] of prefixes(session)) {
    if (!name.startsWith(`${prefix}/`) && name !== prefix) continue;
    const rest = name.slice(prefix.length + 1);
    const slash = rest.indexOf('/');
    return slash === -1 ? { kind, login: rest, mailbox: '' } : { kind, login: rest.slice(0, slash), mailbox: rest.slice(slash + 1) };
  }
  return null;
}

/** Does the account exist to be shared (imap.sharedAccounts)? Its mailboxes are below the prefix for shared ones. */
export function isSharedAccount(session: Viewer, login: string): boolean {
  return session.context.settings()['imap.sharedAccounts'].includes(login);
}

/** The session's name for a mailbox of another account. */
export function nameOfForeign(session: Viewer, ownerLogin: string, mailbox: string): string {
  const settings = session.context.settings();
  return `${isSharedAccount(session, ownerLogin) ? settings['imap.sharedPrefix'] : settings['imap.otherUsersPrefix']}/${ownerLogin}/${mailbox}`;
}

const domainOf = (login: string): string => login.slice(login.lastIndexOf('@') + 1);

/** May these two share mailboxes at all (imap.sharing)? */
export function maySee(session: Viewer, owner: Account): boolean {
  const settings = session.context.settings();
  if (settings['imap.sharing'] === 'none' || owner.isDisabled) return false;
  return settings['imap.sharing'] === 'all' || isSharedAccount(session, owner.login) || domainOf(owner.login) === domainOf(session.account!.login);
}

/**
 * What the rows of a mailbox's list give to an account: those of its names together, less what rows with "-" take away (RFC 4314 section 2).
 * Visitors are "anyone", but neither "authenticated" nor the user whose account is open to them: who shares a mailbox with that user does
 * not share it with everybody. They have nowhere more than at home.
 */
export function rightsFor(account: Pick<Account, 'login' | 'visitorRights'>, rows: Iterable<readonly [identifier: string, rights: string]>): string {
  const { login, visitorRights } = account;
  let given = '';
  let taken = '';
  for (const [identifier, rights] of rows) {
    const isNegative = identifier.startsWith('-');
    const name = isNegative ? identifier.slice(1) : identifier;
    if (name !== 'anyone' && name !== 'authenticated' && name !== login) continue;
    if (isNegative) taken += rights;
    else if (visitorRights !== undefined && name !== 'anyone') continue;
    else given += rights;
  }
  if (given === '') return '';
  return [...ALL_RIGHTS].filter((right) => given.includes(right) && !taken.includes(right) && visitorRights?.includes(right) !== false).join('');
}

function foreignPlace(session: Viewer, foreign: ForeignName, name: string): Place | null {
  const { reader, directory } = session.context;
  if (foreign.mailbox === '') return null;
  const owner = directory.accountByLogin(foreign.login);
  // By its login only: an alias would show one mailbox under many names.
  if (owner === null || owner.login !== foreign.login || isSharedAccount(session, owner.login) !== (foreign.kind === 'shared')) return null;
  const row = reader.mailboxByName(owner.id, foreign.mailbox);
  if (row === null) return null;
  if (owner.id === session.account!.id) return ownPlace(session, row, name);
  if (!maySee(session, owner)) return null;
  const rights = rightsFor(session.account!, reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=?', row.id) as [string, string][]);
  return { row, name, owner: owner.id, isOwn: false, rights };
}

/**
 * The mailbox of a name as a client sends it. null: there is none, or none that the session may know of: a mailbox of which it has
 * neither "l" nor any right is answered like one that does not exist (RFC 4314 section 6).
 */
export function findPlace(session: Viewer, given: string): Place | null {
  const place = exactPlace(session, given);
  if (place !== null) return place;
  // Thunderbird may add the hierarchy separator at the end of a name; macOS takes letters and accents apart. CREATE makes names without either.
  const name = (given.endsWith('/') ? given.slice(0, -1) : given).normalize('NFC');
  return name === given ? null : exactPlace(session, name);
}

function exactPlace(session: Viewer, name: string): Place | null {
  const accountId = session.account!.id;
  // Somebody may have had a mailbox of such a name before there were prefixes: it stays reachable.
  const row = session.context.reader.mailboxByName(accountId, name);
  if (row !== null) return ownPlace(session, row, name);
  const foreign = foreignName(session, name);
  const place = foreign === null ? null : foreignPlace(session, foreign, name);
  return place === null || place.isOwn || place.rights !== '' ? place : null;
}

/** Is the name one that only another account could create a mailbox under, or a prefix itself? */
export function isForeign(session: Viewer, name: string): boolean {
  return foreignName(session, name) !== null;
}
