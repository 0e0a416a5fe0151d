/** STARTTLS (RFC 3207). */
import { ANY, type Command } from './service.ts';
import type { SmtpSession } from './session.ts';

function isOffered(session: SmtpSession): boolean {
  return session.connection.tls === null && session.settings['smtp.starttls'] && session.context.tls.context() !== null;
}

function starttls(session: SmtpSession, rest: string): void {
  if (rest !== '') session.reply(501, '5.5.4', 'STARTTLS takes no argument');
  else if (session.connection.tls !== null) session.reply(503, '5.5.1', 'TLS is active already');
  else if (!isOffered(session)) session.reply(454, '4.7.0', 'TLS is not available here');
  else if (session.state === 'mail' || session.state === 'rcpt') session.reply(503, '5.5.1', 'Not within a transaction');
  else {
    session.write('220 2.0.0 Go ahead\r\n');
    session.upgrade();
  }
}

const STARTTLS = ['STARTTLS'];

export const starttlsCommand: Command = { syntax: 'STARTTLS', from: ANY, isOffered, keywords: () => STARTTLS, run: starttls };
