/**
 * The operation 'accept': one message, judged and routed, into all its mailboxes and the queue, in one transaction.
 * Local delivery is exactly once because there is no step between (invariant 2).
 */
import type { MailboxId } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import type { Operation } from '../transaction.ts';
import type { AcceptInput, AcceptOutput, DeliveryResult, LocalDelivery } from './accept.types.ts';
import { insertBlob } from './blob.ts';
import { insertEmail, insertMessage } from './deliver.ts';
import { createMailbox } from './mailbox.ts';

/** What a delivery will do, found out before anything is written. */
type Plan =
  | { readonly kind: 'deliver'; readonly delivery: LocalDelivery }
  | { readonly kind: 'later' | 'refuse'; readonly delivery: LocalDelivery; readonly failure: 'overQuota' | 'noSuchAccount' }
  | { readonly kind: 'later'; readonly delivery: LocalDelivery; readonly failure: 'held' };

export function plan(tx: StoreTransaction, delivery: LocalDelivery, bytes: number, whenFull: 'queue' | 'refuse'): Plan {
  let account: ReturnType<typeof tx.state.account>;
  try {
    account = tx.state.account(delivery.accountId);
  } catch (error) {
    // The account went away between RCPT and now: in the queue it ends in a bounce that says so.
    if (error instanceof Failure && error.code === 'noSuchAccount')
      return { kind: whenFull === 'queue' ? 'later' : 'refuse', delivery, failure: 'noSuchAccount' };
    throw error;
  }
  if (!account.hasRoomFor(bytes + delivery.prefix.length, 1)) return { kind: whenFull === 'queue' ? 'later' : 'refuse', delivery, failure: 'overQuota' };
  return { kind: 'deliver', delivery };
}

/** The mailbox a delivery names; made when it is missing, so that no mail is lost for want of a folder. */
export function targetMailbox(tx: StoreTransaction, delivery: LocalDelivery): MailboxId {
  if ('role' in delivery.mailbox) {
    const id = tx.state.mailboxIdByRole(delivery.accountId, delivery.mailbox.role);
    if (id !== 0) return id;
    if (delivery.mailbox.role !== 'inbox')
      return tx.state.mailboxIdByRole(delivery.accountId, 'inbox') || createMailbox(tx, delivery.accountId, 'INBOX', 'inbox');
    return createMailbox(tx, delivery.accountId, 'INBOX', 'inbox');
  }
  const name = delivery.mailbox.name;
  const row = tx.get('SELECT id FROM mailbox WHERE account_id=? AND name=? AND is_selectable=1', delivery.accountId, name);
  return row === undefined ? createMailbox(tx, delivery.accountId, name, null) : Number(row[0]);
}

/** For the writer's own operations and for others that accept inside their transaction (bounces). */
export function acceptInto(transaction: Parameters<Operation<AcceptInput, AcceptOutput>>[0], input: AcceptInput): AcceptOutput {
  const tx = transaction as StoreTransaction;
  const isHeld = input.hold !== undefined && input.hold !== null;
  const plans: Plan[] = input.deliveries.map((delivery) =>
    isHeld ? { kind: 'later', delivery, failure: 'held' } : plan(tx, delivery, input.message.size, input.whenFull),
  );
  const delivering = plans.reduce((sum, p) => sum + (p.kind === 'deliver' ? 1 : 0), 0);
  const waiting = plans.filter((p) => p.kind === 'later').map((p) => p.delivery);
  const isQueued = input.remote.length > 0 || waiting.length > 0;
  if (delivering === 0 && !isQueued)
    return { entryId: null, deliveries: plans.map((p) => ({ kind: 'refused', failure: p.kind === 'deliver' || p.failure === 'held' ? 'cannot' : p.failure })) };

  const blobId = insertBlob(tx, input.message, delivering + (isQueued ? 1 : 0));
  const deliveries: DeliveryResult[] = [];
  for (const p of plans) {
    if (p.kind !== 'deliver') {
      deliveries.push(p.kind === 'later' ? { kind: 'queued', failure: p.failure } : { kind: 'refused', failure: p.failure });
      continue;
    }
    const { delivery } = p;
    const account = tx.state.account(delivery.accountId);
    const mailbox = tx.state.mailbox(delivery.accountId, targetMailbox(tx, delivery));
    const emailId = insertEmail(tx, delivery.accountId, { blobId, message: input.message, prefix: delivery.prefix, journeyId: input.id });
    const uid = insertMessage(tx, account, mailbox, emailId, input.message.size + delivery.prefix.length, delivery.flags, delivery.keywords, input.at);
    deliveries.push({ kind: 'delivered', mailboxId: mailbox.id, uid });
  }
  const entryId = isQueued ? enqueue(tx, input, blobId, waiting) : null;
  if (input.journey !== null) tx.journey({ ...input.journey, fields: { ...input.journey.fields, ...outcomeFields(input, deliveries) } });
  return { entryId, deliveries };
}

