/**
 * Imports: messages with the UIDs, dates and POP3 unique-ids they had on another server. What was taken is noted in the transaction that
 * took it, so that an import which was killed at any moment goes on without loss and without doubles.
 */
import type { AccountId, MailboxId, NewMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import type { MailboxState } from '../writer/state.ts';
import { insertBlob } from './blob.ts';
import { insertEmail, insertMessage } from './deliver.ts';

const NO_PREFIX = new Uint8Array(0);
/** RFC 1939 section 7. */
const UIDL = /^[\x21-\x7e]{1,70}$/;
/** A foreign UIDVALIDITY this far ahead of the clock is not taken over: all later ones of the store must be higher still. */
export const UIDVALIDITY_AHEAD_SECONDS_MAX = 366 * 24 * 3600;

export interface ImportPlace {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  /** Folder or file; with the mailbox it is what an import is known by. */
  readonly path: string;
  /** Of the old server, when its UIDs are to be kept. */
  readonly uidValidity: number | null;
  /** Forgets what was taken before. */
  readonly isAgain: boolean;
}
export interface ImportBegun {
  readonly sourceId: number;
  /** Rows of `import_batch`; the next `import.append` has to name it. */
  readonly batches: number;
  readonly keepsUids: boolean;
}

/**
 * Begins an import or goes on with one. UIDVALIDITY and UIDs are taken over only into a mailbox without messages: what clients know of
 * it is void then. Throws 'noSuchMailbox'.
 */
function begin(tx: StoreTransaction, input: ImportPlace): ImportBegun {
  const { accountId, mailboxId, path, uidValidity } = input;
  const mailbox = tx.state.mailbox(accountId, mailboxId);
  if (input.isAgain) tx.run('DELETE FROM import_source WHERE mailbox_id=? AND path=?', mailboxId, path);
  const known = tx.get('SELECT id, batches, uid_next FROM import_source WHERE mailbox_id=? AND path=?', mailboxId, path);
  if (known !== undefined) return { sourceId: known[0], batches: known[1], keepsUids: known[2] !== null };
  const keepsUids =
    uidValidity !== null &&
    mailbox.messageCount === 0 &&
    uidValidity > 0 &&
    uidValidity <= Math.floor(tx.now / 1000) + UIDVALIDITY_AHEAD_SECONDS_MAX &&
    uidValidity !== mailbox.uidValidity;
  if (keepsUids) {
    // Every later UIDVALIDITY of the store is higher (mailbox.ts, takeUidValidity).
    tx.nextId('uidValidity', uidValidity);
    takeOver(tx, accountId, mailboxId, uidValidity, 1);
  }
  const row = tx.get('INSERT INTO import_source (mailbox_id, path, uid_next) VALUES (?, ?, ?) RETURNING id', mailboxId, path, keepsUids ? 1 : null);
  tx.markWritten();
  return { sourceId: row![0], batches: 0, keepsUids };
}

/** Another UIDVALIDITY: whoever has the mailbox open must open it again. The caller's counters are forgotten after the operation. */
export function takeOver(tx: StoreTransaction, accountId: AccountId, mailboxId: MailboxId, uidValidity: number, uidNext: number): void {
  tx.run('UPDATE account SET next_uid_validity=max(next_uid_validity, ?) WHERE id=?', uidValidity + 1, accountId);
  tx.run('UPDATE mailbox SET uid_validity=?, uid_next=?, recent_uid=min(recent_uid, ?) WHERE id=?', uidValidity, uidNext, uidNext, mailboxId);
  if (uidNext === 1) {
    tx.run('DELETE FROM expunged WHERE account_id=? AND mailbox_id=?', accountId, mailboxId);
    tx.run('DELETE FROM pop3_uidl WHERE mailbox_id=?', mailboxId);
    tx.run('DELETE FROM pop3_hidden WHERE mailbox_id=?', mailboxId);
  }
  tx.announce({ kind: 'mailboxGone', accountId, mailboxId });
  tx.announce({ kind: 'mailboxes', accountId });
}

export interface ImportedMessage extends NewMessage {
  /** On the old server; null: not known. Ascending within an import, those without at the end. */
  readonly uid: number | null;
  /** The POP3 unique-id it had there. */
  readonly uidl: string | null;
}
export interface ImportBatch {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  readonly sourceId: number;
  readonly batch: number;
  /** 8 bytes for each message. */
  readonly keys: Uint8Array;
  /** UIDs of the old server are below; messages without one get this or higher. */
  readonly uidFloor: number;
  readonly messages: readonly ImportedMessage[];
}
/** 'uidTaken': somebody else's message came between; nothing was done. */
export type ImportOutcome = 'done' | 'uidTaken';

/** All of a batch or nothing. Throws 'staleLease' when another import of the same source is under way, 'overQuota', 'noSuchMailbox'. */
function append(tx: StoreTransaction, input: ImportBatch): ImportOutcome {
  const account = tx.state.account(input.accountId);
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  const source = tx.get('SELECT batches, uid_next FROM import_source WHERE id=? AND mailbox_id=?', input.sourceId, input.mailboxId);
  if (source === undefined || source[0] !== input.batch) throw new Failure('staleLease', 'Another import of the same source is under way.');
  const keepsUids = source[1] !== null;
  if (keepsUids && (mailbox.uidNext !== source[1] || !areAscending(input.messages, mailbox.uidNext))) return 'uidTaken';
  const bytes = input.messages.reduce((sum, { message }) => sum + message.size, 0);
  if (!account.hasRoomFor(bytes, input.messages.length)) throw new Failure('overQuota', 'quota exceeded');
  for (const one of input.messages) {
    const blobId = insertBlob(tx, one.message, 1);
    const emailId = insertEmail(tx, input.accountId, { blobId, message: one.message, prefix: NO_PREFIX, journeyId: null });
    const least = keepsUids ? (one.uid ?? input.uidFloor) : 0;
    const uid = insertMessage(tx, account, mailbox, emailId, one.message.size, one.flags, keptKeywords(mailbox, one.keywords), one.internalDate, least);
    // Two messages with one unique-id: the second gets one made of its UID.
    if (one.uidl !== null && UIDL.test(one.uidl))
      tx.run('INSERT OR IGNORE INTO pop3_uidl (mailbox_id, uid, uidl) VALUES (?, ?, ?)', input.mailboxId, uid, one.uidl);
  }
  tx.run('INSERT INTO import_batch (source_id, batch, keys) VALUES (?, ?, ?)', input.sourceId, input.batch, input.keys);
  tx.run('UPDATE import_source SET batches=batches+1, uid_next=? WHERE id=?', keepsUids ? mailbox.uidNext : null, input.sourceId);
  return 'done';
}

/** Bounds of one message (message.ts refuses there what is left out here: an import must get to its end). */
const KEYWORDS_MAX = 100;
const KEYWORD_BYTES_MAX = 200;

/** Those that there is room for. */
function keptKeywords(mailbox: MailboxState, keywords: string | null): string | null {
  if (keywords === null) return null;
  const words = keywords.split(' ').filter((word) => word.length <= KEYWORD_BYTES_MAX && mailbox.hasRoomForKeywords([word]));
  return words.length === 0 ? null : words.slice(0, KEYWORDS_MAX).join(' ');
}

function areAscending(messages: readonly ImportedMessage[], uidNext: number): boolean {
  let next = uidNext;
  let hasOpen = false;
  for (const { uid } of messages) {
    if (uid === null) hasOpen = true;
    else if (uid < next || hasOpen) return false;
    else next = uid + 1;
  }
  return true;
}

/** After 'uidTaken': the old UIDs cannot be kept any more, so clients must not meet them under the old UIDVALIDITY either. */
function renumber(tx: StoreTransaction, input: { accountId: AccountId; mailboxId: MailboxId; sourceId: number }): void {
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  const uidValidity = tx.nextId('uidValidity', Math.max(Math.floor(tx.now / 1000), mailbox.uidValidity + 1));
  takeOver(tx, input.accountId, input.mailboxId, uidValidity, mailbox.uidNext);
  tx.run('UPDATE import_source SET uid_next=NULL WHERE mailbox_id=?', input.mailboxId);
}

/** The whole source was read: the UIDs of messages that were removed on the old server are not used again, and old mail is not \Recent. */
function end(tx: StoreTransaction, input: { accountId: AccountId; mailboxId: MailboxId; sourceId: number; uidFloor: number }): void {
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  const [uidNext] = tx.get('SELECT uid_next FROM import_source WHERE id=? AND mailbox_id=?', input.sourceId, input.mailboxId) ?? [null];
  if (uidNext === null || uidNext !== mailbox.uidNext) return;
  const next = Math.max(mailbox.uidNext, input.uidFloor);
  tx.run('UPDATE mailbox SET uid_next=?, recent_uid=? WHERE id=?', next, next, input.mailboxId);
  tx.run('UPDATE import_source SET uid_next=? WHERE id=?', next, input.sourceId);
}

/** Keeps to the counters that the writer has in memory. */
export const IMPORT_OPERATIONS = { 'import.append': append };
/** These change mailbox rows by SQL. */
export const IMPORT_PLACE_OPERATIONS = { 'import.begin': begin, 'import.renumber': renumber, 'import.end': end };
