import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, type Setup } from '../types.ts';

const EVERYBODY = [
  CLIENTS.known,
  CLIENTS.forged,
  CLIENTS.nameless,
  CLIENTS.dangling,
  CLIENTS.deep,
  CLIENTS.vague,
  CLIENTS.unresolved,
  CLIENTS.six,
  CLIENTS.sixNameless,
] as const;
const KIND = new Map(Object.entries(CLIENTS).map(([name, ip]) => [ip, name]));
const fromAll = (says: readonly string[]) => EVERYBODY.map((from) => ({ name: KIND.get(from)!, from, says }));
const short = [HELLO, GOOD_SENDER, GOOD_RECIPIENT];
const hello = (name: string, verb = 'EHLO') => ({ name: `${verb} ${name}`, from: CLIENTS.known, says: [`${verb} ${name}`, GOOD_SENDER, GOOD_RECIPIENT] });

/** Another's address: our session does not wait for RCPT to say so. */
const NOT_ITS_OWN = { serverDiffers: 'sender of an account' };

const NAMES = [
  'client.test',
  'client',
  'client.test.',
  'client..test',
  '-client.test',
  'client-.test',
  'under_score.test',
  'cli!ent.test',
  '192.0.2.1',
  '1234',
  '[192.0.2.1]',
  '[300.0.2.1]',
  '[IPv6:2001:db8::1]',
  '[2001:db8::1]',
  '[192.0.2.1',
  '2001:db8::1',
  'none.test',
  'text.test',
  'good.test',
  'null.test',
  'address6.test',
  'x.refused',
  `${'a'.repeat(64)}.test`,
];

