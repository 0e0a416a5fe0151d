/** Options of the rooms that take mail in: `[smtp]`, `[submission]`, `[lmtp]` and `[pickup]` in posthorn.toml. */
import { wrongNetwork } from '../net/networks.ts';
import { bytes, choice, count, DAY, duration, flag, HOUR, KiB, list, MiB, MINUTE, path, SECOND, type SettingsOf, text } from '../system/declare.ts';

const NETWORKS = 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]';

export const SMTP_SETTINGS = {
  'smtp.messageBytesMax': bytes({
    default: 50 * MiB,
    least: 64 * KiB,
    most: 2048 * MiB,
    doc: 'Largest message accepted, by SMTP, submission, LMTP and pickup; announced as SIZE.',
    see: 'RFC 1870; Postfix message_size_limit',
  }),
  'smtp.recipientsMax': count({
    default: 1000,
    least: 100,
    most: 50_000,
    doc: 'Recipients of one transaction; announced as LIMITS RCPTMAX.',
    see: 'RFC 5321 section 4.5.3.1.8, RFC 9422; Postfix smtpd_recipient_limit',
  }),
  'smtp.transactionsMax': count({
    default: 10_000,
    least: 1,
    most: 1_000_000,
    doc: 'MAIL commands in one connection; announced as LIMITS MAILMAX.',
    see: 'RFC 9422',
  }),
  'smtp.lineBytesMax': bytes({
    default: 256 * KiB,
    least: 998,
    doc: 'Longest line of a message, without its CRLF; a message with a longer one is refused after it was read.',
    see: 'RFC 5321 section 4.5.3.1.6; Postfix line_length_limit',
  }),
  'smtp.bareLf': choice({
    default: 'refuse',
    of: ['refuse', 'normalize'],
    doc: 'A bare LF or CR in commands or messages: refuse it, or read a bare LF in a message as CRLF (for old devices). Neither ends a message.',
    see: 'Postfix smtpd_forbid_bare_newline',
  }),
  'smtp.nul': choice({ default: 'refuse', of: ['refuse', 'accept'], doc: 'Messages that contain NUL bytes.', see: 'Postfix message_reject_characters' }),
  'smtp.receivedMax': count({
    default: 50,
    least: 5,
    most: 1000,
    doc: 'Received fields after which a message is taken for a loop.',
    see: 'RFC 5321 section 6.3; Postfix hopcount_limit',
  }),
  'smtp.commandTimeout': duration({
    default: 5 * MINUTE,
    least: SECOND,
    most: HOUR,
    doc: 'Time to wait for the next command.',
    see: 'RFC 5321 section 4.5.3.2.7; Postfix smtpd_timeout',
  }),
  'smtp.dataTimeout': duration({
    default: 3 * MINUTE,
    least: SECOND,
    most: HOUR,
    doc: 'Time to wait for the next bytes of a message.',
    see: 'RFC 5321 section 4.5.3.2.5',
  }),
  'smtp.sessionTimeout': duration({
    default: 2 * HOUR,
    least: MINUTE,
    most: DAY,
    doc: 'Longest life of a connection; it ends at the next pause between commands.',
  }),
  'smtp.messageTimeout': duration({ default: HOUR, least: MINUTE, most: DAY, doc: 'Longest time for the bytes of one message, however steadily they come.' }),
  'smtp.errorsMax': count({
    default: 20,
    least: 1,
    most: 10_000,
    doc: 'Refused commands after which the connection is closed with 421.',
    see: 'Postfix smtpd_hard_error_limit',
  }),
  'smtp.junkMax': count({
    default: 100,
    least: 1,
    most: 100_000,
    doc: 'NOOP, RSET, VRFY, EXPN, HELP and repeated HELO commands between messages after which each counts as an error.',
    see: 'Postfix smtpd_junk_command_limit',
  }),
  'smtp.greeting': text({ default: '', doc: 'What the greeting says after the host name and "ESMTP".', see: 'Postfix smtpd_banner' }),
  'smtp.starttls': flag({ default: true, doc: 'Offer STARTTLS where there is a certificate.', see: 'RFC 3207; Postfix smtpd_tls_security_level' }),
  'smtp.auth': flag({ default: false, doc: 'Offer AUTH on port 25 too; mail programs use submission.', see: 'RFC 4954; Postfix smtpd_sasl_auth_enable' }),
  'smtp.relayFrom': list({
    default: [],
    accepts: NETWORKS,
    check: wrongNetwork,
    doc: 'Networks whose clients may send to any domain without a login.',
    see: 'Postfix mynetworks',
  }),
  'smtp.xclientFrom': list({
    default: [],
    accepts: NETWORKS,
    check: wrongNetwork,
    doc: 'Clients that may name the real client with XCLIENT and XFORWARD.',
    see: 'Postfix smtpd_authorized_xclient_hosts',
  }),
  'smtp.vrfy': choice({
    default: 'deny',
    of: ['deny', 'recipients'],
    doc: 'VRFY: say nothing of use (252), or tell whether RCPT would be accepted.',
    see: 'Postfix disable_vrfy_command',
  }),
};

export const SUBMISSION_SETTINGS = {
  'submission.checkFromHeader': flag({
    default: true,
    doc: 'Refuse messages whose From header names addresses that the account may not use.',
    see: 'Postfix reject_sender_login_mismatch, for the header',
  }),
  'submission.headerBytesMax': bytes({
    default: 256 * KiB,
    least: 16 * KiB,
    most: 4 * MiB,
    doc: 'Largest header of a submitted message.',
    see: 'Postfix header_size_limit',
  }),
  'submission.messagesPerHourMax': count({
    default: 1000,
    least: 0,
    doc: 'Messages one account may submit in an hour, over all threads; 0 = no limit. More rules: rates.limits.',
    see: 'Postfix smtpd_client_message_rate_limit',
  }),
  'submission.recipientsPerHourMax': count({
    default: 5000,
    least: 0,
    doc: 'Recipients one account may send to in an hour, over all threads; 0 = no limit.',
    see: 'Postfix smtpd_client_recipient_rate_limit',
  }),
};

export const LMTP_SETTINGS = {
  'lmtp.recipientsMax': count({ default: 1000, least: 1, most: 50_000, doc: 'Recipients of one LMTP transaction.', see: 'RFC 2033' }),
};

export const PICKUP_SETTINGS = {
  'pickup.enabled': flag({ default: true, doc: 'Take messages that programs on this machine send with the sendmail command.', see: 'Postfix pickup(8)' }),
  'pickup.directory': path({
    default: '',
    takes: 'restart',
    doc: 'Where the sendmail command puts messages; empty is pickup in the data folder, which other users of this machine may not be able to reach.',
  }),
  'pickup.scanInterval': duration({
    default: MINUTE,
    least: SECOND,
    most: HOUR,
    doc: 'How often the directory is read in case a notification was lost.',
    see: 'Postfix pickup wakeup time',
  }),
};

export const RECEIVE_SETTINGS = { ...SMTP_SETTINGS, ...SUBMISSION_SETTINGS, ...LMTP_SETTINGS, ...PICKUP_SETTINGS };

/** What these rooms read; `hostname` and `domain` are declared by the system. */
export type ReceiveSettings = SettingsOf<typeof RECEIVE_SETTINGS> & { readonly hostname: string; readonly domain: string };
