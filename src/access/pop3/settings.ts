/** Options of POP3: table `[pop3]` in posthorn.toml. */
import type { LoopContext } from '../../ports.ts';
import { choice, count, duration, flag, HOUR, MINUTE, SECOND, type SettingsOf, text } from '../../system/declare.ts';
import { checkOwnUidlFormat, OWN_UIDL_FORMAT } from '../../wire/pop3/uidl.ts';

export const POP3_SETTINGS = {
  'pop3.idleTimeout': duration({
    default: 10 * MINUTE,
    least: 10 * SECOND,
    most: 24 * HOUR,
    doc: 'A logged-in session that sends nothing for so long is closed; its deletions do not happen.',
    see: 'RFC 1939 section 3 (at least ten minutes)',
  }),
  'pop3.loginTimeout': duration({
    default: 1 * MINUTE,
    least: 5 * SECOND,
    most: 1 * HOUR,
    doc: 'A connection that has not logged in after being silent for so long is closed.',
    see: 'Dovecot client_idle_timeout before login',
  }),
  'pop3.errorsMax': count({
    default: 20,
    least: 1,
    most: 1000,
    doc: 'Refused commands after which a session is closed.',
    see: 'Dovecot CLIENT_MAX_BAD_COMMANDS',
  }),
  'pop3.loginsMax': count({ default: 5, least: 1, most: 100, doc: 'Failed logins after which a connection is closed.' }),
  'pop3.messagesMax': count({
    default: 1_000_000,
    least: 100,
    doc: 'Most messages shown in one session; the inbox and the oldest come first, the rest the next time.',
    see: 'RFC 1939; memory per session',
  }),
  'pop3.markSeen': flag({ default: true, doc: 'Messages that were fetched count as read in IMAP and webmail.', see: 'Dovecot pop3_no_flag_updates' }),
  'pop3.shows': choice({
    of: ['all', 'unseen', 'everywhere', 'none'],
    default: 'all',
    doc: 'What POP3 shows: all of the inbox, only unread messages of the inbox, the inbox and every other mailbox except trash, junk, drafts and sent (everywhere), or nothing (POP3 is off). Single accounts: posthorn user option.',
  }),
  'pop3.deletes': choice({
    of: ['expunge', 'trash', 'keep'],
    default: 'expunge',
    doc: 'What deleting by POP3 does: removes the message, moves it to the trash, or hides it from POP3 only. Single accounts: posthorn user option.',
    see: 'Dovecot pop3_delete_type',
  }),
  'pop3.uidlFormat': text({
    default: OWN_UIDL_FORMAT,
    accepts:
      'posthorn, or a format of %u (UID) and %v (UIDVALIDITY), with X for hexadecimal and 08 for eight digits: "%08Xu%08Xv" (Dovecot), "%v-%u" (Courier), "%v.%u" (Cyrus)',
    check: checkOwnUidlFormat,
    doc: 'How unique-ids are made. After a move from another server its format keeps clients from fetching everything again; imported messages keep theirs anyway. Outside the inbox (pop3.shows) a format without %v is not used.',
    see: 'RFC 1939 section 7; Dovecot pop3_uidl_format',
  }),
  'pop3.loginDelay': duration({
    default: 0,
    most: 24 * HOUR,
    doc: 'Least time between two logins of one account; announced to clients. 0: none.',
    see: 'RFC 2449 section 6.5',
  }),
  'pop3.last': flag({
    default: false,
    doc: 'Answers LAST, for clients from before 1994 that know no UIDL.',
    see: 'RFC 1460; Dovecot pop3_enable_last',
  }),
  'pop3.replaceNul': flag({
    default: true,
    doc: 'NUL bytes in messages are sent as 0x80: some Outlook versions hang on them.',
    see: 'Dovecot pop3_client_workarounds outlook-no-nuls',
  }),
  'pop3.lockLease': duration({
    default: 2 * MINUTE,
    least: 10 * SECOND,
    most: 1 * HOUR,
    doc: 'How long a mailbox stays locked when the thread that locked it is lost; renewed while a session lasts.',
    see: 'RFC 1939 section 4; Dovecot pop3_lock_session',
  }),
};
export type Pop3Settings = SettingsOf<typeof POP3_SETTINGS>;
export type Pop3Context = LoopContext<Pop3Settings>;
