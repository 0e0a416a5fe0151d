import { CLIENTS } from '../small-world.ts';
import { GOOD_RECIPIENT, GOOD_SENDER, HELLO, NULL_SENDER, type Setup } from '../types.ts';

const senders = (...addresses: string[]) =>
  addresses.map((address) => ({ name: `from <${address}>`, from: CLIENTS.known, says: [HELLO, `MAIL FROM:<${address}>`, GOOD_RECIPIENT] }));
const recipients = (from: string, ...addresses: string[]) =>
  addresses.map((address) => ({ name: `to <${address}>`, from, says: [HELLO, GOOD_SENDER, `RCPT TO:<${address}>`] }));

const DOMAINS = [
  'a@good.test',
  'a@address.test',
  'a@address6.test',
  'a@sub.good.test',
  'a@null.test',
  'a@none.test',
  'a@text.test',
  'a@x.refused',
  'a@us.test',
  'a@box.test',
  'a@relay.test',
  'a@[203.0.113.1]',
  'a@literal.test',
];

/** Domains and existence of senders and recipients. */
export const ADDRESSES: readonly Setup[] = [
  {
    name: 'reject_unknown_sender_domain',
    main: { smtpd_sender_restrictions: 'reject_unknown_sender_domain' },
    conversations: senders(...DOMAINS, ''),
  },
  {
    name: 'reject_unknown_sender_domain with 5xx and at once',
    main: { smtpd_sender_restrictions: 'reject_unknown_sender_domain', unknown_address_reject_code: '550', unknown_address_tempfail_action: 'defer' },
    conversations: senders('a@none.test', 'a@x.refused', 'a@text.test'),
  },
  {
    name: 'reject_unknown_recipient_domain',
    main: { smtpd_recipient_restrictions: 'reject_unknown_recipient_domain' },
    conversations: recipients(CLIENTS.trusted, ...DOMAINS),
  },
  {
    name: 'reject_non_fqdn_sender',
    main: { smtpd_sender_restrictions: 'reject_non_fqdn_sender' },
    conversations: senders('a@good.test', 'a@host', 'a@[203.0.113.1]', '', 'a@under_score.test', '"a b"@good.test'),
  },
  {
    name: 'reject_non_fqdn_recipient',
    main: { smtpd_recipient_restrictions: 'reject_non_fqdn_recipient', non_fqdn_reject_code: '550' },
    conversations: recipients(CLIENTS.trusted, 'a@good.test', 'a@host', 'a@[203.0.113.1]', 'anna@us.test'),
  },
  {
    name: 'reject_unlisted_sender',
    main: { smtpd_sender_restrictions: 'reject_unlisted_sender' },
    conversations: senders('nobody@us.test', 'anna@us.test', 'nobody@box.test', 'team@alias.test', 'nobody@alias.test', 'nobody@relay.test', 'a@good.test', ''),
  },
  {
    name: 'smtpd_reject_unlisted_sender',
    main: { smtpd_reject_unlisted_sender: 'yes', smtpd_sender_restrictions: 'permit' },
    conversations: senders('nobody@us.test', 'anna@us.test', ''),
  },
  {
    name: 'reject_unlisted_recipient first',
    main: {
      smtpd_recipient_restrictions: 'reject_unlisted_recipient, reject',
      unknown_local_recipient_reject_code: '450',
      unknown_relay_recipient_reject_code: '551',
    },
    conversations: recipients(CLIENTS.trusted, 'nobody@us.test', 'anna@us.test', 'nobody@box.test', 'nobody@alias.test', 'nobody@relay.test', 'a@good.test'),
  },
  {
    name: 'a mere warning about unlisted recipients leaves the last question',
    main: { smtpd_recipient_restrictions: 'warn_if_reject reject_unlisted_recipient' },
    conversations: recipients(CLIENTS.trusted, 'nobody@us.test', 'anna@us.test'),
  },
  {
    name: 'no question about unlisted recipients',
    main: { smtpd_reject_unlisted_recipient: 'no' },
    conversations: recipients(CLIENTS.known, 'nobody@us.test', 'nobody@box.test', 'nobody@relay.test').map((conversation, index) =>
      index === 0
        ? { ...conversation, serverDiffers: 'unknown users of the directory' }
        : index === 1
          ? { ...conversation, serverDiffers: 'unknown virtual mailboxes' }
          : conversation,
    ),
  },
  {
    name: 'reject_multi_recipient_bounce at RCPT',
    main: { smtpd_recipient_restrictions: 'reject_multi_recipient_bounce' },
    conversations: [
      { name: 'two recipients', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'DATA', '.'] },
      { name: 'one recipient', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT, 'DATA', '.'] },
    ],
  },
  {
    name: 'reject_multi_recipient_bounce at DATA',
    main: { smtpd_data_restrictions: 'reject_multi_recipient_bounce', multi_recipient_bounce_reject_code: '551' },
    conversations: [
      { name: 'two recipients', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'DATA', '.'] },
      { name: 'one recipient', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT, 'DATA', '.'] },
      { name: 'a sender', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'DATA', '.'] },
    ],
  },
  {
    name: 'permit_mx_backup',
    main: { smtpd_relay_restrictions: 'permit_mx_backup, reject' },
    conversations: recipients(
      CLIENTS.known,
      'a@backup.test',
      'a@primary.test',
      'a@good.test',
      'a@none.test',
      'a@x.refused',
      'a@halfbackup.test',
      'anna@us.test',
      'a@address.test',
      'a@[203.0.113.1]',
    ),
  },
  {
    name: 'permit_mx_backup_networks',
    main: { smtpd_relay_restrictions: 'permit_mx_backup, reject', permit_mx_backup_networks: '192.0.2.0/24' },
    conversations: recipients(CLIENTS.known, 'a@backup.test', 'a@halfbackup.test'),
  },
  {
    name: 'permit_mx_backup_networks elsewhere',
    main: { smtpd_relay_restrictions: 'permit_mx_backup, reject', permit_mx_backup_networks: '198.51.100.0/24' },
    conversations: recipients(CLIENTS.known, 'a@backup.test'),
  },
  {
    name: 'sender servers',
    main: {
      smtpd_sender_restrictions: 'check_sender_mx_access texthash:$dir/mx, check_sender_ns_access texthash:$dir/ns, check_sender_a_access cidr:$dir/a',
    },
    files: {
      mx: '203.0.113 REJECT 5.1.2 spam network\nmx.good.test DUNNO\n192.0.2.52 OK\n',
      ns: 'evil.test 550 evil\n',
      a: '192.0.2.51/32 450 4.1.1 address\n',
    },
    conversations: senders(
      'a@spam.test',
      'a@other.test',
      'a@good.test',
      'a@address.test',
      'a@owned.test',
      'a@sub.good.test',
      'a@none.test',
      'a@[203.0.113.7]',
      'a@null.test',
      'a@x.refused',
      '',
    ),
  },
  {
    name: 'recipient servers',
    main: {
      smtpd_recipient_restrictions:
        'check_recipient_mx_access texthash:$dir/mx, check_recipient_ns_access texthash:$dir/ns, check_recipient_a_access texthash:$dir/a',
    },
    files: { mx: 'spam.test REJECT\n', ns: '203.0.113.53 DEFER\n', a: '192.0.2.51 521 5.1.8 no\n' },
    conversations: recipients(CLIENTS.trusted, 'a@spam.test', 'a@good.test', 'a@owned.test', 'a@sub.good.test', 'anna@us.test'),
  },
  {
    name: 'client servers',
    main: {
      smtpd_client_restrictions:
        'check_client_ns_access texthash:$dir/ns, check_client_mx_access texthash:$dir/mx, check_client_a_access texthash:$dir/a, check_reverse_client_hostname_a_access texthash:$dir/ra',
    },
    files: { ns: 'ns.test DUNNO\n', mx: '192.0.2.24 REJECT own mail exchanger\n', a: '192.0.2.20 DEFER\n', ra: '192.0.2.99 550 5.1.1 forged\n' },
    conversations: (['known', 'forged', 'nameless', 'deep', 'six'] as const).map((name) => ({
      name,
      from: CLIENTS[name],
      says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT],
    })),
  },
];
