/** Mailboxes: create, delete, rename, subscribe. Names are full names in Unicode with "/" between levels. */
import type { AccountId, MailboxId, MailboxRow, Role } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { MAILBOX_COLUMNS, mailboxRow } from '../rows.ts';
import type { Transaction } from '../transaction.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import type { AccountState } from '../writer/state.ts';
import { copyAnnotations, dropAnnotations } from './annotation.ts';
import { expungeMessages } from './message.ts';
import { copyRights, dropRights, inheritRights, sharersOf, tellSharers } from './sharing.ts';

/** Bounds that a hostile client meets: RFC 9051 leaves them to the server. */
export const MAILBOXES_MAX = 10_000;
export const MAILBOX_NAME_BYTES_MAX = 1000;
export const MAILBOX_DEPTH_MAX = 50;

interface Found {
  readonly id: MailboxId;
  readonly name: string;
  readonly isSelectable: boolean;
  readonly role: string | null;
}

function find(tx: Transaction, accountId: AccountId, name: string): Found | null {
  const row = tx.get('SELECT id, name, is_selectable, role FROM mailbox WHERE account_id=? AND name=?', accountId, name);
  return row === undefined ? null : { id: row[0], name: row[1], isSelectable: row[2] === 1, role: row[3] };
}

function findById(tx: Transaction, accountId: AccountId, id: MailboxId): Found {
  const row = tx.get('SELECT id, name, is_selectable, role FROM mailbox WHERE account_id=? AND id=?', accountId, id);
  if (row === undefined) throw new Failure('noSuchMailbox', `no mailbox ${id}`);
  return { id: row[0], name: row[1], isSelectable: row[2] === 1, role: row[3] };
}

function checkName(name: string): void {
  if (name === '' || Buffer.byteLength(name) > MAILBOX_NAME_BYTES_MAX) throw new Failure('cannot', 'mailbox name is empty or too long');
  const levels = name.split('/');
  if (levels.length > MAILBOX_DEPTH_MAX || levels.some((level) => level === '')) throw new Failure('cannot', 'mailbox name has an empty level or too many');
}

/**
 * Every new life of a name gets a UIDVALIDITY that nobody ever used (RFC 9051 section 2.3.1.1): one number line for the whole store, so
 * that an account which is removed and made again under its old name does not meet the numbers its clients remember.
 */
function takeUidValidity(tx: Transaction, accountId: AccountId): number {
  const row = tx.get('SELECT next_uid_validity FROM account WHERE id=?', accountId);
  if (row === undefined) throw new Failure('noSuchAccount', `no account ${accountId}`);
  const value = tx.nextId('uidValidity', Math.max(Number(row[0]), Math.floor(tx.now / 1000)));
  tx.run('UPDATE account SET next_uid_validity=? WHERE id=?', value + 1, accountId);
  return value;
}

/**
 * Mailboxes of accounts whose counters are in memory. They are dropped with the counters: after a rollback, and after every operation
 * that removes mailboxes.
 */
const numbers = new WeakMap<AccountState, number>();

function numberOf(tx: StoreTransaction, account: AccountState): number {
  let number = numbers.get(account);
  if (number === undefined) {
    number = Number(tx.get('SELECT count(*) FROM mailbox WHERE account_id=?', account.id)![0]);
    numbers.set(account, number);
  }
  return number;
}

/** Creates a mailbox, with missing parents as names only; answers its id. Throws 'mailboxExists', 'limit', 'cannot'. */
export function createMailbox(tx: StoreTransaction, accountId: AccountId, name: string, role: Role | null): MailboxId {
  checkName(name);
  const existing = find(tx, accountId, name);
  if (existing?.isSelectable) throw new Failure('mailboxExists', `mailbox ${name} exists`);
  const account = tx.state.account(accountId);
  let number = numberOf(tx, account);
  if (number >= MAILBOXES_MAX) throw new Failure('limit', `more than ${MAILBOXES_MAX} mailboxes`);
  if (role !== null && tx.get('SELECT id FROM mailbox WHERE account_id=? AND role=? AND is_selectable=1', accountId, role) !== undefined)
    throw new Failure('cannot', `another mailbox is the ${role} already`);
  const modseq = account.nextModseq();
  const uidValidity = takeUidValidity(tx, accountId);
  for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
    const parent = name.slice(0, slash);
    if (find(tx, accountId, parent) === null) {
      // A mailbox of its own, not only a name: clients expect to be able to open what they see.
      const parentId = tx.nextId('mailbox');
      tx.run(
        'INSERT INTO mailbox (id, account_id, name, is_subscribed, uid_validity, highest_modseq, created_at) VALUES (?, ?, ?, 0, ?, ?, ?)',
        parentId,
        accountId,
        parent,
        takeUidValidity(tx, accountId),
        modseq,
        tx.now,
      );
      inheritRights(tx, accountId, parent, parentId);
      number += 1;
    }
  }
  tx.announce({ kind: 'mailboxes', accountId });
  const isSubscribed = tx.run('DELETE FROM subscription WHERE account_id=? AND name=?', accountId, name) > 0 || role !== null ? 1 : 0;
  if (existing !== null) {
    // The same name as before but another mailbox: a new id, so that no cache of the old one can match.
    tx.run('DELETE FROM mailbox WHERE id=?', existing.id);
    dropAnnotations(tx, accountId, existing.id);
    dropRights(tx, existing.id);
  } else number += 1;
  numbers.set(account, number);
  const id = tx.nextId('mailbox');
  tx.run(
    'INSERT INTO mailbox (id, account_id, name, role, is_subscribed, uid_validity, highest_modseq, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    accountId,
    name,
    role,
    isSubscribed,
    uidValidity,
    modseq,
    tx.now,
  );
  inheritRights(tx, accountId, name, id);
  tellSharers(tx, accountId, sharersOf(tx, accountId, name));
  return id;
}

