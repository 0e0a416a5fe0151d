/** DATA (RFC 5321 section 4.1.1.4). */
import { DataReader } from '../../wire/smtp/data.ts';
import type { Reply } from '../../ports.ts';
import { beginMessage, finishMessage } from './message.ts';
import type { Command } from './service.ts';
import type { SmtpSession } from './session.ts';
import type { Transaction } from './transaction.ts';

function data(session: SmtpSession, rest: string): void {
  const transaction = session.transaction;
  if (rest !== '') session.reply(501, '5.5.4', 'DATA takes no argument');
  else if (transaction === null) session.reply(503, '5.5.1', 'Send MAIL first');
  else if (transaction.recipients.length === 0) session.reply(554, '5.5.1', 'No valid recipients');
  else if (transaction.isChunked) session.reply(503, '5.5.1', 'BDAT and DATA do not mix');
  else session.settle(session.judge?.data() ?? null, (refusal) => (refusal === null ? begin(session, transaction) : refused(session, refusal)));
}

/** DATA itself was refused: the transaction stays, as after any refused command. */
export function refused(session: SmtpSession, refusal: Reply): void {
  session.context.metrics.count('smtp.data.refused', 1, refusal.enhanced);
  session.log('info', 'smtp.data.refused', { id: session.transaction?.id, code: refusal.code, enhanced: refusal.enhanced, cause: refusal.text });
  session.answer(refusal);
}

function begin(session: SmtpSession, transaction: Transaction): void {
  const begun = beginMessage(session, transaction);
  const reader = new DataReader(session.settings['smtp.bareLf'] === 'normalize');
  session.write('354 End data with <CR><LF>.<CR><LF>\r\n');
  session.expectData(reader, () => finishMessage(session, transaction, reader));
  if (begun !== undefined) session.wait(begun, () => {});
}

export const dataCommand: Command = { syntax: 'DATA', from: ['greeted', 'mail', 'rcpt'], run: data };
