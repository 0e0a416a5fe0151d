/** A queue entry and its recipients as the courier holds them in memory. */
import { parseMailbox } from '../mail/address.ts';
import type { JobRecipient } from '../deliver/agent.ts';
import type { Address, BlobId, LocalTask, MessageId } from '../ports.ts';
import type { OutsideEntry } from './outside.ts';
import type { Arrival } from '../store/operations/accept.types.ts';

/** Which part of the memory a recipient counts against: arrivals in order, arrivals looked for ahead, retries. */
export type Lane = 'fresh' | 'ahead' | 'due';

export interface QueuedRecipient extends JobRecipient {
  readonly kind: 'remote' | 'local';
  readonly domain: string;
  readonly accountId: number | null;
  readonly attempts: number;
  readonly isWarned: boolean;
  /** Decided for this recipient alone, in the words of a transport table. */
  readonly nexthop: string | null;
  readonly task: LocalTask | null;
  readonly lane: Lane;
  /** The address in the path when it goes out by SMTP (generic maps), or null. */
  outside: string | null;
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
  /** What filters may ask about; null when it was not kept. */
  readonly arrival: Arrival | null;
  /** Whose turn it is: mail of one submitter or sender shares one turn. */
  readonly senderKey: string;
  /** Numbers of the recipients in memory: waiting, under way, or not yet reported. */
  readonly owned: Set<number>;
  /** Sender and header for mail that goes out by SMTP; null until generic maps were asked. */
  outside: OutsideEntry | null;
  /** Held or deleted by the administrator: what waits is dropped, what is under way finishes. */
  isDropped: boolean;
}

export function senderKey(accountId: number | null, sender: string | null): string {
  return accountId !== null ? `#${accountId}` : (sender ?? '');
}

/** A path of the queue as an address; what does not parse is cut at its last @. */
export function addressOf(text: string): Address {
  // Quoted local parts are rare, and only they need reading.
  const parsed = text.startsWith('"') ? parseMailbox(text, { utf8: true, localBytes: 256 }) : null;
  if (parsed !== null) return parsed;
  const at = text.lastIndexOf('@');
  return { local: at < 0 ? text : text.slice(0, at), domain: at < 0 ? '' : text.slice(at + 1) };
}
