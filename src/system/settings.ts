/** The options that belong to the program as a whole. Each room declares its own in its own settings.ts. */
import { isIP } from 'node:net';
import { choice, count, DAY, duration, flag, list, path, SECOND, type SettingsOf, text } from './declare.ts';
import { wrongListenAddress } from './listen-address.ts';

/** Sentence about a host or domain name that cannot be one (RFC 1123 section 2.1), or undefined. */
export function wrongHostName(name: string): string | undefined {
  if (name.length === 0) return 'must not be empty';
  if (name.length > 253) return 'must have at most 253 characters';
  if (!/^[0-9a-z.-]+$/i.test(name)) return 'may contain only letters, digits, hyphens and dots (write an international name in its xn-- form)';
  for (const label of name.split('.')) {
    if (label.length === 0) return 'has an empty part between dots';
    if (label.length > 63) return 'has a part of more than 63 characters';
    if (label.startsWith('-') || label.endsWith('-')) return 'has a part that begins or ends with a hyphen';
  }
  if (isIP(name) !== 0) return 'must be a name, not an address';
  return undefined;
}

const ADDRESSES = 'a list of addresses with ports: ["127.0.0.1:25", "[::1]:25"]; [] switches it off';
const listen = (port: number | null, doc: string, see?: string) =>
  list({ default: port === null ? [] : [`[::]:${port}`], doc, see, takes: 'restart', accepts: ADDRESSES, check: wrongListenAddress });

