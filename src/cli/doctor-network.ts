/** Checks of what others see of this server: ports, names, addresses, lists, relaying, milters. */
import { parseMilter } from '../judge/milter/specification.ts';
import { networksOf } from '../net/networks.ts';
import { reversedLabels, reverseNameOf } from '../net/reverse-name.ts';
import { parseListenAddress } from '../system/listen-address.ts';
import { bad, type DoctorEnvironment, type Finding, ok, or, unknown, warn } from './doctor-types.ts';
import { humanSpan } from './table.ts';

export function server({ status, now }: DoctorEnvironment): Finding[] {
  if (status === null) return [bad('The server does not run.', 'no mail comes in or goes out', 'posthorn start')];
  const stuck = status.threads.filter((thread) => thread.state !== 'running');
  const restarted = status.threads.filter((thread) => thread.restarts > 0);
  return or(
    [
      ...stuck.map((thread) => bad(`The thread ${thread.name} does not answer.`, 'sessions hang', 'posthorn stop, then start; and report the log')),
      ...restarted.map((thread) =>
        warn(
          `The thread ${thread.name} was started again ${thread.restarts} times.`,
          'sessions broke off each time',
          'look for "thread.lost" in the log and report it',
        ),
      ),
    ],
    `${status.version}, running for ${humanSpan(now() - status.startedAt)}`,
  );
}

const PROTOCOLS = ['smtp', 'submission', 'submissions', 'imap', 'imaps', 'pop3', 'pop3s', 'sieve', 'lmtp'] as const;

export async function ports(env: DoctorEnvironment): Promise<Finding[]> {
  const problems: Finding[] = [];
  let count = 0;
  for (const protocol of PROTOCOLS) {
    // What is bound tells the port where the system chose it.
    const texts = (env.status === null ? env.settings[`listen.${protocol}`] : env.status.listen[protocol]) ?? [];
    for (const text of texts) {
      const address = parseListenAddress(text);
      if (address === null) continue;
      const hosts = 'path' in address ? [null] : isWildcard(address.host) ? [...new Set(['127.0.0.1', ...env.ownAddresses])] : [address.host];
      for (const host of hosts) {
        if (host?.includes(':') === true && 'host' in address && address.host === '0.0.0.0') continue;
        count += 1;
        const reach = await env.reach(host, 'path' in address ? address.path : address.port);
        if (reach === 'open') continue;
        const where = 'path' in address ? address.path : `${host} port ${address.port}`;
        problems.push(
          reach === 'timeout'
            ? bad(`Nothing answers at ${where} (${protocol}).`, 'clients cannot connect', 'let the port pass in the firewall of this machine')
            : bad(
                `The connection to ${where} (${protocol}) fails: ${reach}.`,
                'clients cannot connect',
                `check listen.${protocol} in the configuration, then posthorn start`,
              ),
        );
      }
    }
  }
  const smtp = (env.status === null ? env.settings['listen.smtp'] : env.status.listen['smtp']) ?? [];
  if (!smtp.some((text) => text.endsWith(':25')))
    problems.push(
      warn(
        'No listener is on port 25.',
        'other servers deliver there and nowhere else',
        'listen.smtp = ["[::]:25"], unless another program passes the port on',
      ),
    );
  return or(problems, `${count} listeners answer`);
}

const isWildcard = (host: string): boolean => host === '::' || host === '0.0.0.0' || host === '*';

