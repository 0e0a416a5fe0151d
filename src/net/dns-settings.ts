/** Options of name lookups. */
import { isIP } from 'node:net';
import { count, duration, list, MINUTE, SECOND, type SettingsOf } from '../system/declare.ts';

export const DNS_SETTINGS = {
  'dns.servers': list({
    default: [],
    accepts: 'a list of "ip" or "ip:port"; empty for those of the system',
    doc: 'Name servers to ask.',
    check: (entry) => (serverAddress(entry) ? undefined : 'must be an IP address, with or without a port: "127.0.0.1:53", "[::1]:53"'),
  }),
  'dns.timeout': duration({ default: 3 * SECOND, least: 100, most: MINUTE, doc: 'Wait for an answer of one name server, for each try.' }),
  'dns.tries': count({ default: 2, least: 1, most: 10, doc: 'Times each name server is asked.' }),
  'dns.deadline': duration({ default: 10 * SECOND, least: 100, most: 5 * MINUTE, doc: 'Longest time one lookup may take, with all servers and tries.' }),
  'dns.questionsMax': count({ default: 5000, least: 10, most: 100_000, doc: 'Lookups under way at the same time, in each thread; more of them fail at once.' }),
  'dns.cacheEntriesMax': count({ default: 20_000, least: 10, doc: 'Answers remembered, in each thread.' }),
  'dns.cacheTtlMax': duration({ default: 60 * MINUTE, doc: 'Longest time an answer is remembered, whatever its TTL.' }),
  'dns.cacheTtlNegative': duration({
    default: 15 * MINUTE,
    doc: 'Longest time the absence of a name or record is remembered, whatever its zone says.',
    see: 'RFC 2308',
  }),
} as const;
export type DnsSettings = SettingsOf<typeof DNS_SETTINGS>;

function serverAddress(entry: string): boolean {
  if (isIP(entry) !== 0) return true;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(entry);
  return match !== null && Number(match[3]) > 0 && Number(match[3]) < 65536 && isIP(match[1] ?? match[2]!) === (match[1] === undefined ? 4 : 6);
}
