/**
 * The ports: every interface between two rooms, on one page. Types only; nothing here runs.
 * A room imports this file and `system/`, `net/`, `wire/`, `mail/`; it never imports the inside of another stage.
 */
import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';

// ── Names ────────────────────────────────────────────────────────────────────────────────────────────

/** Journey and queue id of an accepted message: 16 characters of [0-9a-z], ordered by time, never reused. */
export type MessageId = string;
export type AccountId = number;
export type MailboxId = number;
export type EmailId = number;
export type BlobId = number;
/** Unix time in milliseconds. */
export type Milliseconds = number;

/**
 * A mailbox as it travels in an envelope (RFC 5321 section 4.1.2): local part unquoted, domain in lower case
 * (A-labels when the client sent A-labels or U-labels), or an address literal with its brackets.
 */
export interface Address {
  readonly local: string;
  readonly domain: string;
}

// ── Connections ──────────────────────────────────────────────────────────────────────────────────────

export type Protocol = 'smtp' | 'submission' | 'submissions' | 'lmtp' | 'imap' | 'imaps' | 'pop3' | 'pop3s' | 'sieve';

/** The certificate that a client showed. Fingerprints are SHA-256, "AB:CD:…" in upper case. */
export interface PeerCertificate {
  /** Signed by an authority that the server trusts. */
  readonly isTrusted: boolean;
  /** Common names, or the whole distinguished name where there is none. */
  readonly subject: string;
  readonly issuer: string;
  readonly fingerprint: string;
  readonly publicKeyFingerprint: string;
  /** Whose it says it is: e-mail addresses of the subject alternative name; without any those of the subject; without any its common names. */
  readonly names?: readonly string[];
}

/** What is known of the TLS layer of a connection; null in clear text. */
export interface TlsInfo {
  /** Only when the server asks for one (`tls.clientCertificates`). */
  readonly certificate?: PeerCertificate | null;
  readonly version: string;
  readonly cipher: string;
  readonly bits: number;
  readonly servername: string | null /** tls-exporter bytes for SCRAM-…-PLUS (RFC 9266). */;
  exporter(): Uint8Array | null;
  /** tls-server-end-point bytes (RFC 5929 section 4); null where our certificate has none. */
  endPoint?(): Uint8Array | null;
}

/** The other end, as PROXY, XCLIENT or the socket says. `ip` is canonical text without zone. */
export interface Client {
  readonly ip: string;
  readonly port: number;
  readonly name: string | null;
  /** What a trusted proxy says of the names; nothing is looked up then. */
  readonly told?: ToldNames;
}
/** Names of a client as XCLIENT gives them; null where the status is not 'ok'. */
export interface ToldNames {
  /** Confirmed: the name leads back to the address. */
  readonly name: string | null;
  readonly nameStatus: 'ok' | 'temporary' | 'none';
  /** Of the address, confirmed or not. */
  readonly reverseName: string | null;
  readonly reverseStatus: 'ok' | 'temporary' | 'none';
}

/** An accepted connection, after implicit TLS and the PROXY header; counted against the limits until closed. */
export interface Connection {
  readonly id: string;
  readonly protocol: Protocol;
  socket: Socket | TLSSocket;
  readonly client: Client;
  readonly localAddress: string;
  readonly localPort: number;
  tls: TlsInfo | null;
  /** Upgrades in place (STARTTLS, STLS); bytes already received in clear are dropped first. Resolves once the handshake is done. */
  startTls(): Promise<void>;
  /** True for loopback peers without PROXY (where `auth.plainOnLoopback` may allow credentials in clear). */
  readonly isLoopback: boolean;
}

/** One protocol session on a connection. */
export interface Session {
  /** Asked at shutdown: finish what is being done, say the protocol's goodbye, close. */
  drain(): void;
}
export type SessionFactory = (connection: Connection) => Session;

/** Current certificates; replaced as a whole on reload. */
export interface TlsProvider {
  context(): SecureContext | null;
  options(): import('node:tls').TlsOptions | null;
  /** Ask clients for a certificate, */
  readonly asksClients?: boolean;
  /** of these: smtp, submission, imap, pop3, sieve; those with TLS from the first byte are meant too. Left out: smtp. */
  readonly asksClientsOf?: readonly string[];
}

// ── Directory ────────────────────────────────────────────────────────────────────────────────────────

export interface Account {
  readonly id: AccountId;
  /** The login name and primary address: "local@domain". */
  readonly login: string;
  readonly isDisabled: boolean;
  /** 0 = no limit. */
  readonly quotaBytes: number;
  readonly quotaMessages: number;
  /** Who knows it: the directory itself, lookup tables, or /etc/passwd. Left out: 'own'. */
  readonly source?: 'own' | 'table' | 'system';
  /** The user of this machine whose account it is. */
  readonly systemUser?: string | null;
  /** Set for who logged in without being anybody (ANONYMOUS): letters of what they may do in it (RFC 4314 section 2.1). Left out: everything. */
  readonly visitorRights?: string;
}

/** Where one address leads, after aliases, catch-all and plus addressing. */
export type Resolution =
  | { kind: 'deliver'; local: LocalTarget[]; remote: RemoteTarget[] } // ours; aliases may lead to remote addresses too
  | { kind: 'unknown'; reply?: Reply } // our domain, no such user: 550 5.1.1, or the words of a table (relocated, error:)
  | { kind: 'disabled' } // our user, switched off: 550 5.2.1
  | { kind: 'loop' } // aliases that expand without end: 550 5.4.6
  | { kind: 'foreign' }; // not our domain: relay only for the authorised

