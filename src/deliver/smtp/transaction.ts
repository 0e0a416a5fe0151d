/** One message on a connection: what is to be asked, and how far the answers are. */
import type { MessageReader } from '../../ports.ts';
import { type Job, type Outcome, outcome } from '../agent.ts';
import type { Capabilities } from './capabilities.ts';
import { isAscii, mailCommand, rcptCommand } from './envelope.ts';

export type Phase = 'rset' | 'mail' | 'rcpt' | 'data' | 'final';

export interface Transaction {
  readonly job: Job;
  /** One command for each recipient that is asked for. */
  readonly mail: string;
  readonly rcpts: string[];
  /** Indices of the job's recipients, in the order asked. */
  readonly asked: number[];
  readonly outcomes: (Outcome | null)[];
  /** Of those asked, the accepted ones. */
  readonly accepted: number[];
  readonly useBdat: boolean;
  readonly isConverted: boolean;
  /** The whole message when it is small, else null and `reader` has it. */
  body: Uint8Array | null;
  reader: MessageReader | null;
  phase: Phase;
  /** Replies had in this phase. */
  had: number;
  /** Any reply had at all. */
  isAnswered: boolean;
  isBodySent: boolean;
  /** MAIL was refused: the fate of all. */
  refused: Outcome | null;
  startedAt: number;
}

export interface PlanOptions {
  readonly capabilities: Capabilities;
  readonly body: Uint8Array | null;
  readonly reader: MessageReader | null;
  readonly isConverted: boolean;
  readonly needsUtf8: boolean;
  readonly useBdat: boolean;
  readonly startedAt: number;
}

/** Writes the commands; addresses that cannot be written have their outcome already. */
export function planTransaction(job: Job, options: PlanOptions): Transaction {
  const { capabilities, isConverted } = options;
  const mail = mailCommand(job, { capabilities, isAsStored: !isConverted, needsUtf8: options.needsUtf8 });
  const outcomes = new Array<Outcome | null>(job.recipients.length).fill(null);
  const rcpts: string[] = [];
  const asked: number[] = [];
  for (let i = 0; i < job.recipients.length; i++) {
    const command = mail === null ? null : rcptCommand(job.recipients[i]!, capabilities);
    if (command !== null) {
      rcpts.push(command);
      asked.push(i);
    } else if (mail === null) outcomes[i] = outcome('failed', 553, '5.1.7', 'sender address cannot be written in SMTP', '');
    else outcomes[i] = outcome('failed', 553, '5.1.3', 'address cannot be written in SMTP', '');
  }
  return {
    job,
    mail: mail ?? '',
    rcpts,
    asked,
    outcomes,
    accepted: [],
    useBdat: options.useBdat,
    isConverted,
    body: options.body,
    reader: options.reader,
    phase: 'mail',
    had: 0,
    isAnswered: false,
    isBodySent: false,
    refused: null,
    startedAt: options.startedAt,
  };
}

export function isAsciiEnvelope(job: Job): boolean {
  return (job.sender === null || isAscii(job.sender)) && job.recipients.every((recipient) => isAscii(recipient.address));
}

/** In the first `end` bytes. */
export function has8bit(bytes: Uint8Array, end: number): boolean {
  const last = Math.min(end, bytes.length);
  for (let i = 0; i < last; i++) if (bytes[i]! > 127) return true;
  return false;
}
