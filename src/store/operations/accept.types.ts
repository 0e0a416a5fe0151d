/** Input and output of the operation 'accept': one message into mailboxes and queue, in one transaction. */
import type { AccountId, FailureCode, JourneyEvent, MailboxId, MessageId, Role, StagedMessage } from '../../ports.ts';

export interface LocalDelivery {
  readonly accountId: AccountId;
  /** Trace headers of this copy: Return-Path and Delivered-To, with CRLF. */
  readonly prefix: Uint8Array;
  /** Where to: a mailbox by role or name; created when missing. */
  readonly mailbox: { readonly role: Role } | { readonly name: string };
  readonly flags: number;
  readonly keywords: string | null;
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
}
export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly mailboxId: MailboxId; readonly uid: number }
  | { readonly kind: 'queued'; readonly failure: FailureCode | 'held' }
  | { readonly kind: 'refused'; readonly failure: FailureCode };
export interface AcceptOutput {
  /** Queue entry, when anything had to be queued. */
  readonly entryId: number | null;
  readonly deliveries: readonly DeliveryResult[];
}
