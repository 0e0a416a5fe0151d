/** A local recipient that had to wait (mailbox full): delivered through the store in one transaction with its removal from the queue. */
import { outcome, type Outcome } from '../deliver/agent.ts';
import type { Staging, StagedMessage, StoreReader, StoreWriter } from '../ports.ts';
import type { AcceptInput, AcceptOutput } from '../store/operations/accept.types.ts';
import { FAILURES, Failure } from '../system/failure.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { tracePrefix } from './intake.ts';
import type { DeliverLocalInput } from './operations.ts';

export interface LocalContext {
  readonly reader: Pick<StoreReader, 'openBlob'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly staging: Staging;
}

/** Null when delivered (and gone from the queue). Rejects with Failure 'staleLease' or 'noSuchEntry'. */
export async function deliverLocal(entry: QueueEntry, recipient: QueuedRecipient, epoch: number, context: LocalContext): Promise<Outcome | null> {
  if (recipient.accountId === null) return outcome('failed', 550, '5.1.1', 'no such mailbox', '');
  try {
    const message = await restage(entry, context);
    const accept: AcceptInput = {
      id: entry.id,
      at: entry.createdAt,
      source: entry.source,
      sender: entry.sender,
      accountId: entry.accountId,
      message,
      deliveries: [
        {
          accountId: recipient.accountId,
          prefix: tracePrefix(entry.sender, recipient.address),
          mailbox: { role: entry.isJunk ? 'junk' : 'inbox' },
          flags: 0,
          keywords: null,
          address: recipient.address,
          orcpt: recipient.orcpt,
          notify: recipient.notify,
        },
      ],
      remote: [],
      envid: entry.envid,
      ret: entry.ret,
      smtputf8: entry.smtputf8,
      whenFull: 'refuse',
      journey: null,
    };
    const input: DeliverLocalInput = { epoch, entryId: entry.entryId, n: recipient.n, accept };
    const result = await context.writer.run<AcceptOutput['deliveries'][number]>('queue.deliverLocal', input);
    if (result.kind === 'delivered' || result.kind === 'handled') return null;
    return refusal(result.failure === 'held' ? 'cannot' : result.failure);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === 'staleLease' || error.code === 'noSuchEntry') throw error;
    return refusal(error.code);
  }
}

function refusal(code: keyof typeof FAILURES): Outcome {
  const [replyCode, enhanced, text] = FAILURES[code].smtp;
  return outcome(replyCode >= 500 ? 'failed' : 'deferred', replyCode, enhanced, text, '');
}

/** The mailbox gets bytes of its own: rare enough that a second copy costs less than a second way to share one. */
async function restage(entry: QueueEntry, context: LocalContext): Promise<StagedMessage> {
  const reader = context.reader.openBlob(entry.blobId);
  const writer = context.staging.open();
  try {
    for await (const piece of reader.stream(0, entry.size)) await writer.write(piece);
    return await writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    reader.close();
  }
}
