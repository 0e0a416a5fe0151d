/** This machine's addresses, for permit_inet_interfaces and permit_mx_backup. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { canonicalIp, parseIp } from '../../net/networks.ts';
import { parseListenAddress } from '../../system/listen-address.ts';

const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * The addresses where mail is received; where one listener is at all of them, all that the machine has now (Postfix's inet_interfaces). Made
 * anew with every policy. `listen`: addresses with ports, as in `listen.smtp`. `proxies`: addresses of ours that a router or proxy holds
 * (proxy_interfaces).
 */
export function ownAddresses(listen: readonly string[], proxies: readonly string[] = []): (ip: string) => boolean {
  const addresses = new Set<string>(proxies);
  let isEverywhere = true;
  for (const listener of listen) {
    const address = parseListenAddress(listener);
    if (address === null || 'path' in address || isIP(address.host) === 0) continue;
    const ip = parseIp(address.host) ?? address.host;
    isEverywhere = EVERYWHERE.has(ip);
    if (isEverywhere) break;
    addresses.add(ip);
  }
  if (isEverywhere) for (const list of Object.values(networkInterfaces())) for (const { address } of list ?? []) addresses.add(canonicalIp(address));
  return (ip) => addresses.has(ip);
}
