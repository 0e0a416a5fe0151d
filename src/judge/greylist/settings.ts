/** Options of greylisting (`[greylist]` in posthorn.toml). */
import { wrongNetwork } from '../../net/networks.ts';
import { choice, count, DAY, duration, HOUR, list, MINUTE, type SettingsOf } from '../../system/declare.ts';

export const GREYLIST_SETTINGS = {
  'greylist.mode': choice({
    of: ['off', 'all', 'likelySpam'],
    default: 'likelySpam',
    doc: 'Who is asked to come back later: nobody, every client not known yet (at RCPT), or only messages whose score reaches the greylist threshold (after the last byte).',
    see: 'postgrey, Rspamd greylist module',
  }),
  'greylist.delay': duration({
    default: 3 * MINUTE,
    least: 1000,
    most: 12 * HOUR,
    doc: 'How long a new triplet of network, sender and recipient must wait.',
    see: 'postgrey --delay; RFC 6647 section 5',
  }),
  'greylist.retryWindow': duration({
    default: 2 * DAY,
    least: 10 * MINUTE,
    most: 30 * DAY,
    doc: 'A triplet that does not come back within this time begins anew.',
    see: 'postgrey --retry-window',
  }),
  'greylist.lifetime': duration({
    default: 36 * DAY,
    least: HOUR,
    most: 400 * DAY,
    doc: 'How long a triplet that came back, or a known client, is remembered after it was last seen.',
    see: 'postgrey --max-age',
  }),
  'greylist.network4': count({
    default: 24,
    least: 8,
    most: 32,
    doc: 'Leading bits of an IPv4 address that count as one network.',
    see: 'postgrey --lookup-by-subnet',
  }),
  'greylist.network6': count({ default: 64, least: 16, most: 128, doc: 'Leading bits of an IPv6 address that count as one network.' }),
  'greylist.knownAfter': count({
    default: 5,
    least: 0,
    most: 1000,
    doc: 'A network, or a domain whose SPF record names the client, does not wait any more once this many of its triplets came back (one an hour counts); 0 = never.',
    see: 'postgrey --auto-whitelist-clients',
  }),
  'greylist.exemptNetworks': list({
    default: [],
    accepts: 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]',
    check: wrongNetwork,
    doc: 'Client networks that never wait.',
    see: 'postgrey whitelist_clients',
  }),
  'greylist.exemptClients': list({
    default: [],
    accepts: 'a list of host names; ".example.org" stands for all names below it',
    check: (entry) => (/^\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(entry) ? undefined : 'is no host name'),
    doc: 'Clients that never wait, by their name (only one that leads back to the client address counts).',
    see: 'postgrey whitelist_clients',
  }),
  'greylist.exemptRecipients': list({
    default: ['postmaster@', 'abuse@'],
    accepts: 'a list of addresses "user@example.org", local parts "user@" and domains "example.org"',
    check: (entry) => (/^[^\s@]*@?[^\s@]*$/.test(entry) && entry !== '' && entry !== '@' ? undefined : 'is no address, "localpart@" or domain'),
    doc: 'Recipients whose mail never waits.',
    see: 'postgrey whitelist_recipients',
  }),
  'greylist.rowsMax': count({
    default: 200_000,
    least: 1000,
    most: 50_000_000,
    doc: 'Triplets kept in the store; when there are more, those that would be forgotten first go.',
  }),
};
export type GreylistSettings = SettingsOf<typeof GREYLIST_SETTINGS>;