/** Names of clients and what they say their names are. */
export const CLIENT_AND_HELO: readonly Setup[] = [
  { name: 'reject_unknown_client_hostname', main: { smtpd_client_restrictions: 'reject_unknown_client_hostname' }, conversations: fromAll(short) },
  {
    name: 'reject_unknown_reverse_client_hostname',
    main: { smtpd_client_restrictions: 'reject_unknown_reverse_client_hostname', unknown_client_reject_code: '550' },
    conversations: fromAll(short),
  },
  {
    name: 'permit_inet_interfaces',
    main: { smtpd_relay_restrictions: 'permit_inet_interfaces, reject' },
    conversations: [{ name: 'not an address of the server', from: CLIENTS.known, says: short }],
  },
  {
    name: 'reject_plaintext_session',
    main: { smtpd_client_restrictions: 'reject_plaintext_session', plaintext_reject_code: '530' },
    conversations: [
      { name: 'in clear text', from: CLIENTS.known, says: MESSAGE },
      { name: 'in TLS', from: CLIENTS.known, says: [HELLO, 'STARTTLS', ...MESSAGE] },
    ],
  },
  {
    name: 'client table',
    main: { smtpd_client_restrictions: 'check_client_access texthash:$dir/clients, reject' },
    files: {
      clients: [
        'client.test OK',
        'forged.test OK',
        '192.0.2.22 OK',
        '192.0.2 REJECT 5.1.8 whole network',
        '2001:db8::20 OK',
        '2001:db8: DEFER',
        '2001:db8 450 4.1.1 six',
        '198.51 DUNNO',
      ].join('\n'),
    },
    conversations: fromAll(short),
  },
  {
    name: 'client table without subdomains',
    main: { smtpd_client_restrictions: 'texthash:$dir/clients, reject', parent_domain_matches_subdomains: '' },
    files: { clients: 'client.test OK\n.sub.client.test DEFER text\n' },
    conversations: fromAll(short),
  },
  {
    name: 'client in cidr, regexp and pcre tables',
    main: { smtpd_client_restrictions: 'check_client_access cidr:$dir/cidr, check_client_access regexp:$dir/regexp, check_client_access pcre:$dir/pcre' },
    files: {
      cidr: '192.0.2.20/32 DUNNO\n192.0.2.16/29 REJECT in the range\n2001:db8::21/128 550 5.7.2 six\n',
      regexp: '/^(mail)\\./ 521 5.7.1 $1\n/^192\\.0\\.2\\.2([0-2])$/ 450 4.7.3 ends with $1\n',
      pcre: '/(?i)CLIENT\\.test$/ 554 5.1.1 by name\n/^unknown$/ DEFER nameless\n',
    },
    conversations: fromAll(short),
  },
  {
    name: 'reverse name table',
    main: { smtpd_client_restrictions: 'check_reverse_client_hostname_access texthash:$dir/clients' },
    files: { clients: 'forged.test REJECT\ndangling.test 450 4.7.0 dangling\nclient.test OK\nunknown DEFER\n' },
    conversations: fromAll(short),
  },
  { name: 'reject_invalid_helo_hostname', main: { smtpd_helo_restrictions: 'reject_invalid_helo_hostname' }, conversations: NAMES.map((name) => hello(name)) },
  {
    name: 'reject_non_fqdn_helo_hostname',
    main: { smtpd_helo_restrictions: 'reject_non_fqdn_helo_hostname' },
    conversations: NAMES.map((name) => hello(name)),
  },
  {
    name: 'reject_unknown_helo_hostname',
    main: { smtpd_helo_restrictions: 'reject_unknown_helo_hostname', unknown_hostname_reject_code: '550' },
    conversations: NAMES.map((name) => hello(name, 'HELO')),
  },
  {
    name: 'reject_unknown_helo_hostname refuses at once',
    main: { smtpd_helo_restrictions: 'reject_unknown_helo_hostname', unknown_helo_hostname_tempfail_action: 'defer' },
    conversations: [hello('x.refused')],
  },
  {
    name: 'HELO table',
    main: { smtpd_helo_restrictions: 'check_helo_access texthash:$dir/helo, permit' },
    files: { helo: 'client.test REJECT 5.1.7 that is our client\nTEST 450 toplevel\nlocalhost 554 5.7.1 no\n192.0.2.1 DEFER\n192 REJECT\n' },
    conversations: ['client.test', 'sub.client.test', 'CLIENT.TEST', 'good.test', 'localhost', '192.0.2.1', '192.0.2.9', 'test.', 'example.org'].map((name) =>
      hello(name),
    ),
  },
  {
    name: 'check_helo_mx_access and kin',
    main: {
      smtpd_helo_restrictions: 'check_helo_mx_access texthash:$dir/mx, check_helo_ns_access texthash:$dir/ns, check_helo_a_access texthash:$dir/a',
    },
    files: { mx: 'mx.spam.test REJECT spammer\n', ns: 'evil.test 554 5.7.1 evil name server\n203.0.113.53 DEFER\n', a: '192.0.2.50 DEFER\n192.0.2.51 OK\n' },
    conversations: ['spam.test', 'other.test', 'owned.test', 'mx.good.test', 'sub.good.test', 'good.test', 'none.test', '[192.0.2.50]', 'null.test'].map(
      (name) => hello(name),
    ),
  },
  {
    name: 'HELO is not asked for',
    main: { smtpd_helo_restrictions: 'reject' },
    conversations: [{ name: 'MAIL without HELO', from: CLIENTS.known, says: [GOOD_SENDER, GOOD_RECIPIENT], serverDiffers: 'no HELO' }],
  },
  {
    name: 'signed in',
    main: {
      smtpd_sasl_auth_enable: 'yes',
      smtpd_relay_restrictions: 'permit_sasl_authenticated, reject_unauth_destination',
      smtpd_client_restrictions: 'check_sasl_access texthash:$dir/logins',
      smtpd_sender_login_maps: 'texthash:$dir/owners',
      smtpd_sender_restrictions: 'reject_sender_login_mismatch',
    },
    files: {
      logins: 'bad@us.test REJECT\nslow@us.test 450 4.7.8 slow\n',
      owners: 'anna@us.test anna@us.test, boss@us.test\n@box.test carl@us.test\nfree@good.test other\n',
    },
    conversations: [
      ...['anna@us.test', 'ANNA@us.test', 'boss@us.test', 'bad@us.test', 'slow@us.test'].map((login) => ({
        name: `${login} relays as anna`,
        from: CLIENTS.proxy,
        says: [`XCLIENT LOGIN=${login}`, HELLO, 'MAIL FROM:<anna@us.test>', FOREIGN_RECIPIENT],
        ...(/^(?:bad|slow)/.test(login) ? NOT_ITS_OWN : {}),
      })),
      ...['bad@us.test', 'slow@us.test'].map((login) => ({
        name: `${login} relays as itself`,
        from: CLIENTS.proxy,
        says: [`XCLIENT LOGIN=${login}`, HELLO, `MAIL FROM:<${login}>`, FOREIGN_RECIPIENT],
      })),
      {
        name: 'not the owner',
        from: CLIENTS.proxy,
        says: ['XCLIENT LOGIN=bert@us.test', HELLO, 'MAIL FROM:<anna@us.test>', FOREIGN_RECIPIENT],
        ...NOT_ITS_OWN,
      },
      { name: 'without an owner', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=bert@us.test', HELLO, GOOD_SENDER, FOREIGN_RECIPIENT], ...NOT_ITS_OWN },
      { name: 'the null sender', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=bert@us.test', HELLO, 'MAIL FROM:<>', FOREIGN_RECIPIENT] },
      { name: 'an owner of the domain', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=carl@us.test', HELLO, 'MAIL FROM:<any@box.test>', FOREIGN_RECIPIENT] },
      { name: 'a detail', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=anna@us.test', HELLO, 'MAIL FROM:<anna+x@us.test>', FOREIGN_RECIPIENT] },
      { name: 'not signed in, an owned address', from: CLIENTS.known, says: [HELLO, 'MAIL FROM:<anna@us.test>', GOOD_RECIPIENT] },
      { name: 'not signed in, an address of nobody', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT] },
    ],
  },
  ...['reject_known_sender_login_mismatch', 'reject_authenticated_sender_login_mismatch', 'reject_unauthenticated_sender_login_mismatch'].map(
    (words): Setup => ({
      name: words,
      main: { smtpd_sasl_auth_enable: 'yes', smtpd_sender_login_maps: 'texthash:$dir/owners', smtpd_sender_restrictions: words },
      files: { owners: 'anna@us.test anna@us.test\n' },
      conversations: [
        { name: 'the owner', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=anna@us.test', HELLO, 'MAIL FROM:<anna@us.test>', GOOD_RECIPIENT] },
        { name: 'not the owner', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=bert@us.test', HELLO, 'MAIL FROM:<anna@us.test>', GOOD_RECIPIENT], ...NOT_ITS_OWN },
        { name: 'an address of nobody', from: CLIENTS.proxy, says: ['XCLIENT LOGIN=bert@us.test', HELLO, GOOD_SENDER, GOOD_RECIPIENT], ...NOT_ITS_OWN },
        { name: 'not signed in, an owned address', from: CLIENTS.known, says: [HELLO, 'MAIL FROM:<anna@us.test>', GOOD_RECIPIENT] },
        { name: 'not signed in, an address of nobody', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT] },
      ],
    }),
  ),
];
