/** Options of the milter client. */
import { bytes, choice, duration, HOUR, list, MiB, SECOND, type SettingsOf, text } from '../../system/declare.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { DEFAULT_ACTIONS, parseMilter } from './specification.ts';

const timeout = { least: SECOND, most: 24 * HOUR } as const;
const macros = (value: string, stage: string, see: string) =>
  text({ default: value, doc: `Macros sent ${stage}, unless the milter names its own.`, see: `Postfix ${see}` });

export const MILTER_SETTINGS = {
  'milter.milters': list({
    default: [],
    accepts: 'a list of milters: "unix:/run/opendkim.sock", "inet:127.0.0.1:11332 default=accept content-timeout=60s name=rspamd"',
    doc: 'Mail filters that are asked about each message, in this order; each sees what those before it changed.',
    see: 'Postfix smtpd_milters',
    check: (entry) => {
      const spec = parseMilter(entry);
      return typeof spec === 'string' ? spec : undefined;
    },
  }),
  'milter.defaultAction': choice({
    default: 'tempfail',
    of: DEFAULT_ACTIONS,
    doc: 'What happens when a milter cannot be reached, is too slow or breaks off.',
    see: 'Postfix milter_default_action',
  }),
  'milter.connectTimeout': duration({
    ...timeout,
    default: 30 * SECOND,
    doc: 'Wait for the connection to a milter and its negotiation.',
    see: 'Postfix milter_connect_timeout',
  }),
  'milter.commandTimeout': duration({ ...timeout, default: 30 * SECOND, doc: 'Wait for the answer to a command.', see: 'Postfix milter_command_timeout' }),
  'milter.contentTimeout': duration({
    ...timeout,
    default: 300 * SECOND,
    doc: 'Wait for the answer to the content of a message.',
    see: 'Postfix milter_content_timeout',
  }),
  'milter.bodyBytesMax': bytes({
    default: 100 * MiB,
    least: MiB,
    doc: `Largest body a milter may put in place of the one that came (beyond ${CLIENT_LIMITS.bodyInMemoryBytes / 1024} KiB it is held in a file).`,
  }),
  'milter.daemonName': text({ default: '', doc: 'The macro {daemon_name}; empty for the host name.', see: 'Postfix milter_macro_daemon_name' }),
  'milter.connectMacros': macros(
    'j {daemon_name} {daemon_addr} {daemon_port} v _ {client_addr} {client_name} {client_port} {client_ptr} {client_connections}',
    'with the connection',
    'milter_connect_macros',
  ),
  'milter.heloMacros': macros('{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}', 'with HELO', 'milter_helo_macros'),
  'milter.mailMacros': macros('i {auth_type} {auth_authen} {auth_author} {auth_ssf} {mail_addr} {mail_host} {mail_mailer}', 'with MAIL', 'milter_mail_macros'),
  'milter.rcptMacros': macros('i {rcpt_addr} {rcpt_host} {rcpt_mailer}', 'with RCPT', 'milter_rcpt_macros'),
  'milter.dataMacros': macros('i', 'with DATA', 'milter_data_macros'),
  'milter.endOfHeaderMacros': macros('i', 'at the end of the header', 'milter_end_of_header_macros'),
  'milter.endOfMessageMacros': macros('i', 'at the end of the message', 'milter_end_of_data_macros'),
} as const;
export type MilterSettings = SettingsOf<typeof MILTER_SETTINGS>;
