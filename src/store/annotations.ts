/** Reads of annotations (RFC 5464), and the rules for the names of their entries. */
import type { AccountId, MailboxId, MailboxRow, Role, StoreReader } from '../ports.ts';

/** Bytes of an entry's name. */
export const ENTRY_BYTES_MAX = 500;
/** The mailbox's role, as an annotation (RFC 6154 section 4). */
export const SPECIAL_USE_ENTRY = '/private/specialuse';
/** The script that runs when IMAP clients change something (RFC 6785 section 2.3.1). */
export const IMAP_SIEVE_ENTRY = '/shared/imapsieve/script';

const USE_BY_ROLE: ReadonlyMap<Role, string> = new Map<Role, string>([
  ['sent', '\\Sent'],
  ['drafts', '\\Drafts'],
  ['trash', '\\Trash'],
  ['junk', '\\Junk'],
  ['archive', '\\Archive'],
]);

/** "\Junk" as a role; undefined for what is none that can be given. */
export function roleOfSpecialUse(text: string): Role | undefined {
  for (const [role, use] of USE_BY_ROLE) if (use.toLowerCase() === text.toLowerCase()) return role;
  return undefined;
}

/** What is wrong with the name of an entry (RFC 5464 section 3.2), or null. Any case; `isTop`: "/private" and "/shared" alone pass. */
export function entryProblem(entry: string, isTop: boolean): string | null {
  if (entry.length > ENTRY_BYTES_MAX) return 'Entry name is too long';
  if (!/^[\x20-\x7e]*$/.test(entry)) return 'Entry name must be printable ASCII';
  if (!entry.startsWith('/')) return "Entry name must begin with '/'";
  if (entry.endsWith('/')) return "Entry name must not end with '/'";
  if (entry.includes('//')) return "Entry name must not have two '/' in a row";
  if (/[*%]/.test(entry)) return "Entry name must not have '*' or '%'";
  const levels = entry.slice(1).toLowerCase().split('/');
  if (levels[0] !== 'private' && levels[0] !== 'shared') return 'Entry name must begin with /private or /shared';
  if (isTop) return null;
  if (levels.length < 2) return 'Entry name needs another level';
  return levels[1] === 'vendor' && levels.length < 4 ? 'Entry name below /vendor needs a vendor and a name' : null;
}

/** What is computed of a mailbox: not a row. */
function computed(mailbox: MailboxRow | null, entry: string): Uint8Array | null | undefined {
  if (mailbox === null || entry !== SPECIAL_USE_ENTRY) return undefined;
  const use = mailbox.role === null ? undefined : USE_BY_ROLE.get(mailbox.role);
  return use === undefined ? null : Buffer.from(use);
}

/** The value, or null. `mailbox` null: on the server. `entry` in lower case. */
export function readAnnotation(reader: Pick<StoreReader, 'rows'>, accountId: AccountId, mailbox: MailboxRow | null, entry: string): Uint8Array | null {
  const known = computed(mailbox, entry);
  if (known !== undefined) return known;
  const [row] = reader.rows('SELECT value FROM annotation WHERE account_id=? AND mailbox_id=? AND entry=?', accountId, mailbox?.id ?? 0, entry);
  return row === undefined ? null : (row[0] as Uint8Array);
}

/** All of a mailbox (or of the server) at or below `entry`, in order of name; `depth` levels deep. */
export function annotationsBelow(
  reader: Pick<StoreReader, 'rows'>,
  accountId: AccountId,
  mailbox: MailboxRow | null,
  entry: string,
  depth: number,
): [entry: string, value: Uint8Array][] {
  // "0" is the character after "/".
  const rows = reader.rows(
    'SELECT entry, value FROM annotation WHERE account_id=? AND mailbox_id=? AND (entry=? OR (entry>=? AND entry<?)) ORDER BY entry',
    accountId,
    mailbox?.id ?? 0,
    entry,
    `${entry}/`,
    `${entry}0`,
  ) as [string, Uint8Array][];
  const use = computed(mailbox, SPECIAL_USE_ENTRY);
  if (use != null && (entry === SPECIAL_USE_ENTRY || SPECIAL_USE_ENTRY.startsWith(`${entry}/`))) rows.push([SPECIAL_USE_ENTRY, use]);
  const level = levels(entry);
  return rows.filter(([name]) => levels(name) - level <= depth).sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function levels(entry: string): number {
  return entry.split('/').length;
}

/** Names of the scripts for IMAP events, by mailbox; 0 is for all that have none of their own. */
export function imapSieveScripts(reader: Pick<StoreReader, 'rows'>, accountId: AccountId): ReadonlyMap<MailboxId, string> {
  const rows = reader.rows('SELECT mailbox_id, value FROM annotation WHERE account_id=? AND entry=?', accountId, IMAP_SIEVE_ENTRY) as [number, Uint8Array][];
  return new Map(rows.map(([mailboxId, value]) => [mailboxId, Buffer.from(value).toString('utf8')]));
}
