/** Options of POP3: table `[pop3]` in posthorn.toml. */
import type { LoopContext } from '../../ports.ts';
import { count, duration, flag, HOUR, MINUTE, SECOND, type SettingsOf } from '../../system/declare.ts';

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
    doc: 'Most messages shown in one session; the oldest come first, the rest the next time.',
    see: 'RFC 1939; memory per session',
  }),
  'pop3.markSeen': flag({ default: true, doc: 'Messages that were fetched count as read in IMAP and webmail.', see: 'Dovecot pop3_no_flag_updates' }),
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