export interface LocalTarget {
  /** Instead of the message's sender, as in RemoteTarget. */
  readonly sender?: Address | null;
  readonly accountId: AccountId /** Final address, for Delivered-To. */;
  readonly address: Address /** Plus detail, or null. */;
  readonly detail: string | null;
}

/** A target that goes through the queue: another host's address, a system user, a program or file of an alias. */
export interface RemoteTarget extends Address {
  /** Instead of the message's sender: reports about it go to the list's owner (owner-NAME in aliases(5)). */
  readonly sender?: Address | null;
  /** The next hop, when routing has decided it already; otherwise it is found when the recipient's turn comes. */
  readonly nexthop?: string;
  /** What is to be done on this machine by the user agent. */
  readonly task?: LocalTask;
}

/** Work for the user agent, as an alias or the address class says. `user` null: the unprivileged default user (`local.defaultUser`). */
export type LocalTask =
  | { readonly kind: 'user'; readonly user: string; readonly detail: string | null }
  | { readonly kind: 'command'; readonly command: string; readonly user: string | null }
  | { readonly kind: 'file'; readonly path: string; readonly user: string | null };

/** Reads only; answers from the loop's own database connection and a small cache that announcements empty. */
export interface Directory {
  resolve(address: Address): Resolution;
  isLocalDomain(domain: string): boolean;
  account(id: AccountId): Account | null;
  /** By login name or any address that is an alias of exactly this account. Case-insensitive. */
  accountByLogin(login: string): Account | null;
  /** May this account use `address` as sender (its own, an alias that leads to it, its catch-all, with or without detail)? */
  maySendAs(accountId: AccountId, address: Address): boolean;
}

export interface AuthContext {
  readonly protocol: Protocol;
  readonly client: Client;
  readonly session: string;
}
export type AuthOutcome =
  | { kind: 'ok'; account: Account /** What opened it: with this credential gone, the session ends (`directory/logins.ts`). */; credentialId?: number }
  | { kind: 'refused' } // wrong user, wrong password, disabled: one answer, one duration
  | { kind: 'locked'; retryAfterMs: number } // too many failures for this account or network
  | { kind: 'unavailable'; cause: unknown };

export interface Authenticator {
  /** Verifies a password (the account's or one of its app passwords whose scope covers the protocol). */
  password(login: string, password: string, context: AuthContext): Promise<AuthOutcome>;
  /** Begins a SASL exchange; null when the mechanism is not offered on this connection. */
  sasl(mechanism: string, connection: Connection, context: AuthContext): SaslExchange | null;
  /** Mechanism names to announce now, strongest first; empty when credentials must wait for TLS. */
  mechanisms(connection: Connection): readonly string[];
}

export type SaslStep =
  | { kind: 'challenge'; data: Uint8Array }
  | { kind: 'done'; outcome: AuthOutcome /** To be sent with the success (SCRAM server-final), when the protocol can. */; data: Uint8Array | null }
  | { kind: 'malformed' };
export interface SaslExchange {
  /** The client's (decoded) response; null for "no initial response". `*` is the protocol's business, not ours. */
  step(response: Uint8Array | null): Promise<SaslStep>;
}

/** One step on the way of an address, as `posthorn route` prints it and the journey keeps it. */
export interface RouteStep {
  /** How deep in the tree, from 0. */
  readonly depth: number;
  /** "ann@example.org", or what became of it. */
  readonly what: string;
  /** Which table, file or option decided: "virtualAliasMaps mysql:/etc/…/aliases.cf", "aliases /etc/aliases:12". */
  readonly by: string;
}

/**
 * Where addresses lead: rewriting, address classes, aliases, transports. Answers at once while nothing has to be looked up elsewhere.
 * Every method throws or rejects with TableError when a table cannot answer: nobody is told "unknown" then.
 */
export interface Router {
  /** The whole expansion of one recipient of a message from `sender`. `steps` gathers the way, when given. */
  resolve(address: Address, sender: Address | null, steps?: RouteStep[]): Resolution | Promise<Resolution>;
  /** The sender of the envelope after canonical mapping and masquerading; null stays null. */
  sender(address: Address | null): Address | null | Promise<Address | null>;
  /** Further recipients that get a copy of every such message (always_bcc, sender_bcc_maps, recipient_bcc_maps). */
  copies(sender: Address | null, recipients: readonly Address[]): readonly Address[] | Promise<readonly Address[]>;
  /** The header with its addresses rewritten (canonical, masquerading, completion of unqualified ones), or null when nothing changes. */
  header(header: Uint8Array, isLocalClient: boolean): Uint8Array | null | Promise<Uint8Array | null>;
}

// ── A message on its way in ──────────────────────────────────────────────────────────────────────────

export type DsnNotify = 'never' | ReadonlySet<'success' | 'failure' | 'delay'>;

export interface Recipient {
  readonly address: Address;
  /** As given (before aliases), for replies and reports. */
  readonly resolution: Resolution;
  /** RFC 3461 section 4.1; null = not given (failure, and delay at our choice). */
  readonly notify: DsnNotify | null;
  /** ORCPT as "rfc822;user@example.org" decoded from xtext, or null. */
  readonly orcpt: string | null;
}

