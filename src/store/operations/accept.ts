/**
 * The operation 'accept': one message, judged and routed, into all its mailboxes and the queue, in one transaction.
 * Local delivery is exactly once because there is no step between (invariant 2).
 */
import type { MailboxId } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { StoreTransaction } from '../writer/group-commit.ts';
import type { Operation } from '../transaction.ts';
import type { AcceptInput, AcceptOutput, DeliveryEffects, DeliveryResult, FilterMemory, LocalCopy, LocalDelivery, MailboxTarget } from './accept.types.ts';
import { insertBlob, releaseBlob } from './blob.ts';
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
  const copies = delivery.copies;
  const [sum, count] =
    copies === undefined
      ? [bytes + delivery.prefix.length, 1]
      : [copies.reduce((total, copy) => total + (copy.message?.size ?? bytes) + (copy.prefix ?? delivery.prefix).length, 0), copies.length];
  if (count > 0 && !account.hasRoomFor(sum, count)) return { kind: whenFull === 'queue' ? 'later' : 'refuse', delivery, failure: 'overQuota' };
  return { kind: 'deliver', delivery };
}

/** The mailbox a delivery names; made when it is missing, so that no mail is lost for want of a folder. */
export function targetMailbox(tx: StoreTransaction, delivery: { readonly accountId: number; readonly mailbox: MailboxTarget }): MailboxId {
  if ('role' in delivery.mailbox) {
    const id = tx.state.mailboxIdByRole(delivery.accountId, delivery.mailbox.role);
    if (id !== 0) return id;
    if (delivery.mailbox.role !== 'inbox')
      return tx.state.mailboxIdByRole(delivery.accountId, 'inbox') || createMailbox(tx, delivery.accountId, 'INBOX', 'inbox');
    return createMailbox(tx, delivery.accountId, 'INBOX', 'inbox');
  }
  const name = delivery.mailbox.name;
  const row = tx.get('SELECT id FROM mailbox WHERE account_id=? AND name=? AND is_selectable=1', delivery.accountId, name);
  if (row !== undefined) return Number(row[0]);
  try {
    return createMailbox(tx, delivery.accountId, name, null);
  } catch (error) {
    // A name that cannot be, or one mailbox too many: the message is not refused for it.
    if (!(error instanceof Failure)) throw error;
    return targetMailbox(tx, { accountId: delivery.accountId, mailbox: { role: 'inbox' } });
  }
}

/** The copies a delivery makes: one in its mailbox, or what the account's rules say. */
function copiesOf(delivery: LocalDelivery): readonly LocalCopy[] {
  return delivery.copies ?? [{ mailbox: delivery.mailbox, flags: delivery.flags, keywords: delivery.keywords, message: null }];
}

/** For the writer's own operations and for others that accept inside their transaction (bounces). `sharedBlob`: the bytes are in the store already. */
export function acceptInto(
  transaction: Parameters<Operation<AcceptInput, AcceptOutput>>[0],
  input: AcceptInput,
  sharedBlob: number | null = null,
): AcceptOutput {
  const tx = transaction as StoreTransaction;
  const isHeld = input.hold !== undefined && input.hold !== null;
  const plans: Plan[] = input.deliveries.map((delivery) =>
    isHeld ? { kind: 'later', delivery, failure: 'held' } : plan(tx, delivery, input.message.size, input.whenFull),
  );
  const delivering = plans.reduce((sum, p) => sum + (p.kind === 'deliver' ? 1 : 0), 0);
  const also = input.also ?? [];
  const waiting = plans.filter((p) => p.kind === 'later').map((p) => p.delivery);
  const isQueued = input.remote.length > 0 || waiting.length > 0;
  if (delivering === 0 && !isQueued && also.length === 0)
    return { entryId: null, deliveries: plans.map((p) => ({ kind: 'refused', failure: p.kind === 'deliver' || p.failure === 'held' ? 'cannot' : p.failure })) };

  // Copies that are as the message came, and the queue, hold the bytes; a guard holds them while others may still join.
  let refs = isQueued ? 1 : 0;
  for (const p of plans)
    if (p.kind === 'deliver') refs += p.delivery.copies === undefined ? 1 : p.delivery.copies.reduce((n, copy) => n + (copy.message === null ? 1 : 0), 0);
  const isGuarded = sharedBlob === null && (refs === 0 || also.length > 0);
  let blobId = sharedBlob;
  if (blobId === null) blobId = insertBlob(tx, input.message, refs + (isGuarded ? 1 : 0));
  else if (refs > 0) tx.run('UPDATE blob SET refs=refs+? WHERE id=?', refs, blobId);
  const deliveries: DeliveryResult[] = [];
  for (const p of plans) {
    if (p.kind !== 'deliver') {
      deliveries.push(p.kind === 'later' ? { kind: 'queued', failure: p.failure } : { kind: 'refused', failure: p.failure });
      continue;
    }
    const { delivery } = p;
    let first: DeliveryResult | null = null;
    for (const copy of copiesOf(delivery)) {
      const account = tx.state.account(delivery.accountId);
      const mailbox = tx.state.mailbox(delivery.accountId, targetMailbox(tx, { accountId: delivery.accountId, mailbox: copy.mailbox }));
      const message = copy.message ?? input.message;
      const copyBlob = copy.message === null ? blobId : insertBlob(tx, copy.message, 1);
      const prefix = copy.prefix ?? delivery.prefix;
      const emailId = insertEmail(tx, delivery.accountId, { blobId: copyBlob, message, prefix, journeyId: input.id });
      const uid = insertMessage(tx, account, mailbox, emailId, message.size + prefix.length, copy.flags, copy.keywords, input.at);
      first ??= { kind: 'delivered', mailboxId: mailbox.id, uid };
    }
    if (delivery.effects !== undefined && delivery.effects !== null) carryOut(tx, delivery.accountId, delivery.effects, blobId);
    deliveries.push(first ?? { kind: 'handled' });
  }
  const entryId = isQueued ? enqueue(tx, input, blobId, waiting) : null;
  for (const other of also) acceptInto(tx, other, other.sharesMessage === true ? blobId : null);
  if (isGuarded) releaseBlob(tx, blobId);
  if (input.journey !== null) tx.journey({ ...input.journey, fields: { ...input.journey.fields, ...outcomeFields(input, deliveries) } });
  return { entryId, deliveries };
}

