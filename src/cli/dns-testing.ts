/** Name servers as a table, for tests of commands that ask them. */
import type { Dns, DnsAnswer, DnsRecords, DnsType } from '../net/dns.ts';
import { reverseNameOf } from '../net/reverse-name.ts';

/** By "TYPE name"; 'dead' does not answer. */
export type Zone = Readonly<Record<string, readonly unknown[] | 'dead'>>;

export function zoneDns(zone: Zone): Dns {
  const ask = async <K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>> => {
    const asked = type === 'PTR' && reverseNameOf(name) !== '' ? reverseNameOf(name) : name;
    const records = zone[`${type} ${asked}`];
    if (records === undefined) return { kind: 'none', exists: false };
    if (records === 'dead') return { kind: 'failed', reason: 'name server did not answer in time' };
    return { kind: 'found', records: records as DnsRecords[K][] };
  };
  const joined = async (name: string): Promise<DnsAnswer<string>> => (await ask('TXT', name)) as unknown as DnsAnswer<string>;
  return {
    mx: (name) => ask('MX', name),
    addresses4: (name) => ask('A', name),
    addresses6: (name) => ask('AAAA', name),
    txt: joined,
    txtStrings: (name) => ask('TXT', name),
    ptr: (ip) => ask('PTR', ip),
    ns: (name) => ask('NS', name),
    srv: (name) => ask('SRV', name),
    tlsa: (name) => ask('TLSA', name),
    soa: (name) => ask('SOA', name),
    cname: (name) => ask('CNAME', name),
    ask,
    cached: () => undefined,
    clear: () => {},
    close: () => {},
  };
}