/** One SMTP, LMTP, pickup or fetch transaction, before anyone judged it. */
export interface Envelope {
  readonly id: MessageId;
  readonly source: 'smtp' | 'submission' | 'lmtp' | 'pickup' | 'fetch' | 'bounce';
  /** null is the null reverse-path `<>`. */
  readonly sender: Address | null;
  readonly recipients: readonly Recipient[];
  readonly client: Client | null;
  readonly helo: string | null;
  readonly auth: Account | null;
  readonly dsn: { readonly envid: string | null; readonly ret: 'FULL' | 'HDRS' | null };
  readonly smtputf8: boolean;
  readonly body: '7BIT' | '8BITMIME';
  readonly at: Milliseconds;
  readonly tls: string | null;
}

/** A message on stable storage, or small enough to travel with the transaction that will put it there. */
export interface StagedMessage {
  /** Bytes as stored: trace headers of this hop and the message as received. */
  readonly size: number;
  readonly blob: { kind: 'inline'; codec: number; data: Uint8Array } | { kind: 'file'; path: string; frames: Uint8Array; codec: number };
  readonly digest: Digest;
}

/**
 * What is derived from a message once, at arrival, and kept in serialised form.
 * Offsets count from the first byte of the staged message.
 */
export interface Digest {
  /** Offset of the body: just past the blank line (or the size, when there is none). */
  readonly headerBytes: number;
  /** IMAP ENVELOPE, in parentheses, ASCII (RFC 9051 section 7.5.2). */
  readonly envelope: string;
  /** IMAP BODYSTRUCTURE, in parentheses, ASCII. */
  readonly bodyStructure: string;
  /** Section offsets as `mail/mime` encodes them; null for a message of one part. */
  readonly parts: Uint8Array | null;
  /** Message-ID with its angle brackets, or null. At most 998 bytes. */
  readonly messageId: string | null;
  /** Date field in Unix milliseconds, or null. */
  readonly sentAt: number | null;
  readonly has8bit: boolean;
  readonly hasLongLine: boolean;
  /** Number of Received fields and the addresses of Delivered-To fields (at most 100), for loop detection. */
  readonly receivedCount: number;
  readonly deliveredTo: readonly string[];
  /** Mime nesting or counts passed a limit: structure is truncated there, bytes are complete. */
  readonly isTruncated: boolean;
}

/** Takes the bytes of one message and makes it durable or ready to be. Small ones stay in memory, larger ones go to a file. */
export interface MessageWriter {
  readonly size: number;
  /** Copies `chunk`. Returns a promise only when the caller must wait for the disk. Throws Failure 'diskFull' | 'storeBusy'. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Puts `bytes` before all that was written so far. False when the beginning has left the memory: nothing was done then. */
  insert(bytes: Uint8Array): boolean;
  /** What was written so far, from byte `from` on, for the judge. Good until the next write, finish or abort. */
  view(from: number): MessageView;
  finish(): StagedMessage | Promise<StagedMessage>;
  /** Idempotent; also after finish() when the message is not to be kept. */
  abort(): void;
}
export interface Staging {
  open(): MessageWriter;
  /** A whole small message at once. */
  stage(message: Uint8Array): StagedMessage;
  /** Reads back what was staged here and is not yet committed. The caller closes the reader. */
  read(message: StagedMessage): MessageReader;
  /** What was finished and is certainly named by no transaction, nor will be: its file goes. Nobody waits for it. */
  discard?(message: StagedMessage): void;
}

export interface Reply {
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  /** The connection ends with it, as with 421 and 521. */
  readonly closes?: boolean;
}

/** The door into the queue and the store: judge, route, one transaction. Used by smtp, lmtp, submission, pickup and bounces. */
export interface Intake {
  /**
   * Resolves after fsync. One reply for the transaction; for LMTP, one for each recipient in `perRecipient`.
   * Rejects only on bugs: every failure is a reply (452 4.3.1 disk full, 451 4.3.0 store busy, 554 5.4.6 loop …).
   */
  accept(envelope: Envelope, message: StagedMessage, orders?: Orders): Promise<{ reply: Reply; perRecipient: Reply[] }>;
  /** Quota and other early checks at RCPT time; null = go on. `sizeBytes` is the declared size, or 0. */
  checkRecipient(recipient: Recipient, sizeBytes: number): Reply | null;
}

// ── Lookup tables: `type:source` in the administrator's words ────────────────────────────────────────

/** One opened table. Asking never says "not found" for a table that cannot answer: it throws or rejects with TableError then. */
export interface Table {
  /** As written: "hash:/etc/postfix/access". */
  readonly name: string;
  /**
   * 'fixed': one key, one value (hash, mysql …); callers try the parts of an address one after the other, in lower case.
   * 'pattern': regexp, pcre, cidr: asked once with the whole string as it is.
   */
  readonly kind: 'fixed' | 'pattern';
  /** The value of exactly this key, or null. Tables in memory answer at once. */
  find(key: string, signal?: AbortSignal): string | null | Promise<string | null>;
  /** Every pair, where the type can tell (`posthorn table dump`). */
  entries?(): Iterable<readonly [key: string, value: string]> | AsyncIterable<readonly [key: string, value: string]>;
}
/** The tables of one thread; each `type:source` is opened once, read again when its file changes, and shared. */
export interface Tables {
  /** Throws TableProblem ("file:line: sentence") for an unknown type, an unreadable source or a bad pattern. */
  open(spec: string): Table;
  close(): void;
}

// ── Judge: who may send what to whom, and is the sender who it says ──────────────────────────────────

/** What one check found. `score` adds up (negative is good); `text` says it in a sentence for `posthorn explain` and the journey. */
export interface JudgeSymbol {
  readonly name: string;
  readonly score: number;
  readonly text: string;
}

