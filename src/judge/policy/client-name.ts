/** The names of a client: PTR, and whether an address of that name is the client's (forward-confirmed reverse DNS). */
import { parseIp } from '../../net/networks.ts';
import type { ClientNames, NameStatus } from './facts.ts';
import { hasNumericEnd, isHostName } from './hostname.ts';
import { lookup4, lookup6, lookupPtr } from './names.ts';
import type { PolicyDns } from './ports.ts';
import { after, type Soon } from './status.ts';

export const UNKNOWN_NAME = 'unknown';

const nameless = (status: NameStatus): ClientNames => ({
  name: UNKNOWN_NAME,
  nameStatus: status,
  reverseName: UNKNOWN_NAME,
  reverseStatus: status,
  forwardStatus: status,
});

/** Never rejects; a name that is a number or no host name at all counts as none. The first name of several is taken. */
export function clientNames(dns: PolicyDns, ip: string): Soon<ClientNames> {
  return after(lookupPtr(dns, ip), (answer): Soon<ClientNames> => {
    if (answer.kind === 'failed') return nameless('temporary');
    const reverseName = answer.kind === 'found' ? answer.records.find((name) => isHostName(name) && !hasNumericEnd(name)) : undefined;
    if (reverseName === undefined) return nameless('none');
    return after(ip.includes(':') ? lookup6(dns, reverseName) : lookup4(dns, reverseName), (addresses): Soon<ClientNames> => {
      const is = (nameStatus: NameStatus, forwardStatus: NameStatus): ClientNames => ({
        name: nameStatus === 'ok' ? reverseName : UNKNOWN_NAME,
        nameStatus,
        reverseName,
        reverseStatus: 'ok',
        forwardStatus,
      });
      if (addresses.kind === 'failed') return is('temporary', 'temporary');
      if (addresses.kind === 'found') return is(addresses.records.some((address) => parseIp(address) === ip) ? 'ok' : 'none', 'ok');
      // It may have addresses of the other family: a name, though not this client's.
      return after(ip.includes(':') ? lookup4(dns, reverseName) : lookup6(dns, reverseName), (others) => is('none', others.kind === 'found' ? 'ok' : 'none'));
    });
  });
}