export async function hostName({ settings, dns, addresses }: DoctorEnvironment): Promise<Finding[]> {
  const { hostname } = settings;
  if (!hostname.includes('.') || hostname === 'localhost' || hostname.endsWith('.localdomain') || hostname.endsWith('.local'))
    return [
      bad(
        `The host name "${hostname}" is not one that others can look up.`,
        'many servers refuse a HELO with it',
        'hostname = "mail.YOURDOMAIN" in the configuration',
      ),
    ];
  const [four, six] = await Promise.all([dns.addresses4(hostname), dns.addresses6(hostname)]);
  if (four.kind === 'failed') return [unknown(`${hostname} could not be looked up: ${four.reason}.`, 'look at dns.servers and /etc/resolv.conf')];
  const found = [four, six].flatMap((answer) => (answer.kind === 'found' ? answer.records : []));
  if (found.length === 0)
    return [
      bad(
        `${hostname} has no address in DNS.`,
        'others cannot deliver here, and many refuse its HELO',
        addresses.length > 0 ? `${hostname}. IN ${addresses[0]!.includes(':') ? 'AAAA' : 'A'} ${addresses[0]}` : `an A record for ${hostname}`,
      ),
    ];
  if (addresses.length > 0 && !found.some((ip) => addresses.includes(ip)))
    return [
      bad(
        `${hostname} leads to ${found.join(', ')}, which is not this server.`,
        'mail goes to another machine',
        `${hostname}. IN ${addresses[0]!.includes(':') ? 'AAAA' : 'A'} ${addresses[0]}, or doctor.addresses = [${found.map((ip) => `"${ip}"`).join(', ')}] when it is behind NAT`,
      ),
    ];
  return [ok(`${hostname} is ${found.join(', ')}`)];
}

/** Those the server sends from: the ones it binds to; behind NAT those that others see; else what the system would choose. */
function sendingAddresses({ settings, addresses, sourceAddresses }: DoctorEnvironment): string[] {
  const bound = [settings['deliver.bindAddress4'], settings['deliver.bindAddress6']].filter((ip) => ip !== '');
  const isBehindNat = (settings['doctor.addresses'] ?? []).length > 0;
  const all = bound.length > 0 ? bound : isBehindNat || sourceAddresses.length === 0 ? addresses : sourceAddresses;
  const only = settings['deliver.protocols'];
  return all.filter((ip) => (only === 'ipv4' ? !ip.includes(':') : only === 'ipv6' ? ip.includes(':') : true));
}

export async function addressNames(env: DoctorEnvironment): Promise<Finding[]> {
  const { dns, settings } = env;
  if (settings['deliver.relayHost'] !== '') return [ok('mail goes out through the relay host')];
  const all = sendingAddresses(env);
  if (all.length === 0) return [unknown('It is not known by which address others see this server.', 'doctor.addresses = ["203.0.113.1"] names it')];
  const problems: Finding[] = [];
  for (const ip of all) {
    const answer = await dns.ptr(ip);
    const cure = `${reverseNameOf(ip)}. IN PTR ${settings.hostname}. (the provider of the address sets it)`;
    if (answer.kind === 'failed') problems.push(unknown(`The name of ${ip} could not be looked up: ${answer.reason}.`));
    else if (answer.kind === 'none') problems.push(bad(`The address ${ip} has no name in reverse DNS.`, 'large receivers refuse mail from it', cure));
    else {
      const back = await Promise.all(answer.records.map((name) => (ip.includes(':') ? dns.addresses6(name) : dns.addresses4(name))));
      if (back.some((one) => one.kind === 'failed') && !back.some((one) => one.kind === 'found'))
        problems.push(unknown(`The names of ${ip} could not be looked up.`));
      else if (!back.some((one) => one.kind === 'found' && one.records.includes(ip)))
        problems.push(
          bad(
            `The name of ${ip} (${answer.records[0]}) does not lead back to it.`,
            'receivers treat the address as one without a name',
            `${answer.records[0]}. IN ${ip.includes(':') ? 'AAAA' : 'A'} ${ip}`,
          ),
        );
      else if (!answer.records.includes(settings.hostname.toLowerCase()))
        problems.push(warn(`${ip} is called ${answer.records[0]}, but greets as ${settings.hostname}.`, 'some receivers compare the two', cure));
    }
  }
  return or(problems, `${all.join(', ')}: names and addresses agree`);
}

