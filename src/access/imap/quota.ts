/**
 * GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208). An account is a quota root. Its own user knows it as "User quota"; that of an account
 * which exists to be shared is named after its place; how much room another user has left is nobody else's business (section 8).
 */
import type { Account } from '../../ports.ts';
import { MAILBOXES_MAX } from '../../store/operations/mailbox.ts';
import { formatMailbox, imapString } from '../../wire/imap/format.ts';
import { NO_MAILBOX, NO_RIGHT } from './acl-check.ts';
import { foreignPlacesOf } from './foreign-places.ts';
import { countMailboxes } from './own-mailboxes.ts';
import { inSlices } from './pace.ts';
import { findPlace, isSharedAccount, may, maySee, ownRights } from './places.ts';
import type { ImapSession } from './session.ts';

const OWN_ROOT = 'User quota';
/** Octets in a unit of STORAGE and ANNOTATION-STORAGE (sections 5.1 and 5.4). */
const UNIT = 1024;

export function getQuota(session: ImapSession, root: string): string | Promise<string> {
  if (root !== OWN_ROOT) return getSharedQuota(session, root);
  // Usage tells of messages: it takes the right to read them (section 6), which visitors may lack.
  if (!ownRights(session).includes('r')) return NO_RIGHT;
  session.out.write(quotaLine(session, session.account!, OWN_ROOT));
  return 'OK GETQUOTA completed';
}

async function getSharedQuota(session: ImapSession, root: string): Promise<string> {
  const account = await sharedAccountOf(session, root);
  if (account === null) return 'NO [NONEXISTENT] No such quota root';
  session.out.write(quotaLine(session, account, root));
  return 'OK GETQUOTA completed';
}

export function getQuotaRoot(session: ImapSession, name: string): string {
  const place = findPlace(session, name);
  // A name that is not there may be made in the own account.
  const isOwn = place === null || place.owner === session.account!.id;
  const mayRead = place === null ? ownRights(session).includes('r') : may(place, 'r');
  const owner = !mayRead ? null : isOwn ? session.account! : session.context.directory.account(place.owner);
  const shown = formatMailbox(place?.name ?? name, session.isUtf8 || session.isRev2);
  if (place === null ? sharedName(session, name) : !may(place, 'l') && !may(place, 'r')) return NO_MAILBOX;
  if (owner === null || (!isOwn && !isSharedAccount(session, owner.login))) {
    session.out.write(`* QUOTAROOT ${shown}\r\n`);
    return 'OK GETQUOTAROOT completed';
  }
  const root = isOwn ? OWN_ROOT : rootOf(session, owner);
  session.out.write(`* QUOTAROOT ${shown} ${rootName(root)}\r\n${quotaLine(session, owner, root)}`);
  return 'OK GETQUOTAROOT completed';
}

/** QUOTASET is not announced: limits are the administrator's. */
export function setQuota(): string {
  return 'NO [NOPERM] Only the administrator sets quotas';
}

/** A name below a prefix, where nothing is that the session may know of. */
function sharedName(session: ImapSession, name: string): boolean {
  const settings = session.context.settings();
  if (settings['imap.sharing'] === 'none') return false;
  return (
    name.startsWith(`${settings['imap.otherUsersPrefix']}/`) ||
    (settings['imap.sharedAccounts'].length > 0 && name.startsWith(`${settings['imap.sharedPrefix']}/`))
  );
}

function rootOf(session: ImapSession, account: Account): string {
  return `${session.context.settings()['imap.sharedPrefix']}/${account.login}`;
}

/** The account of a root that the session may have been told: it reads at least one mailbox there. */
async function sharedAccountOf(session: ImapSession, root: string): Promise<Account | null> {
  const text = Buffer.from(root, 'latin1').toString('utf8');
  const account = session.context.directory.accountByLogin(text.slice(text.lastIndexOf('/') + 1));
  if (account === null || !isSharedAccount(session, account.login) || rootOf(session, account) !== text || !maySee(session, account)) return null;
  const places = await inSlices(foreignPlacesOf(session));
  const reads = places.some((place) => place.owner === account.id && may(place, 'r'));
  return reads ? account : null;
}

function rootName(root: string): string {
  return imapString(Buffer.from(root, 'utf8').toString('latin1'));
}

/** Usage and limit of what is limited (section 4.2.1); STORAGE in units that are rounded up on both sides, so that usage never looks above a limit that it keeps. */
function quotaLine(session: ImapSession, account: Account, root: string): string {
  const { reader } = session.context;
  const settings = session.context.settings();
  const resources: string[] = [];
  const usage = reader.usage(account.id);
  if (usage !== null && usage.quotaBytes > 0) resources.push(`STORAGE ${units(usage.bytes)} ${units(usage.quotaBytes)}`);
  if (usage !== null && usage.quotaMessages > 0) resources.push(`MESSAGE ${usage.messages} ${usage.quotaMessages}`);
  resources.push(`MAILBOX ${countMailboxes(reader, account.id)} ${MAILBOXES_MAX}`);
  // There are no annotations on messages here (RFC 5257); those on mailboxes and the server are what can fill up.
  const [annotations] = reader.rows('SELECT coalesce(sum(length(value)), 0) FROM annotation WHERE account_id=?', account.id);
  const most = settings['imap.metadataAccountEntriesMax'] * settings['imap.metadataValueBytesMax'];
  resources.push(`ANNOTATION-STORAGE ${units(Number(annotations?.[0] ?? 0))} ${units(most)}`);
  return `* QUOTA ${rootName(root)} (${resources.join(' ')})\r\n`;
}

function units(bytes: number): number {
  return Math.ceil(bytes / UNIT);
}