/** Addresses named in one journey row. */
const JOURNEY_ADDRESSES_MAX = 50;

/** Where the message went, for its journey row. */
function outcomeFields(input: AcceptInput, results: readonly DeliveryResult[]): Record<string, readonly string[]> {
  const of = (kind: DeliveryResult['kind']): string[] => input.deliveries.filter((_, i) => results[i]!.kind === kind).map((delivery) => delivery.address);
  const fields: Record<string, string[]> = {
    delivered: of('delivered'),
    waiting: of('queued'),
    refused: of('refused'),
    queued: input.remote.map((r) => r.address),
  };
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, list]) => list.length > 0)
      .map(([name, list]) => [name, list.slice(0, JOURNEY_ADDRESSES_MAX)]),
  );
}

function enqueue(tx: StoreTransaction, input: AcceptInput, blobId: number, waiting: readonly LocalDelivery[]): number {
  const entryId = tx.nextId('entry');
  const hold = input.hold ?? null;
  tx.run(
    'INSERT INTO queue_entry (id, message_id, blob_id, size, header_bytes, header_message_id, source, account_id, sender, envid, ret, smtputf8, has_8bit, created_at, is_held, nexthop, hold_reason, is_junk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    entryId,
    input.id,
    blobId,
    input.message.size,
    input.message.digest.headerBytes,
    input.message.digest.messageId,
    input.source,
    input.accountId,
    input.sender,
    input.envid,
    input.ret,
    input.smtputf8 ? 1 : 0,
    input.message.digest.has8bit ? 1 : 0,
    input.at,
    hold === null ? 0 : 1,
    input.nexthop ?? null,
    hold,
    input.isJunk === true ? 1 : 0,
  );
  let n = 0;
  const insert =
    'INSERT INTO queue_recipient (entry_id, n, kind, address, domain, account_id, orcpt, notify, attempts, next_attempt_at, last_attempt_at, last_code, last_enhanced, last_reply) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
  for (const r of input.remote) {
    tx.run(insert, entryId, n, 'remote', r.address, r.domain, null, r.orcpt, r.notify, 0, input.at, null, null, null, null);
    n += 1;
  }
  for (const w of waiting) {
    const domain = w.address.slice(w.address.lastIndexOf('@') + 1);
    const full = hold === null;
    tx.run(
      insert,
      entryId,
      n,
      'local',
      w.address,
      domain,
      w.accountId,
      w.orcpt,
      w.notify,
      full ? 1 : 0,
      full ? input.at + 300_000 : input.at,
      full ? input.at : null,
      full ? 452 : null,
      full ? '4.2.2' : null,
      full ? 'Mailbox is full' : null,
    );
    n += 1;
  }
  tx.announce({ kind: 'queue', entries: [{ entryId, id: input.id }] });
  return entryId;
}
