/** What the courier asks of the user agent and what it hears back. All of it is plain data: it travels over a socket as JSON, bytes apart. */
import type { Address, JudgeSymbol, LocalTask, MessageId, Milliseconds, Role } from '../../ports.ts';
import type { SieveSettings } from '../filters/sieve/settings.ts';
import type { Action, FilterInput, FilterProblem, FlagSet, Origin, RedirectDsn } from '../filters/filter.ts';

/** A pipe transport (Postfix pipe(8)); `argv` and the rest are expanded already. */
export interface PipeJob {
  readonly kind: 'pipe';
  /** The transport's name, for logs. */
  readonly name: string;
  /** Started directly, without a shell; the program with its whole path. */
  readonly argv: readonly string[];
  readonly user: string;
  /** null: the user's own. */
  readonly group: string | null;
  /** null: "/". */
  readonly directory: string | null;
  readonly environment: Readonly<Record<string, string>>;
  /** Letters of pipe(8)'s flags: B D F O R . > (others concern the expansion). */
  readonly flags: string;
  /** End of line given to the program. */
  readonly eol: '\n' | '\r\n';
  /** Messages above are not given to it (5.2.3); 0 = no limit. */
  readonly sizeMax: number;
  readonly timeLimitMs: number;
  /** What From_ line and Return-Path have for the null sender. */
  readonly nullSender: string;
}

/** The options that decide how a system user's mail is handed over: `local.*` in one object (`localConfiguration`). */
export interface LocalConfiguration {
  readonly mailbox: string;
  readonly style: 'forward' | 'qmail';
  readonly filters: readonly ('procmail' | 'maildrop' | 'sieve')[];
  readonly mailboxCommand: string;
  readonly forwardPath: readonly string[];
  readonly allowCommands: boolean;
  readonly allowFiles: boolean;
  /** Where programs and files may stand: in .forward itself, in lists that it includes. */
  readonly commandPlaces: readonly string[];
  readonly filePlaces: readonly string[];
  readonly commandTimeLimitMs: number;
  readonly exportEnvironment: readonly string[];
  readonly quotaBytes: number;
  readonly quotaMessages: number;
  /** Each of these characters begins an extension. */
  readonly recipientDelimiter: string;
  /** Domains of the local class, in lower case: a user's own address may be in any of them. */
  readonly localDomains: readonly string[];
  /** Of this machine. */
  readonly hostname: string;
  readonly domain: string;
  readonly redirectsMax: number;
  /** The `sieve.*` options. */
  readonly sieve: SieveSettings;
}

export interface DeliveryTask {
  readonly id: MessageId;
  readonly at: Milliseconds;
  readonly sender: Address | null;
  /** As it was addressed (RCPT TO). */
  readonly recipient: Address;
  /** After aliases; what Delivered-To says. */
  readonly final: Address;
  /** Plus detail, or null. */
  readonly detail: string | null;
  readonly orcpt: string | null;
  readonly helo: string | null;
  readonly clientIp: string | null;
  readonly clientName: string | null;
  readonly work: LocalTask | PipeJob;
  readonly spam: { readonly score: number; readonly threshold: number; readonly isSpam: boolean; readonly symbols: readonly JudgeSymbol[] } | null;
  readonly virus: number;
  readonly configuration: LocalConfiguration;
  /** The mailboxes the account has in the store, for Sieve's tests; not given: every one is taken to be there. */
  readonly storeMailboxes?: readonly StoreMailbox[] | null;
  /** What RCPT and MAIL said of delivery reports (RFC 3461). */
  readonly dsn?: FilterInput['envelope']['dsn'];
}

export interface StoreMailbox {
  readonly name: string;
  readonly role: Role | null;
  /** RFC 8474. */
  readonly objectId: string;
}

/** The message as stored, CRLF; read once, while the task is handed over. */
export interface MessageSource {
  readonly size: number;
  /** Bytes [start, end): at once for small messages. */
  slice(start: number, end: number): Uint8Array | Promise<Uint8Array>;
}

/** A change of the message by a filter, CRLF again: all of it, header and body. null: as it came. */
export type Changed = Uint8Array | null;

/** To be sent on, as the user wishes. */
export interface Forward {
  readonly address: Address;
  /** null: the message's own, rewritten as forwarding demands. */
  readonly sender: Address | null;
  readonly dsn: RedirectDsn | null;
  readonly message: Changed;
  readonly origin: Origin;
}
/** To be kept in the user's mailbox in the store. */
export interface Keep {
  /** "INBOX" or a name with "/" between levels. */
  readonly mailbox: string;
  readonly flags: FlagSet | null;
  readonly isCreated: boolean;
  readonly specialUse: string | null;
  /** RFC 9042. */
  readonly mailboxId?: string | null;
  readonly message: Changed;
  readonly origin: Origin;
}
/** What is composed by the courier: vacation, notify, reject, send. The action's own `message` is null here; see `message`. */
export interface Reply {
  readonly action: Extract<Action, { kind: 'vacation' | 'notify' | 'reject' | 'send' }>;
  readonly message: Changed;
}

export interface DeliveryStep {
  readonly origin: Origin;
  /** "stored in ~/Maildir", "piped to …: exit 0". At most 300 characters. */
  readonly text: string;
}

/** `delivered` together with forwards, keeps and replies: the courier commits those in the transaction that takes the recipient from the queue. */
export interface DeliveryAnswer {
  readonly outcome: 'delivered' | 'deferred' | 'failed';
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  readonly forwards: readonly Forward[];
  readonly keeps: readonly Keep[];
  readonly replies: readonly Reply[];
  readonly steps: readonly DeliveryStep[];
  /** A mistake in the user's script, to be told to the user once. */
  readonly problem: FilterProblem | null;
  /** The address that expands (owner-… and .forward), so that a loop among forwards is seen: to be added as Delivered-To to each forward. */
  readonly deliveredTo: string | null;
  /** Lines for the server's log, of the filters. */
  readonly logged: readonly string[];
}

export function simpleAnswer(outcome: DeliveryAnswer['outcome'], code: number, enhanced: string, text: string): DeliveryAnswer {
  return { outcome, code, enhanced, text, forwards: [], keeps: [], replies: [], steps: [], problem: null, deliveredTo: null, logged: [] };
}

/** A line of passwd(5). */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

export type PasswordAnswer = 'ok' | 'refused' | 'unavailable';
