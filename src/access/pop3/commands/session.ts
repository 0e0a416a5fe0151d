/** CAPA, LANG and QUIT. */
import type { MailboxRow } from '../../../ports.ts';
import { FAILURES, Failure } from '../../../system/failure.ts';
import { parseArguments } from '../../../wire/pop3/command.ts';
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
  const uids = maildrop.deletedUids();
  let trouble: string | null = null;
  if (uids.length > 0)
    try {
      await removeMessages(session, uids);
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

/** Deleting as the account wishes it. */
async function removeMessages(session: Pop3Session, uids: readonly number[]): Promise<void> {
  const { accountId, mailboxId } = session.maildrop!;
  const { reader, writer } = session.context;
  switch (session.deletes) {
    case 'keep':
      await writer.run('pop3.hide', { accountId, mailboxId, uids });
      return;
    case 'trash': {
      const trash = reader.mailboxes(accountId).find((box) => box.role === 'trash' && box.isSelectable)?.id ?? (await makeTrash(session)).id;
      await writer.copy(accountId, mailboxId, uids, trash, true);
      break;
    }
    case 'expunge':
      await writer.expunge(accountId, mailboxId, uids, false);
  }
  if (reader.rows('SELECT 1 FROM pop3_uidl WHERE mailbox_id=? LIMIT 1', mailboxId).length > 0) session.forget(uids);
}

/** The user has removed it, or gave another mailbox its name. */
async function makeTrash(session: Pop3Session): Promise<MailboxRow> {
  const { reader, writer } = session.context;
  const accountId = session.maildrop!.accountId;
  const named = reader.mailboxByName(accountId, 'Trash');
  return named?.isSelectable === true ? named : writer.createMailbox(accountId, 'Trash', 'trash');
}
