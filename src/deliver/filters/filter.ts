/**
 * What every filter language comes down to: a run that asks for what it cannot know and names what is to be done.
 * A run has no side effects of its own. Whoever drives it (the store's mailroom, the user agent, `posthorn filter test`)
 * answers its requests and executes its actions, all in one place for all languages.
 */
import type { Address, JudgeSymbol } from '../../ports.ts';

export type FilterLanguage = 'sieve' | 'procmail' | 'maildrop' | 'forward' | 'qmail';

/** Where in a script something stands. `file` is as the administrator or user would name it ("~/.procmailrc", "sieve:vacation"). */
export interface Origin {
  readonly file: string;
  /** From 1; 0 when the file as a whole is meant (what happens when no rule applies). */
  readonly line: number;
}

/** A script that cannot be run, or a run that came to an end it should not have. */
export interface FilterProblem extends Origin {
  /** One sentence without file and line. */
  readonly text: string;
  /** The language goes on without what is wrong (procmail): the rest of the file was followed. */
  readonly isPassedOver?: boolean;
}

/**
 * The message an action works on. null: as it came. Otherwise the header as it is now, with the blank line that ends it, and the
 * body as it is now, null where that is still the original's. Line ends are those of the run's input.
 */
export type MessageVersion = { readonly header: Uint8Array; readonly body: Uint8Array | null } | null;

/** Bits of FLAG in ports.ts and keywords in their own spelling. */
export interface FlagSet {
  readonly flags: number;
  readonly keywords: readonly string[];
}

export type Command =
  /** Given to the shell, as users write it. `shell` null: /bin/sh. */
  | { readonly kind: 'shell'; readonly line: string; readonly shell?: string | null; readonly shellFlags?: string | null }
  /** Started directly, without a shell. */
  | { readonly kind: 'argv'; readonly argv: readonly string[] };

interface ActionBase {
  readonly origin: Origin;
  readonly message: MessageVersion;
}

export type Action = ActionBase &
  (
    | { readonly kind: 'keep'; readonly flags: FlagSet | null /** No rule said so: what happens when nothing else does. */; readonly isImplicit: boolean }
    | {
        readonly kind: 'fileInto';
        /** Unicode, levels joined by "/". */
        readonly mailbox: string;
        readonly flags: FlagSet | null;
        /** Make it when it is missing; otherwise a missing mailbox is the driver's business (made too, or INBOX). */
        readonly isCreated: boolean;
        /** "\Junk", wins over the name when the account has such a mailbox (RFC 8579). */
        readonly specialUse: string | null;
        /** The object id of a mailbox, wins over the name while there is such a mailbox (RFC 9042). */
        readonly mailboxId?: string | null;
      }
    /** A file or folder in the user's file system, relative to the run's directory. Format by the language's own rules. */
    | {
        readonly kind: 'store';
        readonly path: string;
        readonly format: 'mbox' | 'maildir' | 'mh' | 'directory' | 'file';
        /** Further directories that get a hard link of the same file (procmail). */
        readonly links: readonly { readonly path: string; readonly format: 'maildir' | 'mh' | 'directory' }[];
        /** Lockfile to hold meanwhile; null: the format's own locking only. */
        readonly lockFile: string | null;
        /** Procmail's `r` flag and the like: write the bytes as they are, do not see to a trailing blank line. */
        readonly isRaw: boolean;
        /** Only this part of the message. */
        readonly part: 'both' | 'header' | 'body';
        readonly umask: number | null;
        /** Letters D F R S that the name of a maildir file gets behind ":2," (maildrop's FLAGS); such a file goes into cur. */
        readonly maildirFlags?: string;
      }
    | {
        readonly kind: 'redirect';
        readonly address: Address /** null: that of the message, rewritten as forwarding demands. */;
        readonly sender: Address | null;
        readonly dsn: RedirectDsn | null;
      }
    | {
        readonly kind: 'pipe';
        readonly command: Command;
        readonly part: 'both' | 'header' | 'body';
        readonly environment: Readonly<Record<string, string>>;
        /** The exit code decides about success (0, or 99 for qmail); false: started is enough. */
        readonly waits: boolean;
        readonly timeoutMs: number | null;
        readonly lockFile: string | null;
        readonly isRaw: boolean;
        readonly umask: number | null;
      }
    | { readonly kind: 'discard' }
    /** `ereject`: at the SMTP door when that is possible (RFC 5429). `code`: another enhanced status than 5.7.1. */
    | { readonly kind: 'reject'; readonly text: string; readonly variant: 'reject' | 'ereject'; readonly code?: string }
    /** Not now: try again later (exit code 75, qmail's 111). */
    | { readonly kind: 'defer'; readonly text: string }
    | {
        readonly kind: 'vacation';
        /** Without it the text of Subject is made from the message's own. */
        readonly subject: string | null;
        readonly from: string | null;
        readonly addresses: readonly string[];
        readonly handle: string;
        readonly isMime: boolean;
        readonly text: string;
        readonly periodSeconds: number;
        /** RFC 8580. */
        readonly fcc: { readonly mailbox: string; readonly flags: FlagSet | null; readonly isCreated: boolean; readonly specialUse: string | null } | null;
      }
    /** RFC 5435; only mailto (RFC 5436) leaves the server. */
    | {
        readonly kind: 'notify';
        readonly method: string;
        readonly from: string | null;
        readonly importance: 1 | 2 | 3;
        readonly options: readonly string[];
        readonly text: string | null;
        readonly fcc: { readonly mailbox: string; readonly flags: FlagSet | null; readonly isCreated: boolean; readonly specialUse: string | null } | null;
      }
    /** A message of the language's own making (maildrop's mailbot and the like do it with pipes; this is for composed text). */
    | { readonly kind: 'send'; readonly to: readonly Address[]; readonly sender: Address | null }
  );

