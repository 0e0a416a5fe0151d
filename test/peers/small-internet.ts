/**
 * A small internet on the loopback device of our own network: a DNS zone, our host and a remote host.
 *
 *   192.0.2.1   mx.us.test        Posthorn: us.test, and second.test as an alias domain
 *   192.0.2.2   mx.remote.test    Debian's Postfix: remote.test
 *   192.0.2.20  client.test       where test clients may come from
 *   192.0.2.66  dead.host.test    up, but nothing listens there
 *
 * The first two and the dead one have 2001:db8::1, ::2 and ::66 as well.
 */
import type { Owner } from '../harness/temp.ts';
import { type Nsd, startNsd } from './nsd.ts';
import { type Postfix, type PostfixOptions, startPostfix } from './postfix.ts';

export const US = '192.0.2.1';
export const REMOTE = '192.0.2.2';
export const CLIENT = '192.0.2.20';

const TEST_ZONE = `
ns              IN A     127.0.0.1
client          IN A     ${CLIENT}
us              IN MX 10 mx.us
mx.us           IN A     ${US}
second          IN MX 10 mx.us
remote          IN MX 10 mx.remote
mx.remote       IN A     ${REMOTE}
dead.host       IN A     192.0.2.66
; the better server is dead, the second takes the mail
backup          IN MX 10 dead.host
backup          IN MX 20 mx.remote
; two of the same preference, one of them dead
equal           IN MX 10 dead.host
equal           IN MX 10 mx.remote
; no MX: the address itself (RFC 5321 section 5.1)
fallback        IN A     ${REMOTE}
; an MX whose target is an alias: wrong, but met
alias           IN MX 10 cname.mx
cname.mx        IN CNAME mx.remote
; does not want mail (RFC 7505)
null            IN MX 0  .
dead            IN MX 10 dead.host
; MX whose target does not exist
lost            IN MX 10 nowhere.lost
; IPv6 only; IPv6 dead and IPv4 alive; IPv6 without a way there
six             IN MX 10 mx.six
mx.six          IN AAAA  2001:db8::2
sixdead         IN MX 10 mx.sixdead
mx.sixdead      IN AAAA  2001:db8::66
mx.sixdead      IN A     ${REMOTE}
sixfar          IN MX 10 mx.sixfar
mx.sixfar       IN AAAA  2001:db8:ffff::1
mx.sixfar       IN A     ${REMOTE}
; MX that leads back to us although the domain is not ours
loop            IN MX 10 mx.us
`;
const REVERSE_ZONE = `
1   IN PTR mx.us.test.
2   IN PTR mx.remote.test.
20  IN PTR client.test.
`;

/** DNS for "test", the addresses, and a root that says of all else that it does not exist. */
export function startDns(owner: Owner): Promise<Nsd> {
  return startNsd(owner, { 'test.': TEST_ZONE, '2.0.192.in-addr.arpa.': REVERSE_ZONE, '.': '' });
}

/** The remote host: takes mail for remote.test and the domains whose MX leads to it; unknown users are refused at RCPT. */
export function startRemote(owner: Owner, options: Partial<PostfixOptions> = {}): Promise<Postfix> {
  return startPostfix(owner, {
    name: 'remote',
    address: `${REMOTE}:25`,
    hostname: 'mx.remote.test',
    domains: ['remote.test', 'backup.test', 'equal.test', 'fallback.test', 'alias.test'],
    users: ['rita', 'rob'],
    ...options,
    main: {
      mynetworks: `127.0.0.0/8 ${REMOTE}/32`,
      smtp_bind_address: REMOTE,
      ...options.main,
    },
  });
}

/** Configuration of a Posthorn that lives at 192.0.2.1 of this internet (and on loopback, for administration). */
export const US_CONFIG = {
  listen: { smtp: [`${US}:25`, '127.0.0.1:25'], submission: [`${US}:587`], submissions: [`${US}:465`] },
  dns: { servers: ['127.0.0.1:53'] },
} as const;
