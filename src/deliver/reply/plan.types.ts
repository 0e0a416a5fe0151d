/** What the planners of this room answer, and what is to be committed with it. */
import type { Address } from '../../ports.ts';
import type { Action } from '../filters/filter.ts';
import type { ReplyRefusal } from './may-reply.ts';

/** A row of filter_memory. `until`: Unix milliseconds. */
export interface Memory {
  readonly kind: string;
  readonly key: string;
  readonly until: number;
}

export type Fcc = Extract<Action, { kind: 'vacation' }>['fcc'];

export interface PlannedMail {
  readonly kind: 'send';
  readonly to: readonly Address[];
  /** Envelope sender; null: `<>`. */
  readonly sender: Address | null;
  /** The whole message, CRLF, no line above 998 octets. NOTIFY=NEVER goes with every recipient. */
  readonly bytes: Buffer;
  /** To be written in the transaction that queues the mail; when the first of them exists already (`rememberIn` says false), nothing is sent. */
  readonly memories: readonly Memory[];
  /** RFC 8580: a copy of `bytes` goes here. */
  readonly fcc: Fcc;
}

export interface Skipped {
  readonly kind: 'skip';
  readonly reason: ReplyRefusal;
}

export type ReplyPlan = PlannedMail | Skipped;

/** The account that answers, and the moment. */
export interface Replier {
  /** Id of the new message: journey id and left side of its Message-ID. */
  readonly id: string;
  readonly at: number;
  readonly hostname: string;
  /** The address the owner is known by (From, owner-email). */
  readonly owner: Address;
  readonly ownerName: string | null;
  /** Keys of all addresses of the owner, `owner` included. */
  readonly ownAddresses: readonly string[];
  /** May the owner write as this address? Left out: only as `ownAddresses`. */
  maySendAs?(address: Address): boolean;
  /** Characters that begin the detail of an address (`directory.recipientDelimiters`); "+" when left out. */
  readonly delimiters?: string;
  /** Automatic mail of this account today (`repliesToday`). */
  readonly repliesToday: number;
}
