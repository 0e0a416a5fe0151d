/** NOTIFY=SUCCESS for mailboxes of ours (RFC 3461 section 5.2.3): a report after the delivery is durable. Wired as the intake's `onDelivered`. */
import { formatAddress } from '../mail/address.ts';
import { bornEvent } from '../deliver/mailroom/outgoing.ts';
import { composeDsn, type DsnInput } from '../mail/report.ts';
import type { Envelope, Log, MessageId, Recipient, Staging, StagedMessage, StoreWriter } from '../ports.ts';
import { decompressFrame } from '../store/blobs/codec.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { reach, type ReachContext } from './reach.ts';

export interface DeliveredContext extends ReachContext {
  settings(): { readonly hostname: string };
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly staging: Staging;
  readonly log: Log;
  newId(): MessageId;
  now(): number;
}

/** Sends the reports by itself; a failure is logged, for the message is delivered and the report only a courtesy. */
export function reportDeliveries(context: DeliveredContext): (envelope: Envelope, message: StagedMessage, recipients: readonly Recipient[]) => void {
  return (envelope, message, recipients) => {
    report(envelope, message, recipients, context).catch((error: Error) =>
      context.log.error('queue.deliveredReport.failed', { id: envelope.id, cause: error.message }),
    );
  };
}

async function report(envelope: Envelope, message: StagedMessage, recipients: readonly Recipient[], context: DeliveredContext): Promise<void> {
  const to = envelope.sender;
  if (to === null) return;
  const target = await reach(to, context);
  if (target === null) return;
  const id = context.newId();
  const at = context.now();
  const input: DsnInput = {
    id,
    at,
    reportingMta: context.settings().hostname,
    to,
    from: null,
    envid: envelope.dsn.envid,
    arrivalAt: envelope.at,
    recipients: recipients.map((recipient) => ({
      address: recipient.address,
      orcpt: recipient.orcpt,
      action: 'delivered',
      status: '2.0.0',
      remoteMta: null,
      reply: null,
      lastAttemptAt: null,
      willRetryUntil: null,
    })),
    originalHeader: headerOf(message),
    isFull: false,
    has8bit: message.digest.has8bit,
    utf8: envelope.smtputf8,
  };
  const writer = context.staging.open();
  let staged: StagedMessage;
  try {
    for await (const piece of composeDsn(input, null)) await writer.write(piece);
    staged = await writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
  const toText = formatAddress(to);
  const accept: AcceptInput = {
    id,
    at,
    source: 'bounce',
    sender: null,
    accountId: null,
    message: staged,
    deliveries: target.deliveries,
    remote: target.remote,
    envid: null,
    ret: null,
    smtputf8: envelope.smtputf8,
    whenFull: 'queue',
    journey: bornEvent(id, envelope.id, { at, source: 'bounce', from: null, to: [toText], size: staged.size }),
  };
  await context.writer.run('accept', accept);
}

/** The header as it came, when it is at hand; for a message in a file the report does without. */
function headerOf(message: StagedMessage): Uint8Array {
  const { blob } = message;
  return blob.kind === 'inline' ? decompressFrame(blob.data, blob.codec, message.size).subarray(0, message.digest.headerBytes) : new Uint8Array(0);
}
