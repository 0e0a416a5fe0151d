/** Messages in mailboxes: APPEND, COPY and MOVE, flags, expunge. One modseq for each operation and mailbox. */
import type { AccountId, FlagChange, MailboxId, NewMessage } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import type { MailboxState } from '../writer/state.ts';
import { insertBlob, releaseEmails } from './blob.ts';
import { insertEmail, insertMessage } from './deliver.ts';

const NO_PREFIX = new Uint8Array(0);

/** Keywords of one message (RFC 9051 leaves the bound to the server). */
const KEYWORDS_MAX = 100;
const KEYWORD_BYTES_MAX = 200;

/** Throws 'limit' when a message would have too many keywords: they are part of every answer about it. */
export function checkKeywords(keywords: string | null): string | null {
  if (keywords === null) return null;
  const words = keywords.split(' ');
  if (words.length > KEYWORDS_MAX || words.some((word) => word.length > KEYWORD_BYTES_MAX)) throw new Failure('limit', 'too many or too long keywords');
  return keywords;
}

/** Throws 'limit' when the mailbox would know too many different keywords. */
function checkMailboxKeywords(mailbox: MailboxState, words: readonly string[]): void {
  if (words.length > 0 && !mailbox.hasRoomForKeywords(words)) throw new Failure('limit', 'too many different keywords in the mailbox');
}

function append(
  tx: StoreTransaction,
  input: { accountId: AccountId; mailboxId: MailboxId; messages: readonly NewMessage[] },
): { uidValidity: number; uids: number[] } {
  const account = tx.state.account(input.accountId);
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  const bytes = input.messages.reduce((sum, m) => sum + m.message.size, 0);
  if (!account.hasRoomFor(bytes, input.messages.length)) throw new Failure('overQuota', 'quota exceeded');
  for (const { keywords } of input.messages) checkKeywords(keywords);
  checkMailboxKeywords(mailbox, [...new Set(input.messages.flatMap((m) => m.keywords?.split(' ') ?? []))]);
  const uids = input.messages.map((m) => {
    const blobId = insertBlob(tx, m.message, 1);
    const emailId = insertEmail(tx, input.accountId, { blobId, message: m.message, prefix: NO_PREFIX, journeyId: null });
    return insertMessage(tx, account, mailbox, emailId, m.message.size, m.flags, m.keywords, m.internalDate);
  });
  return { uidValidity: mailbox.uidValidity, uids };
}

type Row = [uid: number, modseq: number, flags: number, keywords: string | null, internalDate: number, size: number, emailId: number];
const ROW_COLUMNS = 'uid, modseq, flags, keywords, internal_date, size, email_id';

/** A gap of uids above which a range is read in two pieces rather than reading over what nobody asked for. */
const GAP_MAX = 500;

/**
 * The rows of the wanted uids (ascending; null = all), in runs that are neighbours in the mailbox, so that a run can be
 * changed by one statement over [first uid, last uid].
 */
export function runsOf(tx: StoreTransaction, mailbox: MailboxState, uids: readonly number[] | null, take: (row: Row) => boolean): Row[][] {
  const runs: Row[][] = [];
  const read = (from: number, to: number, wanted: readonly number[] | null, start: number): number => {
    const rows = tx.all(
      `SELECT ${ROW_COLUMNS} FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ?`,
      mailbox.accountId,
      mailbox.id,
      from,
      to,
    ) as Row[];
    let run: Row[] | null = null;
    let at = start;
    for (const row of rows) {
      let isWanted = wanted === null;
      if (wanted !== null) {
        while (at < wanted.length && wanted[at]! < row[0]) at += 1;
        isWanted = wanted[at] === row[0];
      }
      if (isWanted && take(row)) {
        if (run === null) {
          run = [];
          runs.push(run);
        }
        run.push(row);
      } else run = null;
    }
    return at;
  };
  if (uids === null) {
    read(0, 0xffffffff, null, 0);
    return runs;
  }
  let first = 0;
  for (let i = 1; i <= uids.length; i += 1) {
    if (i < uids.length && uids[i]! - uids[i - 1]! <= GAP_MAX) continue;
    read(uids[first]!, uids[i - 1]!, uids, first);
    first = i;
  }
  return runs;
}

