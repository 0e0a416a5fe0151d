/** All mailboxes of an account, which may be thousands, read in steps; and what is kept of names besides. */
import type { AccountId, MailboxRow, Role, StoreReader } from '../../ports.ts';
import { MAILBOX_COLUMNS, mailboxRow } from '../../store/rows.ts';
import type { Steps } from './pace.ts';

/** Rows read in one go: about 1 ms. */
const PAGE_ROWS = 400;
/** Times that reading begins anew because mailboxes were renamed meanwhile; then they are read in one go, whoever waits. */
const ATTEMPTS_MAX = 3;

/** Keywords are left out: each mailbox may have many kilobytes of them. */
const COLUMNS = MAILBOX_COLUMNS.replace(' keywords', " ''");
export const OWN_MAILBOXES_SQL = `SELECT ${COLUMNS} FROM mailbox WHERE account_id=? AND name>? ORDER BY name LIMIT ?`;
/** Raised by every RENAME and DELETE, and by nothing that happens all the time. */
export const NAMES_MARK_SQL = 'SELECT modseq FROM account WHERE id=?';
export const WITH_ROLE_SQL = 'SELECT 1 FROM mailbox WHERE account_id=? AND role=? LIMIT 1';
export const COUNT_SQL = 'SELECT count(*) FROM mailbox WHERE account_id=?';
export const SUBSCRIPTIONS_SQL = 'SELECT name FROM subscription WHERE account_id=? AND name>? ORDER BY name LIMIT ?';

/** All there are at one moment, by name; `keywords` of the rows is empty. None is missing or there twice because it was renamed meanwhile. */
export function* ownMailboxes(reader: StoreReader, accountId: AccountId): Steps<MailboxRow[]> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const mark = namesMark(reader, accountId);
    const rows: MailboxRow[] = [];
    for (;;) {
      const page = reader.rows(OWN_MAILBOXES_SQL, accountId, rows.at(-1)?.name ?? '', PAGE_ROWS);
      for (const row of page) rows.push(mailboxRow(row));
      if (page.length < PAGE_ROWS) break;
      yield;
    }
    if (rows.length < PAGE_ROWS || namesMark(reader, accountId) === mark) return rows;
  }
  return reader.mailboxes(accountId);
}

function namesMark(reader: StoreReader, accountId: AccountId): number {
  return Number(reader.rows(NAMES_MARK_SQL, accountId)[0]?.[0] ?? 0);
}

/** Names subscribed to that are no own mailboxes: of others, or of what is gone (RFC 9051 section 6.3.7). */
export function* subscriptions(reader: StoreReader, accountId: AccountId): Steps<Set<string>> {
  const names = new Set<string>();
  for (let after = ''; ; ) {
    const page = reader.rows(SUBSCRIPTIONS_SQL, accountId, after, PAGE_ROWS) as [string][];
    for (const [name] of page) names.add(name);
    if (page.length < PAGE_ROWS) return names;
    after = page.at(-1)![0];
    yield;
  }
}

export function hasRole(reader: StoreReader, accountId: AccountId, role: Role): boolean {
  return reader.rows(WITH_ROLE_SQL, accountId, role).length > 0;
}

export function countMailboxes(reader: StoreReader, accountId: AccountId): number {
  return Number(reader.rows(COUNT_SQL, accountId)[0]![0]);
}
