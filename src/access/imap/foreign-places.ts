/** The mailboxes of other accounts that a session may see, which may be thousands, found in steps. */
import type { Account, AccountId, MailboxId } from '../../ports.ts';
import { MAILBOX_COLUMNS, mailboxRow } from '../../store/rows.ts';
import type { Steps } from './pace.ts';
import { maySee, nameOfForeign, type Place, rightsFor, type Viewer } from './places.ts';

/** Mailboxes with rights for one account that are looked at: bounds what one LIST costs. */
const FOREIGN_MAX = 20_000;
/** Mailboxes whose rights are read in one go, and rows of rights on them: each may name many people. */
const PAGE_MAILBOXES = 100;
const PAGE_ROWS_MAX = 5000;

const IDS_SQL = "SELECT DISTINCT mailbox_id FROM acl WHERE identifier IN (?, 'anyone', 'authenticated') LIMIT ?";
/** Keywords are left out, as in own-mailboxes.ts. */
const COLUMNS = MAILBOX_COLUMNS.replace(' keywords', " ''");
const RIGHTS_SQL = `SELECT ${COLUMNS}, identifier, rights FROM mailbox JOIN acl ON mailbox_id=id
  WHERE id IN (SELECT value FROM json_each(?)) AND account_id<>? AND identifier IN (?, ?, 'anyone', '-anyone', 'authenticated', '-authenticated') ORDER BY id LIMIT ?`;

/** Every mailbox of other accounts that the session's account may at least see in lists ("l", RFC 4314 section 4), by id. */
export function* foreignPlacesOf(session: Viewer): Steps<Place[]> {
  const { reader, directory } = session.context;
  const { account } = session;
  if (account === null || session.context.settings()['imap.sharing'] === 'none') return [];
  const ids = reader.rows(IDS_SQL, account.login, FOREIGN_MAX).map(([id]) => id as MailboxId);
  ids.sort((a, b) => a - b);
  const places: Place[] = [];
  const owners = new Map<AccountId, Account | null>();
  for (let from = 0; from < ids.length; from += PAGE_MAILBOXES) {
    if (from > 0) yield;
    const page = JSON.stringify(ids.slice(from, from + PAGE_MAILBOXES));
    const rows = reader.rows(RIGHTS_SQL, page, account.id, account.login, `-${account.login}`, PAGE_ROWS_MAX) as any[][];
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
      const rights = rightsFor(account, identifiers);
      if (rights.includes('l')) places.push({ row, name: nameOfForeign(session, owner.login, row.name), owner: row.accountId, isOwn: false, rights });
    }
  }
  return places;
}
