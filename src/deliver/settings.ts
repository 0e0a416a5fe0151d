/** Options of delivery to other hosts. */
import { parseTransportLine, parseNexthop } from '../route/transport.ts';
import { choice, count, duration, flag, list, MINUTE, path, SECOND, type SettingsOf, text } from '../system/declare.ts';

const NEXTHOP = '"host:port" (its MX are looked up), "[host]:port", "smtps:[host]:465", "lmtp:unix:/path" or "lmtp:inet:host:port"';

export const DELIVER_SETTINGS = {
  'deliver.relayHost': text({
    default: '',
    accepts: NEXTHOP,
    doc: 'Where all mail that leaves goes first; empty for the MX of each domain.',
    see: 'Postfix relayhost',
    check: (value) => (value === '' || parseNexthop(value) !== null ? undefined : `must be ${NEXTHOP}`),
  }),
  'deliver.relayUser': text({ default: '', doc: 'Name to log in with at the relay host.', see: 'Postfix smtp_sasl_password_maps' }),
  'deliver.relayPasswordFile': path({ default: '', doc: 'File whose first line is the password for the relay host.' }),
  'deliver.transports': list({
    default: [],
    accepts: 'a list of "domain nexthop", ".domain nexthop" (its subdomains) or "* nexthop"; a nexthop as in Postfix\'s transport(5)',
    doc: 'Where mail for certain domains goes.',
    see: 'Postfix transport_maps',
    check: (entry) => (parseTransportLine(entry) === null ? 'must be a domain, a space and a nexthop: "example.org smtp:[10.0.0.1]:25"' : undefined),
  }),
  'deliver.smtpPort': count({ default: 25, least: 1, most: 65535, doc: 'Port of MX hosts; another one is for tests.' }),
  'deliver.tls': choice({
    of: ['may', 'encrypt', 'verify', 'none'],
    default: 'may',
    doc: 'TLS to other hosts: when offered, always, always with a valid certificate, or never.',
    see: 'RFC 3207; Postfix smtp_tls_security_level',
  }),
  'deliver.tlsCaFile': path({ default: '', doc: 'PEM file of authorities to trust for "verify"; empty for the usual ones.', see: 'Postfix smtp_tls_CAfile' }),
  'deliver.bindAddress4': text({ default: '', accepts: 'an IPv4 address', doc: 'Source address of IPv4 connections.', see: 'Postfix smtp_bind_address' }),
  'deliver.bindAddress6': text({ default: '', accepts: 'an IPv6 address', doc: 'Source address of IPv6 connections.', see: 'Postfix smtp_bind_address6' }),
  'deliver.protocols': choice({
    of: ['both', 'ipv4', 'ipv6'],
    default: 'both',
    doc: 'Which addresses of other hosts are used.',
    see: 'Postfix inet_protocols',
  }),
  'deliver.allowLoopback': flag({ default: true, doc: 'Deliver to hosts whose name leads to a loopback address (never to our own ports there).' }),
  'deliver.connectionsMax': count({ default: 500, least: 1, most: 50_000, doc: 'Outgoing connections at once.', see: 'Postfix default_process_limit' }),
  'deliver.concurrencyPerDestinationMax': count({
    default: 20,
    least: 1,
    most: 1000,
    doc: 'Connections at once to one destination.',
    see: 'Postfix default_destination_concurrency_limit',
  }),
  'deliver.concurrencyInitial': count({
    default: 5,
    least: 1,
    most: 1000,
    doc: 'Connections at once to a new destination.',
    see: 'Postfix initial_destination_concurrency',
  }),
  'deliver.recipientsPerMessageMax': count({
    default: 50,
    least: 1,
    most: 1000,
    doc: 'Recipients in one transaction.',
    see: 'Postfix default_destination_recipient_limit',
  }),
  'deliver.messagesPerConnectionMax': count({ default: 1000, least: 1, doc: 'Messages on one connection.' }),
  'deliver.connectionAgeMax': duration({
    default: 5 * MINUTE,
    doc: 'Age at which a connection gets no further message.',
    see: 'Postfix smtp_connection_reuse_time_limit',
  }),
  'deliver.connectionIdle': duration({
    default: 3 * SECOND,
    doc: 'How long an unused connection is kept for the next message.',
    see: 'Postfix connection_cache_ttl_limit',
  }),
  'deliver.connectionsIdleMax': count({ default: 200, least: 0, doc: 'Unused connections kept.' }),
  'deliver.hostsPerAttemptMax': count({ default: 5, least: 1, most: 50, doc: 'Addresses tried in one attempt.', see: 'Postfix smtp_mx_address_limit' }),
  'deliver.attemptMax': duration({ default: 60 * MINUTE, least: SECOND, doc: 'Longest time for one message on one connection.' }),
  'deliver.connectTimeout': duration({ default: 30 * SECOND, least: SECOND, doc: 'Wait for a connection.', see: 'Postfix smtp_connect_timeout' }),
  'deliver.greetingTimeout': duration({
    default: 5 * MINUTE,
    least: SECOND,
    doc: 'Wait for greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT.',
    see: 'RFC 5321 section 4.5.3.2',
  }),
  'deliver.dataTimeout': duration({
    default: 3 * MINUTE,
    least: SECOND,
    doc: 'Wait for the answer to DATA, and for each piece of the message to leave.',
    see: 'RFC 5321 section 4.5.3.2.5',
  }),
  'deliver.dataDoneTimeout': duration({
    default: 10 * MINUTE,
    least: SECOND,
    doc: 'Wait for the answer after the message.',
    see: 'RFC 5321 section 4.5.3.2.6',
  }),
  'deliver.pipelineMessages': flag({
    default: true,
    doc: 'With PIPELINING, send the next envelope together with the end of a message (RFC 2920 section 3.1).',
    see: 'RFC 2920',
  }),
  'deliver.chunking': flag({ default: true, doc: 'Use BDAT where offered.', see: 'RFC 3030' }),
} as const;
export type DeliverSettings = SettingsOf<typeof DELIVER_SETTINGS>;
