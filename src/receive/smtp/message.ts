/** A message from its first byte to the reply: trace header, staging, the checks that need the whole message, the intake. */
import { formatAddress } from '../../mail/address.ts';
import type { ContentFilter, Envelope, MessageView, Orders, Recipient, Reply, Ruling, StagedMessage } from '../../ports.ts';
import type { Findings } from '../../wire/smtp/data.ts';
import { SubmissionHeader } from '../submission/header.ts';
import { Incoming } from './incoming.ts';
import { protocolWord, receivedField } from './received.ts';
import { NOT_REWRITTEN, rewrite, type Rewritten, ruledWith } from './rewriting.ts';
import { applyEdits, recordDiscard, ruledEnvelope } from './ruling.ts';
import type { SmtpSession } from './session.ts';
import type { Transaction } from './transaction.ts';

/** Opens staging and writes our Received field; a promise must be waited for. What fails here is told after the message. */
export function beginMessage(session: SmtpSession, transaction: Transaction): void | Promise<void> {
  const { context, settings, connection } = session;
  transaction.startedAt = context.now();
  const patterns = session.judge?.content() ?? null;
  const filters: ContentFilter[] = patterns === null ? [] : [patterns];
  if (session.account !== null) filters.unshift(new SubmissionHeader(context, settings, session.account, transaction));
  const incoming = new Incoming(context.staging, settings['smtp.messageBytesMax'], filters, context.log);
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
  // Postfix asks header_checks about its own Received field, too: rules that hide where users sit rely on it.
  const traced = patterns?.trace?.(received);
  if (traced === undefined) return incoming.prepend(received);
  const put = (field: Uint8Array | null): void | Promise<void> => {
    if (patterns!.refusal !== null) incoming.refuse(patterns!.refusal);
    return incoming.prepend(field ?? NO_BYTES);
  };
  return traced instanceof Promise ? traced.then(put) : put(traced);
}

const NO_BYTES = new Uint8Array(0);

/** All bytes are here: the reply follows, at once or after the intake. */
export function finishMessage(session: SmtpSession, transaction: Transaction, findings: Findings): void {
  const incoming = session.incoming!;
  const fault = faultOf(session, findings);
  if (fault !== null) incoming.refuse(fault);
  const { judge } = session;
  const { router } = session.context;
  if (judge === null && router === undefined) {
    stage(session, transaction, null);
    return;
  }
  session.settle(incoming.complete(), () => {
    const view = incoming.view();
    if (view === null) stage(session, transaction, null);
    else if (router === undefined) judged(session, transaction, view, null);
    else
      session.settle(rewrite(router, view, transaction.sender, session.account !== null || session.isLoopback, session.context.log), (rewritten) => {
        if (rewritten !== 'unavailable') return judged(session, transaction, view, rewritten);
        incoming.refuse(NOT_REWRITTEN);
        stage(session, transaction, null);
      });
  });
}

function judged(session: SmtpSession, transaction: Transaction, view: MessageView, rewritten: Rewritten | null): void {
  const ruling = session.judge?.message(rewritten?.message ?? view) ?? UNJUDGED;
  session.settle(ruling, (made) => carryOut(session, transaction, rewritten === null ? made : ruledWith(rewritten, transaction.sender, made)));
}

const UNJUDGED: Ruling = { reply: null, discard: null, orders: {}, before: null, message: null };

/** The judge has decided. */
function carryOut(session: SmtpSession, transaction: Transaction, ruling: Ruling): void {
  const incoming = session.incoming!;
  if (ruling.reply !== null) {
    incoming.refuse(ruling.reply);
    stage(session, transaction, ruling);
  } else if (ruling.discard !== null) discard(session, transaction, ruling.discard, ruling);
  else session.settle(applyEdits(incoming, ruling), () => stage(session, transaction, ruling));
}

/** 250, and nobody gets it: a rule says so. */
function discard(session: SmtpSession, transaction: Transaction, rule: string, ruling: Ruling): void {
  const { context } = session;
  recordDiscard(context.journey, envelopeOf(session, transaction), rule, ruling.orders.judged);
  session.log('info', 'smtp.data.discarded', { id: transaction.id, rule });
  context.metrics.count('smtp.messages.discarded');
  session.judge?.settled(true);
  const replies = session.mode === 'lmtp' ? transaction.accepted.length : 1;
  session.reset();
  session.forgive();
  for (let i = 0; i < replies; i += 1) session.write(`250 2.0.0 Ok: discarded as ${transaction.id}\r\n`);
}

function stage(session: SmtpSession, transaction: Transaction, ruling: Ruling | null): void {
  session.settle(session.incoming!.finish(), (message) => handOver(session, transaction, message, ruling));
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

function handOver(session: SmtpSession, transaction: Transaction, message: StagedMessage | null, ruling: Ruling | null): void {
  const incoming = session.incoming!;
  const refusal = incoming.refusal ?? (message === null ? null : loopOf(session, transaction.recipients, message));
  if (message === null || refusal !== null) {
    const reply = refusal ?? { code: 451, enhanced: '4.3.0', text: 'Internal error, try again later' };
    session.context.metrics.count('smtp.data.refused', 1, reply.enhanced);
    session.log('info', 'smtp.data.refused', { id: transaction.id, code: reply.code, enhanced: reply.enhanced, cause: reply.text, bytes: incoming.size });
    session.judge?.settled(false);
    session.reset();
    // LMTP owes one reply for each recipient (RFC 2033 section 4.2).
    if (session.mode === 'lmtp') for (let i = 0; i < transaction.accepted.length && !session.isClosed; i += 1) session.answer(reply);
    else session.answer(reply);
    return;
  }
  // From here on the message belongs to the intake, whether or not the client waits for the answer.
  session.incoming = null;
  const envelope = envelopeOf(session, transaction);
  const { judge } = session;
  const orders: Orders | undefined = ruling?.orders;
  const accepted = session.context.intake.accept(ruling === null ? envelope : ruledEnvelope(envelope, ruling), message, orders).then((answer) => {
    incoming.settle(answer);
    judge?.settled(answer.reply.code < 400);
    if (answer.reply.code < 400) {
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