export type VerdictAction = 'accept' | 'addHeader' | 'greylist' | 'quarantine' | 'reject' | 'defer' | 'discard';

/** A change to the message, in the order they are made. Names without colon; values unfolded or folded with CRLF and white space, without the final CRLF. */
export type HeaderEdit =
  /** On top, above what is there (the last one prepended ends up topmost). */
  | { readonly kind: 'prepend'; readonly name: string; readonly value: string }
  /** Below the last header field. */
  | { readonly kind: 'append'; readonly name: string; readonly value: string }
  /** Before the header field that is now at `index` (0 = first), as milters count. */
  | { readonly kind: 'insert'; readonly index: number; readonly name: string; readonly value: string }
  /** The nth (from 1) field of this name; an empty value deletes it. */
  | { readonly kind: 'change'; readonly name: string; readonly nth: number; readonly value: string };

/** The judge's answer for one message. `reply` is what the sender hears when it is not accepted. */
export interface Verdict {
  readonly action: VerdictAction;
  readonly reply: Reply | null;
  readonly score: number;
  readonly symbols: readonly JudgeSymbol[];
  readonly edits: readonly HeaderEdit[];
}

/** The bytes of a message that is being judged: without the Received field that this server will add. */
export interface MessageView {
  readonly size: number;
  /** Header fields with the blank line that ends them (or all there is). At most `judge.headerBytesMax`. */
  readonly header: Uint8Array;
  /** The whole message, when it is held in memory (up to 256 KiB); null for larger ones, which are streamed. */
  readonly bytes: Uint8Array | null;
  /** The whole message in pieces of at most 64 KiB, header included; can be called again. */
  stream(): AsyncIterable<Uint8Array>;
}

/** Everything a check may look at when the message is complete; explain, replay and the faces make one themselves. */
export interface JudgeInput {
  readonly id: MessageId;
  readonly source: Envelope['source'];
  readonly client: Client | null;
  readonly helo: string | null;
  readonly sender: Address | null;
  readonly recipients: readonly Address[];
  readonly auth: Account | null;
  readonly tls: string | null;
  readonly at: Milliseconds;
  readonly message: MessageView;
}

/** What the judge wants done with a message that is accepted. */
export interface Orders {
  /** Into the queue, held there until an administrator releases it; the text says why. */
  readonly hold?: string;
  /** Local copies go to the mailbox with the role junk. */
  readonly isJunk?: boolean;
  /** All recipients go to this next hop instead of their own ("smtp:[127.0.0.1]:10025"). */
  readonly nexthop?: string;
  /** What filters may ask about; null or left out: the judge did not look. */
  readonly spam?: { readonly score: number; readonly threshold: number; readonly isSpam: boolean; readonly symbols: readonly JudgeSymbol[] } | null;
  /** Goes into the message's journey row: what the judge found. */
  readonly judged?: Readonly<Record<string, unknown>>;
}

/** A reply that refuses, null to go on; a promise where something must be waited for. */
export type Answer = Reply | null | Promise<Reply | null>;

/** What a receiving session shows of itself. It is the session's own object: read it anew at each step. */
export interface SmtpView {
  /** The connection's id, for logs; also the instance that policy servers are told. */
  readonly id: string;
  readonly mode: 'smtp' | 'submission' | 'lmtp';
  readonly isEsmtp: boolean;
  readonly client: Client;
  readonly localAddress: string;
  readonly localPort: number;
  readonly isLoopback: boolean;
  readonly tls: TlsInfo | null;
  readonly helo: string | null;
  readonly account: Account | null;
  /** The SASL mechanism of the login, or null. */
  readonly mechanism: string | null;
  /** Input waits that a client may not have sent yet (RFC 2920 section 3.1). */
  readonly hasEarlyInput: boolean;
  readonly envelope: EnvelopeView | null;
}
export interface EnvelopeView {
  readonly id: MessageId;
  readonly sender: Address | null;
  /** As sent, with parameters: "<a@example.org> SIZE=100". */
  readonly senderText: string;
  readonly declaredBytes: number;
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  readonly dsn: Envelope['dsn'];
  readonly recipients: readonly Recipient[];
}

/** Rewrites or refuses a message as its bytes pass. `push` and `end` give the bytes to be written now; a promise must be waited for and never rejects. */
export interface ContentFilter {
  /** Our own trace field, before the first `push`: gives what is to stand there instead. */
  trace?(field: Uint8Array): Passed;
  push(piece: Uint8Array): Passed;
  end(): Passed;
  /** Set when the message is not to be accepted. */
  readonly refusal: Reply | null;
}

export type Passed = Uint8Array | null | Promise<Uint8Array | null>;

/** The decision on a complete message. */
export interface Ruling {
  /** Not null: the message is refused with it. */
  readonly reply: Reply | null;
  /** The rule that has the message thrown away after 250, or null. */
  readonly discard: string | null;
  readonly orders: Orders;
  /** undefined: as it was. */
  readonly sender?: Address | null;
  /** Instead of those of the envelope, resolved. undefined: as they were. */
  readonly recipients?: readonly Recipient[];
  /** Header fields to stand above our Received field, with their CRLF; null for none. */
  readonly before: Uint8Array | null;
  /** To be kept instead of the message as it came; null for no change. Good until the session's next step. */
  readonly message: MessageView | null;
}

