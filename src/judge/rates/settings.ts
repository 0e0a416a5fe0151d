/** Options of rates and of the sending habit (`[rates]` in posthorn.toml). */
import { wrongNetwork } from '../../net/networks.ts';
import { bytes, count, DAY, duration, flag, HOUR, KiB, list, MiB, type SettingsOf } from '../../system/declare.ts';
import { wrongRule } from './rule.ts';

export const RATES_SETTINGS = {
  'rates.limits': list({
    default: [],
    accepts:
      'a list of rules: ["client messages 100/1h", "network connections 60/1m burst 120", "inbound senderDomain bytes 2GiB/1d", "account recipients 2000/1d"]; each is [inbound|outbound] client|network|sender|senderDomain|recipient|recipientDomain|account, connections|messages|recipients|bytes, number/time, [burst number]',
    check: wrongRule,
    doc: 'How much each client, network, sender, recipient, account or domain may do. Who has used up a limit is answered 450 4.7.1 (421 4.7.0 when connecting) until it has refilled.',
    see: 'Postfix smtpd_client_connection_rate_limit, smtpd_client_message_rate_limit, smtpd_client_recipient_rate_limit',
  }),
  'rates.exempt': list({
    default: [],
    accepts: 'a list of networks, accounts and domains: ["192.0.2.0/24", "newsletter@example.org", "example.net"]',
    check: (entry) =>
      wrongNetwork(entry) === undefined || /^[^\s@/]+@[^\s@/]+$/.test(entry) || isDomain(entry) ? undefined : 'is no network, account or domain',
    doc: 'What is not limited: everything of a client network or an account; and a domain, where it is the sender or recipient that a rule counts.',
    see: 'Postfix smtpd_client_event_limit_exceptions',
  }),
  'rates.network4': count({ default: 24, least: 8, most: 32, doc: 'Leading bits of an IPv4 address that count as one network.' }),
  'rates.network6': count({ default: 48, least: 16, most: 64, doc: 'Leading bits of an IPv6 address that count as one network. (A client is a /64.)' }),
  'rates.memory': bytes({
    default: 4 * MiB,
    least: 64 * KiB,
    most: 1024 * MiB,
    takes: 'restart',
    doc: 'Memory for the counts of all threads together, 16 bytes each; when it is full, those that have used least of their limit are forgotten.',
  }),
  'rates.habit': flag({
    default: true,
    doc: 'Whether mail of an account that suddenly sends far above its habit is held in the queue, and its owner and the administrator are told.',
  }),
  'rates.habitFactor': count({
    default: 5,
    least: 2,
    most: 1000,
    doc: 'How many times its usual number of recipients in an hour or a day an account may send to.',
  }),
  'rates.habitLeast': count({
    default: 100,
    least: 1,
    most: 1_000_000,
    doc: 'Recipients in an hour that are never unusual, whatever the habit (four times as many in a day).',
  }),
  'rates.habitLearn': duration({ default: 14 * DAY, least: 0, most: 400 * DAY, doc: 'How long a new account, or a new installation, is only watched.' }),
  'rates.habitHold': duration({
    default: DAY,
    least: HOUR,
    most: 30 * DAY,
    doc: 'How long mail of the account is held after that, unless it is released before.',
  }),
};
export type RatesSettings = SettingsOf<typeof RATES_SETTINGS>;

function isDomain(text: string): boolean {
  return /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text);
}
