/** Options of connections: limits and the PROXY protocol (`[net]` in posthorn.toml). */
import { count, duration, flag, list, SECOND, type SettingsOf } from '../system/declare.ts';
import { wrongNetwork } from './networks.ts';

export const NET_SETTINGS = {
  'net.connectionsMax': count({
    default: 10_000,
    least: 1,
    most: 1_000_000,
    doc: 'Connections open at the same time in one protocol group (smtp, submission, lmtp, imap, pop3, sieve), in each protocol thread.',
    see: 'Postfix default_process_limit, Dovecot client_limit',
  }),
  'net.connectionsPerClientMax': count({
    default: 100,
    least: 1,
    most: 100_000,
    doc: 'Connections of one client (IPv4 address or IPv6 /64 network) open at the same time in one protocol group, in each protocol thread.',
    see: 'Postfix smtpd_client_connection_count_limit, Dovecot mail_max_userip_connections',
  }),
  'net.countLoopback': flag({
    default: false,
    doc: 'Whether clients on the loopback interface are counted against connectionsPerClientMax too.',
  }),
  'net.proxyFrom': list({
    default: [],
    accepts: 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]',
    check: wrongNetwork,
    doc: 'Addresses of load balancers: their connections must begin with a PROXY protocol header (version 1 or 2), which names the client.',
    see: 'Postfix smtpd_upstream_proxy_protocol, Dovecot haproxy_trusted_networks',
  }),
  'net.handshakeTimeout': duration({
    default: 10 * SECOND,
    least: SECOND,
    most: 300 * SECOND,
    doc: 'Time for a TLS handshake.',
    see: 'Postfix smtpd_starttls_timeout',
  }),
  'net.backlog': count({ default: 1024, least: 1, most: 65_535, takes: 'restart', doc: 'Connections the system may hold before they are accepted.' }),
};
export type NetSettings = SettingsOf<typeof NET_SETTINGS>;
