/** A queue entry and its recipients as the courier holds them in memory. */
import type { JobRecipient } from '../deliver/agent.ts';
import type { BlobId, MessageId } from '../ports.ts';

/** Which part of the memory a recipient counts against: arrivals in order, arrivals looked for ahead, retries. */
export type Lane = 'fresh' | 'ahead' | 'due';

export interface QueuedRecipient extends JobRecipient {
  readonly kind: 'remote' | 'local';
  readonly domain: string;
  readonly accountId: number | null;
  readonly attempts: number;
  readonly isWarned: boolean;
  readonly lane: Lane;
  /** Connections lost under this recipient's transaction since it came into memory. */
  losses: number;
}

export interface QueueEntry {
  readonly entryId: number;
  readonly id: MessageId;
  readonly blobId: BlobId;
  readonly size: number;
  readonly headerBytes: number;
  readonly headerMessageId: string | null;
  readonly source: string;
  readonly accountId: number | null;
  readonly sender: string | null;
  readonly envid: string | null;
  readonly ret: string | null;
  readonly smtputf8: boolean;
  readonly has8bit: boolean;
  readonly createdAt: number;
  /** The judge's choice for all recipients, instead of each one's own. */
  readonly nexthop: string | null;
  /** Local copies go to junk. */
  readonly isJunk: boolean;
  /** Whose turn it is: mail of one submitter or sender shares one turn. */
  readonly senderKey: string;
  /** Numbers of the recipients in memory: waiting, under way, or not yet reported. */
  readonly owned: Set<number>;
  /** Held or deleted by the administrator: what waits is dropped, what is under way finishes. */
  isDropped: boolean;
}

export function senderKey(accountId: number | null, sender: string | null): string {
  return accountId !== null ? `#${accountId}` : (sender ?? '');
}
