/** Where the schedule sends a recipient: over the wire, or into hands on this machine. */
import type { Hop as RouteHop } from '../route/hop.ts';

export type Hop =
  | RouteHop
  /** A mailbox of the store that the message had to wait for. */
  | { readonly kind: 'mailbox'; readonly key: string }
  /** The user agent: a system user, a program or file of an alias. */
  | { readonly kind: 'task'; readonly key: string }
  /** An address that turns out to be ours: taken in again. */
  | { readonly kind: 'reenter'; readonly key: string };

/** What needs no connection. */
export type HandHop = Extract<Hop, { kind: 'task' | 'reenter' | 'pipe' | 'discard' }>;

export const MAILBOX_HOP: Hop = { kind: 'mailbox', key: 'mailbox' };
export const REENTER_HOP: Hop = { kind: 'reenter', key: 'reenter' };
