/** CAPA, LANG and QUIT. */
import { FAILURES, Failure } from '../../../system/failure.ts';
import { parseArguments } from '../../../wire/pop3/command.ts';
import type { Pop3Session } from '../dialogue.ts';
import { removeMessages } from '../remove.ts';
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
    'LANG',
    'IMPLEMENTATION Posthorn',
  ];
  const loginDelayMs = session.settings['pop3.loginDelay'];
  if (loginDelayMs > 0) lines.push(`LOGIN-DELAY ${Math.ceil(loginDelayMs / 1000)}`);
  if (offersTls(session)) lines.push('STLS');
  if (session.state === 'authorization') {
    if (allowsPlainText(session)) lines.push('USER');
    const mechanisms = session.context.authenticator.mechanisms(session.connection);
    if (mechanisms.length > 0) lines.push(`SASL ${mechanisms.join(' ')}`);
  }
  lines.push('.');
  session.push(lines.join('\r\n') + '\r\n');
}

/** RFC 6856 section 3. Replies are English; `*` asks for what the administrator prefers, which is that. */
export function lang(session: Pop3Session, rest: string): void {
  const [wanted, ...more] = parseArguments(rest);
  if (wanted === undefined) return session.push('+OK Language listing follows:\r\nen English\r\n.\r\n');
  if (more.length > 0) return session.bad('LANG takes one language');
  // A basic language range (RFC 4647 section 3.3.1) that English fits.
  if (wanted === '*' || /^en(?:$|-)/i.test(wanted)) session.ok('en Replies are in English');
  else session.err('Replies are only to be had in English');
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
  const { log, metrics } = session.context;
  const chosen = maildrop.deleted();
  const { removed, fault } = await removeMessages(session, chosen);
  const wanted = chosen.reduce((sum, { uids }) => sum + uids.length, 0);
  if (removed > 0) {
    metrics.count('pop3.deleted', removed);
    log.info('pop3.deleted', { session: session.connection.id, account: session.account?.login, messages: removed });
  }
  if (fault !== null) log.error('pop3.update.failed', { session: session.connection.id, account: session.account?.login, cause: String(fault.cause) });
  // Before the reply: the client may come back on another connection the moment it reads it.
  await session.unlock();
  if (fault === null) session.ok(wanted === 0 ? 'Bye' : `Bye, ${wanted} messages deleted`);
  else session.err(refusal(fault.cause, removed > 0 ? `${wanted - removed} of ${wanted} messages were not deleted` : null));
  session.close();
}

/** `share` tells how much was not done, where other mailboxes had no trouble. */
function refusal(cause: unknown, share: string | null): string {
  if (!(cause instanceof Failure)) return `[SYS/TEMP] ${share ?? 'Messages were not deleted'}`;
  const text = FAILURES[cause.code].pop3.slice('-ERR '.length);
  return share === null ? text : `${text}: ${share}`;
}
