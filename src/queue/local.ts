/** A local recipient that had to wait (mailbox full): delivered through the store in one transaction with its removal from the queue. */
import { outcome, type Outcome } from '../deliver/agent.ts';
import type { FilterPlan, Mailroom } from '../deliver/mailroom/types.ts';
import { addressOf } from './entry.ts';
import type { Directory, Journey, Staging, StagedMessage, StoreReader, StoreWriter } from '../ports.ts';
import type { AcceptInput, AcceptOutput } from '../store/operations/accept.types.ts';
import { FAILURES, Failure } from '../system/failure.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { tracePrefix } from './expand.ts';
import { filteredEvent } from './intake-journey.ts';
import type { DeliverLocalInput } from './operations.ts';
import { discardAll } from './unused.ts';

export interface LocalContext {
  readonly mailroom?: Mailroom;
  readonly journey: Journey;
  readonly directory: Directory;
  readonly reader: Pick<StoreReader, 'openBlob'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly staging: Staging;
}

/** Null when delivered (and gone from the queue). Rejects with Failure 'staleLease' or 'noSuchEntry'. */
export async function deliverLocal(entry: QueueEntry, recipient: QueuedRecipient, epoch: number, context: LocalContext): Promise<Outcome | null> {
  if (recipient.accountId === null) return outcome('failed', 550, '5.1.1', 'no such mailbox', '');
  try {
    const message = await restage(entry, context);
    const plan = await rulesOf(entry, recipient, recipient.accountId, message, context);
    const accept: AcceptInput = {
      ...acceptOf(entry, message),
      deliveries: [
        {
          accountId: recipient.accountId,
          prefix: tracePrefix(entry.sender, recipient.address),
          mailbox: { role: entry.isJunk ? 'junk' : 'inbox' },
          flags: 0,
          keywords: null,
          ...(plan === null ? {} : { copies: plan.copies, effects: plan.effects }),
          address: recipient.address,
          orcpt: recipient.orcpt,
          notify: recipient.notify,
        },
      ],
      whenFull: 'refuse',
    };
    const input: DeliverLocalInput = { epoch, entryId: entry.entryId, n: recipient.n, accept };
    const result = await context.writer.run<AcceptOutput['deliveries'][number]>('queue.deliverLocal', input);
    if (result.kind === 'delivered' || result.kind === 'handled') {
      if (plan !== null && plan.steps.length > 0) context.journey.write(filteredEvent(entry.id, entry.createdAt, recipient.address, plan.steps));
      return null;
    }
    discardAll(context.staging, accept);
    return refusal(result.failure === 'held' ? 'cannot' : result.failure);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === 'staleLease' || error.code === 'noSuchEntry') throw error;
    return refusal(error.code);
  }
}

/** The entry's message for somebody else, in the same envelope; without recipients yet. */
export function acceptOf(entry: QueueEntry, message: StagedMessage): AcceptInput {
  return {
    id: entry.id,
    at: entry.createdAt,
    source: entry.source,
    sender: entry.sender,
    accountId: entry.accountId,
    message,
    deliveries: [],
    remote: [],
    envid: entry.envid,
    ret: entry.ret,
    smtputf8: entry.smtputf8,
    whenFull: 'queue',
    journey: null,
    isJunk: entry.isJunk,
    arrival: entry.arrival,
  };
}

/** What the account's rules make of it, now that there is room. */
async function rulesOf(
  entry: QueueEntry,
  recipient: QueuedRecipient,
  accountId: number,
  message: StagedMessage,
  context: LocalContext,
): Promise<FilterPlan | null> {
  if (context.mailroom === undefined) return null;
  const account = context.directory.account(accountId);
  if (account === null) return null;
  const address = addressOf(recipient.address);
  return context.mailroom.sort({
    id: entry.id,
    at: entry.createdAt,
    source: entry.source,
    accountId,
    sender: entry.sender === null ? null : addressOf(entry.sender),
    recipient: recipient.orcpt?.startsWith('rfc822;') ? addressOf(recipient.orcpt.slice(7)) : address,
    final: address,
    detail: null,
    orcpt: recipient.orcpt,
    message,
    isJunk: entry.isJunk,
    arrival: entry.arrival,
    mayRefuse: false,
  });
}

function refusal(code: keyof typeof FAILURES): Outcome {
  const [replyCode, enhanced, text] = FAILURES[code].smtp;
  return outcome(replyCode >= 500 ? 'failed' : 'deferred', replyCode, enhanced, text, '');
}

/** The mailbox gets bytes of its own: rare enough that a second copy costs less than a second way to share one. */
export async function restage(entry: Pick<QueueEntry, 'blobId' | 'size'>, context: Pick<LocalContext, 'reader' | 'staging'>): Promise<StagedMessage> {
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
