/** Does a mail domain exist (reject_unknown_sender_domain and its kin): a mail exchanger, or an address (RFC 5321 section 5.1). */
import type { PolicyDns } from './ports.ts';
import { isHostName } from './hostname.ts';
import { lookup4, lookup6, lookupMx } from './names.ts';
import { after, type Soon } from './status.ts';

/** malformed: its MX records name what cannot be a host. nullMx: it takes no mail (RFC 7505). failed: the DNS did not answer. */
export type DomainState = 'exists' | 'none' | 'nullMx' | 'malformed' | 'failed';

export function mailDomainState(dns: PolicyDns, domain: string): Soon<DomainState> {
  if (!isHostName(domain)) return 'none';
  return after(lookupMx(dns, domain), (mx): Soon<DomainState> => {
    if (mx.kind === 'found') {
      if (mx.records.every(({ exchange }) => exchange === '' || exchange === '.')) return 'nullMx';
      return mx.records.some(({ exchange }) => isHostName(exchange) || /^[\d.]+$/.test(exchange)) ? 'exists' : 'malformed';
    }
    return after(lookup4(dns, domain), (four): Soon<DomainState> => {
      if (four.kind === 'found') return 'exists';
      return after(lookup6(dns, domain), (six): DomainState => {
        if (six.kind === 'found') return 'exists';
        return mx.kind === 'failed' || four.kind === 'failed' || six.kind === 'failed' ? 'failed' : 'none';
      });
    });
  });
}
