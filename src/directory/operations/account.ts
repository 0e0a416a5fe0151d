/** Writer operations on accounts. */
import { FLAG, type Role } from '../../ports.ts';
import { releaseEmail } from '../../store/operations/blob.ts';
import type { Transaction } from '../../store/transaction.ts';
import { Failure } from '../../system/failure.ts';
import { domainAdd, requireDomain } from './domain.ts';

/** Every account starts with these, all subscribed: clients look for them by role and create rivals when one is missing. */
const FIRST_MAILBOXES: readonly (readonly [name: string, role: Role])[] = [
  ['INBOX', 'inbox'],
  ['Sent', 'sent'],
  ['Drafts', 'drafts'],
  ['Trash', 'trash'],
  ['Junk', 'junk'],
  ['Archive', 'archive'],
];

interface AccountOrigin {
  readonly source: 'own' | 'table' | 'system';
  readonly systemUser: string | null;
}

export interface AccountAddInput {
  readonly login: string;
  readonly displayName: string | null;
  readonly hash: string;
  readonly scram: string | null;
  readonly quotaBytes: number;
  readonly quotaMessages: number;
  /** Creates the domain too when it is not one of ours yet. */
  readonly withDomain: boolean;
}

export function accountAdd(tx: Transaction, input: AccountAddInput): { id: number; isDomainNew: boolean } {
  const { login } = input;
  const domain = login.slice(login.lastIndexOf('@') + 1);
  if (tx.get('SELECT 1 FROM account WHERE login=?', login) !== undefined) throw new Failure('exists', `there is a user ${login} already`);
  const isDomainNew = tx.get('SELECT 1 FROM domain WHERE name=?', domain) === undefined;
  if (isDomainNew && input.withDomain) domainAdd(tx, { name: domain });
  else requireDomain(tx, domain);

  const id = insertAccount(tx, { ...input, source: 'own', systemUser: null });
  insertPassword(tx, id, input.hash, input.scram);
  tx.announce({ kind: 'directory', accounts: [] });
  return { id, isDomainNew };
}

export interface AccountEnsureInput {
  readonly login: string;
  readonly source: 'table' | 'system';
  readonly systemUser: string | null;
  /** 0 = no limit; null = as it is, no limit for a new one. */
  readonly quotaBytes: number | null;
  readonly quotaMessages: number | null;
}

/**
 * The account of somebody whom a table or /etc/passwd names: made when it is missing, with the quota as it is there. An account of the
 * directory's own with that login is left as it is.
 */
export function accountEnsure(tx: Transaction, input: AccountEnsureInput): { id: number; isNew: boolean } {
  const { login, source, systemUser } = input;
  const row = tx.get('SELECT id, source, system_user, quota_bytes, quota_messages FROM account WHERE login=?', login);
  if (row === undefined) {
    const id = insertAccount(tx, { ...input, displayName: null, quotaBytes: input.quotaBytes ?? 0, quotaMessages: input.quotaMessages ?? 0 });
    tx.announce({ kind: 'directory', accounts: [] });
    return { id, isNew: true };
  }
  const [id, before, userBefore, bytesBefore, messagesBefore] = row as [number, string, string | null, number, number];
  if (before === 'own') return { id, isNew: false };
  // "Rita" and "rita" would read each other's mail.
  if (userBefore !== null && systemUser !== null && userBefore !== systemUser)
    throw new Failure('cannot', `the account ${login} is that of the system user ${userBefore}, not of ${systemUser}`);
  const quotaBytes = input.quotaBytes ?? bytesBefore;
  const quotaMessages = input.quotaMessages ?? messagesBefore;
  if (before !== source || userBefore !== systemUser || bytesBefore !== quotaBytes || messagesBefore !== quotaMessages) {
    tx.run('UPDATE account SET source=?, system_user=?, quota_bytes=?, quota_messages=? WHERE id=?', source, systemUser, quotaBytes, quotaMessages, id);
    tx.announce({ kind: 'directory', accounts: [] });
  }
  return { id, isNew: false };
}

/** The row of an account and its first mailboxes. */
function insertAccount(tx: Transaction, input: Pick<AccountAddInput, 'login' | 'displayName' | 'quotaBytes' | 'quotaMessages'> & AccountOrigin): number {
  const id = tx.nextId('account');
  // Never used before, also not by a removed account of this name (RFC 9051 section 2.3.1.1); seconds, as stores of other versions counted.
  const uidValidities = FIRST_MAILBOXES.map(() => tx.nextId('uidValidity', Math.floor(tx.now / 1000)));
  tx.run(
    'INSERT INTO account (id, login, display_name, quota_bytes, quota_messages, next_uid_validity, created_at, source, system_user) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    input.login,
    input.displayName,
    input.quotaBytes,
    input.quotaMessages,
    uidValidities.at(-1)! + 1,
    tx.now,
    input.source,
    input.systemUser,
  );
  for (const [n, [name, role]] of FIRST_MAILBOXES.entries())
    tx.run(
      'INSERT INTO mailbox (id, account_id, name, role, uid_validity, highest_modseq, created_at) VALUES (?, ?, ?, ?, ?, 1, ?)',
      tx.nextId('mailbox'),
      id,
      name,
      role,
      uidValidities[n]!,
      tx.now,
    );
  return id;
}

function insertPassword(tx: Transaction, accountId: number, hash: string, scram: string | null): void {
  tx.run(
    "INSERT INTO credential (id, account_id, kind, hash, scram, created_at) VALUES (?, ?, 'password', ?, ?, ?)",
    tx.nextId('credential'),
    accountId,
    hash,
    scram,
    tx.now,
  );
}