const DAY_MS = 86_400_000;

/** What an account's rules do beside keeping copies. */
export function carryOut(tx: StoreTransaction, accountId: number, effects: DeliveryEffects, blobId: number | null): void {
  for (const { accept, memories, isOnce, operation } of effects.items) {
    const first = memories[0];
    if (isOnce && first !== undefined && isRemembered(tx, accountId, first)) continue;
    if (operation !== undefined && tx.perform(operation.name, operation.input) === false) continue;
    for (const memory of memories) remember(tx, memory.accountId ?? accountId, memory);
    if (accept !== null) acceptInto(tx, accept, accept.sharesMessage === true ? blobId : null);
  }
  if (effects.forwards > 0)
    tx.run(
      'INSERT INTO forward_count (account_id, day, messages) VALUES (?, ?, ?) ON CONFLICT (account_id, day) DO UPDATE SET messages=messages+excluded.messages',
      accountId,
      Math.floor(tx.now / DAY_MS),
      effects.forwards,
    );
}

function isRemembered(tx: StoreTransaction, accountId: number, { kind, key }: FilterMemory): boolean {
  return tx.get('SELECT 1 FROM filter_memory WHERE account_id=? AND kind=? AND key=? AND until>?', accountId, kind, key, tx.now) !== undefined;
}

function remember(tx: StoreTransaction, accountId: number, { kind, key, until }: FilterMemory): void {
  tx.run(
    'INSERT INTO filter_memory (account_id, kind, key, until) VALUES (?, ?, ?, ?) ON CONFLICT (account_id, kind, key) DO UPDATE SET until=excluded.until',
    accountId,
    kind,
    key,
    until,
  );
}

/** Addresses named in one journey row. */
const JOURNEY_ADDRESSES_MAX = 50;

/** Where the message went, for its journey row. */
function outcomeFields(input: AcceptInput, results: readonly DeliveryResult[]): Record<string, readonly string[]> {
  const of = (kind: DeliveryResult['kind']): string[] => input.deliveries.filter((_, i) => results[i]!.kind === kind).map((delivery) => delivery.address);
  const fields: Record<string, string[]> = {
    delivered: of('delivered'),
    handled: of('handled'),
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
    'INSERT INTO queue_entry (id, message_id, blob_id, size, header_bytes, header_message_id, source, account_id, sender, envid, ret, smtputf8, has_8bit, created_at, is_held, nexthop, hold_reason, is_junk, arrival) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
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
    input.arrival === undefined || input.arrival === null ? null : JSON.stringify(input.arrival),
  );
  let n = 0;
  const insert =
    'INSERT INTO queue_recipient (entry_id, n, kind, address, domain, account_id, orcpt, notify, attempts, next_attempt_at, last_attempt_at, last_code, last_enhanced, last_reply, nexthop, task) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
  for (const r of input.remote) {
    const task = r.task === undefined || r.task === null ? null : JSON.stringify(r.task);
    tx.run(insert, entryId, n, 'remote', r.address, r.domain, null, r.orcpt, r.notify, 0, input.at, null, null, null, null, r.nexthop ?? null, task);
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
      null,
      null,
    );
    n += 1;
  }
  tx.announce({ kind: 'queue', entries: [{ entryId, id: input.id }] });
  return entryId;
}
