/** What all sessions of one kind in a thread share, and what a command is to them. */
import type { IdleSweeper } from '../../net/idle.ts';
import type { LoopContext } from '../../ports.ts';
import type { ReceiveSettings } from '../settings.ts';
import type { SmtpSession } from './session.ts';

/** SMTP on port 25, submission (ports 587 and 465), LMTP: one session class, told apart here. */
export type Mode = 'smtp' | 'submission' | 'lmtp';

/** start: before EHLO; greeted: no transaction; mail: MAIL was accepted; rcpt: at least one RCPT too. */
export type State = 'start' | 'greeted' | 'mail' | 'rcpt';

export const ANY: readonly State[] = ['start', 'greeted', 'mail', 'rcpt'];
export const GREETED: readonly State[] = ['greeted', 'mail', 'rcpt'];

export interface Command {
  /** For HELP: how it is written. */
  readonly syntax: string;
  readonly from: readonly State[];
  readonly run: (session: SmtpSession, rest: string) => void;
  /** Modes that know the command; all when left out. */
  readonly modes?: readonly Mode[];
  /** Whether this client is told of the command now; the command itself says why it refuses. */
  readonly isOffered?: (session: SmtpSession) => boolean;
  /** Lines it adds to the EHLO reply. */
  readonly keywords?: (session: SmtpSession) => readonly string[];
  /** Counts against `smtp.junkMax`. */
  readonly isJunk?: boolean;
}

/** A Map, not an object: a client may well send the verb CONSTRUCTOR. */
export type CommandTable = ReadonlyMap<string, Command>;

export interface Service {
  readonly context: LoopContext<ReceiveSettings>;
  readonly mode: Mode;
  readonly commands: CommandTable;
  readonly idle: IdleSweeper;
}
