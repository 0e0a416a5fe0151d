/** Files of messages that were staged for a delivery which did not come about: they would stay until the next start otherwise, one more with each try. */
import type { StagedMessage, Staging } from '../ports.ts';
import type { AcceptInput, DeliveryEffects, DeliveryResult, LocalDelivery } from '../store/operations/accept.types.ts';

type Discarding = Pick<Staging, 'discard'>;

/** Only for what the writer has answered to: with any other answer a transaction may still name them. */
export function discardUnused(staging: Discarding, deliveries: readonly LocalDelivery[], results: readonly DeliveryResult[]): void {
  deliveries.forEach((delivery, i) => {
    const kind = results[i]?.kind;
    if (kind === 'queued' || kind === 'refused') discardPlanned(staging, delivery);
  });
}

/** What the rules of the account made: changed copies, messages sent on and back. */
function discardPlanned(staging: Discarding, { copies, effects }: Pick<LocalDelivery, 'copies' | 'effects'>): void {
  for (const copy of copies ?? []) if (copy.message !== null) staging.discard?.(copy.message);
  for (const message of messagesOf(effects ?? null)) staging.discard?.(message);
}

function* messagesOf(effects: DeliveryEffects | null): Iterable<StagedMessage> {
  for (const { accept } of effects?.items ?? []) if (accept !== null && accept.sharesMessage !== true) yield accept.message;
}

/** An input that came to nothing as a whole. */
export function discardAll(staging: Discarding, input: Pick<AcceptInput, 'message' | 'deliveries'>): void {
  staging.discard?.(input.message);
  for (const delivery of input.deliveries) discardPlanned(staging, delivery);
}
