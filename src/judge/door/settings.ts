/** Options of the door: what happens before a client is greeted (`[door]` in posthorn.toml). */
import { wrongNetwork } from '../../net/networks.ts';
import { count, DAY, duration, list, MINUTE, SECOND, type SettingsOf } from '../../system/declare.ts';
import { parseListEntry } from './list-entry.ts';

const checkEntry = (entry: string): string | undefined => {
  const parsed = parseListEntry(entry);
  return typeof parsed === 'string' ? parsed : undefined;
};
const LIST_WORDS = 'a list of "zone", "zone=filter", "zone*weight", "zone=filter*weight": ["bl.example.org=127.0.0.[2..11]*3", "wl.example.org*-2"]';

export const DOOR_SETTINGS = {
  'door.dnsbl': list({
    default: [],
    accepts: LIST_WORDS,
    check: checkEntry,
    doc: 'DNS lists of addresses to ask about each client, with weights; negative ones for lists of the good. None by default: each has terms of use of its own.',
    see: 'Postfix postscreen_dnsbl_sites',
  }),
  'door.dnsblThreshold': count({
    default: 3,
    most: 1_000_000,
    doc: 'A client whose weights add up to this is refused; 0 refuses nobody and leaves the weights to the verdict.',
    see: 'Postfix postscreen_dnsbl_threshold',
  }),
  'door.allowlistThreshold': count({
    default: 0,
    least: -1_000_000,
    most: 0,
    doc: 'A client whose weights add up to this or less is greeted without delay; 0 lets nobody pass for that.',
    see: 'Postfix postscreen_dnsbl_allowlist_threshold',
  }),
  'door.dnsblTimeout': duration({
    default: SECOND,
    least: 50,
    most: 30 * SECOND,
    doc: 'Longest wait for all lists together; a list that has not answered counts nothing.',
    see: 'Postfix postscreen_dnsbl_timeout',
  }),
  'door.domainLists': list({
    default: [],
    accepts: LIST_WORDS,
    check: checkEntry,
    doc: 'DNS lists of domains, for sender domains and links.',
    see: 'Postfix reject_rhsbl_sender',
  }),
  'door.greetingDelay': duration({
    default: SECOND,
    most: 60 * SECOND,
    doc: 'How long a client that is not known yet waits for the greeting; one that speaks before is sent away.',
    see: 'Postfix postscreen_greet_wait',
  }),
  'door.waitingMax': count({
    default: 5_000,
    least: 1,
    most: 1_000_000,
    doc: 'Clients that wait for their greeting at the same time, in each protocol thread; unknown ones beyond are told to come back later.',
    see: 'Postfix postscreen_pre_queue_limit',
  }),
  'door.passedFor': duration({
    default: 30 * DAY,
    least: MINUTE,
    most: 365 * DAY,
    doc: 'How long a client that waited for its greeting (IPv4 address, IPv6 /64 network) need not wait again.',
    see: 'Postfix postscreen_greet_ttl',
  }),
  'door.passedMax': count({ default: 100_000, least: 1_000, most: 10_000_000, doc: 'Clients remembered for having waited; the oldest are forgotten.' }),
  'door.talkedEarlyFor': duration({
    default: 10 * MINUTE,
    most: 7 * DAY,
    doc: 'How long a client that spoke before its greeting is told to come back later.',
  }),
  'door.exempt': list({
    default: [],
    accepts: 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]',
    check: wrongNetwork,
    doc: 'Clients that are greeted at once and looked up nowhere, beside this machine and those of smtp.relayFrom.',
    see: 'Postfix postscreen_access_list = permit_mynetworks',
  }),
  'door.access': list({
    default: [],
    accepts: 'a list of tables: ["cidr:/etc/postfix/postscreen_access.cidr"]',
    doc: 'Tables asked with the address of the client, in turn: permit greets at once, reject refuses, dunno goes on.',
    see: 'Postfix postscreen_access_list',
  }),
} as const;

/** What the door reads: its own options and the networks that may relay. */
export type DoorSettings = SettingsOf<typeof DOOR_SETTINGS> & { readonly 'smtp.relayFrom': readonly string[] };
