/** What FETCH asks of messages beside their rows: when they came into the mailbox, their thread, how much a lazy preview may cost. */
import type { AccountId, EmailId, MailboxId, MessageTuple, StoreReader } from '../../ports.ts';
import { threadObjectId } from '../../store/object-id.ts';
import type { ImapSession } from './session.ts';

export type SaveDate = [uid: number, savedAt: number];

/** SAVEDATE (RFC 8514), in uid order. */
export function readSaveDates(reader: StoreReader, accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): SaveDate[] {
  return reader.rows(
    'SELECT uid, saved_at FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?',
    accountId,
    mailboxId,
    fromUid,
    toUid,
    limit,
  ) as SaveDate[];
}

/** How long a command waits for mail that has just come to be threaded; once. */
const INDEX_WAIT_MS = 1000;

/** Thread of each email that has one. A THREADID that was NIL must not change later, so mail that is being indexed is waited for, a little. */
export async function readThreads(
  session: ImapSession,
  accountId: AccountId,
  rows: readonly (MessageTuple | undefined)[],
  mayWait: boolean,
): Promise<ReadonlyMap<EmailId, number>> {
  const { search } = session.context;
  const threads = new Map<EmailId, number>();
  if (search === undefined) return threads;
  let emails: EmailId[] = [];
  for (const row of rows) if (row !== undefined) emails.push(row[6]);
  const look = (): void => {
    for (const { email, threadId } of search.facts(accountId, emails)) threads.set(email, threadId);
  };
  look();
  emails = emails.filter((email) => !threads.has(email));
  if (emails.length > 0 && mayWait) {
    await search.settled(INDEX_WAIT_MS);
    look();
  }
  return threads;
}

export function threadItem(threads: ReadonlyMap<EmailId, number> | null, email: EmailId): string {
  const thread = threads?.get(email);
  return thread === undefined ? 'THREADID NIL' : `THREADID (${threadObjectId(thread)})`;
}

/** Larger messages are files of their own, and their previews not to be had without delay. */
export const LAZY_MESSAGE_BYTES = 256 * 1024;
/** What the previews of one FETCH with LAZY may cost: a list of messages on a screen gets all of them. */
const LAZY_MS = 200;

/** PREVIEW (LAZY) is NIL once this is spent (RFC 8970 section 4.1). */
export class LazyBudget {
  readonly #end = performance.now() + LAZY_MS;
  #looks = 0;
  #isSpent = false;

  get isSpent(): boolean {
    this.#looks += 1;
    // The clock is asked now and then: the first messages always get theirs.
    if (!this.#isSpent && this.#looks % 16 === 0) this.#isSpent = performance.now() > this.#end;
    return this.#isSpent;
  }
}
