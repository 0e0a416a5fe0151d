import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, NULL_SENDER, type Setup } from '../types.ts';

const senders = (...addresses: string[]) =>
  addresses.map((address) => ({ name: `from <${address}>`, from: CLIENTS.known, says: [HELLO, `MAIL FROM:<${address}>`, GOOD_RECIPIENT] }));
const ACTIONS = [
  'OK',
  'ok with a text',
  'RELAY',
  '1234567',
  '554',
  'REJECT',
  'REJECT with a text',
  'REJECT 5.1.1 with a code',
  'REJECT 4.1.1 with a code of the other class',
  'DEFER',
  'DEFER 4.3.2 maintenance',
  'DEFER_IF_PERMIT',
  'DEFER_IF_PERMIT 4.1.8 later',
  'DEFER_IF_REJECT',
  '450 try again',
  '550 5.7.2 never',
  '550 5.1.8 a sender code',
  '450 4.1.2 a recipient code',
  '599 odd',
  ...[0, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((detail) => `550 5.1.${detail} an address code`),
  '421 go away',
  '521 go away',
  'DUNNO',
  'dunno this',
  'INFO told',
  'WARN told',
  'HOLD',
  'HOLD it',
  'FILTER smtp:[127.0.0.1]:10025',
  'FILTER nonsense',
  'FILTER',
  'REDIRECT bert@us.test',
  'REDIRECT nonsense',
  'BCC bert@us.test',
  'PREPEND X-Test: yes',
  'PREPEND nonsense',
  'DISCARD',
  'DISCARD it',
  'reject',
  'permit',
  'defer',
  'reject_unauth_destination',
  'reject_unknown_sender_domain, permit',
  'warn_if_reject reject',
  'no_such_restriction',
  'check_sender_access texthash:x',
  'strict',
  'reject_non_fqdn_sender strict',
  '600 five hundred',
  '55 short',
];

/** Access tables: search orders, every action, classes. */
export const TABLES: readonly Setup[] = [
  ...(['client', 'sender', 'recipient'] as const).map(
    (list): Setup => ({
      name: `every action in the ${list} list`,
      main: {
        [`smtpd_${list}_restrictions`]: `check_sender_access texthash:$dir/actions${list === 'recipient' ? ', reject' : ''}`,
        smtpd_restriction_classes: 'strict',
        strict: 'reject_unknown_sender_domain, reject_unknown_helo_hostname',
      },
      files: { actions: ACTIONS.map((action, index) => `user${index}@good.test ${action}\n`).join('') },
      conversations: ACTIONS.map((action, index) => ({
        name: action,
        from: CLIENTS.known,
        says: [HELLO, `MAIL FROM:<user${index}@good.test>`, GOOD_RECIPIENT, FOREIGN_RECIPIENT, 'DATA', '.'],
      })),
    }),
  ),
  {
    name: 'actions about clients and HELO names',
    main: {
      smtpd_client_restrictions: 'check_client_access inline:{ {192.0.2.20 = 550 5.1.8 client}, {192.0.2.22 = REJECT 5.7.2} }',
      smtpd_helo_restrictions: 'check_helo_access inline:{ {good.test = REJECT 5.1.1 helo}, {sub.good.test = 450 4.2.0 helo} }',
    },
    conversations: [
      { name: 'an address code about a client', from: CLIENTS.known, says: MESSAGE },
      { name: 'another code about a client', from: CLIENTS.nameless, says: MESSAGE },
      { name: 'an address code about HELO', from: CLIENTS.deep, says: ['EHLO good.test', GOOD_SENDER, GOOD_RECIPIENT] },
      { name: 'another code about HELO', from: CLIENTS.deep, says: ['EHLO sub.good.test', GOOD_SENDER, GOOD_RECIPIENT] },
    ],
  },
  {
    name: 'sender table',
    main: { smtpd_sender_restrictions: 'texthash:$dir/senders, hash:$dir/more.db-source' },
    files: {
      senders:
        'rita@good.test OK\ngood.test REJECT domain\nspam@ 550 5.1.0 any spam@\nuser+list@address.test DUNNO\nuser@address.test DEFER\n<> 550 5.7.1 no bounces\n',
      'more.db-source': 'sub.address.test 450 sub\naddress.test 551 5.7.1 more\n[203.0.113.1] REJECT literal\n',
    },
    conversations: senders(
      'rita@good.test',
      'RITA@GOOD.TEST',
      'otto@good.test',
      'otto@sub.good.test',
      'spam@text.test',
      'user+list@address.test',
      'user+other@address.test',
      'user@address.test',
      'x@address.test',
      'x@deep.sub.address.test',
      'x@[203.0.113.1]',
      '"quoted local"@good.test',
      '',
    ),
  },
  {
    name: 'sender table without subdomains, with another null key',
    main: {
      smtpd_sender_restrictions: 'check_sender_access texthash:$dir/senders',
      parent_domain_matches_subdomains: '',
      smtpd_null_access_lookup_key: 'nobody',
    },
    files: { senders: 'good.test REJECT\n.address.test DEFER\nnobody 450 null\n' },
    conversations: senders('a@good.test', 'a@sub.good.test', 'a@address.test', 'a@sub.address.test', ''),
  },
  {
    name: 'sender patterns',
    main: { smtpd_sender_restrictions: 'check_sender_access regexp:$dir/regexp, check_sender_access pcre:$dir/pcre' },
    files: {
      regexp: '/^(.*)@good\\.test$/ 550 5.1.1 not $1\n!/@(good|address)\\.test$/ DEFER elsewhere\n',
      pcre: 'if /^u/\n/^user\\+(?<x>\\w+)@/ REJECT $1\nendif\n/^\\d+@/ 450 numbers\n',
    },
    conversations: senders('a@good.test', 'user+x@address.test', 'user@address.test', '12@address.test', 'a@text.test', ''),
  },
  {
    name: 'recipient table before the relay barrier',
    main: { smtpd_relay_restrictions: 'check_recipient_access texthash:$dir/recipients, reject_unauth_destination' },
    files: { recipients: 'otto@good.test OK\nanna@us.test REJECT\nbert@ 450 4.2.1 bert\nrelay.test OK\npostmaster@ OK\nus.test OK\n' },
    conversations: [
      'otto@good.test',
      'other@good.test',
      'anna@us.test',
      'bert@us.test',
      'bert@good.test',
      'x@relay.test',
      'postmaster@us.test',
      ['otto%good.test@us.test', 'sender routing'],
      ['otto@good.test@us.test', 'address grammar'],
    ].map((row) => {
      const [address, differs] = typeof row === 'string' ? [row, undefined] : row;
      return { name: address!, from: CLIENTS.known, says: [HELLO, GOOD_SENDER, `RCPT TO:<${address}>`], ...(differs === undefined ? {} : { differs }) };
    }),
  },
  {
    name: 'restriction classes by recipient',
    main: {
      smtpd_restriction_classes: 'careful, easy, nested',
      careful: 'reject_unknown_client_hostname, reject_unknown_sender_domain',
      easy: 'permit',
      nested: 'warn_if_reject careful, check_sender_access texthash:$dir/senders, careful',
      smtpd_recipient_restrictions: 'check_recipient_access texthash:$dir/recipients, reject',
    },
    files: { recipients: 'anna@us.test careful\nbert@us.test easy\nsix@us.test nested\n', senders: 'a@text.test OK\nb@text.test REJECT\n' },
    conversations: [CLIENTS.known, CLIENTS.nameless].flatMap((from) =>
      ['rita@good.test', 'a@none.test', 'a@text.test', 'b@text.test'].map((sender) => ({
        name: `${from} ${sender}`,
        from,
        says: [HELLO, `MAIL FROM:<${sender}>`, 'RCPT TO:<anna@us.test>', 'RCPT TO:<bert@us.test>', 'RCPT TO:<six@us.test>', 'DATA', '.'],
      })),
    ),
  },
  {
    name: 'tables that fail',
    main: { smtpd_sender_restrictions: 'check_sender_access fail:broken' },
    conversations: [
      { name: 'refused for now', from: CLIENTS.known, says: MESSAGE },
      { name: 'the null sender too', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT] },
    ],
  },
  {
    name: 'a warning does not hide a table that fails',
    main: { smtpd_sender_restrictions: 'warn_if_reject check_sender_access fail:broken' },
    conversations: [{ name: 'refused for now', from: CLIENTS.known, says: MESSAGE }],
  },
  {
    name: 'a recipient table that fails',
    main: { local_recipient_maps: 'fail:broken' },
    conversations: [{ name: 'refused for now', from: CLIENTS.known, says: MESSAGE }],
  },
  {
    name: 'static, unionmap and pipemap',
    main: {
      smtpd_sender_restrictions: 'check_sender_access pipemap:{texthash:$dir/senders,inline:{one=REJECT,two=DEFER}}',
      smtpd_helo_restrictions: 'check_helo_access static:{450 4.7.0 everybody}',
    },
    files: { senders: 'a@good.test one\nb@good.test two\nc@good.test three\n' },
    conversations: senders('a@good.test', 'b@good.test', 'c@good.test'),
  },
  {
    name: 'HOLD and kin are forgotten with the message',
    main: { smtpd_data_restrictions: 'check_sender_access texthash:$dir/senders' },
    files: { senders: 'discard@good.test DISCARD\nrita@good.test REJECT\nhold@good.test HOLD\n' },
    conversations: [
      {
        name: 'DISCARD, then a message that is refused',
        from: CLIENTS.known,
        says: [HELLO, 'MAIL FROM:<discard@good.test>', GOOD_RECIPIENT, 'DATA', '.', GOOD_SENDER, GOOD_RECIPIENT, 'DATA', '.'],
      },
    ],
  },
  {
    name: 'DISCARD ends all questions',
    main: {
      smtpd_client_restrictions: 'check_client_access inline:{192.0.2.20=DISCARD}',
      smtpd_recipient_restrictions: 'reject',
      smtpd_data_restrictions: 'reject',
    },
    conversations: [
      {
        name: 'whatever follows',
        from: CLIENTS.known,
        says: [HELLO, GOOD_SENDER, 'RCPT TO:<nobody@us.test>', FOREIGN_RECIPIENT, 'DATA', '.'],
        serverDiffers: 'unknown users of the directory',
      },
      { name: 'a recipient that exists', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, FOREIGN_RECIPIENT, 'DATA', '.'] },
    ],
  },
];