/** RFC 6009. */
export interface RedirectDsn {
  readonly notify: string | null;
  readonly ret: 'FULL' | 'HDRS' | null;
}

/** What became of an action. Sieve never looks; procmail goes on with the next recipe after a failure. */
export interface ActAnswer {
  readonly isDone: boolean;
  /** For logs: why not. */
  readonly problem: string | null;
  /** The program's exit code, where one ran. */
  readonly exit?: number | null;
  /** Where it was stored, as LASTFOLDER shows it. */
  readonly stored?: string;
}

export interface RunAnswer {
  /** null when it could not be started or was killed. */
  readonly exit: number | null;
  readonly signal: string | null;
  readonly isTimedOut: boolean;
  /** Standard output, at most `outputMax` bytes; empty when it was not wanted. */
  readonly output: Uint8Array;
  readonly isTruncated: boolean;
  /** It did not read all of its input. */
  readonly isInputRefused: boolean;
}

export type FileKind = 'file' | 'directory' | 'maildir' | 'mh' | 'other' | null;

/** What a run may ask. Each is answered with the type beside it in `Answers`, or the run is ended (`return()`) by a driver that gives up. */
export type FilterRequest =
  | { readonly kind: 'act'; readonly action: Action }
  /** Bytes [from, to) of the message as it came. */
  | { readonly kind: 'bytes'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'run';
      readonly origin: Origin;
      readonly command: Command;
      readonly input: Uint8Array | null;
      readonly wantsOutput: boolean;
      readonly outputMax: number;
      readonly environment: Readonly<Record<string, string>>;
      readonly timeoutMs: number | null;
      readonly umask: number | null;
    }
  /** A file of the user's (include, forward list, word list); null when it is not there, 'unsafe' when it may not be trusted (writable by all, by another user). */
  | { readonly kind: 'file'; readonly path: string; readonly bytesMax: number }
  | { readonly kind: 'stat'; readonly path: string }
  | { readonly kind: 'size'; readonly path: string }
  | { readonly kind: 'chdir'; readonly path: string }
  | { readonly kind: 'environment'; readonly name: string }
  /** `sleepSeconds` between tries, stolen after `staleSeconds` (0: never); false when it was not had in time. */
  | { readonly kind: 'lock'; readonly path: string; readonly style: 'dot' | 'flock'; readonly sleepSeconds: number; readonly staleSeconds: number }
  | { readonly kind: 'unlock'; readonly path: string }
  /** To a log file of the user's (`file` null: the server's log). */
  | { readonly kind: 'log'; readonly file: string | null; readonly text: string }
  /** Sieve: facts about the account. */
  | { readonly kind: 'mailboxExists'; readonly mailbox: string }
  /** RFC 9042: by object id. */
  | { readonly kind: 'mailboxIdExists'; readonly mailboxId: string }
  | { readonly kind: 'specialUseExists'; readonly mailbox: string | null; readonly uses: readonly string[] }
  /** RFC 5490; mailbox null: the server's. */
  | { readonly kind: 'metadata'; readonly mailbox: string | null; readonly annotation: string }
  /** RFC 7352: seen before? Counts as seen from the moment the run's actions are carried out. */
  | { readonly kind: 'duplicate'; readonly handle: string; readonly id: string; readonly seconds: number; readonly isLast: boolean }
  /** RFC 6609: another script's text. */
  | { readonly kind: 'script'; readonly location: 'personal' | 'global'; readonly name: string }
  /** External lists (RFC 6134) and maildrop's gdbm: is `value` in the list? */
  | { readonly kind: 'listed'; readonly list: string; readonly value: string };