function sortedUids(uids: readonly number[]): readonly number[] {
  for (let i = 1; i < uids.length; i += 1) if (uids[i]! <= uids[i - 1]!) return [...new Set(uids)].sort((a, b) => a - b);
  return uids;
}

function copy(
  tx: StoreTransaction,
  input: { accountId: AccountId; from: MailboxId; uids: readonly number[]; to: MailboxId; move: boolean },
): { uidValidity: number; pairs: [number, number][] } {
  const account = tx.state.account(input.accountId);
  const source = tx.state.mailbox(input.accountId, input.from);
  const target = tx.state.mailbox(input.accountId, input.to);
  const runs = runsOf(tx, source, sortedUids(input.uids), () => true);
  const rows = runs.flat();
  const bytes = rows.reduce((sum, row) => sum + row[5], 0);
  if (!input.move && !account.hasRoomFor(bytes, rows.length)) throw new Failure('overQuota', 'quota exceeded');
  const pairs: [number, number][] = [];
  for (const [uid, , flags, keywords, internalDate, size, emailId] of rows) {
    tx.run('UPDATE email SET refs=refs+1 WHERE id=?', emailId);
    pairs.push([uid, insertMessage(tx, account, target, emailId, size, flags, keywords, internalDate)]);
  }
  if (input.move && rows.length > 0) removeRows(tx, source, runs);
  return { uidValidity: target.uidValidity, pairs };
}

/** Deletes rows that were read just now. Each run must be neighbours: whatever lies between its first and its last uid goes. */
function removeRows(tx: StoreTransaction, mailbox: MailboxState, runs: readonly Row[][]): number {
  const account = tx.state.account(mailbox.accountId);
  tx.markWritten();
  const modseq = account.nextModseq();
  for (const run of runs) {
    const [from, to] = [run[0]![0], run[run.length - 1]![0]];
    tx.run(
      'INSERT INTO expunged (account_id, mailbox_id, modseq, uid, at) SELECT account_id, mailbox_id, ?, uid, ? FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ?',
      modseq,
      tx.now,
      mailbox.accountId,
      mailbox.id,
      from,
      to,
    );
    tx.run('DELETE FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ?', mailbox.accountId, mailbox.id, from, to);
    releaseEmails(
      tx,
      run.map((row) => row[6]),
    );
    for (const [uid, , flags, , , size] of run) {
      mailbox.countOut(flags, size);
      account.use(-size, -1);
      mailbox.expunged.push(uid);
    }
  }
  mailbox.raise(modseq);
  return modseq;
}

/** Removes messages (all, or `uids`; with `onlyDeleted` those with \Deleted), leaving their UIDs in the expunge history. */
export function expungeMessages(
  tx: StoreTransaction,
  mailbox: MailboxState,
  uids: readonly number[] | null,
  onlyDeleted: boolean,
): { uids: number[]; modseq: number } {
  if (onlyDeleted && mailbox.deletedCount === 0) return { uids: [], modseq: mailbox.highestModseq };
  const runs = runsOf(tx, mailbox, uids === null ? null : sortedUids(uids), (row) => !onlyDeleted || (row[2] & FLAG.deleted) !== 0);
  if (runs.length === 0) return { uids: [], modseq: mailbox.highestModseq };
  const modseq = removeRows(tx, mailbox, runs);
  return { uids: runs.flatMap((run) => run.map((row) => row[0])), modseq };
}