/** The judge beside one SMTP session. Each step answers null to go on. */
export interface JudgeSession {
  /** Before the greeting. After a refusal only QUIT is obeyed (RFC 5321 section 3.1); `closes` and the codes 421 and 521 end the connection. `isBehindProxy`: named by XCLIENT, the proxy has greeted it. */
  greet(isBehindProxy?: boolean): Answer;
  /** The client spoke before it was greeted. */
  talkedEarly(): void;
  helo(): Answer;
  /** Whether a table of logins (smtpd_sender_login_maps) gives this address to the account that signed in. Rejects when the table cannot tell. */
  ownsSender(sender: Address): boolean | Promise<boolean>;
  /** The sender is known, no recipient yet. */
  mail(): Answer;
  /** `recipient` is not among the envelope's yet. Foreign recipients pass only where relaying is permitted. */
  rcpt(recipient: Recipient, text: string): Answer;
  data(): Answer;
  etrn(domain: string): Answer;
  /** Looks at the bytes of the message that begins now, or null. */
  content(): ContentFilter | null;
  /** The message is complete, `view` without our Received field. Never rejects. */
  message(view: MessageView): Ruling | Promise<Ruling>;
  /** The message was accepted for good, or refused by others. */
  settled(isAccepted: boolean): void;
  /** The transaction is over or was given up. */
  reset(): void;
  close(): void;
}

export interface JudgeSubmission {
  content(): ContentFilter | null;
  /** Never rejects. */
  message(view: MessageView): Ruling | Promise<Ruling>;
}

export interface Judge {
  begin(view: SmtpView): JudgeSession;
  /** A message that comes without an SMTP session: the sendmail command. */
  beginSubmitted(envelope: Envelope): JudgeSubmission;
}

/** What to do with a client that has just connected. */
export type Admission =
  /** `symbols` belong to the verdict of all its messages. */
  | { readonly kind: 'greet'; readonly symbols: readonly JudgeSymbol[] }
  /** To be said instead of the greeting (421 or 554), then close. */
  | { readonly kind: 'refuse'; readonly reply: Reply };

/** A client that has to wait for its greeting. */
export interface Visit {
  readonly kind: 'wait';
  /** Settles once, after the greeting delay or when the DNS lists have answered; never after `left`; never rejects. */
  readonly admission: Promise<Admission>;
  /** The client is gone, or spoke too early. Harmless afterwards. */
  left(): void;
}

/** Decides about clients before they are greeted. */
export interface Door {
  /** `ip` is canonical text, after PROXY. */
  enter(ip: string): Admission | Visit;
  /** The client spoke before its greeting (the session refuses it): it has not passed, and finds the door closed for a while. */
  talkedEarly(ip: string): void;
}

// ── Failures: one name, one row, each protocol reads its column ──────────────────────────────────────

export type FailureCode =
  | 'overQuota'
  | 'noSuchMailbox'
  | 'mailboxExists'
  | 'noSuchMessage'
  | 'messageTooBig'
  | 'diskFull'
  | 'storeBusy'
  | 'corruptBlob'
  | 'cannot'
  | 'noSuchAccount'
  | 'exists'
  | 'noSuchEntry'
  | 'staleLease'
  | 'limit';

// ── Store: reads (synchronous, in the asking thread, own read-only connection) ───────────────────────

/** System flags as bits. */
export const FLAG = { seen: 1, answered: 2, flagged: 4, deleted: 8, draft: 16 } as const;

export type Role = 'inbox' | 'sent' | 'drafts' | 'trash' | 'junk' | 'archive';

export interface MailboxRow {
  readonly id: MailboxId;
  readonly accountId: AccountId;
  /** Full name in Unicode, levels joined by "/"; the inbox is "INBOX". */
  readonly name: string;
  readonly role: Role | null;
  readonly isSubscribed: boolean;
  /** False for a name that only exists as the parent of others (RFC 9051 \NonExistent, RFC 3501 \Noselect). */
  readonly isSelectable: boolean;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModseq: number;
  readonly exists: number;
  readonly unseen: number;
  readonly deleted: number;
  readonly bytes: number;
  /** Messages with uid >= this were never shown as \Recent to a session. */
  readonly recentUid: number;
  /** Every keyword that a message here ever had, separated by spaces. */
  readonly keywords: string;
}

/** [uid, modseq, flags, keywords (space separated) or null, internalDate ms, size (with prefix), emailId] */
export type MessageTuple = [uid: number, modseq: number, flags: number, keywords: string | null, internalDate: number, size: number, emailId: EmailId];

/** The part of a message's row that changes, and all that a selected mailbox keeps in memory. A MessageTuple is one too. */
export type MessageState = readonly [uid: number, modseq: number, flags: number, keywords: string | null, ...unknown[]];

export interface EmailRow {
  readonly id: EmailId;
  readonly blobId: BlobId;
  /** Trace headers of this account's copy (Return-Path, Delivered-To), to be put before the blob's bytes. */
  readonly prefix: Uint8Array;
  /** Blob bytes, uncompressed, without the prefix. */
  readonly blobBytes: number;
  readonly headerBytes: number;
  readonly envelope: string;
  readonly bodyStructure: string;
  readonly parts: Uint8Array | null;
  readonly messageId: string | null;
  readonly sentAt: number | null;
  readonly savedAt: number;
}

