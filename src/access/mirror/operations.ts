/** What the writer does for the mirror: who works on an account's folders just now, and what folder and mailbox agreed on. */
import type { StagedMessage } from '../../ports.ts';
import { insertBlob } from '../../store/operations/blob.ts';
import { insertEmail, insertMessage } from '../../store/operations/deliver.ts';
import { takeOver, UIDVALIDITY_AHEAD_SECONDS_MAX } from '../../store/operations/import.ts';
import { expungeMessages } from '../../store/operations/message.ts';
import type { Operation, Operations } from '../../store/transaction.ts';
import type { StoreTransaction } from '../../store/writer/group-commit.ts';
import { Failure } from '../../system/failure.ts';
import type { FlagDelta } from './marks.ts';

/** Only one works on the folders of an account at a time, in any thread. A lease, in the writer's memory: it ends with the process. */
interface Lease {
  readonly owner: string;
  readonly leaseMs: number;
  until: number;
}
const leases = new Map<number, Lease>();

function lock(tx: StoreTransaction, input: { accountId: number; owner: string; leaseMs: number }): boolean {
  const held = leases.get(input.accountId);
  if (held !== undefined && held.owner !== input.owner && held.until > tx.now) return false;
  leases.set(input.accountId, { owner: input.owner, leaseMs: input.leaseMs, until: tx.now + input.leaseMs });
  return true;
}

function unlock(_tx: StoreTransaction, input: { accountId: number; owner: string }): void {
  if (leases.get(input.accountId)?.owner === input.owner) leases.delete(input.accountId);
}

/** Whoever lost the lease to somebody else must not write what he saw before. Who still has it has it for longer. */
function checkLease(tx: StoreTransaction, accountId: number, owner: string): void {
  const held = leases.get(accountId);
  if (held?.owner !== owner) throw new Failure('staleLease', 'somebody else mirrors this account now');
  held.until = tx.now + held.leaseMs;
}

/** The place of the account's folders; when it is another than before, what was known of the old one is forgotten. */
function place(tx: StoreTransaction, input: { accountId: number; owner: string; place: string }): void {
  checkLease(tx, input.accountId, input.owner);
  tx.run('DELETE FROM mirror_folder WHERE account_id=?', input.accountId);
  tx.run('DELETE FROM mirror_file WHERE account_id=?', input.accountId);
  tx.run(
    'INSERT INTO mirror_place (account_id, place) VALUES (?, ?) ON CONFLICT (account_id) DO UPDATE SET place=excluded.place, subscriptions=NULL',
    input.accountId,
    input.place,
  );
}

function bind(tx: StoreTransaction, input: { accountId: number; owner: string; mailboxId: number; path: string; name: string; identity: string }): void {
  checkLease(tx, input.accountId, input.owner);
  tx.run(
    'INSERT INTO mirror_folder (mailbox_id, account_id, path, name, identity) VALUES (?, ?, ?, ?, ?) ON CONFLICT (mailbox_id) DO UPDATE SET path=excluded.path, name=excluded.name, identity=excluded.identity, state=NULL',
    input.mailboxId,
    input.accountId,
    input.path,
    input.name,
    input.identity,
  );
}

/** The folder is gone: `expunges` its messages (not those that never reached it). */
function unbind(tx: StoreTransaction, input: { accountId: number; owner: string; mailboxId: number; expunges: boolean }): void {
  checkLease(tx, input.accountId, input.owner);
  if (input.expunges) {
    const uids = tx
      .all('SELECT uid FROM mirror_file WHERE account_id=? AND mailbox_id=? ORDER BY uid', input.accountId, input.mailboxId)
      .map((row) => Number(row[0]));
    expungeMessages(tx, tx.state.mailbox(input.accountId, input.mailboxId), uids, false);
  }
  tx.run('DELETE FROM mirror_file WHERE account_id=? AND mailbox_id=?', input.accountId, input.mailboxId);
  tx.run('DELETE FROM mirror_folder WHERE mailbox_id=?', input.mailboxId);
}

/** Names for messages that are about to be written to the folder: a crash between writing and `settle` then makes no second file. */
function reserve(tx: StoreTransaction, input: { accountId: number; owner: string; mailboxId: number; names: readonly [uid: number, name: string][] }): void {
  checkLease(tx, input.accountId, input.owner);
  for (const [uid, name] of input.names)
    tx.run(
      "INSERT OR IGNORE INTO mirror_file (account_id, mailbox_id, uid, name, file, marks) VALUES (?, ?, ?, ?, '', NULL)",
      input.accountId,
      input.mailboxId,
      uid,
      name,
    );
}