/** `present` with `change` applied; null for none. Keywords compare without case and keep the case they were first set with. */
export function changeKeywords(present: string | null, mode: 'add' | 'remove' | 'replace', change: readonly string[]): string | null {
  if (mode !== 'replace' && change.length === 0) return present;
  const words = new Map<string, string>();
  if (mode !== 'replace' && present !== null) for (const word of present.split(' ')) words.set(word.toLowerCase(), word);
  for (const word of change) {
    if (mode === 'remove') words.delete(word.toLowerCase());
    else if (!words.has(word.toLowerCase())) words.set(word.toLowerCase(), word);
  }
  return words.size === 0 ? null : [...words.values()].sort().join(' ');
}

interface FlagsInput {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  readonly uids: readonly number[];
  readonly mode: 'add' | 'remove' | 'replace';
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly unchangedSince?: number;
}

function flags(tx: StoreTransaction, input: FlagsInput): { changed: FlagChange[]; modified: number[] } {
  const account = tx.state.account(input.accountId);
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  if (input.keywords.length > KEYWORDS_MAX || input.keywords.some((word) => word.length > KEYWORD_BYTES_MAX))
    throw new Failure('limit', 'too many or too long keywords');
  if (input.mode !== 'remove') checkMailboxKeywords(mailbox, input.keywords);
  const and = input.mode === 'add' ? -1 : input.mode === 'remove' ? ~input.flags : 0;
  const or = input.mode === 'remove' ? 0 : input.flags;
  const touchesKeywords = input.keywords.length > 0 || input.mode === 'replace';
  const modified: number[] = [];
  const runs = runsOf(tx, mailbox, sortedUids(input.uids), (row) => {
    if (input.unchangedSince !== undefined && row[1] > input.unchangedSince) {
      modified.push(row[0]);
      return false;
    }
    const keywords = touchesKeywords ? checkKeywords(changeKeywords(row[3], input.mode, input.keywords)) : row[3];
    return ((row[2] & and) | or) !== row[2] || keywords !== row[3];
  });
  if (runs.length === 0) return { changed: [], modified };
  tx.markWritten();
  const modseq = account.nextModseq();
  const changed: FlagChange[] = [];
  for (const run of runs) {
    // Neighbours whose keywords end up alike are changed by one statement.
    let start = 0;
    let startKeywords = touchesKeywords ? changeKeywords(run[0]![3], input.mode, input.keywords) : null;
    for (let i = 0; i <= run.length; i += 1) {
      const row = run[i];
      const keywords = row === undefined ? null : touchesKeywords ? changeKeywords(row[3], input.mode, input.keywords) : row[3];
      if (row !== undefined) {
        const after = (row[2] & and) | or;
        mailbox.countFlags(row[2], after);
        if (keywords !== null && keywords !== row[3]) mailbox.noteKeywords(keywords);
        changed.push({ uid: row[0], flags: after, keywords, modseq });
      }
      if (row !== undefined && (!touchesKeywords || keywords === startKeywords)) continue;
      const [from, to] = [run[start]![0], run[i - 1]![0]];
      if (touchesKeywords) {
        tx.run(
          'UPDATE message SET flags=(flags & ?) | ?, keywords=?, modseq=? WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ?',
          and,
          or,
          startKeywords,
          modseq,
          mailbox.accountId,
          mailbox.id,
          from,
          to,
        );
      } else {
        tx.run(
          'UPDATE message SET flags=(flags & ?) | ?, modseq=? WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ?',
          and,
          or,
          modseq,
          mailbox.accountId,
          mailbox.id,
          from,
          to,
        );
      }
      start = i;
      startKeywords = keywords;
    }
  }
  mailbox.raise(modseq);
  for (const change of changed) mailbox.flags.push(change);
  return { changed, modified };
}

interface SweepInput {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
  readonly ranges: readonly number[];
  readonly mode: 'add' | 'remove';
  readonly flags: number;
}

const SWEPT_SQL = 'WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? AND ((flags & ?) | ?)<>flags';

