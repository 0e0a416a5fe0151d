/** What a delivery report is made of. */
import type { Address } from '../ports.ts';

/** RFC 3464 section 2.3.3. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface DsnRecipient {
  readonly address: Address;
  /** ORCPT as "rfc822;user@example.org", decoded from xtext, or null. */
  readonly orcpt: string | null;
  readonly action: DsnAction;
  /** Enhanced status code (RFC 3463): "5.1.1". */
  readonly status: string;
  /** Name of the server that answered, or null when we found the reason ourselves. */
  readonly remoteMta: string | null;
  /** What it said, or what we say: "550 5.1.1 No such user". Null when there is nothing to tell. */
  readonly reply: string | null;
  readonly lastAttemptAt: number | null;
  /** For 'delayed': when we shall give up. */
  readonly willRetryUntil: number | null;
}

export interface DsnInput {
  /** Unique; goes into Message-ID and boundary. */
  readonly id: string;
  readonly at: number;
  /** Our host name. */
  readonly reportingMta: string;
  /** The sender of the message: the recipient of the report. */
  readonly to: Address;
  /** From field; MAILER-DAEMON at our host when null. */
  readonly from: Address | null;
  /** ENVID as given with MAIL, decoded from xtext. */
  readonly envid: string | null;
  /** When the message came to us. */
  readonly arrivalAt: number | null;
  readonly recipients: readonly DsnRecipient[];
  /** Header section of the message reported on, as stored; its subject and date are told to the reader. */
  readonly originalHeader: Uint8Array;
  /** True when the bytes after `head` will be the whole message (RET=FULL), false for its header only. */
  readonly isFull: boolean;
  /** The whole message has bytes above 127. */
  readonly has8bit: boolean;
  /** The message needed SMTPUTF8: use the forms of RFC 6533. */
  readonly utf8: boolean;
}