/** The bytes of one stored message: prefix, then blob. Holds at most one 256 KiB frame of it. */
export interface MessageReader {
  readonly size: number;
  readonly prefixBytes: number;
  /** Bytes [start, end) clamped to the size. Small messages answer without a promise. Throws Failure 'corruptBlob'. */
  slice(start: number, end: number): Uint8Array | Promise<Uint8Array>;
  /** The same in pieces of at most 64 KiB. */
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Where the whole message can be had at once: writes it into `target`, in which it has room and one byte to spare. Throws Failure 'corruptBlob'. */
  copyTo?(target: Buffer, at: number): void;
  close(): void;
}

/** Of an email row what reading the message's bytes takes. */
export type BodyRow = Pick<EmailRow, 'id' | 'prefix' | 'blobBytes' | 'headerBytes' | 'parts'>;

/** A message of a mailbox, read together with its bytes. */
export interface StoredBody {
  readonly message: MessageTuple;
  readonly email: BodyRow;
  /** A reader that the caller closes. Throws Failure 'corruptBlob' when there is nothing to be read. */
  open(): MessageReader;
}

export interface StoreReader {
  mailboxes(accountId: AccountId): MailboxRow[];
  mailboxByName(accountId: AccountId, name: string): MailboxRow | null;
  mailboxById(accountId: AccountId, id: MailboxId): MailboxRow | null;
  /** In uid order, at most `limit`, uid in [from, to]. */
  messages(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageTuple[];
  /** The same, with less of each: for reading a whole mailbox. */
  states(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageState[];
  message(accountId: AccountId, mailboxId: MailboxId, uid: number): MessageTuple | null;
  /** [modseq, uid] of expunged messages with modseq > since. */
  expungedSince(accountId: AccountId, mailboxId: MailboxId, since: number, limit: number): [modseq: number, uid: number][];
  email(accountId: AccountId, id: EmailId): EmailRow | null;
  /** In uid order: [uid, envelope, bodyStructure, emailId, prefixBytes+headerBytes] for a page of messages, uid in [from, to]. */
  envelopes(
    accountId: AccountId,
    mailboxId: MailboxId,
    fromUid: number,
    toUid: number,
    limit: number,
  ): [uid: number, envelope: string, bodyStructure: string, emailId: EmailId, headerBytes: number][];
  open(email: EmailRow): MessageReader;
  /** Messages to be read, in uid order, at most `limit`, uid in [from, to]. Each holds up to 64 KB until it is let go. */
  bodies(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): StoredBody[];
  /** The queue's view of a blob (no prefix). */
  openBlob(blobId: BlobId): MessageReader;
  usage(accountId: AccountId): { bytes: number; messages: number; quotaBytes: number; quotaMessages: number } | null;
  /** Prepared read-only SQL for the rooms that keep their own tables (directory, queue); rows as arrays. */
  rows(sql: string, ...parameters: (string | number | null)[]): unknown[][];
}

// ── Store: writes (asynchronous; the promise settles after fsync; rejects with Failure) ──────────────

export interface NewMessage {
  readonly message: StagedMessage;
  readonly flags: number;
  readonly keywords: string | null;
  readonly internalDate: Milliseconds;
}
export interface FlagChange {
  readonly uid: number;
  readonly flags: number;
  readonly keywords: string | null;
  readonly modseq: number;
}

/** System flags of many messages changed alike: those with uids in the ranges have (flags & and) | or. Only where that differs from before did modseq change. */
export interface FlagSweep {
  /** [from, to] pairs, ascending. */
  readonly ranges: readonly number[];
  readonly and: number;
  readonly or: number;
  readonly modseq: number;
}

export interface QueueRecipientRow {
  readonly id: number;
  readonly address: string;
  readonly domain: string;
  readonly orcpt: string | null;
  readonly notify: string | null;
}

export interface StoreWriter {
  /** IMAP APPEND; all or none. */
  append(accountId: AccountId, mailboxId: MailboxId, messages: readonly NewMessage[]): Promise<{ uidValidity: number; uids: number[] }>;
  /** COPY or MOVE; all or none; keeps flags, internal date and email ids. Pairs are in uid order. */
  copy(
    accountId: AccountId,
    from: MailboxId,
    uids: readonly number[],
    to: MailboxId,
    move: boolean,
  ): Promise<{ uidValidity: number; pairs: [from: number, to: number][] }>;
  /** `unchangedSince` refuses (in `modified`) messages with a higher modseq (RFC 7162). Flags that are as wished already do not change the modseq. */
  flags(
    accountId: AccountId,
    mailboxId: MailboxId,
    uids: readonly number[],
    mode: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
    unchangedSince?: number,
  ): Promise<{ changed: FlagChange[]; modified: number[] }>;
  /** The same for system flags of whole ranges of uids ([from, to] pairs, ascending), of which nothing is said but how many changed; modseq 0: none. */
  sweep(
    accountId: AccountId,
    mailboxId: MailboxId,
    ranges: readonly number[],
    mode: 'add' | 'remove',
    flags: number,
  ): Promise<{ changed: number; modseq: number }>;
  /** Removes messages; `onlyDeleted` skips those without \Deleted. `uids` null means all. */
  expunge(accountId: AccountId, mailboxId: MailboxId, uids: readonly number[] | null, onlyDeleted: boolean): Promise<{ uids: number[]; modseq: number }>;
  /** Creates parents too (RFC 9051 section 6.3.4). */
  createMailbox(accountId: AccountId, name: string, role?: Role | null): Promise<MailboxRow>;
  /** Keeps the row as \NonExistent while children exist; never removes INBOX. */
  deleteMailbox(accountId: AccountId, id: MailboxId): Promise<void>;
  /** Renames children too. Renaming INBOX moves its messages into a new mailbox (RFC 9051 section 6.3.6). */
  renameMailbox(accountId: AccountId, id: MailboxId, name: string): Promise<void>;
  subscribe(accountId: AccountId, name: string, isSubscribed: boolean): Promise<void>;
  /** Says that all messages below `uid` have been shown as \Recent. Not awaited by anyone. */
  claimRecent(accountId: AccountId, mailboxId: MailboxId, uid: number): Promise<void>;
  /** Any other operation by name, for the rooms that keep their own tables (see src/store/operations/). */
  run<T>(operation: string, input: unknown): Promise<T>;
}

/** Which of an account's mailboxes are to be looked at. 'names': the list of mailboxes alone. */
export type MirrorScope =
  | { readonly kind: 'names' }
  | { readonly kind: 'all' }
  | { readonly kind: 'mailbox'; readonly name: string }
  | { readonly kind: 'mailboxes'; readonly ids: readonly MailboxId[] };

/** Mailboxes that are kept equal to folders of system users. */
export interface MailboxMirror {
  isMirrored(accountId: AccountId): boolean;
  /** Brings both sides level; never rejects. null: the account has no folders, nothing is to be waited for. */
  refresh(accountId: AccountId, scope: MirrorScope): Promise<void> | null;
  /**
   * Somebody looks at the mailbox (null: at all of the account's, and at which there are): changes in its folder are taken into the store as they
   * come. Answers the way to stop; null: not mirrored.
   */
  watch(accountId: AccountId, mailboxId: MailboxId | null): (() => void) | null;
}

// ── Announcements: after each commit, to every loop, in commit order ─────────────────────────────────

export type Announcement =
  | {
      readonly kind: 'messages';
      readonly accountId: AccountId;
      readonly mailboxId: MailboxId;
      /** The mailbox's highest modseq after the change; apply only what is newer than what you have, by uid and modseq. */
      readonly modseq: number;
      readonly uidNext: number;
      readonly added: readonly MessageTuple[];
      readonly flags: readonly FlagChange[];
      readonly expunged: readonly number[];
      /** To be applied after the other changes, to what the messages have then, where its modseq is higher. */
      readonly sweep?: FlagSweep;
      /** The change was too large to spell out: read the mailbox again. */
      readonly isResync: boolean;
    }
  | { readonly kind: 'mailboxes'; readonly accountId: AccountId } // names, subscriptions or roles changed
  | { readonly kind: 'mailboxGone'; readonly accountId: AccountId; readonly mailboxId: MailboxId }
  /** Annotations (RFC 5464) were set or removed; mailbox 0: those on the server. `by`: the session that did it, which need not be told. */
  | { readonly kind: 'metadata'; readonly accountId: AccountId; readonly mailboxId: MailboxId; readonly entries: readonly string[]; readonly by: string }
  /** `accounts`: whose right to log in may have changed; left out: anybody's. */
  | { readonly kind: 'directory'; readonly accounts?: readonly AccountId[] }
  | { readonly kind: 'queue'; readonly entries: readonly QueueAnnouncement[] };

/** New work for the courier, as stored. */
export interface QueueAnnouncement {
  readonly entryId: number;
  readonly id: MessageId;
  /** Not new: held, released, deleted, or to be tried again by the administrator's wish. */
  readonly isChange?: boolean;
}

export interface Announcements {
  /** Mailbox events of one mailbox; returns the way to stop. */
  watchMailbox(accountId: AccountId, mailboxId: MailboxId, listener: (a: Announcement) => void): () => void;
  /** Changes of one account's mailbox list, and of its annotations. */
  watchAccount(accountId: AccountId, listener: (a: Announcement) => void): () => void;
  on(kind: 'directory' | 'queue' | 'metadata', listener: (a: Announcement) => void): () => void;
}

// ── Search: texts and threads of stored emails, built after delivery in a database of its own ──────────

/** What a text is sought in: the decoded header, the decoded body (attachments' text included), or either. */
export type TextScope = 'header' | 'body' | 'text';

/** The emails of an account that contain a text. Exact for every email that is indexed. */
export interface TextMatches {
  readonly emails: ReadonlySet<EmailId>;
  /** False: the email is not indexed (yet), its bytes must be looked at. */
  isIndexed(email: EmailId): boolean;
}

/** An email that is something like the words asked for. */
export interface SimilarEmail {
  readonly email: EmailId;
  /** 1 to 100 (RFC 6203 section 4). */
  readonly relevancy: number;
}

/** What threading needs of an email (RFC 5256). Message ids as normalised there, without brackets. */
export interface ThreadFacts {
  readonly email: EmailId;
  readonly messageId: string | null;
  /** References, or the first id of In-Reply-To when there are none. */
  readonly references: readonly string[];
  /** RFC 5256 section 2.1, decoded, upper case by i;unicode-casemap; and whether it was a reply or forward. */
  readonly baseSubject: string;
  readonly isReply: boolean;
  /** Stays the same for ever (RFC 8474 section 5.2). */
  readonly threadId: number;
}

/** What the store's email row has, character by character. */
export type ListedEnvelope = readonly [email: EmailId, envelope: string, bodyStructure: string];

/**
 * The search index as a loop sees it. Emails are never visible to another account. All methods work in short slices and call
 * `pause` between them (it lets other sessions run; a rejection ends the search).
 */
export interface SearchIndex {
  /** `needle`: folded as SEARCH compares (`foldForSearch` of mail/text.ts), at least one character. */
  containing(accountId: AccountId, scope: TextScope, needle: string, pause: () => Promise<void>): Promise<TextMatches>;
  /** FUZZY (RFC 6203), `words` folded: misspelt, inflected, in any order; best first, at most `limit`. */
  similar(accountId: AccountId, scope: TextScope, words: string, limit: number, pause: () => Promise<void>): Promise<SimilarEmail[]>;
  /** Facts of those of the emails that are indexed, in any order. At most 1000 at once. */
  facts(accountId: AccountId, emails: readonly EmailId[]): ThreadFacts[];
  /** Every indexed email of the account with its thread, in pages: emails above `after`, ascending, at most `limit`. */
  factsAfter(accountId: AccountId, after: EmailId, limit: number): ThreadFacts[];
  /**
   * Headers without their long fields (`mail/short-header.ts`), one character a byte, in the order of the emails; null where none is kept. At most 1000 at once.
   */
  shortHeaders(accountId: AccountId, emails: readonly EmailId[]): (string | null)[];
  /**
   * Envelopes that stand side by side in the index, in the order of the emails (0: none); null: to be read in the store, as all are when few
   * of the emails are neighbours. At most 1000 at once.
   */
  envelopes(accountId: AccountId, emails: readonly EmailId[]): (ListedEnvelope | null)[];
  /** Resolves when everything stored before the call is indexed, or after `ms` (false). */
  settled(ms: number): Promise<boolean>;
}

// ── Sieve at IMAP events (RFC 6785) ──────────────────────────────────────────────────────────────────

/** What an IMAP client did, and to which mailbox. */
export interface ImapHappening {
  readonly account: Account;
  readonly mailboxId: MailboxId;
  /** MOVE counts as COPY, where it goes to. */
  readonly cause: 'APPEND' | 'COPY' | 'FLAG';
  /** COPY: the mailbox the messages come from; otherwise null. */
  readonly fromId: MailboxId | null;
}
export interface ImapMessageEvent {
  readonly uid: number;
  /** FLAG: names as IMAP writes them. */
  readonly changedFlags: readonly string[];
}

export interface ImapSieve {
  /** Would a script run? Answers at once: sessions gather what `happened` is told only then. */
  isWanted(what: ImapHappening): boolean;
  /** After the commit. Nobody waits for it, and it never throws: the scripts run when there is time. */
  happened(what: ImapHappening, messages: readonly ImapMessageEvent[]): void;
  /** The ManageSieve server where the scripts are kept (sieveurl-server of RFC 5804), for IMAP's capability; null: there is none. */
  url(): string | null;
}

// ── Journey, log, metrics, clock ─────────────────────────────────────────────────────────────────────

export type JourneyStage = 'receive' | 'judge' | 'queue' | 'route' | 'deliver' | 'store' | 'access';
/** One row of a message's path. `keys` are what `posthorn trace` finds it by (addresses, Message-ID, client address). */
export interface JourneyEvent {
  readonly id: MessageId;
  readonly at: Milliseconds;
  readonly stage: JourneyStage;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly keys?: readonly string[];
}
export interface Journey {
  write(event: JourneyEvent): void;
}

export type LogFields = Readonly<Record<string, unknown>>;
/** Events have stable dotted names. No passwords, no message text. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Counters and gauges by name, declared in `system/metrics.ts`; a thread keeps its own, main adds them up. */
export interface Metrics {
  count(name: string, by?: number, label?: string): void;
  gauge(name: string, value: number, label?: string): void;
}

/** All that a protocol room is given in a loop thread. `settings()` answers the values now in force. */
export interface LoopContext<S = unknown> {
  settings(): S;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly journey: Journey;
  readonly directory: Directory;
  readonly authenticator: Authenticator;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly announcements: Announcements;
  readonly staging: Staging;
  readonly intake: Intake;
  /** Left out: no mailbox is also a folder of a system user. */
  readonly mirror?: MailboxMirror;
  /** Left out: only the directory says where addresses lead (tests of single rooms). */
  readonly router?: Router;
  /** Scripts that run when IMAP clients change something. Left out: there are none (tests of single rooms). */
  readonly imapSieve?: ImapSieve;
  /** Left out: searches read every message (tests of single rooms). */
  readonly search?: SearchIndex;
  /** null: only the directory decides (tests of single rooms). */
  readonly judge: Judge | null;
  readonly tls: TlsProvider;
  newId(): MessageId;
  /** Milliseconds; does not step back. */
  now(): Milliseconds;
}

// ── Administration: the same handlers behind the control socket and, with the server stopped, in the CLI's own process ──

export interface AdminContext {
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly staging: Staging;
  readonly intake: Intake;
  readonly directory: Directory;
  readonly log: Log;
  settings(): any;
  readonly dataDir: string;
  readonly isServerRunning: boolean;
  newId(): MessageId;
  now(): Milliseconds;
}
/** `emit` sends progress to the caller; `signal` aborts when the caller goes away. The result is plain data. */
export type AdminHandler = (context: AdminContext, args: any, emit: (progress: unknown) => void, signal: AbortSignal) => Promise<unknown>;
/** By name, "room.verb": 'user.add', 'queue.list'. Each room exports its own from `admin.ts`. */
export type AdminHandlers = Readonly<Record<string, AdminHandler>>;
/** What a CLI command is given. Rejects with Failure or Error whose message is a sentence for the terminal. */
export interface Admin {
  call(name: string, args: unknown, onProgress?: (progress: unknown) => void): Promise<any>;
  close(): Promise<void>;
}
