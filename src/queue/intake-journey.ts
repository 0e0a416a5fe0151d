/** What the intake tells the journey. */
import type { FilterPlan, FilterStep } from '../deliver/mailroom/types.ts';
import { formatAddress } from '../mail/address.ts';
import type { Envelope, Journey, Orders, Reply, StagedMessage } from '../ports.ts';
import type { AcceptInput, AcceptOutput } from '../store/operations/accept.types.ts';
import type { Expansion, Plans } from './expand.ts';

/** Steps of a filter named in one journey row. */
const STEPS_MAX = 32;
/** Recipients named in one journey row; the rest are counted. */
const JOURNEY_RECIPIENTS_MAX = 50;

/** The message is ours: where it came from, and what became of each recipient. */
export function recordAccepted(
  journey: Journey,
  envelope: Envelope,
  message: StagedMessage,
  input: AcceptInput,
  expansion: Expansion,
  output: AcceptOutput,
  orders: Orders,
): void {
  const { sender } = input;
  const delivered: string[] = [];
  const handled: string[] = [];
  const waiting: string[] = [];
  const full: string[] = [];
  output.deliveries.forEach((result, i) => {
    const address = input.deliveries[i]!.address;
    if (result.kind === 'queued' && result.failure === 'held') return; // told by the order to hold
    (result.kind === 'delivered' ? delivered : result.kind === 'handled' ? handled : result.kind === 'queued' ? waiting : full).push(address);
  });
  const to = envelope.recipients.slice(0, JOURNEY_RECIPIENTS_MAX).map((recipient) => formatAddress(recipient.address));
  const keys = [...to];
  if (sender !== null) keys.push(sender);
  for (const address of delivered) if (!keys.includes(address)) keys.push(address);
  if (message.digest.messageId !== null) keys.push(message.digest.messageId);
  if (envelope.client !== null) keys.push(envelope.client.ip);
  journey.write({
    id: envelope.id,
    at: envelope.at,
    stage: 'receive',
    event: 'accepted',
    keys,
    fields: {
      source: envelope.source,
      from: sender ?? '<>',
      to,
      recipients: envelope.recipients.length,
      size: message.size,
      ip: envelope.client?.ip,
      name: envelope.client?.name ?? undefined,
      helo: envelope.helo ?? undefined,
      tls: envelope.tls ?? undefined,
      login: envelope.auth?.login,
      messageId: message.digest.messageId ?? undefined,
      delivered: delivered.length > 0 ? delivered : undefined,
      handled: handled.length > 0 ? handled : undefined,
      queued: queuedAddresses(expansion),
      waiting: waiting.length > 0 ? waiting : undefined,
      refused: full.length > 0 ? full : undefined,
      entry: output.entryId ?? undefined,
      junk: orders.isJunk === true && delivered.length > 0 ? true : undefined,
      notSentOn: expansion.notSentOn.length > 0 ? expansion.notSentOn.slice(0, JOURNEY_RECIPIENTS_MAX) : undefined,
      held: orders.hold,
      nexthop: orders.nexthop,
      judged: orders.judged,
    },
  });
}

function queuedAddresses({ remote, inNameOf }: Expansion): string[] | undefined {
  const all = inNameOf.size === 0 ? remote : [...remote, ...[...inNameOf.values()].flat()];
  return all.length === 0 ? undefined : all.slice(0, JOURNEY_RECIPIENTS_MAX).map((r) => r.address);
}

/** A message that the recipient's own rules refused has a path to be found by, too. */
export function recordRefusal(journey: Journey, envelope: Envelope, reply: Reply, plan: FilterPlan): void {
  const to = envelope.recipients.slice(0, JOURNEY_RECIPIENTS_MAX).map(({ address }) => formatAddress(address));
  const from = envelope.sender === null ? '<>' : formatAddress(envelope.sender);
  const { client } = envelope;
  journey.write({
    id: envelope.id,
    at: envelope.at,
    stage: 'deliver',
    event: 'refused',
    keys: [...to, from, ...(client === null ? [] : [client.ip])],
    fields: {
      stage: 'message',
      from,
      to,
      ip: client?.ip,
      name: client?.name ?? undefined,
      helo: envelope.helo ?? undefined,
      ...{ code: reply.code, enhanced: reply.enhanced, reply: reply.text },
      by: `the rules of ${to.join(', ')} (${plan.steps.map(({ by }) => by).join(', ')})`,
    },
  });
}

/** What the rules did, a row for each account that has some. */
export function recordPlans(journey: Journey, envelope: Envelope, input: AcceptInput, expansion: Expansion, plans: Plans): void {
  let at = 0;
  plans.forEach((plan, i) => {
    // One that refused (LMTP) has no delivery.
    const address = plan?.refusal == null ? input.deliveries[at++]!.address : formatAddress(expansion.causes[i]!.target.address);
    if (plan !== null && plan.steps.length > 0) journey.write(filteredEvent(envelope.id, envelope.at, address, plan.steps));
  });
}

export function filteredEvent(id: string, at: number, to: string, steps: readonly FilterStep[]): Parameters<Journey['write']>[0] {
  return {
    id,
    at,
    stage: 'deliver',
    event: 'filtered',
    fields: { to: [to], actions: steps.slice(0, STEPS_MAX).map(({ what, by }) => (by === '' ? what : `${what} (${by})`)) },
  };
}
