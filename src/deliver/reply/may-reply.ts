/** Whether a message may be answered by a program: RFC 3834 section 2, RFC 5230 sections 4.5 and 4.6, RFC 5429, RFC 5436 section 2.7. */
import { addressKey } from '../../mail/address.ts';
import type { Address } from '../../ports.ts';
import type { HeaderFacts } from './header-facts.ts';

/** Each with the sentence that journey and log say. */
export const REPLY_REFUSALS = {
  nullSender: 'the message has the null sender: a report or a reply itself',
  oneself: 'the message comes from the account itself',
  automaticSender: 'the sender is a program by its name',
  listedSender: 'the sender is listed in reply.never',
  automatic: 'a program wrote the message (Auto-Submitted or a field like it)',
  list: 'the message came by a mailing list',
  bulk: 'the message is bulk mail (Precedence)',
  suppressed: 'the sender wishes no automatic reply (X-Auto-Response-Suppress)',
  notAddressed: 'the message does not name the recipient in To, Cc or Bcc',
  spam: 'the message is spam',
  forged: 'the sender is forged (SPF fail)',
  repeated: 'the sender was told already',
  limit: 'the account has sent as many automatic replies today as it may',
  badTarget: 'the method names no valid recipient',
  badSender: 'the sender is no address that could be answered',
} as const;
export type ReplyRefusal = keyof typeof REPLY_REFUSALS;

export interface ReplyFacts {
  readonly sender: Address | null;
  readonly header: HeaderFacts;
  /** Keys ("local@domain", lower case) of the recipient: login, aliases, the address it came to, :addresses. */
  readonly ownAddresses: readonly string[];
  readonly isSpam: boolean;
  /** `reply.never`. */
  readonly never?: readonly string[];
  /** Vacation answers only what names the recipient; a challenge asks about anything that came. */
  readonly mustBeAddressed: boolean;
  /** Characters that begin the detail of an address ("+"). */
  readonly delimiters?: string;
}

/** Null when a reply is due, else why not. */
export function mayReply(facts: ReplyFacts): ReplyRefusal | null {
  const { sender, header, delimiters = '+' } = facts;
  if (sender === null) return 'nullSender';
  const key = addressKey(sender);
  if (sender.local === '' || sender.domain === '') return 'badSender';
  const own = new Set(facts.ownAddresses.map((address) => address.toLowerCase()));
  if (isOwn(key, own, delimiters)) return 'oneself';
  if (isAutomaticAddress(sender)) return 'automaticSender';
  if (facts.never !== undefined && isListed(key, facts.never)) return 'listedSender';
  if (header.autoSubmitted !== null || header.automaticField !== null || header.isReport || header.isChallenge) return 'automatic';
  if (header.listField !== null) return 'list';
  if (header.precedence !== null && BULK.has(header.precedence)) return 'bulk';
  for (const word of SUPPRESSING) if (header.suppresses.has(word)) return 'suppressed';
  if (facts.isSpam) return 'spam';
  if (facts.mustBeAddressed && !isAddressed(header.recipients, own, delimiters)) return 'notAddressed';
  return null;
}

const BULK: ReadonlySet<string> = new Set(['bulk', 'junk', 'list', 'auto_reply', 'auto-reply']);
/** [MS-OXCMAIL] section 2.2.3.2.14: these suppress replies; "dr", "ndr", "rn" and "nrn" speak of reports only. */
const SUPPRESSING = ['all', 'oof', 'autoreply'];

function isAddressed(recipients: ReadonlySet<string>, own: ReadonlySet<string>, delimiters: string): boolean {
  for (const key of recipients) if (isOwn(key, own, delimiters)) return true;
  return false;
}

/** One of one's own, with or without detail (RFC 5233). */
function isOwn(key: string, own: ReadonlySet<string>, delimiters: string): boolean {
  if (own.has(key)) return true;
  const at = key.lastIndexOf('@');
  for (let i = 1; i < at; i += 1) if (delimiters.includes(key[i]!) && own.has(key.slice(0, i) + key.slice(at))) return true;
  return false;
}

/** Local parts of programs; "postmaster" is a person (RFC 5230 section 4.6). */
const PROGRAMS: ReadonlySet<string> = new Set([
  'mailer-daemon',
  'mailerdaemon',
  'mailer_daemon',
  'daemon',
  'listserv',
  'majordomo',
  'majordom',
  'mailman',
  'listproc',
  'ezmlm',
  'smartlist',
  'noreply',
  'no-reply',
  'no_reply',
  'no.reply',
  'donotreply',
  'do-not-reply',
  'do_not_reply',
  'autoreply',
  'auto-reply',
  'bounce',
  'bounces',
  'nobody',
  'uucp',
  'devnull',
  'anonymous',
]);
const BEGINNINGS = [
  'owner-',
  'request-',
  'bounce-',
  'bounces-',
  'bounce+',
  'bounces+',
  'noreply-',
  'no-reply-',
  'noreply+',
  'no-reply+',
  'mailer-daemon-',
  'msprvs1=',
];
const ENDINGS = ['-request', '-owner', '-bounces', '-bounce', '-relay', '-errors', '-noreply', '-no-reply'];

/** A sender whose name says that nobody reads what is sent there. */
export function isAutomaticAddress({ local }: Address): boolean {
  const name = local.toLowerCase();
  if (PROGRAMS.has(name)) return true;
  for (const beginning of BEGINNINGS) if (name.startsWith(beginning)) return true;
  // VERP keeps the list's own name before a "+" or "=": "news-bounces+ann=example.org".
  const stem = name.split(/[+=]/, 1)[0]!;
  for (const ending of ENDINGS) if (stem.endsWith(ending)) return true;
  return false;
}

function isListed(key: string, never: readonly string[]): boolean {
  const at = key.lastIndexOf('@');
  for (const entry of never) {
    const pattern = entry.toLowerCase();
    if (pattern === key || (pattern.startsWith('@') && pattern === key.slice(at)) || (pattern.endsWith('@') && pattern === key.slice(0, at + 1))) return true;
  }
  return false;
}

/** A rejection may be reported unless nobody (or somebody else) would read it: RFC 5429 sections 2.1 and 2.2. */
export function mayReportRejection(sender: Address | null, isSpam: boolean, isForged: boolean): ReplyRefusal | null {
  if (sender === null) return 'nullSender';
  if (sender.local === '' || sender.domain === '') return 'badSender';
  return isSpam ? 'spam' : isForged ? 'forged' : null;
}
