/** From resolved recipients to deliveries and queued recipients, each target once. Pure. */
import type { FilterPlan } from '../deliver/mailroom/types.ts';
import { formatAddress } from '../mail/address.ts';
import type { Address, LocalTarget, Orders, Recipient, RemoteTarget, Reply, Resolution } from '../ports.ts';
import type { LocalDelivery, RemoteRecipient } from '../store/operations/accept.types.ts';

const LOOP: Reply = { code: 554, enhanced: '5.4.6', text: 'Mail loop: this message was here before' };
export const UNKNOWN: Reply = { code: 550, enhanced: '5.1.1', text: 'No such user here' };
const DISABLED: Reply = { code: 550, enhanced: '5.2.1', text: 'This mailbox is switched off' };

export const NO_ORDERS: Orders = {};

/** NOTIFY as the queue keeps it (RFC 3461 section 4.1). */
export function notifyText(recipient: Recipient): string | null {
  if (recipient.notify === null) return null;
  return recipient.notify === 'never' ? 'never' : [...recipient.notify].sort().join(',');
}

/** Where the recipients of one transaction lead, with each target once. */
export interface Expansion {
  readonly deliveries: LocalDelivery[];
  readonly remote: RemoteRecipient[];
  /** What is sent on in another's name (the owner of a list), by that name. */
  readonly inNameOf: ReadonlyMap<string, RemoteRecipient[]>;
  /** For each recipient: indexes into `deliveries`, whether anything of it is remote, or why it cannot be. */
  readonly outcomes: { local: readonly number[]; isRemote: boolean; refusal: Reply | null }[];
  /** For each of `deliveries`: the recipient that first led there, and the plus detail. */
  readonly causes: { readonly recipient: Recipient; readonly target: LocalTarget }[];
  /** Targets of aliases at other hosts that do not get it because it is spam. */
  readonly notSentOn: readonly string[];
}

const encoder = new TextEncoder();

/**
 * Return-Path at final delivery (RFC 5321 section 4.4) and Delivered-To, by which loops are noticed. Bytes of their own: a Buffer
 * from the pool would take the whole pool along when it travels to the writer.
 */
export function tracePrefix(sender: string | null, deliveredTo: string): Uint8Array {
  return encoder.encode(`Return-Path: <${sender ?? ''}>\r\nDelivered-To: ${deliveredTo}\r\n`);
}

const isSentTo = (recipient: Recipient, address: string): boolean => formatAddress(recipient.address) === address;

const NOBODY_ELSE: ReadonlyMap<string, RemoteRecipient[]> = new Map();