export interface SettledFile {
  readonly uid: number;
  readonly name: string;
  readonly file: string;
  readonly marks: string;
}
export interface ArrivedFile {
  readonly name: string;
  readonly file: string;
  readonly marks: string;
  readonly message: StagedMessage;
  readonly flags: number;
  readonly keywords: string | null;
  readonly internalDate: number;
  /** Gets this UID or a higher one. */
  readonly uidLeast: number;
}
export interface SettleInput {
  readonly accountId: number;
  readonly owner: string;
  readonly mailboxId: number;
  /** The mailbox's highest modseq that the caller has looked at. */
  readonly modseq: number;
  /** In the folder and not in the store. */
  readonly arrived: readonly ArrivedFile[];
  /** Uids of messages that are gone from the folder. */
  readonly vanished: readonly number[];
  /** Flag changes made in the folder. */
  readonly flags: readonly (FlagDelta & { readonly uids: readonly number[] })[];
  /** What both sides have now. */
  readonly files: readonly SettledFile[];
  /** Uids that are on neither side any more. */
  readonly gone: readonly number[];
  /** What the folder looked like (null: look again); left out: there is more to come. */
  readonly state?: string | null;
}
export interface SettleOutput {
  /** All changes of the mailbox up to this one are known to the caller. */
  readonly modseq: number;
  readonly uids: readonly number[];
}

const PUT_FILE =
  'INSERT INTO mirror_file (account_id, mailbox_id, uid, name, file, marks) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, mailbox_id, uid) DO UPDATE SET name=excluded.name, file=excluded.file, marks=excluded.marks';

/** The folder's changes into the store, and what both agree on, in one transaction. The folder is there already: no quota keeps its messages out. */
function settle(tx: StoreTransaction, input: SettleInput): SettleOutput {
  const { accountId, mailboxId } = input;
  checkLease(tx, accountId, input.owner);
  const account = tx.state.account(accountId);
  const mailbox = tx.state.mailbox(accountId, mailboxId);
  const wasSeen = mailbox.highestModseq === input.modseq;
  const uids: number[] = [];
  for (const one of input.arrived) {
    const blobId = insertBlob(tx, one.message, 1);
    const emailId = insertEmail(tx, accountId, { blobId, message: one.message, prefix: new Uint8Array(0), journeyId: null });
    const uid = insertMessage(tx, account, mailbox, emailId, one.message.size, one.flags, one.keywords, one.internalDate, one.uidLeast);
    tx.run(PUT_FILE, accountId, mailboxId, uid, one.name, one.file, one.marks);
    uids.push(uid);
  }
  for (const { uids: changed, add, remove, addWords, removeWords } of input.flags) {
    const base = { accountId, mailboxId, uids: changed };
    if (add !== 0 || addWords.length > 0) tx.perform('message.flags', { ...base, mode: 'add', flags: add, keywords: addWords });
    if (remove !== 0 || removeWords.length > 0) tx.perform('message.flags', { ...base, mode: 'remove', flags: remove, keywords: removeWords });
  }
  if (input.vanished.length > 0) expungeMessages(tx, mailbox, input.vanished, false);
  for (const { uid, name, file, marks } of input.files) tx.run(PUT_FILE, accountId, mailboxId, uid, name, file, marks);
  for (const list of [input.gone, input.vanished])
    for (const uid of list) tx.run('DELETE FROM mirror_file WHERE account_id=? AND mailbox_id=? AND uid=?', accountId, mailboxId, uid);
  const modseq = wasSeen ? mailbox.highestModseq : input.modseq;
  if (input.state !== undefined) tx.run('UPDATE mirror_folder SET state=?, modseq=? WHERE mailbox_id=?', input.state, modseq, mailboxId);
  return { modseq, uids };
}

/**
 * A mailbox that never had a message takes over the UIDVALIDITY under which another server showed the same folder. Answers the UIDVALIDITY that it
 * has now: clients may hold on to the old server's UIDs when it is theirs.
 */
function adopt(tx: StoreTransaction, input: { accountId: number; owner: string; mailboxId: number; uidValidity: number }): number {
  const { accountId, mailboxId, uidValidity } = input;
  checkLease(tx, accountId, input.owner);
  const mailbox = tx.state.mailbox(accountId, mailboxId);
  const isPossible = uidValidity > 0 && uidValidity <= Math.floor(tx.now / 1000) + UIDVALIDITY_AHEAD_SECONDS_MAX;
  if (mailbox.uidValidity === uidValidity || mailbox.messageCount > 0 || mailbox.uidNext > 1 || !isPossible) return mailbox.uidValidity;
  // The row is changed below what the writer has in memory.
  tx.state.flush((announcement) => tx.announce(announcement));
  tx.nextId('uidValidity', uidValidity);
  takeOver(tx, accountId, mailboxId, uidValidity, 1);
  tx.markWritten();
  tx.state.forget();
  return uidValidity;
}

/** What account and folders agreed on about subscriptions. */
function subscribed(tx: StoreTransaction, input: { accountId: number; owner: string; subscriptions: string }): void {
  checkLease(tx, input.accountId, input.owner);
  tx.run('UPDATE mirror_place SET subscriptions=? WHERE account_id=?', input.subscriptions, input.accountId);
}

/** They keep to the counters that the writer has in memory. */
export const MIRROR_OPERATIONS = {
  'mirror.lock': lock as Operation<any, any>,
  'mirror.unlock': unlock as Operation<any, any>,
  'mirror.place': place as Operation<any, any>,
  'mirror.bind': bind as Operation<any, any>,
  'mirror.unbind': unbind as Operation<any, any>,
  'mirror.reserve': reserve as Operation<any, any>,
  'mirror.adopt': adopt as Operation<any, any>,
  'mirror.subscribed': subscribed as Operation<any, any>,
  'mirror.settle': settle as Operation<any, any>,
} satisfies Operations;
