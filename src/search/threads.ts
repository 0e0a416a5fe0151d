/**
 * Which thread an email is in (RFC 8474 section 5.2: never changes). Emails of an account that share a message id, their own or one
 * they refer to, are in one thread, wherever they are kept: what was sent is there too.
 *
 * A new thread takes its number from the id its first email says everything began with (its first reference, else its own id), not from
 * a counter: an index made again from the messages that are left finds the same numbers.
 */
import { hash } from 'node:crypto';
import type { AccountId, EmailId } from '../ports.ts';
import type { HeaderThreadFacts } from '../mail/thread-facts.ts';
import type { Connection } from '../store/engines/sqlite.ts';

/** Numbers from ids have this bit; those of emails without ids, which are the email's, stay below. */
const FROM_ID = 2 ** 52;

/** 52 bits of the id's hash: two ids of one account that meet by chance are not to be expected below fifty million. */
function keyOf(accountId: AccountId, id: string): number {
  return Number.parseInt(hash('sha256', `${accountId} ${id}`, 'hex').slice(0, 13), 16);
}

/** Finds the email's thread, or begins one, and remembers its ids. Within the transaction of the email's rows. */
export function assignThread(connection: Connection, accountId: AccountId, email: EmailId, facts: HeaderThreadFacts): number {
  const keys = facts.references.map((id) => keyOf(accountId, id));
  if (facts.messageId !== null) keys.push(keyOf(accountId, facts.messageId));
  let thread = threadBefore(connection, email);
  const missing: number[] = [];
  // Its own thread is that of the message it answers: the last reference, then those before; then of those that answer it.
  const order = facts.messageId === null ? keys.toReversed() : [...keys.slice(0, -1).reverse(), keys.at(-1)!];
  for (const key of order) {
    const known = connection.get('SELECT thread_id FROM thread_key WHERE account_id=? AND key=?', accountId, key);
    if (known === undefined) missing.push(key);
    else thread ??= known[0] as number;
  }
  thread ??= keys.length === 0 ? email : FROM_ID + keys[0]!;
  for (const key of missing) connection.run('INSERT OR IGNORE INTO thread_key (account_id, key, thread_id) VALUES (?, ?, ?)', accountId, key, thread);
  return thread;
}

/** The email's thread in the index before this one. */
function threadBefore(connection: Connection, email: EmailId): number | null {
  return (connection.get('SELECT thread_id FROM thread_before WHERE email_id=?', email)?.[0] as number | undefined) ?? null;
}

/** Forgets the ids of threads that have no email any more. `threads`: those that lost one. */
export function forgetThreads(connection: Connection, accountId: AccountId, threads: ReadonlySet<number>): void {
  const gone = new Set<number>();
  for (const thread of threads) {
    if (connection.get('SELECT 1 FROM email WHERE thread_id=? AND account_id=? LIMIT 1', thread, accountId) === undefined) gone.add(thread);
  }
  for (const thread of gone) connection.run('DELETE FROM thread_key WHERE account_id=? AND thread_id=?', accountId, thread);
}
