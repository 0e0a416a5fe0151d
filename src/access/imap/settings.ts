/** Options of IMAP, `[imap]` in posthorn.toml. */
import { bytes, choice, count, duration, flag, KiB, list, MiB, MINUTE, type SettingsOf, text } from '../../system/declare.ts';

function isLevel(value: string): string | undefined {
  return value === '' || /[/%*\x00-\x1f]/.test(value) || value.toUpperCase() === 'INBOX' ? 'is no level of a mailbox name' : undefined;
}

export const IMAP_SETTINGS = {
  'imap.lineBytesMax': bytes({
    default: 64 * KiB,
    least: 8 * KiB,
    most: 1 * MiB,
    doc: 'Longest command, its literals not counted.',
    see: 'Dovecot imap_max_line_length; RFC 7162 section 4 asks for at least 8 KiB',
  }),
  'imap.literalBytesMax': bytes({
    default: 64 * KiB,
    least: 4 * KiB,
    most: 1 * MiB,
    doc: 'Most bytes of all literals of one command; the message of APPEND is not counted.',
    see: 'RFC 7888 section 3',
  }),
  'imap.appendBytesMax': bytes({
    default: 50 * MiB,
    least: 64 * KiB,
    doc: 'Largest message that APPEND takes; announced as APPENDLIMIT.',
    see: 'RFC 7889',
  }),
  'imap.appendMessagesMax': count({ default: 1000, least: 1, doc: 'Most messages in one APPEND.', see: 'RFC 3502' }),
  'imap.connectionsPerUserMax': count({
    default: 50,
    least: 20,
    doc: 'Connections of one account from one client address, for each network thread; a client keeps one for each folder it watches.',
    see: 'Dovecot mail_max_userip_connections',
  }),
  'imap.loginFailuresMax': count({ default: 5, least: 1, doc: 'Failed logins after which the connection is closed.' }),
  'imap.badCommandsMax': count({ default: 20, least: 3, doc: 'Malformed commands in a row after which the connection is closed.' }),
  'imap.loginTimeout': duration({ default: 3 * MINUTE, least: 10_000, doc: 'A client that has not logged in by then is disconnected.' }),
  'imap.inactivityTimeout': duration({
    default: 30 * MINUTE,
    least: 30 * MINUTE,
    doc: 'A client that has sent nothing for so long is logged out, also from IDLE.',
    see: 'RFC 9051 section 5.4',
  }),
  'imap.idleNotice': duration({
    default: 2 * MINUTE,
    least: 10_000,
    doc: 'How often an idling client hears "Still here", so that NAT routers and phones keep the connection.',
    see: 'Dovecot imap_idle_notify_interval',
  }),
  'imap.metadataValueBytesMax': bytes({
    default: 32 * KiB,
    least: 1 * KiB,
    most: 1 * MiB,
    doc: 'Largest annotation on a mailbox or on the server; it must also fit into `imap.literalBytesMax`.',
    see: 'RFC 5464 section 4.1',
  }),
  'imap.metadataEntriesMax': count({ default: 100, least: 10, most: 10_000, doc: 'Most annotations on one mailbox, or on the server by one account.' }),
  'imap.metadataAccountEntriesMax': count({ default: 2000, least: 10, most: 100_000, doc: 'Most annotations of one account, on all its mailboxes together.' }),
  'imap.adminContact': text({
    default: '',
    accepts: 'a URI such as "mailto:help@example.org" or "tel:+49301234567", or ""',
    doc: 'How users reach the administrator: the annotation /shared/admin. Empty: postmaster in the domain of the user.',
    see: 'RFC 5464 section 3.2.1.1',
    check: (value) => (value === '' || /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(value) ? undefined : 'is no URI'),
  }),
  'imap.sharing': choice({
    of: ['domain', 'all', 'none'],
    default: 'domain',
    doc: 'With whom users may share mailboxes: users of their own domain, all users of this server, or nobody.',
    see: 'RFC 4314; Dovecot acl plugin',
  }),
  'imap.sharedAccounts': list({
    default: [],
    accepts: 'a list of login names: ["team@example.org"]',
    doc: 'Accounts that exist to be shared: their mailboxes stand below `imap.sharedPrefix`, for whom they give rights to, of any domain.',
    see: 'RFC 2342 section 5; Dovecot namespace type=public',
  }),
  'imap.otherUsersPrefix': text({
    default: 'Other Users',
    accepts: 'one level of a mailbox name',
    doc: 'Mailboxes that other users share stand below this name, then their login.',
    see: 'RFC 2342',
    check: isLevel,
  }),
  'imap.sharedPrefix': text({
    default: 'Shared',
    accepts: 'one level of a mailbox name',
    doc: 'Mailboxes of `imap.sharedAccounts` stand below this name, then their login.',
    see: 'RFC 2342',
    check: isLevel,
  }),
  'imap.uidOnly': flag({
    default: false,
    doc: 'Offer UIDONLY. Some clients switch on whatever they are offered, and then send sequence numbers that it forbids.',
    see: 'RFC 9586',
  }),
  'imap.uidBatches': flag({
    default: false,
    doc: 'Offer UIDBATCHES, with which clients divide a large mailbox before they synchronise it.',
    see: 'draft-ietf-mailmaint-imap-uidbatches',
  }),
  'imap.messageLimit': count({
    default: 0,
    doc: 'Most messages that one FETCH, SEARCH, STORE, MOVE or UID EXPUNGE works on, and that COPY, APPEND, SORT and THREAD take at all; announced as MESSAGELIMIT. 0: no limit, otherwise best 1000 and more.',
    see: 'RFC 9738 section 3',
  }),
  'imap.saveLimit': count({
    default: 0,
    doc: 'Most messages that one COPY or APPEND puts into a mailbox, announced as SAVELIMIT where imap.messageLimit is not set. 0: no limit, otherwise best 1000 and more.',
    see: 'RFC 9738 section 3',
  }),
  'imap.notifyMailboxesMax': count({
    default: 1000,
    least: 10,
    most: 100_000,
    doc: 'Mailboxes that one client may have watched for it with NOTIFY, besides the selected one.',
    see: 'RFC 5465 section 3.1',
  }),
  'imap.compress': flag({
    default: false,
    doc: 'Offer COMPRESS=DEFLATE. Saves traffic on slow lines; a connection that uses it costs up to 300 KB of memory more, and time to compress.',
    see: 'RFC 4978',
  }),
  'imap.urlauthSubmitters': list({
    default: [],
    accepts: 'a list of login names: ["submit@example.org"]',
    doc: 'Accounts of servers that take mail for users and fetch parts of it here: they may use URLs that users made for submission.',
    see: 'RFC 4467 section 3; Dovecot imap_urlauth_submit_user',
  }),
  'imap.utf8Only': flag({
    default: false,
    doc: 'Announce UTF8=ONLY and refuse clients that do not ENABLE UTF8=ACCEPT: nearly all of today. For sites whose mail is in UTF-8 throughout.',
    see: 'RFC 6855 section 6',
  }),
  'imap.capabilitiesHidden': list({
    default: [],
    accepts: 'a list of capability names: ["CONDSTORE"]',
    doc: 'Capabilities that are not announced, for clients that stumble over them.',
    check: (name) => (/^[A-Za-z0-9=+-]+$/.test(name) ? undefined : 'is no capability name'),
  }),
};
export type ImapSettings = SettingsOf<typeof IMAP_SETTINGS>;
