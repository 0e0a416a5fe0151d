/** Input and output of the operation 'accept': one message into mailboxes and queue, in one transaction. */
import type { AccountId, FailureCode, JourneyEvent, JudgeSymbol, LocalTask, MailboxId, MessageId, Role, StagedMessage } from '../../ports.ts';

/** Where to: a mailbox by role or name; created when missing. */
export type MailboxTarget = { readonly role: Role } | { readonly name: string };

/** One of several copies that an account's rules make of a message. */
export interface LocalCopy {
  readonly mailbox: MailboxTarget;
  readonly flags: number;
  readonly keywords: string | null;
  /** Changed by a filter; null: the message as it came. */
  readonly message: StagedMessage | null;
  /** Instead of the delivery's trace fields: a message that was not delivered but made here has none. */
  readonly prefix?: Uint8Array;
}

/** A row of filter_memory: text of at most 255 characters, and until when it counts. */
export interface FilterMemory {
  readonly kind: string;
  readonly key: string;
  readonly until: number;
  /** Other than the account whose delivery it is; 0: nobody's. */
  readonly accountId?: number;
}

/** One thing more that a delivery does: a message sent on or back, and what is remembered of it. */
export interface DeliveryEffect {
  readonly accept: AcceptInput | null;
  readonly memories: readonly FilterMemory[];
  /** When the first memory is there already, somebody was faster: nothing is done. */
  readonly isOnce: boolean;
  /** A further operation of a room by name, run in the same transaction, first; when it answers false, the rest is left. */
  readonly operation?: { readonly name: string; readonly input: unknown };
}

/** What goes with a delivery in the same transaction. */
export interface DeliveryEffects {
  readonly items: readonly DeliveryEffect[];
  /** Messages to other hosts, counted for the account. */
  readonly forwards: number;
}

/** What filters that run later want to know of how the message came. */
export interface Arrival {
  readonly ip: string | null;
  readonly name: string | null;
  readonly helo: string | null;
  readonly spam: { readonly score: number; readonly threshold: number; readonly isSpam: boolean; readonly symbols: readonly JudgeSymbol[] } | null;
  /** How often the message, or what it was made of, was taken in again from the queue; left out: never. Bounds circles of forwards and tables. */
  readonly turns?: number;
}

export interface LocalDelivery {
  readonly accountId: AccountId;
  /** Trace headers of this copy: Return-Path and Delivered-To, with CRLF. */
  readonly prefix: Uint8Array;
  readonly mailbox: MailboxTarget;
  readonly flags: number;
  readonly keywords: string | null;
  /** Instead of one copy in `mailbox`: what the account's rules say. None: they disposed of it otherwise. */
  readonly copies?: readonly LocalCopy[];
  readonly effects?: DeliveryEffects | null;
  /** The recipient as addressed, and what it asked for: used when the delivery must wait in the queue. */
  readonly address: string;
  readonly orcpt: string | null;
  readonly notify: string | null;
}
export interface RemoteRecipient {
  readonly address: string;
  readonly domain: string;
  readonly orcpt: string | null;
  readonly notify: string | null;
  /** Decided already, in the words of a transport table. */
  readonly nexthop?: string | null;
  readonly task?: LocalTask | null;
}
export interface AcceptInput {
  readonly id: MessageId;
  readonly at: number;
  readonly source: string;
  /** "local@domain", or null for the null reverse-path. */
  readonly sender: string | null;
  /** Submitting account, or null. */
  readonly accountId: AccountId | null;
  readonly message: StagedMessage;
  readonly deliveries: readonly LocalDelivery[];
  readonly remote: readonly RemoteRecipient[];
  readonly envid: string | null;
  readonly ret: string | null;
  readonly smtputf8: boolean;
  /** A full mailbox: 'queue' keeps the recipient in the queue to be tried again, 'refuse' only reports it. */
  readonly whenFull: 'queue' | 'refuse';
  readonly journey: JourneyEvent | null;
  /** Not null: everything, local deliveries too, waits in the queue until an administrator releases it. */
  readonly hold?: string | null;
  /** Instead of each remote recipient's own next hop. */
  readonly nexthop?: string | null;
  /** What waits for a local mailbox goes to junk. */
  readonly isJunk?: boolean;
  /** Kept with what waits in the queue. */
  readonly arrival?: Arrival | null;
  /** Accepted in the same transaction: parts with another sender. */
  readonly also?: readonly AcceptInput[];
  /** Of one in `also`: its message is that of the input it belongs to. */
  readonly sharesMessage?: boolean;
}
export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly mailboxId: MailboxId; readonly uid: number }
  /** The account's rules left no copy in a mailbox. */
  | { readonly kind: 'handled' }
  | { readonly kind: 'queued'; readonly failure: FailureCode | 'held' }
  | { readonly kind: 'refused'; readonly failure: FailureCode };
export interface AcceptOutput {
  /** Queue entry, when anything had to be queued. */
  readonly entryId: number | null;
  readonly deliveries: readonly DeliveryResult[];
}
