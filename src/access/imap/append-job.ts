/** What is known of an APPEND or REPLACE while it comes, and how its messages become the store's. */
import type { MessageWriter, NewMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { AppendGrammar, type AppendOptions } from '../../wire/imap/append.ts';
import type { AppendPlace } from './append-rights.ts';
import type { MailboxView } from './view.ts';

/** The message that REPLACE removes. */
export interface Replaced {
  /** Of the mailbox that was selected when the command came. */
  readonly view: MailboxView;
  readonly uid: number;
}

export class Append {
  readonly tag: string;
  readonly grammar: AppendGrammar;
  /** null while there is a refusal. */
  target: AppendPlace | null = null;
  /** REPLACE: what goes when the new message comes. */
  replaces: Replaced | null = null;
  /** Why it cannot be; the rest of the command is read and dropped. */
  refusal: string | null = null;
  /** A literal is arriving. */
  isReceiving = false;
  /** Nothing more comes from the client. */
  isComplete = false;
  /** Octets of all messages so far. */
  bytes = 0;
  /** The literal that is arriving, when it is a URL. */
  url: Buffer[] | null = null;
  options: AppendOptions | null = null;
  /** The message that is being written. */
  writer: MessageWriter | null = null;
  readonly messages: NewMessage[] = [];
  readonly writers: MessageWriter[] = [];

  constructor(tag: string, isSingle: boolean) {
    this.tag = tag;
    this.grammar = new AppendGrammar(isSingle);
  }

  /** Gives back what was stored for messages that will not be kept. Idempotent. */
  abandon(): void {
    for (const writer of this.writers) writer.abort();
    this.writers.length = 0;
    this.writer = null;
    this.url = null;
  }

  refuse(text: string): void {
    this.refusal ??= text;
    this.abandon();
  }
}

/**
 * Runs a write of what was staged. From here on the messages are the store's, even if the client goes away: aborting one would take it
 * from under a commit.
 */
export function handOver<T>(append: Append, write: () => Promise<T>): Promise<T> {
  const writers = append.writers.splice(0);
  return write().catch((error: unknown) => {
    // A writer that was lost may have committed: files whose fate is not known are left to the sweep.
    if (error instanceof Failure && error.code !== 'storeBusy') for (const writer of writers) writer.abort();
    throw error;
  });
}
