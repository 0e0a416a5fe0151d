/** Name lookups that answer at once when the resolver remembers. */
import type { DnsAnswer, Mx } from '../../net/dns.ts';
import type { PolicyDns } from './ports.ts';
import type { Soon } from './status.ts';

export function lookupMx(dns: PolicyDns, name: string): Soon<DnsAnswer<Mx>> {
  return dns.cached?.('MX', name) ?? dns.mx(name);
}
export function lookup4(dns: PolicyDns, name: string): Soon<DnsAnswer<string>> {
  return dns.cached?.('A', name) ?? dns.addresses4(name);
}
export function lookup6(dns: PolicyDns, name: string): Soon<DnsAnswer<string>> {
  return dns.cached?.('AAAA', name) ?? dns.addresses6(name);
}
export function lookupTxt(dns: PolicyDns, name: string): Soon<DnsAnswer<string>> {
  return dns.txt(name); // only ever asked for a refusal: no hurry
}
export function lookupNs(dns: PolicyDns, name: string): Soon<DnsAnswer<string>> {
  return dns.cached?.('NS', name) ?? dns.ns(name);
}
export function lookupPtr(dns: PolicyDns, ip: string): Soon<DnsAnswer<string>> {
  return dns.cached?.('PTR', ip) ?? dns.ptr(ip);
}