/** Changes system flags of whole ranges without reading the messages: they are announced as one change. */
function sweep(tx: StoreTransaction, input: SweepInput): { changed: number; modseq: number } {
  const account = tx.state.account(input.accountId);
  const mailbox = tx.state.mailbox(input.accountId, input.mailboxId);
  const [and, or] = input.mode === 'add' ? [-1, input.flags] : [~input.flags, 0];
  let [changed, seen, deleted] = [0, 0, 0];
  for (let i = 0; i < input.ranges.length; i += 2) {
    const row = tx.get(
      `SELECT count(*), count(nullif(flags & ${FLAG.seen}, 0)), count(nullif(flags & ${FLAG.deleted}, 0)) FROM message ${SWEPT_SQL}`,
      mailbox.accountId,
      mailbox.id,
      input.ranges[i]!,
      input.ranges[i + 1]!,
      and,
      or,
    ) as [number, number, number];
    changed += row[0];
    seen += row[1];
    deleted += row[2];
  }
  if (changed === 0) return { changed: 0, modseq: 0 };
  tx.markWritten();
  // What happened before in this commit must be announced before: a sweep changes what the messages have then.
  const before = mailbox.takeAnnouncement();
  if (before !== null) tx.announce(before);
  const modseq = account.nextModseq();
  for (let i = 0; i < input.ranges.length; i += 2) {
    tx.run(
      `UPDATE message SET flags=(flags & ?) | ?, modseq=? ${SWEPT_SQL}`,
      and,
      or,
      modseq,
      mailbox.accountId,
      mailbox.id,
      input.ranges[i]!,
      input.ranges[i + 1]!,
      and,
      or,
    );
  }
  const after = (flag: number, had: number): number => ((or & flag) !== 0 ? changed - had : (and & flag) === 0 ? -had : 0);
  mailbox.countChanged(-after(FLAG.seen, seen), after(FLAG.deleted, deleted));
  mailbox.raise(modseq);
  tx.announce({
    kind: 'messages',
    accountId: mailbox.accountId,
    mailboxId: mailbox.id,
    modseq,
    uidNext: mailbox.uidNext,
    added: [],
    flags: [],
    expunged: [],
    sweep: { ranges: input.ranges, and, or, modseq },
    isResync: false,
  });
  return { changed, modseq };
}

/** Rows of history removed by one call: bounds how long deliveries wait. */
const PRUNE_ROWS = 2000;

/** Cuts expunge history older than `before` (ms); answers how many rows went: call again while it is not 0. */
function pruneExpunged(tx: StoreTransaction, input: { before: number }): number {
  const rows = tx.all('SELECT account_id, mailbox_id, modseq, uid FROM expunged WHERE at < ? LIMIT ?', input.before, PRUNE_ROWS);
  const floors = new Map<number, number>();
  for (const [accountId, mailboxId, modseq, uid] of rows) {
    tx.run('DELETE FROM expunged WHERE account_id=? AND mailbox_id=? AND modseq=? AND uid=?', accountId, mailboxId, modseq, uid);
    floors.set(mailboxId, Math.max(floors.get(mailboxId) ?? 0, modseq));
  }
  for (const [mailboxId, floor] of floors) tx.run('UPDATE mailbox SET expunged_floor=max(expunged_floor, ?) WHERE id=?', floor, mailboxId);
  return rows.length;
}

/** 'message.*' operations of the writer. */
export const MESSAGE_OPERATIONS = {
  'message.append': append,
  'message.copy': copy,
  'message.flags': flags,
  'message.sweep': sweep,
  'message.pruneExpunged': pruneExpunged,
  'message.expunge': (tx: StoreTransaction, input: { accountId: AccountId; mailboxId: MailboxId; uids: readonly number[] | null; onlyDeleted: boolean }) =>
    expungeMessages(tx, tx.state.mailbox(input.accountId, input.mailboxId), input.uids, input.onlyDeleted),
};
