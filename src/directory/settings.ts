/** Options of the directory and of logins: tables `[directory]`, `[auth]` and `[oauth]` in posthorn.toml. */
import { wrongNetwork } from '../net/networks.ts';
import { count, DAY, duration, flag, GiB, HOUR, KiB, list, MINUTE, MiB, SECOND, type SettingsOf, bytes, text } from '../system/declare.ts';
import { OAUTH_SETTINGS } from './oauth/settings.ts';

/** Every mechanism this server knows, strongest first. */
export const SASL_MECHANISMS = [
  'EXTERNAL',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'OAUTHBEARER',
  'XOAUTH2',
  'PLAIN',
  'LOGIN',
  'ANONYMOUS',
] as const;

/** Whether the type and the source are right is found out when it is opened. */
const wrongTable = (entry: string): string | undefined =>
  /^[a-z][a-z0-9]*:./.test(entry) ? undefined : 'must be a table such as "mysql:/etc/posthorn/passwords.cf"';

export const DIRECTORY_SETTINGS = {
  'directory.recipientDelimiters': text({
    default: '+',
    accepts: 'characters, or "" for none',
    doc: 'Characters that part the user name from a detail: mail for alice+shop@ goes to alice@.',
    see: 'RFC 5233; Postfix recipient_delimiter',
    check: (value) => (/^[!-/:-?[-`{-~]{1,8}$/.test(value) ? undefined : 'must be up to 8 punctuation characters other than "@"'),
  }),
  'directory.aliasTargetsMax': count({
    default: 1000,
    least: 1,
    most: 100_000,
    doc: 'Most addresses one recipient may expand to through aliases.',
    see: 'Postfix virtual_alias_expansion_limit',
  }),
  'directory.aliasDepthMax': count({
    default: 10,
    least: 1,
    most: 1000,
    doc: 'Most aliases that may lead to one another in a row.',
    see: 'Postfix virtual_alias_recursion_limit',
  }),
  'directory.postmaster': text({
    default: '',
    accepts: 'an address, or ""',
    doc: 'Takes mail for postmaster@ and abuse@ of every local domain that has no such address itself; when empty, the first account does.',
    see: 'RFC 5321 section 4.5.1, RFC 2142; Postfix 2bounce_notice_recipient',
    check: (value) => (/^[^@\s]+@[^@\s]+$/.test(value) ? undefined : 'must be an address such as "admin@example.org"'),
  }),
  'directory.addressLiterals': list({
    default: [],
    accepts: 'a list of address literals: ["[192.0.2.1]", "[IPv6:2001:db8::1]"]',
    doc: 'Address literals that mean this server: mail for user@[192.0.2.1] goes to that user of the first mail domain (option domain).',
    see: 'RFC 5321 section 4.1.3; Postfix mydestination',
    check: (entry) => (/^\[[0-9A-Za-z:.]+\]$/.test(entry) ? undefined : 'must be an address in brackets, such as "[192.0.2.1]"'),
  }),
  'directory.cacheEntries': count({
    default: 10_000,
    least: 0,
    most: 1_000_000,
    doc: 'Resolved addresses each thread keeps in memory; 0 looks every address up again.',
  }),
  'auth.mechanisms': list({
    default: SASL_MECHANISMS,
    accepts: `a list of ${SASL_MECHANISMS.join(', ')}`,
    doc: 'SASL mechanisms offered, where the connection and the other options allow them; without PLAIN and LOGIN no protocol takes a password in clear.',
    see: 'Dovecot auth_mechanisms',
    check: (entry) => ((SASL_MECHANISMS as readonly string[]).includes(entry) ? undefined : `must be one of ${SASL_MECHANISMS.join(', ')}`),
  }),
  'auth.plusAnnounced': list({
    default: ['imap', 'pop3'],
    accepts: 'a list of imap, pop3, smtp, sieve',
    doc: 'Protocols whose capability list names SCRAM-…-PLUS; it is taken everywhere. Not smtp: mutt 2.2 chooses it whenever it is named there, cannot bind to TLS 1.3, and tries nothing else.',
    see: 'RFC 9266',
    check: (entry) => (['imap', 'pop3', 'smtp', 'sieve'].includes(entry) ? undefined : 'must be imap, pop3, smtp or sieve'),
  }),
  'auth.plainOnLoopback': flag({
    default: true,
    doc: 'Allow logins without TLS when the client is on this machine.',
    see: 'Dovecot auth_allow_cleartext',
  }),
  'auth.anonymousAccount': text({
    default: '',
    accepts: 'an address, or ""',
    doc: 'Anybody may log in by IMAP and POP3 as this account, without a password (ANONYMOUS), and do there what auth.anonymousRights says; empty: nobody may.',
    see: 'RFC 4505; Dovecot auth_anonymous_username',
    check: (value) => (/^[^@\s]+@[^@\s]+$/.test(value) ? undefined : 'must be an address such as "public@example.org"'),
  }),
  'auth.anonymousRights': text({
    default: 'lr',
    accepts: 'letters of lrswipkxtea',
    doc: 'Rights of such visitors in all mailboxes of that account: see (l), read (r), mark as read (s), set flags (w), put in (i), delete (t, e), create and remove mailboxes (k, x), and act as its owner (a). POP3 deletes with t and e.',
    see: 'RFC 4314 section 2.1',
    check: (value) => (/^[lrswipkxtea]*$/.test(value) ? undefined : 'must be letters of lrswipkxtea'),
  }),
  'auth.defaultDomain': text({
    default: '',
    accepts: 'a domain, or ""',
    doc: 'Domain of a login name given without one; when empty, the first mail domain (option domain).',
    see: 'Dovecot auth_default_domain',
    check: (value) => (/^[^@\s]+$/.test(value) ? undefined : 'must be a domain such as "example.org"'),
  }),
  'auth.argon2Memory': bytes({
    default: 19 * MiB,
    least: 8 * KiB,
    most: 1 * GiB,
    doc: 'Memory that hashing one password takes.',
    see: 'RFC 9106 parameter m; Dovecot ARGON2ID scheme',
  }),
  'auth.argon2Passes': count({ default: 2, least: 1, most: 64, doc: 'Passes over that memory.', see: 'RFC 9106 parameter t' }),
  'auth.argon2Lanes': count({ default: 1, least: 1, most: 16, doc: 'Lanes of that memory.', see: 'RFC 9106 parameter p' }),
  'auth.scram': flag({
    default: true,
    doc: 'Keep SCRAM secrets beside the password hash, for SHA-256 and, while auth.mechanisms names it, for SHA-1; each SCRAM is announced once every credential has its secret.',
    see: 'RFC 5803',
  }),
  'auth.scramIterations': count({
    default: 20_000,
    least: 4096,
    most: 1_000_000,
    doc: 'Rounds of PBKDF2 in SCRAM secrets made from now on; the client pays them at each login.',
    see: 'RFC 7677 section 4',
  }),
  'auth.passwordCharactersMin': count({
    default: 8,
    least: 1,
    most: 64,
    doc: 'Fewest characters of a password that somebody chooses.',
    see: 'NIST SP 800-63B section 3.1.1.2',
  }),
  'auth.cacheTime': duration({
    default: 10 * MINUTE,
    least: 0,
    most: 1 * DAY,
    doc: 'How long a password that was right is known to be right without hashing it again; a changed password counts at once.',
    see: 'Dovecot auth_cache_ttl',
  }),
  'auth.cacheEntries': count({
    default: 20_000,
    least: 0,
    most: 1_000_000,
    doc: 'Most verified logins each thread remembers.',
    see: 'Dovecot auth_cache_size',
  }),
  'auth.pendingMax': count({
    default: 500,
    least: 1,
    most: 100_000,
    doc: 'Most logins that may wait for their password to be hashed, in each thread; the next ones are told to come back.',
  }),
  'auth.passwordMaps': list({
    default: [],
    accepts: 'a list of tables: ["mysql:/etc/posthorn/passwords.cf"]',
    doc: 'Tables of stored passwords ({SCHEME}..., $6$..., $2y$...) by address, for users in policy.virtualMailboxDomains.',
    see: 'Dovecot passdb sql, default_pass_scheme CRYPT',
    check: wrongTable,
  }),
  'auth.quotaMaps': list({
    default: [],
    accepts: 'a list of tables',
    doc: 'Tables of quotas by address, for the same users: bytes, or "10000000S,500C" for bytes and messages; 0 is no limit.',
    see: 'Dovecot userdb quota_rule',
    check: wrongTable,
  }),
  'auth.systemUsers': flag({
    default: false,
    doc: 'Users of this machine (local.uidMin and above) may log in with their name and password, as name or name@ one of policy.localDomains; needs a start as root.',
    see: 'Dovecot passdb pam',
  }),
  'auth.failureDelay': duration({
    default: 1 * SECOND,
    least: 0,
    most: 1 * MINUTE,
    doc: 'Delay of the answer to a wrong password; doubles with each further failure.',
    see: 'Dovecot auth_failure_delay',
  }),
  'auth.failureDelayMax': duration({ default: 15 * SECOND, least: 0, most: 5 * MINUTE, doc: 'The longest such delay.', see: 'Dovecot auth_penalty' }),
  'auth.accountFailuresMax': count({
    default: 100,
    least: 0,
    most: 1_000_000,
    doc: 'Failed logins after which one login name is locked for networks it never logged in from; 0 never locks.',
  }),
  'auth.networkFailuresMax': count({
    default: 60,
    least: 0,
    most: 1_000_000,
    doc: 'Failed logins after which one client address (IPv4) or /64 (IPv6) is locked; 0 never locks.',
    see: 'fail2ban maxretry',
  }),
  'auth.lockTime': duration({ default: 15 * MINUTE, least: 1 * SECOND, most: 30 * DAY, doc: 'How long a lock lasts.', see: 'fail2ban bantime' }),
  'auth.forgetTime': duration({
    default: 1 * HOUR,
    least: 1 * SECOND,
    most: 30 * DAY,
    doc: 'Time in which counted failures fade by half.',
    see: 'fail2ban findtime',
  }),
  'auth.unguardedNetworks': list({
    default: ['127.0.0.0/8', '::1/128'],
    accepts: 'a list of networks: ["192.0.2.0/24", "2001:db8::/32"]',
    doc: 'Networks that are never locked as a whole: webmail and proxies whose clients share one address.',
    see: 'fail2ban ignoreip; Dovecot login_trusted_networks',
    check: wrongNetwork,
  }),
  ...OAUTH_SETTINGS,
};
/** With options of other rooms, where the program has them: the first mail domain, and the folder of everything it keeps. */
export type DirectorySettings = SettingsOf<typeof DIRECTORY_SETTINGS> & {
  readonly domain?: string;
  readonly dataDir?: string;
  /** Of the judge and the router: domains of this machine's users. */
  readonly 'policy.localDomains'?: readonly string[];
  /** Of the TLS layer: whose certificates of clients count. */
  readonly 'tls.clientCaFile'?: string;
};
