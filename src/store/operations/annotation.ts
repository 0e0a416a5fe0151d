/** Annotations of mailboxes, and of the server as an account sees it (RFC 5464). */
import type { AccountId, MailboxId, Role } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { roleOfSpecialUse, SPECIAL_USE_ENTRY } from '../annotations.ts';
import type { Transaction } from '../transaction.ts';

export interface AnnotationChange {
  /** As `annotation.entry` has it. Each only once in one change. */
  readonly entry: string;
  /** null removes it. */
  readonly value: Uint8Array | null;
}

export interface AnnotationLimits {
  readonly valueBytesMax: number;
  /** On one mailbox, or on the server. */
  readonly entriesMax: number;
  readonly accountEntriesMax: number;
}

export interface AnnotationsInput {
  readonly accountId: AccountId;
  /** 0: on the server. */
  readonly mailboxId: MailboxId;
  readonly changes: readonly AnnotationChange[];
  readonly limits: AnnotationLimits;
  /** The session that does it: goes into the announcement. */
  readonly by: string;
}

/**
 * Sets and removes annotations, all or none; /private/specialuse is the mailbox's role (RFC 6154 section 4). Throws 'messageTooBig'
 * (a value), 'limit' (too many), 'noSuchMailbox', 'noSuchAccount', or 'cannot' (a special use that cannot be).
 */
function setAnnotations(tx: Transaction, input: AnnotationsInput): void {
  const { accountId, mailboxId, limits } = input;
  if (tx.get('SELECT 1 FROM account WHERE id=?', accountId) === undefined) throw new Failure('noSuchAccount', `no account ${accountId}`);
  const mailbox = mailboxId === 0 ? undefined : tx.get('SELECT role, is_selectable FROM mailbox WHERE account_id=? AND id=?', accountId, mailboxId);
  if (mailboxId !== 0 && mailbox === undefined) throw new Failure('noSuchMailbox', `no mailbox ${mailboxId}`);
  let role: Role | null = mailbox?.[0] ?? null;
  const rows: AnnotationChange[] = [];
  for (const change of input.changes) {
    if (change.value !== null && change.value.length > limits.valueBytesMax) throw new Failure('messageTooBig', 'the annotation is too large');
    if (mailbox !== undefined && change.entry === SPECIAL_USE_ENTRY)
      role = wantedRole(tx, accountId, mailboxId, mailbox as [Role | null, number], change.value);
    else rows.push(change);
  }
  checkNumber(tx, accountId, mailboxId, rows, limits);
  if (mailbox !== undefined && role !== mailbox[0]) {
    tx.run('UPDATE mailbox SET role=? WHERE account_id=? AND id=?', role, accountId, mailboxId);
    tx.announce({ kind: 'mailboxes', accountId });
  }
  for (const { entry, value } of rows) {
    if (value === null) tx.run('DELETE FROM annotation WHERE account_id=? AND mailbox_id=? AND entry=?', accountId, mailboxId, entry);
    else
      tx.run(
        'INSERT INTO annotation (account_id, mailbox_id, entry, value, changed_at) VALUES (?, ?, ?, ?, ?)' +
          ' ON CONFLICT (account_id, mailbox_id, entry) DO UPDATE SET value=excluded.value, changed_at=excluded.changed_at',
        accountId,
        mailboxId,
        entry,
        value,
        tx.now,
      );
  }
  tx.announce({ kind: 'metadata', accountId, mailboxId, entries: input.changes.map(({ entry }) => entry), by: input.by });
}

/** Only growth is refused: an account that has too many can still be cleaned up. */
function checkNumber(tx: Transaction, accountId: AccountId, mailboxId: MailboxId, rows: readonly AnnotationChange[], limits: AnnotationLimits): void {
  let growth = 0;
  for (const { entry, value } of rows) {
    const isThere = tx.get('SELECT 1 FROM annotation WHERE account_id=? AND mailbox_id=? AND entry=?', accountId, mailboxId, entry) !== undefined;
    if (value !== null && !isThere) growth += 1;
    else if (value === null && isThere) growth -= 1;
  }
  if (growth <= 0) return;
  const [here, all] = tx.get('SELECT coalesce(sum(mailbox_id=?), 0), count(*) FROM annotation WHERE account_id=?', mailboxId, accountId) as [number, number];
  if (here + growth > limits.entriesMax || all + growth > limits.accountEntriesMax) throw new Failure('limit', 'too many annotations');
}

function wantedRole(tx: Transaction, accountId: AccountId, mailboxId: MailboxId, now: [Role | null, number], value: Uint8Array | null): Role | null {
  const [role, isSelectable] = now;
  const text = value === null ? '' : Buffer.from(value).toString('latin1').trim();
  const wanted = text === '' ? null : roleOfSpecialUse(text);
  if (wanted === undefined || role === 'inbox' || (wanted !== null && isSelectable !== 1)) throw new Failure('cannot', 'this special use cannot be');
  if (wanted !== null && tx.get('SELECT 1 FROM mailbox WHERE account_id=? AND role=? AND id<>?', accountId, wanted, mailboxId) !== undefined)
    throw new Failure('cannot', 'another mailbox has this special use');
  return wanted;
}

/** With the mailbox they belong to. */
export function dropAnnotations(tx: Transaction, accountId: AccountId, mailboxId: MailboxId): void {
  tx.run('DELETE FROM annotation WHERE account_id=? AND mailbox_id=?', accountId, mailboxId);
}

export function copyAnnotations(tx: Transaction, accountId: AccountId, from: MailboxId, to: MailboxId): void {
  const copied = tx.run(
    'INSERT INTO annotation (account_id, mailbox_id, entry, value, changed_at) SELECT account_id, ?, entry, value, changed_at FROM annotation WHERE account_id=? AND mailbox_id=?',
    to,
    accountId,
    from,
  );
  if (copied > 0) tx.announce({ kind: 'metadata', accountId, mailboxId: to, entries: [], by: '' });
}

export const ANNOTATION_OPERATIONS = { 'metadata.set': setAnnotations };
