/** A message from its first byte to the reply: trace header, staging, the checks that need the whole message, the intake. */
import { formatAddress } from '../../mail/address.ts';
import type { Envelope, Recipient, Reply, StagedMessage } from '../../ports.ts';
import type { Findings } from '../../wire/smtp/data.ts';
import { SubmissionHeader } from '../submission/header.ts';
import { Incoming } from './incoming.ts';
import { protocolWord, receivedField } from './received.ts';
import type { SmtpSession } from './session.ts';
import type { Transaction } from './transaction.ts';

/** Opens staging and writes our Received field; a promise must be waited for. What fails here is told after the message. */
export function beginMessage(session: SmtpSession, transaction: Transaction): void | Promise<void> {
  const { context, settings, connection } = session;
  transaction.id = context.newId();
  transaction.startedAt = context.now();
  const filter = session.account === null ? null : new SubmissionHeader(context, settings, session.account, transaction);
  const incoming = new Incoming(context.staging, settings['smtp.messageBytesMax'], filter, context.log);
  session.incoming = incoming;
  const received = receivedField({
    client: session.client,
    helo: session.helo,
    protocol: protocolWord({
      lmtp: session.mode === 'lmtp',
      esmtp: session.isEsmtp,
      tls: connection.tls !== null,
      auth: session.account !== null,
      utf8: transaction.smtputf8,
    }),
    tls: connection.tls,
    hostname: settings.hostname,
    id: transaction.id,
    recipient: transaction.recipients.length === 1 ? transaction.recipients[0]!.address : null,
    at: transaction.startedAt,
  });
  return incoming.prepend(received);
}

/** All bytes are here: the reply follows, at once or after the intake. */
export function finishMessage(session: SmtpSession, transaction: Transaction, findings: Findings): void {
  const incoming = session.incoming!;
  const fault = faultOf(session, findings);
  if (fault !== null) incoming.refuse(fault);
  const staged = incoming.finish();
  if (staged instanceof Promise) session.wait(staged, (message) => handOver(session, transaction, message));
  else handOver(session, transaction, staged);
}

/** What is wrong with the bytes themselves. */
function faultOf(session: SmtpSession, findings: Findings): Reply | null {
  const { settings } = session;
  const isStrict = settings['smtp.bareLf'] === 'refuse';
  if (findings.hasBareLf && isStrict)
    return { code: 550, enhanced: '5.6.0', text: 'Message contains a bare LF; lines must end in CR LF (RFC 5321 section 2.3.8)' };
  if (findings.hasBareCr && isStrict)
    return { code: 550, enhanced: '5.6.0', text: 'Message contains a bare CR; lines must end in CR LF (RFC 5321 section 2.3.8)' };
  if (findings.hasNul && settings['smtp.nul'] === 'refuse') return { code: 550, enhanced: '5.6.0', text: 'Message contains a NUL byte' };
  if (findings.longestLineBytes > settings['smtp.lineBytesMax']) {
    return { code: 550, enhanced: '5.6.0', text: `Message contains a line of ${findings.longestLineBytes} bytes (${settings['smtp.lineBytesMax']} at most)` };
  }
  return null;
}

function handOver(session: SmtpSession, transaction: Transaction, message: StagedMessage | null): void {
  const incoming = session.incoming!;
  const refusal = incoming.refusal ?? (message === null ? null : loopOf(session, transaction.recipients, message));
  if (message === null || refusal !== null) {
    const reply = refusal ?? { code: 451, enhanced: '4.3.0', text: 'Internal error, try again later' };
    session.context.metrics.count('smtp.data.refused', 1, reply.enhanced);
    session.log('info', 'smtp.data.refused', { id: transaction.id, code: reply.code, enhanced: reply.enhanced, cause: reply.text, bytes: incoming.size });
    session.reset();
    // LMTP owes one reply for each recipient (RFC 2033 section 4.2).
    if (session.mode === 'lmtp') for (let i = 0; i < transaction.accepted.length && !session.isClosed; i += 1) session.answer(reply);
    else session.answer(reply);
    return;
  }
  // From here on the message belongs to the intake, whether or not the client waits for the answer.
  session.incoming = null;
  const { account } = session;
  const accepted = session.context.intake.accept(envelopeOf(session, transaction), message).then((answer) => {
    incoming.settle(answer);
    if (answer.reply.code < 400) {
      session.service.rates.record(account, transaction.recipients.length, session.service.idle.now);
      session.context.metrics.count('smtp.messages', 1, session.mode);
    } else session.context.metrics.count('smtp.data.refused', 1, answer.reply.enhanced);
    return answer;
  });
  session.wait(accepted, ({ reply, perRecipient }) => {
    session.reset();
    if (reply.code < 400) session.forgive();
    if (session.mode === 'lmtp') for (const index of transaction.accepted) session.answer(perRecipient[index] ?? reply);
    else session.answer(reply);
  });
}

/** Mail that went in a circle: too many hops, or it was delivered to this very recipient before. */
function loopOf(session: SmtpSession, recipients: readonly Recipient[], message: StagedMessage): Reply | null {
  const { receivedCount, deliveredTo } = message.digest;
  if (receivedCount > session.settings['smtp.receivedMax']) return { code: 554, enhanced: '5.4.6', text: 'Too many hops: this message is going in a circle' };
  // With one reply for all recipients, one loop refuses the message: nobody may be left out in silence. LMTP replies for each, from the intake.
  if (deliveredTo.length === 0 || session.mode === 'lmtp') return null;
  const seen = new Set(deliveredTo.map((address) => address.toLowerCase()));
  for (const { address, resolution } of recipients) {
    if (resolution.kind !== 'deliver') continue;
    const isLoop = seen.has(formatAddress(address).toLowerCase()) || resolution.local.some((target) => seen.has(formatAddress(target.address).toLowerCase()));
    if (isLoop) return { code: 554, enhanced: '5.4.6', text: `This message was delivered to ${formatAddress(address)} before: it is going in a circle` };
  }
  return null;
}

function envelopeOf(session: SmtpSession, transaction: Transaction): Envelope {
  const { tls } = session.connection;
  return {
    id: transaction.id,
    source: session.mode,
    sender: transaction.sender,
    recipients: transaction.recipients,
    client: session.client,
    helo: session.helo,
    auth: session.account,
    dsn: transaction.dsn,
    smtputf8: transaction.smtputf8,
    body: transaction.body,
    at: transaction.startedAt,
    tls: tls === null ? null : `${tls.version} ${tls.cipher}`,
  };
}
