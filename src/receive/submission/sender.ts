/** What an authenticated client may put into its envelope. */
import type { Address, Reply } from '../../ports.ts';
import type { SmtpSession } from '../smtp/session.ts';

/** When the table of logins does not answer. */
export const OWNERS_UNKNOWN: Reply = { code: 451, enhanced: '4.3.0', text: 'Cannot tell now whose address this is, try again later' };

/**
 * At MAIL: the directory or the judge's table of logins gives the address to the account; 'unknown' when the table fails. The null reverse-path
 * is allowed: read receipts and vacation replies have it.
 */
export function isOwnSender(session: SmtpSession, sender: Address | null): boolean | Promise<boolean | 'unknown'> {
  const { account, judge } = session;
  if (account === null || sender === null || session.context.directory.maySendAs(account.id, sender)) return true;
  if (judge === null) return false;
  return Promise.resolve()
    .then(() => judge.ownsSender(sender))
    .catch((cause: unknown) => {
      session.log('warn', 'smtp.owner.unknown', { account: account.login, cause });
      return 'unknown' as const;
    });
}

export function notYours({ account }: SmtpSession): Reply {
  return { code: 553, enhanced: '5.7.1', text: `Not your address: ${account?.login ?? 'nobody'} may not send as this sender` };
}