export const SYSTEM_SETTINGS = {
  hostname: text({
    default: 'localhost',
    doc: 'Name of this server, as it greets others and as its MX record and reverse DNS say.',
    see: 'Postfix myhostname',
    accepts: 'a host name',
    check: wrongHostName,
  }),
  domain: text({
    default: 'localhost',
    doc: 'First mail domain; completes addresses without one. More domains: posthorn domain add.',
    see: 'Postfix mydomain, mydestination',
    accepts: 'a domain name',
    check: wrongHostName,
  }),
  dataDir: path({
    default: '/var/lib/posthorn',
    doc: 'Folder of everything the server keeps; on a local file system.',
    see: 'Postfix queue_directory',
    takes: 'restart',
  }),
  user: text({
    default: '',
    doc: 'System user to become after the ports are bound, when started as root; empty keeps the user.',
    see: 'Postfix mail_owner',
    takes: 'restart',
    accepts: 'a user name, or empty',
    check: (value) => (/^[a-z_][a-z0-9_.-]{0,31}\$?$/i.test(value) ? undefined : 'is not a user name'),
  }),

  'listen.smtp': listen(25, 'Where mail from other servers is received (RFC 5321).', 'Postfix inet_interfaces'),
  'listen.submission': listen(587, 'Where users hand in mail, with STARTTLS (RFC 6409).'),
  'listen.submissions': listen(465, 'Where users hand in mail, with TLS from the first byte (RFC 8314).'),
  'listen.lmtp': listen(null, 'Where another mail server delivers by LMTP (RFC 2033); it is trusted.', 'Dovecot service lmtp'),
  'listen.imap': listen(143, 'IMAP with STARTTLS (RFC 9051).', 'Dovecot service imap-login'),
  'listen.imaps': listen(993, 'IMAP with TLS from the first byte (RFC 8314).', 'Dovecot service imap-login'),
  'listen.pop3': listen(110, 'POP3 with STLS (RFC 1939, RFC 2595).', 'Dovecot service pop3-login'),
  'listen.pop3s': listen(995, 'POP3 with TLS from the first byte (RFC 8314).', 'Dovecot service pop3-login'),
  'listen.sieve': listen(4190, 'ManageSieve with STARTTLS: users manage their Sieve scripts (RFC 5804).', 'Dovecot service managesieve-login'),
  'listen.metrics': list({
    default: ['127.0.0.1:9425'],
    doc: 'Where /metrics (for Prometheus) and /healthz answer over plain HTTP; keep it on loopback.',
    takes: 'restart',
    accepts: ADDRESSES,
    check: wrongListenAddress,
  }),

  'tls.certificate': path({
    default: '',
    doc: 'Certificate chain in PEM; empty makes a self-signed one in dataDir/tls.',
    see: 'Postfix smtpd_tls_chain_files',
  }),
  'tls.key': path({ default: '', doc: 'Private key of tls.certificate in PEM.', see: 'Postfix smtpd_tls_chain_files' }),
  'tls.certificates': list({
    default: [],
    doc: 'More certificates, chosen by the name a client asks for (SNI, RFC 6066 section 3): "certificate.pem key.pem" each.',
    see: 'Postfix tls_server_sni_maps',
    accepts: 'a list of "certificate.pem key.pem"',
    check: (entry) => (entry.trim().split(/\s+/).length === 2 ? undefined : 'must be two paths with a space between: "certificate.pem key.pem"'),
  }),
  'tls.clientCertificates': flag({
    default: false,
    doc: 'Ask clients for a certificate: for permit_tls_clientcerts, permit_tls_all_clientcerts and check_ccert_access, and for logins by EXTERNAL.',
    see: 'Postfix smtpd_tls_ask_ccert',
  }),
  'tls.clientCertificatesOf': list({
    default: ['smtp'],
    doc: 'Where they are asked for: on the SMTP port of servers only, or also where users log in by EXTERNAL (mail programs may then ask their users to choose a certificate).',
    see: 'Dovecot ssl_request_client_cert',
    accepts: 'a list of smtp, submission, imap, pop3, sieve',
    check: (entry) => (['smtp', 'submission', 'imap', 'pop3', 'sieve'].includes(entry) ? undefined : 'must be smtp, submission, imap, pop3 or sieve'),
  }),
  'tls.clientCaFile': path({
    default: '',
    doc: 'Authorities whose client certificates count as trusted, in PEM; empty is the usual ones. EXTERNAL needs an authority of your own here.',
    see: 'Postfix smtpd_tls_CAfile',
  }),
  'tls.minVersion': choice({
    of: ['TLSv1.2', 'TLSv1.3'],
    default: 'TLSv1.2',
    doc: 'Oldest TLS version spoken (RFC 8996).',
    see: 'Postfix smtpd_tls_protocols',
  }),

  'threads.loops': count({
    default: 0,
    most: 64,
    doc: 'Threads that speak the protocols; 0 is one less than the processor cores, at most 8.',
    takes: 'restart',
  }),

  'log.level': choice({ of: ['debug', 'info', 'warn', 'error'], default: 'info', doc: 'Least important level that is logged.' }),
  'log.format': choice({
    of: ['auto', 'json', 'text'],
    default: 'auto',
    doc: 'Form of log lines; auto is text on a terminal and JSON elsewhere.',
    takes: 'restart',
  }),
  'log.file': path({
    default: '',
    doc: 'File that log lines are added to, opened again at reload; empty is the standard output.',
    see: 'Postfix maillog_file',
  }),

  'journey.keep': duration({ default: 30 * DAY, least: 60 * 60 * SECOND, doc: 'How long the path of each message is kept for posthorn trace.' }),
  'journey.rowsMax': count({ default: 5_000_000, least: 1000, most: 1_000_000_000, doc: 'Most rows of message paths; the oldest go first.' }),

  'shutdown.grace': duration({ default: 20 * SECOND, most: 600 * SECOND, doc: 'How long a stop waits for sessions to finish what they are doing.' }),
};
export type SystemSettings = SettingsOf<typeof SYSTEM_SETTINGS>;

/** Options that a configuration file must name: there is no right default for them. */
export const REQUIRED_SETTINGS: readonly string[] = ['hostname', 'domain'];

/** What one option means for another; `key` is where the problem is reported. */
export function systemRules(settings: SystemSettings): { key: string; message: string }[] {
  const wrong: { key: string; message: string }[] = [];
  if (settings['tls.certificate'] !== '' && settings['tls.key'] === '')
    wrong.push({ key: 'tls.certificate', message: 'needs tls.key, the private key, beside it' });
  if (settings['tls.key'] !== '' && settings['tls.certificate'] === '') wrong.push({ key: 'tls.key', message: 'needs tls.certificate beside it' });
  if (settings['tls.certificates'].length > 0 && settings['tls.certificate'] === '')
    wrong.push({ key: 'tls.certificates', message: 'needs tls.certificate and tls.key for clients that name no host' });
  return wrong;
}
