/** Rights on mailboxes (table acl) as mailboxes are made, renamed and deleted (RFC 4314 section 4), and who must hear of it. */
import type { AccountId, MailboxId } from '../../ports.ts';
import type { Transaction } from '../transaction.ts';

/** Accounts of the owner's domain that are told when a mailbox is shared with everybody; all others see it with their next LIST. */
export const TOLD_MAX = 1000;

/** A new mailbox has the rights of the nearest parent that was there before it. */
export function inheritRights(tx: Transaction, accountId: AccountId, name: string, id: MailboxId): void {
  const slash = name.lastIndexOf('/');
  if (slash === -1) return;
  // Parents are made before their children: the one above exists.
  const parent = tx.get('SELECT id FROM mailbox WHERE account_id=? AND name=?', accountId, name.slice(0, slash));
  if (parent !== undefined) copyRights(tx, parent[0], id);
}

export function copyRights(tx: Transaction, from: MailboxId, to: MailboxId): void {
  tx.run('INSERT OR IGNORE INTO acl (mailbox_id, identifier, rights) SELECT ?, identifier, rights FROM acl WHERE mailbox_id=?', to, from);
}

/** A mailbox that is made later under the same name must not be open to the same people, nor old URLs lead into it. */
export function dropRights(tx: Transaction, id: MailboxId): void {
  tx.run('DELETE FROM acl WHERE mailbox_id=?', id);
  tx.run('DELETE FROM urlauth_key WHERE mailbox_id=?', id);
}

/** Who has rights on the mailbox of the name or on one below it. */
export function sharersOf(tx: Transaction, accountId: AccountId, name: string): string[] {
  return tx
    .all(
      'SELECT DISTINCT a.identifier FROM mailbox b JOIN acl a ON a.mailbox_id=b.id WHERE b.account_id=? AND (b.name=? OR (b.name>=? AND b.name<?))',
      accountId,
      name,
      `${name}/`,
      `${name}0`, // "0" is the character after "/"
    )
    .map(([identifier]) => identifier);
}

/** The lists of mailboxes of these identifiers' accounts have changed. */
export function tellSharers(tx: Transaction, owner: AccountId, identifiers: Iterable<string>): void {
  const told = new Set<AccountId>([owner]);
  for (const identifier of identifiers) {
    for (const accountId of accountsOf(tx, owner, identifier.startsWith('-') ? identifier.slice(1) : identifier)) {
      if (told.has(accountId)) continue;
      told.add(accountId);
      tx.announce({ kind: 'mailboxes', accountId });
    }
  }
}

function accountsOf(tx: Transaction, owner: AccountId, name: string): AccountId[] {
  if (name !== 'anyone' && name !== 'authenticated') return tx.all('SELECT id FROM account WHERE login=?', name).map(([id]) => id);
  return tx
    .all(
      "SELECT a.id FROM account a JOIN account o ON substr(o.login, instr(o.login, '@'))=substr(a.login, instr(a.login, '@')) WHERE o.id=? LIMIT ?",
      owner,
      TOLD_MAX,
    )
    .map(([id]) => id);
}
