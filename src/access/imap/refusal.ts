/** What a client is told of an error: a tagged response without its tag. Bugs and failures of the store go to the log. */
import { FAILURES, Failure } from '../../system/failure.ts';
import { ImapNameError, ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { UnknownEncoding } from './open-message.ts';
import type { ImapSession } from './session.ts';

export function refusalOf(session: ImapSession, error: unknown): string {
  const { context, connection, account } = session;
  if (error instanceof ImapNameError) return `NO [CANNOT] ${error.message}`;
  if (error instanceof ImapSyntaxError) return `BAD ${error.message}`;
  if (error instanceof Failure) {
    // A write is given up when its client goes away: no trouble of the store.
    if (error.code === 'corruptBlob' || error.code === 'diskFull' || (error.code === 'storeBusy' && !session.isClosed))
      context.log.error('imap.store.failed', { session: connection.id, account: account?.id, code: error.code, cause: error.message });
    return FAILURES[error.code].imap;
  }
  if (error instanceof UnknownEncoding) return 'NO [UNKNOWN-CTE] The part is in an encoding that cannot be undone';
  context.log.error('imap.bug', { session: connection.id, account: account?.id, cause: error instanceof Error ? error.stack : String(error) });
  return 'NO [SERVERBUG] Internal error, see the server log';
}