export function expand(
  recipients: readonly Recipient[],
  sender: string | null,
  deliveredToBefore: readonly string[],
  orders: Orders = NO_ORDERS,
  onwardSender: Address | null = null,
  keepsSpam = false,
): Expansion {
  const deliveries: LocalDelivery[] = [];
  const remote: RemoteRecipient[] = [];
  const causes: { recipient: Recipient; target: LocalTarget }[] = [];
  let inNameOf: Map<string, RemoteRecipient[]> | null = null;
  const notSentOn: string[] = [];
  const accounts = new Map<number, number>();
  const addresses = new Set<string>();
  const seenBefore = new Set(deliveredToBefore.map((address) => address.toLowerCase()));
  const addRemote = (target: RemoteTarget, recipient: Recipient): void => {
    const text = formatAddress(target);
    const { task, nexthop } = target;
    const key = task === undefined ? text : `${text} ${JSON.stringify(task)}`;
    if (addresses.has(key)) return;
    addresses.add(key);
    // Where an alias led to work on this machine, X-Original-To and the filters are told how the message was addressed.
    const orcpt = recipient.orcpt ?? (task === undefined || isSentTo(recipient, text) ? null : `rfc822;${formatAddress(recipient.address)}`);
    const one: RemoteRecipient = { address: text, domain: target.domain, orcpt, notify: notifyText(recipient), nexthop, task };
    const named = target.sender === undefined && onwardSender !== null && isSentOn(target, recipient) ? onwardSender : target.sender;
    const owner = named === undefined ? sender : named === null ? null : formatAddress(named);
    if (owner === sender) remote.push(one);
    else {
      inNameOf ??= new Map();
      const list = inNameOf.get(owner ?? '');
      if (list === undefined) inNameOf.set(owner ?? '', [one]);
      else list.push(one);
    }
  };
  const outcomes = recipients.map((recipient) => {
    const resolution = recipient.resolution;
    // A filter gets the message as it came, for the recipients as they were named; it gives it back by SMTP.
    if (resolution.kind === 'foreign' || (orders.nexthop !== undefined && resolution.kind === 'deliver')) {
      addRemote(recipient.address, recipient);
      return { local: [], isRemote: true, refusal: null };
    }
    if (resolution.kind !== 'deliver') return { local: [], isRemote: false, refusal: refusalOf(resolution) };
    // Before any target is added: a recipient that is refused must not be delivered to in part.
    if (seenBefore.size > 0 && resolution.local.some((target) => seenBefore.has(formatAddress(target.address).toLowerCase())))
      return { local: [], isRemote: false, refusal: LOOP };
    const local: number[] = [];
    for (const target of resolution.local) {
      const finalAddress = formatAddress(target.address);
      let index = accounts.get(target.accountId);
      if (index === undefined) {
        index = deliveries.length;
        accounts.set(target.accountId, index);
        const returnPath = target.sender === undefined ? sender : target.sender === null ? null : formatAddress(target.sender);
        causes.push({ recipient, target });
        deliveries.push({
          accountId: target.accountId,
          prefix: tracePrefix(returnPath, finalAddress),
          mailbox: { role: orders.isJunk === true ? 'junk' : 'inbox' },
          flags: 0,
          keywords: null,
          address: finalAddress,
          orcpt: recipient.orcpt,
          notify: notifyText(recipient),
        });
      }
      local.push(index);
    }
    let isRemote = false;
    for (const target of resolution.remote) {
      // Somebody here has it: spam need not go on in our name. Where nobody has, it must not be lost.
      if (keepsSpam && local.length > 0 && isSentOn(target, recipient)) {
        notSentOn.push(formatAddress(target));
        continue;
      }
      isRemote = true;
      addRemote(target, recipient);
    }
    return { local, isRemote, refusal: null };
  });
  return { deliveries, remote, inNameOf: inNameOf ?? NOBODY_ELSE, outcomes, causes, notSentOn };
}

/** In the words of a table, where it has some: they may say "later". */
function refusalOf(resolution: Exclude<Resolution, { kind: 'deliver' | 'foreign' }>): Reply {
  if (resolution.kind === 'unknown') return resolution.reply ?? UNKNOWN;
  return resolution.kind === 'loop' ? LOOP : DISABLED;
}

/** Within one domain nothing is sent on: it is the same user on another host. */
export function isSentOn({ task, domain }: RemoteTarget, { address }: Recipient): boolean {
  return task === undefined && domain !== address.domain;
}

/** What the rules of the accounts say, in the order of the expansion's deliveries. */
export type Plans = (FilterPlan | null)[];

/** The deliveries as the rules want them. Recipients whose rules refuse get their refusal; indexes of the others move up. */
export function applyPlans(expansion: Expansion, plans: Plans): LocalDelivery[] {
  const deliveries: LocalDelivery[] = [];
  const moved = new Map<number, number>();
  const refusals = new Map<number, Reply>();
  expansion.deliveries.forEach((delivery, i) => {
    const plan = plans[i] ?? null;
    if (plan !== null && plan.refusal !== null) {
      refusals.set(i, plan.refusal);
      return;
    }
    moved.set(i, deliveries.length);
    deliveries.push(plan === null ? delivery : { ...delivery, copies: plan.copies, effects: plan.effects });
  });
  for (const outcome of expansion.outcomes) {
    if (refusals.size > 0 && outcome.refusal === null && !outcome.isRemote) {
      const refused = outcome.local.find((index) => refusals.has(index));
      if (refused !== undefined && outcome.local.length === 1) outcome.refusal = refusals.get(refused)!;
    }
    outcome.local = outcome.local.flatMap((index) => moved.get(index) ?? []);
  }
  return deliveries;
}
