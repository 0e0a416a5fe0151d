/**
 * Names to mailboxes. A session sees its own mailboxes under their names, those that other accounts share below
 * "Other Users/LOGIN/…" and those of accounts that exist to be shared below "Shared/LOGIN/…" (RFC 2342; prefixes are settings).
 * Whatever a command does with a mailbox begins with findPlace() and asks may() for the right it needs (RFC 4314 section 4).
 */
import type { Account, AccountId, MailboxRow } from '../../ports.ts';
import { MAILBOX_COLUMNS, mailboxRow } from '../../store/rows.ts';
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

export function may(place: Place, right: Right): boolean {
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

/** What the rows of a mailbox's list give to a login: those of its names together, less what rows with "-" take away (RFC 4314 section 2). */
export function rightsFor(login: string, rows: Iterable<readonly [identifier: string, rights: string]>): string {
  let given = '';
  let taken = '';
  for (const [identifier, rights] of rows) {
    const isNegative = identifier.startsWith('-');
    const name = isNegative ? identifier.slice(1) : identifier;
    if (name !== login && name !== 'anyone' && name !== 'authenticated') continue;
    if (isNegative) taken += rights;
    else given += rights;
  }
  if (given === '') return '';
  return [...ALL_RIGHTS].filter((right) => given.includes(right) && !taken.includes(right)).join('');
}

function foreignPlace(session: Viewer, foreign: ForeignName, name: string): Place | null {
  const { reader, directory } = session.context;
  if (foreign.mailbox === '') return null;
  const owner = directory.accountByLogin(foreign.login);
  // By its login only: an alias would show one mailbox under many names.
  if (owner === null || owner.login !== foreign.login || isSharedAccount(session, owner.login) !== (foreign.kind === 'shared')) return null;
  const row = reader.mailboxByName(owner.id, foreign.mailbox);
  if (row === null) return null;
  if (owner.id === session.account!.id) return { row, name, owner: owner.id, isOwn: true, rights: ALL_RIGHTS };
  if (!maySee(session, owner)) return null;
  const rights = rightsFor(session.account!.login, reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=?', row.id) as [string, string][]);
  return { row, name, owner: owner.id, isOwn: false, rights };
}

/**
 * The mailbox of a name as a client sends it. null: there is none, or none that the session may know of: a mailbox of which it has
 * neither "l" nor any right is answered like one that does not exist (RFC 4314 section 6).
 */
export function findPlace(session: Viewer, given: string): Place | null {
  // Thunderbird may add the hierarchy separator at the end of a name.
  return exactPlace(session, given) ?? (given.endsWith('/') ? exactPlace(session, given.slice(0, -1)) : null);
}

function exactPlace(session: Viewer, name: string): Place | null {
  const accountId = session.account!.id;
  // Somebody may have had a mailbox of such a name before there were prefixes: it stays reachable.
  const row = session.context.reader.mailboxByName(accountId, name);
  if (row !== null) return { row, name, owner: accountId, isOwn: true, rights: ALL_RIGHTS };
  const foreign = foreignName(session, name);
  const place = foreign === null ? null : foreignPlace(session, foreign, name);
  return place === null || place.isOwn || place.rights !== '' ? place : null;
}

/** Is the name one that only another account could create a mailbox under, or a prefix itself? */
export function isForeign(session: Viewer, name: string): boolean {
  return foreignName(session, name) !== null;
}

/** Every mailbox of other accounts that the session's account may at least see in lists ("l"), by its name. */
export function foreignPlaces(session: Viewer): Place[] {
  const { reader, directory } = session.context;
  const { account } = session;
  if (account === null || prefixes(session).length === 0) return [];
  // Who may see thousands of mailboxes must not hold up others: one question for all, rows of one mailbox behind each other.
  const rows = reader.rows(
    `SELECT ${MAILBOX_COLUMNS}, identifier, rights FROM mailbox JOIN acl ON mailbox_id=id
      WHERE id IN (SELECT mailbox_id FROM acl WHERE identifier IN (?, 'anyone', 'authenticated')) AND account_id<>? ORDER BY account_id, id LIMIT ?`,
    account.login,
    account.id,
    FOREIGN_ROWS_MAX,
  ) as any[][];
  const places: Place[] = [];
  const owners = new Map<AccountId, Account | null>();
  for (let at = 0; at < rows.length; ) {
    const row = mailboxRow(rows[at]!);
    const identifiers: [identifier: string, rights: string][] = [];
    for (; at < rows.length && rows[at]![0] === row.id; at += 1) identifiers.push([rows[at]!.at(-2), rows[at]!.at(-1)]);
    let owner = owners.get(row.accountId);
    if (owner === undefined) {
      const found = directory.account(row.accountId);
      owner = found !== null && maySee(session, found) ? found : null;
      owners.set(row.accountId, owner);
    }
    if (owner === null) continue;
    const rights = rightsFor(account.login, identifiers);
    if (rights.includes('l')) places.push({ row, name: nameOfForeign(session, owner.login, row.name), owner: row.accountId, isOwn: false, rights });
  }
  return places;
}

/** Rows of rights on mailboxes of others that are looked at for one account: bounds what one LIST costs. */
const FOREIGN_ROWS_MAX = 20_000;
