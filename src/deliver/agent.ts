/** What an agent is given and what it answers: one message for some recipients of one destination. */
import type { MessageId, MessageReader } from '../ports.ts';

export interface JobRecipient {
  /** Number within the queue entry. */
  readonly n: number;
  /** "local@domain" as it goes into the path. */
  readonly address: string;
  /** RFC 3461: "rfc822;user@example.org", decoded, or null. */
  readonly orcpt: string | null;
  /** "never", or words of success, failure and delay separated by commas or spaces, or null. */
  readonly notify: string | null;
}

export interface Job {
  readonly id: MessageId;
  /** null is the null reverse-path. */
  readonly sender: string | null;
  readonly recipients: readonly JobRecipient[];
  readonly size: number;
  readonly headerBytes: number;
  readonly has8bit: boolean;
  readonly smtputf8: boolean;
  readonly envid: string | null;
  readonly ret: string | null;
  /** Throws Failure when the bytes cannot be read. The caller closes the reader. */
  open(): MessageReader;
}

/**
 * What became of one recipient. `again`: nothing was asked or answered, so that trying at once on another connection
 * is right and does not count as an attempt.
 */
export interface Outcome {
  readonly kind: 'delivered' | 'deferred' | 'failed' | 'again';
  /** SMTP code of the reply, or the one we would have given. */
  readonly code: number;
  readonly enhanced: string;
  /** The other side's words (at most 500 characters), or ours when it said nothing. */
  readonly reply: string;
  /** "name[address]:port" that answered, or empty when it is our own judgement. */
  readonly host: string;
  /** The next host took over the duty to send success reports (RFC 3461 section 5.2.2). */
  readonly isDsnPassed: boolean;
}

/**
 * Where a connection gets its work from. `next` hands out a job, which from then on belongs to the connection until `done`
 * is called for it, exactly once, with one outcome for each recipient in order. `idle` and `closed` end the engagement.
 */
export interface JobSource {
  /** `early`: only when more waits than the connections in use would take anyway, for the job will wait behind another message. */
  next(early?: boolean): Job | null;
  done(job: Job, outcomes: readonly Outcome[]): void;
  /** No more work: the connection is open and may be kept. */
  idle(): void;
  /** The connection is gone; `done` was called for everything it had. */
  closed(): void;
}

export const REPLY_CHARS_MAX = 500;

export function outcome(kind: Outcome['kind'], code: number, enhanced: string, reply: string, host: string): Outcome {
  return { kind, code, enhanced, reply: reply.length > REPLY_CHARS_MAX ? reply.slice(0, REPLY_CHARS_MAX) : reply, host, isDsnPassed: false };
}

/** The same outcome for each recipient. */
export function outcomeForAll(job: Job, one: Outcome): Outcome[] {
  return new Array<Outcome>(job.recipients.length).fill(one);
}
