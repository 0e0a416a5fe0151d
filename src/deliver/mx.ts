/** From a nexthop to the addresses to try, in order: MX, A/AAAA, address literals (RFC 5321 section 5.1, RFC 7505). */
import { isIP } from 'node:net';
import type { Dns, DnsAnswer } from '../net/dns.ts';
import { parseIp } from '../net/networks.ts';
import type { Nexthop } from '../route/transport.ts';

export interface Target {
  /** Name of the host (for SNI, logs and reports), or its address when it has no name. */
  readonly host: string;
  readonly ip: string;
  readonly port: number;
  readonly preference: number;
}

export type Resolved =
  | { readonly kind: 'targets'; readonly targets: readonly Target[] }
  /** For good (5.x) or for now (4.x), told by the first digit of `code`. */
  | { readonly kind: 'refused'; readonly code: number; readonly enhanced: string; readonly text: string };

export interface MxSettings {
  readonly hostname: string;
  readonly 'deliver.smtpPort': number;
  readonly 'deliver.protocols': 'both' | 'ipv4' | 'ipv6';
  readonly 'deliver.allowLoopback': boolean;
  readonly 'deliver.hostsPerAttemptMax': number;
}

export interface MxContext {
  readonly dns: Dns;
  readonly settings: MxSettings;
  /** [0, 1): order among equals. */
  random(): number;
  /** Is this one of our own SMTP listeners? */
  isOurs(ip: string, port: number): boolean;
}

const HOSTS_MAX = 20; // MX hosts looked at; more are only an attack on us or on third parties

const refused = (code: number, enhanced: string, text: string): Resolved => ({ kind: 'refused', code, enhanced, text });

interface Host {
  readonly name: string;
  readonly preference: number;
}

/** Resolves an smtp nexthop. Never throws. */
export async function resolveTargets(hop: Extract<Nexthop, { kind: 'smtp' }>, context: MxContext): Promise<Resolved> {
  const { settings, dns } = context;
  const port = hop.port ?? (hop.isRelay ? 25 : settings['deliver.smtpPort']);
  if (isIP(hop.host) !== 0) {
    if (context.isOurs(hop.host, port)) return loops(hop.host);
    return { kind: 'targets', targets: [{ host: hop.host, ip: hop.host, port, preference: 0 }] };
  }
  let hosts: Host[] = [{ name: hop.host, preference: 0 }];
  let fromMx = false;
  if (hop.mx) {
    const isDomainsOwn = (hop.isDomainsOwn === true || hop.key === hop.host) && port === settings['deliver.smtpPort']; // not a relay or transport that the administrator named
    const answer = await dns.mx(hop.host);
    if (answer.kind === 'failed') return refused(451, '4.4.3', `MX lookup for ${hop.host}: ${answer.reason}`);
    if (answer.kind === 'found') {
      if (answer.records.every((record) => record.exchange === '')) return refused(556, '5.1.10', `${hop.host} does not accept mail (null MX)`);
      fromMx = true;
      hosts = order(
        answer.records.filter((record) => record.exchange !== '').map((record) => ({ name: record.exchange, preference: record.preference })),
        context,
      ).slice(0, HOSTS_MAX);
      const own = hosts.filter((host) => host.name === settings.hostname.toLowerCase());
      if (own.length > 0 && port === settings['deliver.smtpPort']) {
        // RFC 5321 section 5.1: our own and all less preferred hosts are left out.
        hosts = hosts.filter((host) => host.preference < own[0]!.preference);
        if (hosts.length === 0) return loops(hop.host);
      }
    }
    // NXDOMAIN for the MX is not the end: some servers answer so for names that have addresses; the lookup below decides.
    // A domain that is our own name is ours whatever its address: behind NAT we do not know it.
    else if (isDomainsOwn && hop.host === settings.hostname.toLowerCase() && hop.host !== 'localhost') return loops(hop.host);
  }
  return lookUpHosts(hosts, hop.host, port, fromMx, context);
}

