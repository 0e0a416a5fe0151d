/** What the judge decided about a complete message, carried out: edits, a changed envelope, or away with it. */
import { formatAddress } from '../../mail/address.ts';
import type { Envelope, Journey, Ruling } from '../../ports.ts';
import type { Incoming } from './incoming.ts';

/** Puts the edited message into staging; a promise must be waited for, and what fails is `incoming.refusal` then. */
export function applyEdits(incoming: Incoming, ruling: Ruling): void | Promise<void> {
  return incoming.rewrite(ruling.before, ruling.message);
}

/** The envelope as it goes on. */
export function ruledEnvelope(envelope: Envelope, ruling: Ruling): Envelope {
  if (ruling.sender === undefined && ruling.recipients === undefined) return envelope;
  return {
    ...envelope,
    sender: ruling.sender === undefined ? envelope.sender : ruling.sender,
    recipients: ruling.recipients ?? envelope.recipients,
  };
}

/** A message that was taken and thrown away by a rule still has a path to be found by. */
export function recordDiscard(journey: Journey, envelope: Envelope, rule: string, judged: Ruling['orders']['judged']): void {
  const to = envelope.recipients.slice(0, 50).map(({ address }) => formatAddress(address));
  const from = envelope.sender === null ? '<>' : formatAddress(envelope.sender);
  journey.write({
    id: envelope.id,
    at: envelope.at,
    stage: 'judge',
    event: 'discarded',
    keys: [...to, from, ...(envelope.client === null ? [] : [envelope.client.ip])],
    fields: { from, to, recipients: envelope.recipients.length, rule, ip: envelope.client?.ip, helo: envelope.helo ?? undefined, judged },
  });
}
