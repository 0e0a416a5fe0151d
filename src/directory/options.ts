/** Choices of one account that differ from the settings of the server. Who may set them checks their values first (`ACCOUNT_OPTIONS`). */
import type { AccountId, StoreReader } from '../ports.ts';

export interface AccountOption {
  /** Throws nothing: the fault in words ("must be …"), or undefined. */
  check(value: string): string | undefined;
  readonly accepts: string;
  readonly doc: string;
}

const WORDS = /^(?=.{1,1000}$)[A-Za-z0-9=+.-]+( [A-Za-z0-9=+.-]+)*$/;
const oneOf =
  (...words: readonly string[]) =>
  (value: string): string | undefined =>
    words.includes(value) ? undefined : `must be one of: ${words.join(', ')}`;

/** By name. To add one: a row here, and the room that reads it. */
export const ACCOUNT_OPTIONS: Readonly<Record<string, AccountOption>> = {
  'imap.hide': {
    check: (value) => (WORDS.test(value) ? undefined : 'must be capability names separated by spaces'),
    accepts: 'capability names separated by spaces: "CONDSTORE UIDONLY"',
    doc: 'IMAP capabilities this account is not offered and cannot enable, for a client that stumbles over them.',
  },
  'imap.referral': {
    // "]" would end the response code that it is told in.
    check: (value) => (/^imaps?:\/\/[\x21-\x5c\x5e-\x7e]{1,500}$/.test(value) ? undefined : 'must be an IMAP URL (RFC 5092) without "]"'),
    accepts: 'an IMAP URL: "imap://anna;AUTH=*@mail2.example.org/"',
    doc: 'The account has moved: logins are answered with this referral, and refused unless imap.referralLogin says otherwise (RFC 2221).',
  },
  'imap.referralLogin': {
    check: oneOf('refuse', 'allow'),
    accepts: 'refuse or allow',
    doc: 'What becomes of a login by IMAP where imap.referral is set: it is refused, or goes on here beside the referral (while the mail is being moved, or for mailboxes that others share here).',
  },
  'pop3.shows': {
    check: oneOf('all', 'unseen', 'everywhere', 'none'),
    accepts: 'all, unseen, everywhere or none',
    doc: 'What POP3 shows: all of the inbox, only what POP3 or IMAP have not read of the inbox, the inbox and every other mailbox except trash, junk, drafts and sent (everywhere), or nothing (POP3 is off).',
  },
  'pop3.since': {
    check: (value) => (/^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? undefined : 'must be a date: 2026-11-20'),
    accepts: 'a date: "2026-11-20"',
    doc: 'POP3 shows only messages that arrived on this day (UTC) or later.',
  },
  'pop3.deletes': {
    check: oneOf('expunge', 'trash', 'keep'),
    accepts: 'expunge, trash or keep',
    doc: 'What deleting by POP3 does: removes the message, moves it to Trash, or hides it from POP3 only.',
  },
};

/** Empty for an account that has none. */
export function accountOptions(reader: StoreReader, accountId: AccountId): ReadonlyMap<string, string> {
  const rows = reader.rows('SELECT name, value FROM account_option WHERE account_id=?', accountId) as [string, string][];
  return rows.length === 0 ? NONE : new Map(rows);
}
const NONE: ReadonlyMap<string, string> = new Map();