export interface Answers {
  act: ActAnswer;
  bytes: Uint8Array;
  run: RunAnswer;
  file: Uint8Array | null | 'unsafe';
  stat: FileKind;
  size: number | null;
  chdir: boolean;
  environment: string | null;
  lock: boolean;
  unlock: null;
  log: null;
  mailboxExists: boolean;
  mailboxIdExists: boolean;
  specialUseExists: boolean;
  metadata: string | null;
  duplicate: boolean;
  script: string | null;
  listed: boolean;
}

export type FilterEnd =
  | { readonly kind: 'done' /** procmail's and maildrop's EXITCODE; null where the language has none. */; readonly exitCode: number | null }
  /** The actions named so far stand; the message must not be lost: the driver keeps it. */
  | { readonly kind: 'failed'; readonly problem: FilterProblem };

/** The run of one script over one message. Write `yield* ask({ kind: 'stat', path })` to have the answer typed. */
export type FilterRun = Generator<FilterRequest, FilterEnd, unknown>;

export function* ask<R extends FilterRequest>(request: R): Generator<FilterRequest, Answers[R['kind']], unknown> {
  return (yield request) as Answers[R['kind']];
}

/** What a filter knows of the message and its delivery without asking. */
export interface FilterInput {
  /** Header fields with the blank line that ends them. CRLF for Sieve, LF for the languages of system users. */
  readonly header: Uint8Array;
  /** Bytes of the whole message, header included. */
  readonly size: number;
  /** The body when it is in memory (always for the languages of system users); null: ask for `bytes`. */
  readonly body: Uint8Array | null;
  readonly envelope: {
    /** null: `<>`. */
    readonly sender: Address | null;
    /** As it was addressed (RCPT TO). */
    readonly recipient: Address;
    /** After aliases. */
    readonly final: Address;
    /** Plus detail, or null. */
    readonly detail: string | null;
    readonly orcpt: string | null;
    /** What RCPT and MAIL said of delivery reports (RFC 3461), where it is known. */
    readonly dsn?: { readonly notify: string | null; readonly ret: 'FULL' | 'HDRS' | null; readonly envid: string | null };
    readonly helo: string | null;
    readonly clientIp: string | null;
    readonly clientName: string | null;
  };
  /** The account's login, or the system user's name. */
  readonly user: string;
  readonly home: string | null;
  readonly hostname: string;
  readonly domain: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Minutes east of UTC, for dates "as the server sees them". */
  readonly zoneMinutes: number;
  /** What the judge found; null when it did not look. `threshold`: from here on it is spam. */
  readonly spam: { readonly score: number; readonly threshold: number; readonly isSpam: boolean; readonly symbols: readonly JudgeSymbol[] } | null;
  /** 0 not scanned, 1 clean … 5 certainly infected (RFC 5235). */
  readonly virus: number;
}