function hasChildren(tx: Transaction, accountId: AccountId, name: string): boolean {
  return tx.get('SELECT 1 FROM mailbox WHERE account_id=? AND name>=? AND name<? LIMIT 1', accountId, `${name}/`, `${name}0`) !== undefined;
}

function keepSubscription(tx: Transaction, accountId: AccountId, name: string): void {
  tx.run(
    'INSERT OR IGNORE INTO subscription (account_id, name) SELECT account_id, name FROM mailbox WHERE account_id=? AND name=? AND is_subscribed=1',
    accountId,
    name,
  );
}

/** Names below `name`, longest last; "0" is the character after "/". */
function descendants(tx: Transaction, accountId: AccountId, name: string): Found[] {
  return tx
    .all('SELECT id, name, is_selectable, role FROM mailbox WHERE account_id=? AND name>=? AND name<? ORDER BY name', accountId, `${name}/`, `${name}0`)
    .map((row) => ({ id: row[0], name: row[1], isSelectable: row[2] === 1, role: row[3] }));
}

function deleteMailbox(tx: StoreTransaction, input: { accountId: AccountId; id: MailboxId }): void {
  const found = findById(tx, input.accountId, input.id);
  if (found.name === 'INBOX') throw new Failure('cannot', 'INBOX cannot be deleted');
  const children = hasChildren(tx, input.accountId, found.name);
  if (!found.isSelectable && children) throw new Failure('cannot', 'mailbox has children');
  const account = tx.state.account(input.accountId);
  account.nextModseq();
  account.keepModseq();
  if (found.isSelectable) {
    const mailbox = tx.state.mailbox(input.accountId, input.id);
    expungeMessages(tx, mailbox, null, false);
    tx.state.flush((announcement) => tx.announce(announcement));
  }
  keepSubscription(tx, input.accountId, found.name);
  const sharers = sharersOf(tx, input.accountId, found.name);
  dropRights(tx, input.id);
  tx.run('DELETE FROM expunged WHERE account_id=? AND mailbox_id=?', input.accountId, input.id);
  // RFC 5464 section 4.1: a mailbox of the same name must not inherit them.
  dropAnnotations(tx, input.accountId, input.id);
  if (children) tx.run('UPDATE mailbox SET is_selectable=0, role=NULL, message_count=0, unseen_count=0, deleted_count=0, bytes=0 WHERE id=?', input.id);
  else tx.run('DELETE FROM mailbox WHERE id=?', input.id);
  tx.state.forget();
  tx.announce({ kind: 'mailboxGone', accountId: input.accountId, mailboxId: input.id });
  tx.announce({ kind: 'mailboxes', accountId: input.accountId });
  tellSharers(tx, input.accountId, sharers);
}

