/**
 * Reports to senders: failed, delayed, passed on. One report for the recipients of an entry that ended together.
 * They are made before the recipient is settled and travel in the same transaction, so neither can be without the other.
 */
import { bornEvent } from '../deliver/mailroom/outgoing.ts';
import type { Outcome } from '../deliver/agent.ts';
import { formatAddress, needsUtf8, parseMailbox } from '../mail/address.ts';
import { composeDsn, type DsnInput, type DsnRecipient } from '../mail/report.ts';
import type { Address, Journey, Log, MessageId, Staging, StagedMessage, StoreReader } from '../ports.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { Failure } from '../system/failure.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { reach, type ReachContext } from './reach.ts';

export interface Notice {
  readonly action: 'failed' | 'delayed' | 'relayed';
  readonly recipient: QueuedRecipient;
  readonly fate: Outcome;
  /** Given up because of age. */
  readonly isExpired: boolean;
  readonly retryUntil: number | null;
}

export interface BounceSettings {
  readonly hostname: string;
  readonly domain: string;
  readonly 'queue.returnFullMax': number;
  readonly 'queue.postmaster': string;
  readonly 'queue.notifyPostmaster': boolean;
}

export interface BounceContext extends ReachContext {
  settings(): BounceSettings;
  readonly reader: Pick<StoreReader, 'openBlob'>;
  readonly staging: Staging;
  readonly journey: Journey;
  readonly log: Log;
  newId(): MessageId;
  now(): number;
}

/** What goes to the postmaster when a report itself fails; its own failure ends there. */
const LAST_RESORT = 'postmaster';

/** The messages to be accepted together with the result; usually one, none when nobody may be told. */
export async function noticesFor(entry: QueueEntry, notices: readonly Notice[], context: BounceContext): Promise<AcceptInput[]> {
  const made: AcceptInput[] = [];
  for (const action of ['failed', 'delayed', 'relayed'] as const) {
    const ours = notices.filter((notice) => notice.action === action);
    if (ours.length === 0) continue;
    const one = await noticeOf(entry, action, ours, context);
    if (one !== null) made.push(one);
  }
  return made;
}

async function noticeOf(entry: QueueEntry, action: Notice['action'], notices: readonly Notice[], context: BounceContext): Promise<AcceptInput | null> {
  const settings = context.settings();
  let source = 'bounce';
  let to: Address | null = null;
  let target: Awaited<ReturnType<typeof reach>> = null;
  if (entry.sender !== null) {
    to = parseMailbox(entry.sender, { utf8: true, localBytes: 256 });
    target = to === null ? null : await reach(to, context);
  }
  if (target === null) {
    // Mail from the null sender is never answered (RFC 5321 section 4.5.5); a report of ours that failed is shown to the postmaster.
    const isOurs = entry.source === 'bounce' || entry.sender !== null;
    if (action !== 'failed' || !isOurs || !settings['queue.notifyPostmaster']) return null;
    source = LAST_RESORT;
    to = parseMailbox(settings['queue.postmaster'] === '' ? `postmaster@${settings.domain}` : settings['queue.postmaster'], { utf8: true });
    target = to === null ? null : await reach(to, context);
    if (target === null) {
      context.log.warn('queue.bounce.nobody', { id: entry.id, sender: entry.sender ?? '<>' });
      return null;
    }
  }
  const id = context.newId();
  const at = context.now();
  const message = await compose(id, at, to!, entry, action, notices, context);
  const toText = formatAddress(to!);
  context.journey.write({
    id: entry.id,
    at,
    stage: 'queue',
    event: action === 'failed' ? 'bounced' : action === 'delayed' ? 'warned' : 'reported',
    fields: { to: [toText], report: id },
  });
  return {
    id,
    at,
    source,
    sender: null,
    accountId: null,
    message,
    deliveries: target.deliveries,
    remote: target.remote,
    envid: null,
    ret: null,
    smtputf8: needsUtf8(to!),
    whenFull: 'queue',
    journey: bornEvent(id, entry.id, { at, source: 'bounce', from: null, to: [toText], size: message.size }),
  };
}

async function compose(
  id: MessageId,
  at: number,
  to: Address,
  entry: QueueEntry,
  action: Notice['action'],
  notices: readonly Notice[],
  context: BounceContext,
): Promise<StagedMessage> {
  const isFull = action === 'failed' && entry.ret === 'FULL' && entry.size <= context.settings()['queue.returnFullMax'];
  try {
    return await composeWith(id, at, to, entry, notices, isFull ? 'full' : 'header', context);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'corruptBlob') throw error;
    // The sender must hear of it all the same: a report without the message is better than none, ever.
    context.log.error('queue.bounce.withoutMessage', { id: entry.id, cause: error.message });
    return composeWith(id, at, to, entry, notices, 'nothing', context);
  }
}

async function composeWith(
  id: MessageId,
  at: number,
  to: Address,
  entry: QueueEntry,
  notices: readonly Notice[],
  returned: 'full' | 'header' | 'nothing',
  context: BounceContext,
): Promise<StagedMessage> {
  const settings = context.settings();
  const isFull = returned === 'full';
  const reader = returned === 'nothing' ? null : context.reader.openBlob(entry.blobId);
  const writer = context.staging.open();
  try {
    const input: DsnInput = {
      id,
      at,
      reportingMta: settings.hostname,
      to,
      from: null,
      envid: entry.envid,
      arrivalAt: entry.createdAt,
      recipients: notices.map((notice) => dsnRecipient(notice, at)),
      originalHeader: reader === null ? new Uint8Array(0) : await reader.slice(0, entry.headerBytes),
      isFull,
      has8bit: entry.has8bit,
      utf8: entry.smtputf8,
    };
    for await (const piece of composeDsn(input, isFull && reader !== null ? reader.stream(0, entry.size) : null)) await writer.write(piece);
    return await writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    reader?.close();
  }
}

function dsnRecipient(notice: Notice, at: number): DsnRecipient {
  const { recipient, fate } = notice;
  const bracket = fate.host.indexOf('[');
  const name = bracket > 0 ? fate.host.slice(0, bracket) : fate.host;
  return {
    address: parseMailbox(recipient.address, { utf8: true, localBytes: 256 }) ?? splitAddress(recipient.address),
    orcpt: recipient.orcpt,
    action: notice.action,
    status: notice.isExpired ? '5.4.7' : fate.enhanced,
    remoteMta: name === '' ? null : name,
    reply: fate.reply,
    lastAttemptAt: at,
    willRetryUntil: notice.retryUntil,
  };
}

function splitAddress(text: string): Address {
  const at = text.lastIndexOf('@');
  return { local: at < 0 ? text : text.slice(0, at), domain: at < 0 ? '' : text.slice(at + 1) };
}
