/** What one mail transaction has gathered so far, between MAIL and the reply to its message. */
import type { Address, Envelope, MessageId, Milliseconds, Recipient } from '../../ports.ts';

export interface Transaction {
  readonly sender: Address | null;
  /** As sent, with its parameters. */
  readonly senderText: string;
  readonly declaredBytes: number;
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  readonly dsn: Envelope['dsn'];
  readonly recipients: Recipient[];
  /** Index into `recipients` for each RCPT answered with 250: LMTP owes a reply for each, repeated ones too (RFC 2033 section 4.2). */
  readonly accepted: number[];
  /** Index by address, so that the same recipient is delivered to once. */
  readonly byAddress: Map<string, number>;
  /** The message's, should one come; what is refused before is found by it too. */
  readonly id: MessageId;
  /** Set when the message begins. */
  startedAt: Milliseconds;
  /** Set by the first BDAT; DATA is out of order then (RFC 3030 section 2). */
  isChunked: boolean;
}

export function newTransaction(given: Pick<Transaction, 'id' | 'sender' | 'senderText' | 'declaredBytes' | 'body' | 'smtputf8' | 'dsn'>): Transaction {
  return { ...given, recipients: [], accepted: [], byAddress: new Map(), startedAt: 0, isChunked: false };
}