export async function blocklists(env: DoctorEnvironment): Promise<Finding[]> {
  const lists = env.settings['doctor.blocklists'] ?? [];
  if (lists.length === 0) return [ok('none is asked (doctor.blocklists)')];
  const problems: Finding[] = [];
  const all = sendingAddresses(env);
  for (const list of lists)
    for (const ip of all) {
      const name = `${reversedLabels(ip)}.${list}`;
      const answer = await env.dns.addresses4(name);
      if (answer.kind === 'failed') problems.push(unknown(`${list} could not be asked about ${ip}: ${answer.reason}.`));
      else if (answer.kind === 'found' && answer.records.some((record) => /^127\.255\.255\./.test(record)))
        problems.push(unknown(`${list} refuses questions from the name servers used here.`, 'ask it through a name server of your own (dns.servers)'));
      else if (answer.kind === 'found' && answer.records.some((record) => record.startsWith('127.'))) {
        const why = await env.dns.txt(name);
        problems.push(
          bad(
            `${ip} is listed by ${list}${why.kind === 'found' ? `: ${why.records[0]!.slice(0, 200)}` : ''}.`,
            'receivers that use the list refuse mail from here',
            `stop what got it listed, then ask ${list} to remove it`,
          ),
        );
      }
    }
  return or(problems, `${all.length} ${all.length === 1 ? 'address' : 'addresses'} on none of ${lists.length}`);
}

/** Names that exist nowhere (RFC 2606), so that nothing could be delivered even if it were taken. */
const RELAY_TESTS: readonly (readonly [from: string, to: string])[] = [
  ['', 'relay-test@example.net'],
  ['postmaster@HOSTNAME', 'relay-test@example.net'],
  ['', 'relay-test%example.net@HOSTNAME'],
  ['', '@HOSTNAME:relay-test@example.net'],
];

export async function openRelay(env: DoctorEnvironment): Promise<Finding[]> {
  if (env.status === null) return [unknown('cannot be tried while the server does not run')];
  const bound = (env.status.listen['smtp'] ?? []).map(parseListenAddress).find((one) => one !== null && 'host' in one);
  if (bound === undefined || bound === null || 'path' in bound) return [ok('no SMTP listener')];
  const host = isWildcard(bound.host) ? (env.ownAddresses[0] ?? '127.0.0.1') : bound.host;
  const { hostname } = env.settings;
  for (const [from, to] of RELAY_TESTS) {
    const recipient = to.replace('HOSTNAME', hostname);
    const { codes, localAddress } = await env.smtp(host, bound.port, [
      'EHLO doctor.example.com',
      `MAIL FROM:<${from.replace('HOSTNAME', hostname)}>`,
      `RCPT TO:<${recipient}>`,
      'RSET',
      'QUIT',
    ]);
    if (codes[3] === undefined || codes[3] >= 400) continue;
    if (networksOf(env.settings['smtp.relayFrom']).has(localAddress))
      return [
        unknown(
          `cannot be tried from here: ${localAddress} is in smtp.relayFrom and may relay`,
          'try from a machine outside: swaks --to relay-test@example.net --server THIS',
        ),
      ];
    return [
      bad(
        `The server takes mail for ${recipient} from a stranger.`,
        'spammers will find it, and its address will be on every blocklist',
        'check smtp.relayFrom, the relay restrictions and permit_ rules',
      ),
    ];
  }
  return [ok('strangers may not relay')];
}

export async function milters(env: DoctorEnvironment): Promise<Finding[]> {
  const entries = env.settings['milter.milters'] ?? [];
  if (entries.length === 0) return [ok('none')];
  const problems: Finding[] = [];
  for (const entry of entries) {
    const spec = parseMilter(entry);
    if (typeof spec === 'string') continue; // the configuration reader refuses it
    const { place } = spec;
    const reach = 'path' in place ? await env.reach(null, place.path) : await env.reach(place.host, place.port);
    if (reach !== 'open')
      problems.push(
        bad(
          `The milter ${spec.name} does not answer (${reach}).`,
          `mail is treated by its default action (${spec.defaultAction ?? 'milter.defaultAction'})`,
          `start it, or take "${entry}" out of milter.milters`,
        ),
      );
  }
  return or(problems, `${entries.length} answer`);
}
