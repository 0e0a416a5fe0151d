/** CAPA and QUIT. */
import { FAILURES, Failure } from '../../../system/failure.ts';
import type { Pop3Session } from '../dialogue.ts';
import { allowsPlainText, offersTls } from './authorization.ts';

/** RFC 2449 section 5. The list is the same in both states, less what only helps to log in. */
export function capa(session: Pop3Session): void {
  const lines = [
    '+OK Capability list follows',
    'TOP',
    'UIDL',
    'RESP-CODES',
    'AUTH-RESP-CODE',
    'PIPELINING',
    'EXPIRE NEVER',
    'UTF8 USER',
    'IMPLEMENTATION Posthorn',
  ];
  if (offersTls(session)) lines.push('STLS');
  if (session.state === 'authorization') {
    if (allowsPlainText(session)) lines.push('USER');
    const mechanisms = session.context.authenticator.mechanisms(session.connection);
    if (mechanisms.length > 0) lines.push(`SASL ${mechanisms.join(' ')}`);
  }
  lines.push('.');
  session.push(lines.join('\r\n') + '\r\n');
}

/** In the TRANSACTION state: removes what was marked, then says whether that worked (RFC 1939 section 6). */
export function quit(session: Pop3Session): void | Promise<void> {
  if (session.state === 'authorization') {
    session.ok('Bye');
    session.close();
    return;
  }
  return update(session);
}

async function update(session: Pop3Session): Promise<void> {
  const maildrop = session.maildrop!;
  session.state = 'closing'; // whatever comes after QUIT is nobody's
  session.saveSeen();
  const uids = maildrop.deletedUids();
  let trouble: string | null = null;
  if (uids.length > 0)
    try {
      await session.context.writer.expunge(maildrop.accountId, maildrop.mailboxId, uids, false);
      session.context.metrics.count('pop3.deleted', uids.length);
      session.context.log.info('pop3.deleted', { session: session.connection.id, account: session.account?.login, messages: uids.length });
    } catch (error) {
      session.context.log.error('pop3.update.failed', { session: session.connection.id, account: session.account?.login, cause: String(error) });
      trouble = error instanceof Failure ? FAILURES[error.code].pop3.slice('-ERR '.length) : '[SYS/TEMP] Messages were not deleted';
    }
  // Before the reply: the client may come back on another connection the moment it reads it.
  await session.unlock();
  if (trouble === null) session.ok(uids.length === 0 ? 'Bye' : `Bye, ${uids.length} messages deleted`);
  else session.err(trouble);
  session.close();
}