function renameMailbox(tx: StoreTransaction, input: { accountId: AccountId; id: MailboxId; name: string }): void {
  const { accountId, name } = input;
  checkName(name);
  const found = findById(tx, accountId, input.id);
  const target = find(tx, accountId, name);
  if (target !== null && (target.isSelectable || hasChildren(tx, accountId, name))) throw new Failure('mailboxExists', `mailbox ${name} exists`);
  if (name.startsWith(`${found.name}/`)) throw new Failure('cannot', 'a mailbox cannot be moved below itself');
  const children = found.name === 'INBOX' ? [] : descendants(tx, accountId, found.name);
  for (const child of children) {
    const moved = name + child.name.slice(found.name.length);
    checkName(moved);
    if (find(tx, accountId, moved) !== null) throw new Failure('mailboxExists', `mailbox ${moved} exists`);
  }
  if (found.name === 'INBOX') {
    // RFC 9051 section 6.3.6: the messages move to the new mailbox, INBOX stays and is empty. The new mailbox
    // takes over the row (and so the UIDs); INBOX gets a new one.
    const role = found.role;
    tx.run('UPDATE mailbox SET name=?, role=NULL WHERE id=?', `\u0000moving`, input.id);
    tx.state.forget();
    const inbox = createMailbox(tx, accountId, 'INBOX', role as Role | null);
    // RFC 5464 section 4.1: here they stay and go along.
    copyAnnotations(tx, accountId, input.id, inbox);
    // RFC 4314 section 4: those of a mailbox stay as they are when it is renamed, and INBOX is still the INBOX that was shared.
    copyRights(tx, input.id, inbox);
    tx.run('UPDATE mailbox SET is_subscribed=1 WHERE account_id=? AND name=?', accountId, 'INBOX');
    makeParents(tx, accountId, name);
    tx.run('UPDATE mailbox SET name=? WHERE id=?', name, input.id);
    tx.announce({ kind: 'mailboxGone', accountId, mailboxId: input.id });
  } else {
    if (target !== null) {
      tx.run('DELETE FROM mailbox WHERE id=?', target.id);
      dropAnnotations(tx, accountId, target.id);
      dropRights(tx, target.id);
    }
    makeParents(tx, accountId, name);
    tx.run('UPDATE mailbox SET name=? WHERE id=?', name, input.id);
    for (const child of children) tx.run('UPDATE mailbox SET name=? WHERE id=?', name + child.name.slice(found.name.length), child.id);
  }
  const account = tx.state.account(accountId);
  account.nextModseq();
  account.keepModseq();
  tx.announce({ kind: 'mailboxes', accountId });
  tellSharers(tx, accountId, sharersOf(tx, accountId, name));
}

function makeParents(tx: StoreTransaction, accountId: AccountId, name: string): void {
  const slash = name.lastIndexOf('/');
  if (slash === -1) return;
  const parent = name.slice(0, slash);
  if (find(tx, accountId, parent) === null) {
    const id = createMailbox(tx, accountId, parent, null);
    tx.run('UPDATE mailbox SET is_subscribed=0 WHERE id=?', id);
  }
}

function subscribe(tx: StoreTransaction, input: { accountId: AccountId; name: string; isSubscribed: boolean }): void {
  const { accountId, name } = input;
  if (find(tx, accountId, name) !== null)
    tx.run('UPDATE mailbox SET is_subscribed=? WHERE account_id=? AND name=?', input.isSubscribed ? 1 : 0, accountId, name);
  else if (input.isSubscribed) {
    // Refused before anything is written: else all that is in the same commit would have to be done again.
    checkName(name);
    if (Number(tx.get('SELECT count(*) FROM subscription WHERE account_id=?', accountId)![0]) >= MAILBOXES_MAX)
      throw new Failure('limit', 'too many subscriptions');
    tx.run('INSERT OR IGNORE INTO subscription (account_id, name) VALUES (?, ?)', accountId, name);
  }
  if (!input.isSubscribed) tx.run('DELETE FROM subscription WHERE account_id=? AND name=?', accountId, name);
  tx.announce({ kind: 'mailboxes', accountId });
}

function claimRecent(tx: StoreTransaction, input: { accountId: AccountId; mailboxId: MailboxId; uid: number }): void {
  tx.run('UPDATE mailbox SET recent_uid=max(recent_uid, ?) WHERE id=? AND account_id=?', input.uid, input.mailboxId, input.accountId);
}

/** 'mailbox.*' operations of the writer that change counters by SQL, so the writer drops those in memory after each. */
export const MAILBOX_OPERATIONS = {
  'mailbox.delete': deleteMailbox,
  'mailbox.rename': renameMailbox,
};

/** Change nothing that is kept in memory: may run among deliveries without disturbing them, and cost the same whatever the account has. */
export const LIGHT_MAILBOX_OPERATIONS = {
  'mailbox.create': (tx: StoreTransaction, input: { accountId: AccountId; name: string; role: Role | null }): MailboxRow => {
    const id = createMailbox(tx, input.accountId, input.name, input.role);
    return mailboxRow(tx.get(`SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE id=?`, id)!);
  },
  'mailbox.subscribe': subscribe,
  'mailbox.claimRecent': claimRecent,
};
