/** Mail that is taken in again: when routing has spoken of a recipient already, and how often it may go round. */
import { addressKey } from '../mail/address.ts';
import type { Resolution } from '../ports.ts';
import type { Arrival } from '../store/operations/accept.types.ts';
import type { QueueEntry } from './entry.ts';
import { addressOf } from './entry.ts';

/** More than any sensible chain of forwards inside one server; tables and filters that lead in a circle end here, whatever became of the header meanwhile. */
export const TURNS_MAX = 25;

/** Mail that the intake resolved before it came into the queue. Forwards, replies and reports go there unresolved. */
const RESOLVED_SOURCES: ReadonlySet<string> = new Set(['smtp', 'submission', 'lmtp', 'pickup', 'fetch']);

/** Its recipients are what routing made of others: an alias that names itself has its say once. */
export function isResolved({ source, arrival }: Pick<QueueEntry, 'source' | 'arrival'>): boolean {
  return turnsOf(arrival) > 0 || RESOLVED_SOURCES.has(source);
}

/** The address as it is, perhaps among others. */
export function leadsToItself(resolution: Resolution, address: string): boolean {
  if (resolution.kind === 'foreign') return true;
  if (resolution.kind !== 'deliver') return false;
  const key = addressKey(addressOf(address));
  return resolution.remote.some((target) => target.task === undefined && target.nexthop === undefined && addressKey(target) === key);
}

export function turnsOf(arrival: Arrival | null | undefined): number {
  return arrival?.turns ?? 0;
}

/** What is known of a message, one turn later. */
export function nextTurn(arrival: Arrival | null): Arrival {
  return { ...(arrival ?? UNKNOWN), turns: turnsOf(arrival) + 1 };
}

const UNKNOWN: Arrival = { ip: null, name: null, helo: null, spam: null };