async function lookUpHosts(hosts: readonly Host[], domain: string, port: number, fromMx: boolean, context: MxContext): Promise<Resolved> {
  const targets: Target[] = [];
  let temporary: { reason: string; preference: number } | null = null;
  let loopAt = Number.POSITIVE_INFINITY;
  let exists = false;
  let isLoopbackRefused = false;
  for (const host of hosts) {
    const { ips, failure, found } = await addressesOf(host.name, context);
    exists ||= found;
    if (failure !== null) temporary ??= { reason: failure, preference: host.preference };
    for (const ip of ips) {
      if (context.isOurs(ip, port)) loopAt = Math.min(loopAt, host.preference);
      else if (!context.settings['deliver.allowLoopback'] && isLoopback(ip)) isLoopbackRefused = true;
      else targets.push({ host: host.name, ip, port, preference: host.preference });
    }
  }
  const usable = loopAt === Number.POSITIVE_INFINITY ? targets : targets.filter((target) => target.preference < loopAt);
  if (usable.length > 0) return { kind: 'targets', targets: usable };
  // Before the loop: a better host than ourselves that cannot be looked up now may be there later.
  if (temporary !== null && temporary.preference < loopAt) return refused(451, '4.4.3', temporary.reason);
  if (loopAt !== Number.POSITIVE_INFINITY) return loops(domain);
  if (isLoopbackRefused) return refused(550, '5.4.4', `mail hosts of ${domain} have only loopback addresses`);
  if (fromMx) return refused(550, '5.4.4', `mail hosts of ${domain} have no address`);
  return exists ? refused(550, '5.4.4', `${domain} has no mail host and no address`) : refused(550, '5.1.2', `domain ${domain} does not exist`);
}

async function addressesOf(name: string, context: MxContext): Promise<{ ips: string[]; failure: string | null; found: boolean }> {
  if (isIP(name) !== 0) return { ips: [name], failure: null, found: true }; // an MX that is an address is wrong, yet its meaning is plain
  const wanted = context.settings['deliver.protocols'];
  if (name === 'localhost') {
    // RFC 6761 section 6.3: never asked of a name server.
    return { ips: [...(wanted === 'ipv6' ? [] : ['127.0.0.1']), ...(wanted === 'ipv4' ? [] : ['::1'])], failure: null, found: true };
  }
  const none: DnsAnswer<string> = { kind: 'none', exists: false };
  const [six, four] = await Promise.all([wanted === 'ipv4' ? none : context.dns.addresses6(name), wanted === 'ipv6' ? none : context.dns.addresses4(name)]);
  const ips: string[] = [];
  const lists = [six, four].map((answer) => (answer.kind === 'found' ? shuffle([...answer.records], context.random) : []));
  // Alternate between the families, so that a broken one costs at most every second try.
  for (let i = 0; i < Math.max(lists[0]!.length, lists[1]!.length); i++) for (const list of lists) if (i < list.length) ips.push(list[i]!);
  const failed = [six, four].find((answer) => answer.kind === 'failed');
  return {
    ips,
    failure: ips.length === 0 && failed?.kind === 'failed' ? `address lookup for ${name}: ${failed.reason}` : null,
    found: [six, four].some((answer) => answer.kind === 'found' || (answer.kind === 'none' && answer.exists)),
  };
}

/** By preference; equals in random order (RFC 5321 section 5.1). */
function order(hosts: Host[], context: MxContext): Host[] {
  return shuffle(hosts, context.random).sort((a, b) => a.preference - b.preference);
}

function shuffle<T>(list: T[], random: () => number): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

const loops = (domain: string): Resolved => refused(554, '5.4.6', `mail for ${domain} loops back to this server`);

export function isLoopback(address: string): boolean {
  const ip = oneSpelling(address);
  return ip.startsWith('127.') || ip === '::1';
}

/** An address has many spellings; the unspecified address connects to this machine. */
function oneSpelling(address: string): string {
  const ip = parseIp(address) ?? address;
  return ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip;
}

/**
 * Tells our own listeners by address and port. `listeners` are "ip:port", "[::]:port", "*:port", "localhost:port";
 * `interfaceAddresses` are the addresses of this machine, which an unspecified listening address stands for.
 */
export function ownListeners(listeners: readonly string[], interfaceAddresses: readonly string[]): (ip: string, port: number) => boolean {
  const everywhere = new Set<number>();
  const exact = new Set<string>();
  for (const entry of listeners) {
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry);
    if (match === null) continue;
    const ip = match[1] ?? match[2]!;
    const port = Number(match[3]);
    if (ip === '*' || ip === '::' || ip === '0.0.0.0') everywhere.add(port);
    else if (ip === 'localhost') exact.add(`127.0.0.1 ${port}`).add(`::1 ${port}`);
    else exact.add(`${oneSpelling(ip)} ${port}`);
  }
  const ours = new Set(interfaceAddresses.map(oneSpelling));
  return (address, port) => {
    const ip = oneSpelling(address);
    return exact.has(`${ip} ${port}`) || (everywhere.has(port) && (isLoopback(ip) || ours.has(ip)));
  };
}