/**
 * One step of removing an account: takes away at most `limit` messages, and with the last of them the account itself.
 * The first step switches the account off, so that a removal cut short leaves a user who gets no mail. Call until `isDone`.
 */
export function accountRemove(tx: Transaction, input: { id: number; limit: number }): { isDone: boolean; messages: number } {
  const { id } = input;
  const account = tx.get('SELECT login, is_disabled FROM account WHERE id=?', id) as [string, number] | undefined;
  if (account === undefined) throw new Failure('noSuchAccount', 'there is no such user');
  if (account[1] === 0) {
    tx.run('UPDATE account SET is_disabled=1 WHERE id=?', id);
    tx.announce({ kind: 'directory', accounts: [id] });
  }

  const messages = tx.all('SELECT mailbox_id, uid, email_id, size, flags FROM message WHERE account_id=? LIMIT ?', id, input.limit) as number[][];
  for (const [mailboxId, uid, emailId, size, flags] of messages as [number, number, number, number, number][]) {
    tx.run('DELETE FROM message WHERE account_id=? AND mailbox_id=? AND uid=?', id, mailboxId, uid);
    // A removal may be cut short: counts are right after every step.
    tx.run(
      'UPDATE mailbox SET message_count=message_count-1, bytes=bytes-?, unseen_count=unseen_count-?, deleted_count=deleted_count-? WHERE id=?',
      size,
      (flags & FLAG.seen) === 0 ? 1 : 0,
      (flags & FLAG.deleted) === 0 ? 0 : 1,
      mailboxId,
    );
    releaseEmail(tx, emailId);
  }
  if (messages.length === input.limit) return { isDone: false, messages: messages.length };

  const mailboxes = tx.all('SELECT id FROM mailbox WHERE account_id=?', id) as [number][];
  tx.run('DELETE FROM expunged WHERE account_id=?', id);
  tx.run('DELETE FROM subscription WHERE account_id=?', id);
  tx.run('DELETE FROM annotation WHERE account_id=?', id);
  for (const table of ['mirror_place', 'mirror_folder', 'mirror_file']) tx.run(`DELETE FROM ${table} WHERE account_id=?`, id);
  tx.run('DELETE FROM mailbox WHERE account_id=?', id);
  tx.run('DELETE FROM credential WHERE account_id=?', id);
  tx.run('DELETE FROM account_option WHERE account_id=?', id);
  // Whoever gets this login next must not find others' mailboxes open.
  tx.run('DELETE FROM acl WHERE identifier IN (?, ?)', account[0], `-${account[0]}`);
  forgetFilters(tx, id);
  tx.run('DELETE FROM alias WHERE target=?', account[0]);
  tx.run('UPDATE domain SET catch_all=NULL WHERE catch_all=?', account[0]);
  tx.run('DELETE FROM account WHERE id=?', id);
  for (const [mailboxId] of mailboxes) tx.announce({ kind: 'mailboxGone', accountId: id, mailboxId });
  tx.announce({ kind: 'directory', accounts: [id] });
  return { isDone: true, messages: messages.length };
}

/** Scripts, what filters remember, and what the user wished: nobody of the next one of that number must find it. */
function forgetFilters(tx: Transaction, id: number): void {
  tx.run('DELETE FROM filter_script WHERE scope=?', `account:${id}`);
  tx.run('DELETE FROM filter_memory WHERE account_id=?', id);
  tx.run('DELETE FROM account_preference WHERE account_id=?', id);
  tx.run('DELETE FROM address_list WHERE account_id=?', id);
  tx.run('DELETE FROM forward_count WHERE account_id=?', id);
  tx.run('DELETE FROM challenge WHERE account_id=?', id);
}

/** A new password in place of the old one; app passwords stay. Throws Failure 'cannot' for accounts whose password is kept elsewhere. */
export function accountPasswd(tx: Transaction, input: { id: number; hash: string; scram: string | null }): void {
  const [source] = (tx.get('SELECT source FROM account WHERE id=?', input.id) ?? []) as [string?];
  if (source === undefined) throw new Failure('noSuchAccount', 'there is no such user');
  if (source !== 'own')
    throw new Failure(
      'cannot',
      source === 'table' ? 'The password of this user is kept in auth.passwordMaps.' : 'This is a user of the machine: the password is changed with passwd(1).',
    );
  tx.run("DELETE FROM credential WHERE account_id=? AND kind='password'", input.id);
  insertPassword(tx, input.id, input.hash, input.scram);
  tx.announce({ kind: 'directory', accounts: [input.id] });
}

export function accountDisable(tx: Transaction, input: { id: number; isDisabled: boolean }): void {
  requireAccount(tx, input.id);
  tx.run('UPDATE account SET is_disabled=? WHERE id=?', input.isDisabled ? 1 : 0, input.id);
  tx.announce({ kind: 'directory', accounts: [input.id] });
}

/** 0 = no limit. */
export function accountQuota(tx: Transaction, input: { id: number; quotaBytes: number; quotaMessages: number }): void {
  requireAccount(tx, input.id);
  tx.run('UPDATE account SET quota_bytes=?, quota_messages=? WHERE id=?', input.quotaBytes, input.quotaMessages, input.id);
  tx.announce({ kind: 'directory', accounts: [] });
}

function requireAccount(tx: Transaction, id: number): void {
  if (tx.get('SELECT 1 FROM account WHERE id=?', id) === undefined) throw new Failure('noSuchAccount', 'there is no such user');
}
