/** Names and addresses that the conversations use: who the clients are, which domains there are, what the lists list. */

/** Client addresses, all on the loopback device. */
export const CLIENTS = {
  /** client.test, and the name leads back. */
  known: '192.0.2.20',
  /** Says it is forged.test, which has another address. */
  forged: '192.0.2.21',
  /** No name. */
  nameless: '192.0.2.22',
  /** Its name has no address. */
  dangling: '192.0.2.23',
  /** mail.sub.client.test. */
  deep: '192.0.2.24',
  /** In mynetworks. */
  trusted: '192.0.2.25',
  /** Its name is in a zone whose server refuses to answer. */
  vague: '192.0.2.26',
  /** Listed in bl.test with 127.0.0.2 and a reason; with 127.0.0.10 and without one; in wl.test. */
  listed: '192.0.2.30',
  listedTen: '192.0.2.31',
  allowed: '192.0.2.32',
  /** Its reverse zone does not answer. */
  unresolved: '198.51.100.7',
  /** May give logins and names by XCLIENT. */
  proxy: '192.0.2.40',
  six: '2001:db8::20',
  sixNameless: '2001:db8::21',
} as const;

export const SERVER = '192.0.2.2';
export const SERVER6 = '2001:db8::2';

const TEST_ZONE = `
ns                IN A     127.0.0.1
us                IN MX 10 mx.us
mx.us             IN A     ${SERVER}
client            IN A     ${CLIENTS.known}
mail.sub.client   IN A     ${CLIENTS.deep}
forged            IN A     192.0.2.99
trusted           IN A     ${CLIENTS.trusted}
listed            IN A     ${CLIENTS.listed}
listedten         IN A     ${CLIENTS.listedTen}
allowed           IN A     ${CLIENTS.allowed}
proxy             IN A     ${CLIENTS.proxy}
six               IN AAAA  ${CLIENTS.six}
dangling          IN TXT   "no address"
; sender and recipient domains
good              IN MX 10 mx.good
mx.good           IN A     192.0.2.50
sub.good          IN A     192.0.2.51
address           IN A     192.0.2.52
address6          IN AAAA  2001:db8::52
null              IN MX 0  .
text              IN TXT   "neither mail nor address"
spam              IN MX 10 mx.spam
mx.spam           IN A     203.0.113.9
other             IN MX 10 mx.spam
literal           IN MX 10 192.0.2.50.
; name servers of their own
owned             IN NS    ns1.evil
owned             IN A     192.0.2.53
ns1.evil          IN A     203.0.113.53
; backup mail exchangers
backup            IN MX 10 mx.good
backup            IN MX 20 mx.us
primary           IN MX 10 mx.us
primary           IN MX 20 mx.good
halfbackup        IN MX 10 lost.host
halfbackup        IN MX 20 mx.us
; probes: a server that answers, and one that does not
probe             IN MX 10 mx.probe
mx.probe          IN A     192.0.2.60
; lists
30.2.0.192.bl     IN A     127.0.0.2
30.2.0.192.bl     IN TXT   "See http://bl.test/30"
31.2.0.192.bl     IN A     127.0.0.10
32.2.0.192.wl     IN A     127.0.0.5
spam.test.dbl     IN A     127.0.1.2
spam.test.dbl     IN TXT   "spam domain"
listed.test.dbl   IN A     127.0.1.4
liar.test.dbl     IN A     127.0.1.5
client.test.dwl   IN A     127.0.2.1
good.test.owndbl  IN A     127.0.1.9
1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl IN A 127.0.0.3
liar              IN A     192.0.2.98
`;
const REVERSE_ZONE = `
2   IN PTR mx.us.test.
20  IN PTR client.test.
21  IN PTR forged.test.
23  IN PTR dangling.test.
24  IN PTR mail.sub.client.test.
25  IN PTR trusted.test.
26  IN PTR host.refused.
30  IN PTR listed.test.
31  IN PTR listedten.test.
32  IN PTR allowed.test.
40  IN PTR proxy.test.
`;
const REVERSE_ZONE6 = `
0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IN PTR six.test.
`;

/** "refused." and the rest of the world are not served: NSD refuses, which is a temporary failure for those who ask. */
export const ZONES: Readonly<Record<string, string>> = {
  'test.': TEST_ZONE,
  '2.0.192.in-addr.arpa.': REVERSE_ZONE,
  '8.b.d.0.1.0.0.2.ip6.arpa.': REVERSE_ZONE6,
};

/** Users and aliases, for both servers: parameters and table files. */
export const WORLD: Readonly<Record<string, string>> = {
  myhostname: 'mx.us.test',
  mydomain: 'us.test',
  mydestination: 'us.test',
  local_recipient_maps: 'texthash:$dir/users',
  virtual_alias_domains: 'alias.test',
  virtual_alias_maps: 'texthash:$dir/aliases',
  virtual_mailbox_domains: 'box.test',
  virtual_mailbox_maps: 'texthash:$dir/boxes',
  relay_domains: 'relay.test',
  relay_recipient_maps: 'texthash:$dir/relayed',
  recipient_delimiter: '+',
  mynetworks: `${CLIENTS.trusted}/32`,
};
export const WORLD_FILES: Readonly<Record<string, string>> = {
  users: 'anna anna\nbert bert\nsix six\n',
  aliases: 'team@alias.test anna@us.test\n@wild.test anna@us.test\nalso@us.test anna@us.test\n',
  boxes: 'carl@box.test carl/\n',
  relayed: 'dora@relay.test x\ndora@sub.relay.test x\n',
};
