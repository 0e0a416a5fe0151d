/** What an authenticated client may put into its envelope. */
import type { Address, Reply } from '../../ports.ts';
import type { SmtpSession } from '../smtp/session.ts';

/** At MAIL. The null reverse-path is allowed: read receipts and vacation replies have it. */
export function checkSender(session: SmtpSession, sender: Address | null): Reply | null {
  const { account } = session;
  if (account === null) return null;
  if (sender !== null && !session.context.directory.maySendAs(account.id, sender)) {
    return { code: 553, enhanced: '5.7.1', text: `Not your address: ${account.login} may not send as this sender` };
  }
  return session.service.rates.checkMessage(account, session.settings, session.service.idle.now);
}

/** At RCPT. */
export function checkRecipientRate(session: SmtpSession): Reply | null {
  const { account, transaction } = session;
  if (account === null || transaction === null) return null;
  return session.service.rates.checkRecipient(account, transaction.recipients.length, session.settings, session.service.idle.now);
}
