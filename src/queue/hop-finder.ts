/** Which way a queued recipient goes: to a mailbox, a task, back in, or over the wire by tables and rules. */
import { formatAddress } from '../mail/address.ts';
import type { Address, Resolution, StoreReader } from '../ports.ts';
import type { Generic } from '../route/generic.ts';
import { filterHop, nexthop, readRoutes, type Routes, type TransportSettings } from '../route/transport.ts';
import { isResolved, leadsToItself } from './again.ts';
import { addressOf, type QueuedRecipient, type QueueEntry } from './entry.ts';
import { type Hop, MAILBOX_HOP, REENTER_HOP } from './hop.ts';
import { goOutside } from './outside.ts';

export interface HopContext {
  settings(): TransportSettings;
  readonly reader: Pick<StoreReader, 'openBlob'>;
  /** Finds the next hop. Left out: `deliver.transports` and `deliver.relayHost` alone say (tests of this room). */
  readonly transport?: (recipient: Address, sender: string | null) => Hop | Promise<Hop>;
  /** The next hop that a table or rule names in its own words; null when they are none. */
  readonly namedHop?: (text: string, recipient: Address) => Hop | null;
  /** Where an address leads: what turns out to be ours is taken in again. Left out: everything in the queue is for others. */
  readonly resolve?: (address: Address, sender: Address | null) => Resolution | Promise<Resolution>;
  /** Addresses as the outside shall see them. */
  readonly generic?: () => Generic;
}

export class HopFinder {
  readonly #context: HopContext;
  #routes: { settings: TransportSettings; routes: Routes } | null = null;

  constructor(context: HopContext) {
    this.#context = context;
  }

  /** The hop of a recipient, with its addresses as the outside shall see them. Throws or rejects with TableError. */
  find(entry: QueueEntry, recipient: QueuedRecipient): Hop | Promise<Hop> {
    const hop = this.#hopFor(entry, recipient);
    const generic = this.#context.generic?.();
    if (generic === undefined || generic.isIdle) return hop;
    const outside = (found: Hop): Hop | Promise<Hop> => {
      const asked = found.kind === 'smtp' ? goOutside(generic, entry, recipient, this.#context.reader) : undefined;
      return asked === undefined ? found : asked.then(() => found);
    };
    return hop instanceof Promise ? hop.then(outside) : outside(hop);
  }

  #hopFor(entry: QueueEntry, recipient: QueuedRecipient): Hop | Promise<Hop> {
    if (recipient.kind === 'local') return MAILBOX_HOP;
    const { task } = recipient;
    if (task !== null) return { kind: 'task', key: `task:${task.user ?? ''}:${task.kind}` };
    const context = this.#context;
    const ordered = recipient.nexthop ?? entry.nexthop;
    if (ordered !== null) {
      const hop = (recipient.nexthop === null ? null : context.namedHop?.(ordered, addressOf(recipient.address))) ?? filterHop(ordered);
      if (hop !== null) return hop;
    } else if (context.resolve !== undefined) {
      const address = addressOf(recipient.address);
      const found = context.resolve(address, entry.sender === null ? null : addressOf(entry.sender));
      if (found instanceof Promise) return found.then((late) => this.#hopOf(late, entry, recipient));
      return this.#hopOf(found, entry, recipient);
    }
    return this.#transportFor(entry, recipient);
  }

  #hopOf(resolution: Resolution, entry: QueueEntry, recipient: QueuedRecipient): Hop | Promise<Hop> {
    if (isOurs(resolution, entry, recipient.address)) return REENTER_HOP;
    const only = resolution.kind === 'deliver' ? resolution.remote[0] : undefined;
    if (only?.nexthop !== undefined) {
      const hop = this.#context.namedHop?.(only.nexthop, addressOf(recipient.address)) ?? filterHop(only.nexthop);
      if (hop !== null) return hop;
    }
    return this.#transportFor(entry, recipient);
  }

  #transportFor(entry: QueueEntry, recipient: QueuedRecipient): Hop | Promise<Hop> {
    return this.#context.transport?.(addressOf(recipient.address), entry.sender) ?? nexthop(recipient.domain, this.#currentRoutes());
  }

  #currentRoutes(): Routes {
    const settings = this.#context.settings();
    if (this.#routes?.settings !== settings) this.#routes = { settings, routes: readRoutes(settings) };
    return this.#routes.routes;
  }
}

/** Not only another host's address under another name: something of it is delivered, expanded or refused here. */
function isOurs(resolution: Resolution, entry: QueueEntry, address: string): boolean {
  if (resolution.kind === 'foreign') return false;
  // The others that it leads to have had their copies.
  if (isResolved(entry) && leadsToItself(resolution, address)) return false;
  if (resolution.kind !== 'deliver' || resolution.local.length > 0 || resolution.remote.length !== 1) return true;
  const only = resolution.remote[0]!;
  return only.task !== undefined || formatAddress(only) !== address;
}
