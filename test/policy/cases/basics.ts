import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, NULL_SENDER, type Setup } from '../types.ts';

const to = (...addresses: string[]): string[] => [HELLO, GOOD_SENDER, ...addresses.map((address) => `RCPT TO:<${address}>`)];

/** Who may relay, which recipients exist, and the words permit, reject, defer. */
export const BASICS: readonly Setup[] = [
  {
    name: 'relay',
    main: {},
    conversations: [
      { name: 'a message to a user of ours', from: CLIENTS.known, says: MESSAGE },
      { name: 'a stranger may not relay', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT, GOOD_RECIPIENT, 'DATA', '.'] },
      { name: 'mynetworks may relay', from: CLIENTS.trusted, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT, 'DATA', '.'] },
      { name: 'HELO instead of EHLO', from: CLIENTS.known, says: ['HELO client.test', GOOD_SENDER, GOOD_RECIPIENT] },
      { name: 'from the null sender', from: CLIENTS.known, says: [HELLO, NULL_SENDER, GOOD_RECIPIENT, 'DATA', '.'] },
      { name: 'an unknown user', from: CLIENTS.known, says: to('nobody@us.test', 'anna@us.test') },
      { name: 'an unknown user, from mynetworks', from: CLIENTS.trusted, says: to('nobody@us.test') },
      { name: 'a user with a detail', from: CLIENTS.known, says: to('anna+detail@us.test', 'nobody+detail@us.test') },
      { name: 'upper case', from: CLIENTS.known, says: to('ANNA@US.TEST', 'NOBODY@US.TEST') },
      { name: 'a virtual alias and an unknown one', from: CLIENTS.known, says: to('team@alias.test', 'nobody@alias.test') },
      { name: 'a virtual mailbox and an unknown one', from: CLIENTS.known, says: to('carl@box.test', 'nobody@box.test') },
      { name: 'a relayed address and an unknown one', from: CLIENTS.known, says: to('dora@relay.test', 'nobody@relay.test') },
      { name: 'a subdomain of a relay domain', from: CLIENTS.known, says: to('dora@sub.relay.test', 'nobody@sub.relay.test') },
      { name: 'an alias in a local domain', from: CLIENTS.known, says: to('also@us.test') },
      { name: 'postmaster without a domain', from: CLIENTS.known, says: to('postmaster', 'Postmaster') },
      { name: 'postmaster of ours', from: CLIENTS.known, says: to('postmaster@us.test') },
      { name: 'percent hack', from: CLIENTS.known, says: to('otto%good.test@us.test') },
      { name: 'bang path', from: CLIENTS.known, says: to('good.test!otto@us.test') },
      { name: 'quoted at', from: CLIENTS.known, says: to('"otto@good.test"@us.test') },
      { name: 'source route to a foreign domain', from: CLIENTS.known, says: to('@us.test:otto@good.test') },
      { name: 'percent hack at a relay domain', from: CLIENTS.known, says: to('otto%good.test@relay.test') },
      { name: 'percent hack at a mailbox domain', from: CLIENTS.known, says: to('otto%good.test@box.test') },
      { name: 'an address literal', from: CLIENTS.known, says: to('otto@[203.0.113.1]') },
      { name: 'over IPv6', from: CLIENTS.six, says: MESSAGE },
      { name: 'relay over IPv6', from: CLIENTS.six, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT] },
      { name: 'two messages in one session', from: CLIENTS.known, says: [...MESSAGE, GOOD_SENDER, FOREIGN_RECIPIENT, GOOD_RECIPIENT, 'DATA', '.'] },
    ],
  },
  {
    name: 'defer_unauth_destination',
    main: { smtpd_relay_restrictions: 'permit_mynetworks, defer_unauth_destination' },
    conversations: [{ name: 'relaying is refused for now', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT, GOOD_RECIPIENT] }],
  },
  {
    name: 'only recipient restrictions',
    main: { smtpd_relay_restrictions: '', smtpd_recipient_restrictions: 'permit_mynetworks reject_unauth_destination' },
    conversations: [
      { name: 'a stranger may not relay, with the barrier in the recipient list', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT] },
      { name: 'an unknown user is refused at the end of the list', from: CLIENTS.known, says: to('nobody@us.test') },
    ],
  },
  {
    name: 'permit_auth_destination, reject',
    main: { smtpd_relay_restrictions: 'permit_auth_destination, reject' },
    conversations: [
      { name: 'all classes of ours', from: CLIENTS.known, says: to('anna@us.test', 'team@alias.test', 'carl@box.test', 'dora@relay.test', 'otto@good.test') },
    ],
  },
  {
    name: 'check_relay_domains',
    main: { smtpd_relay_restrictions: 'permit_mynetworks, check_relay_domains' },
    conversations: [{ name: 'the old word', from: CLIENTS.known, says: to('anna@us.test', 'otto@good.test', 'dora@relay.test') }],
  },
  {
    name: 'recipient list before relay list',
    main: { smtpd_relay_before_recipient_restrictions: 'no', smtpd_recipient_restrictions: 'defer' },
    conversations: [
      { name: 'the recipient list speaks first', from: CLIENTS.known, says: to('otto@good.test', 'anna@us.test') },
      { name: 'the recipient list speaks first, for mynetworks too', from: CLIENTS.trusted, says: to('otto@good.test') },
    ],
  },
  {
    name: 'relay list before recipient list',
    main: { smtpd_recipient_restrictions: 'defer' },
    conversations: [{ name: 'the relay list speaks first', from: CLIENTS.known, says: to('otto@good.test', 'anna@us.test') }],
  },
  ...(['client', 'helo', 'sender', 'recipient', 'data', 'end_of_data'] as const).flatMap((list): Setup[] =>
    ['reject', 'defer', 'permit', 'warn_if_reject reject', 'defer_if_permit', 'defer_if_reject, reject', 'warn_if_reject defer_if_permit'].map((words) => ({
      name: `${words} in the ${list} list`,
      main: { [`smtpd_${list}_restrictions`]: words },
      conversations: [{ name: 'a whole message', from: CLIENTS.known, says: MESSAGE }],
    })),
  ),
  {
    name: 'codes of reject and defer',
    main: {
      smtpd_client_restrictions: 'permit_mynetworks, reject',
      smtpd_sender_restrictions: 'defer',
      reject_code: '521',
      defer_code: '421',
    },
    conversations: [
      { name: '521 closes the connection', from: CLIENTS.known, says: MESSAGE },
      { name: '421 closes the connection', from: CLIENTS.trusted, says: MESSAGE },
    ],
  },
  {
    name: 'nothing waits for RCPT',
    main: { smtpd_delay_reject: 'no', smtpd_client_restrictions: 'permit_mynetworks, reject' },
    conversations: [
      { name: 'refused with the greeting', from: CLIENTS.known, says: MESSAGE },
      { name: 'not refused', from: CLIENTS.trusted, says: MESSAGE },
    ],
  },
  {
    name: 'HELO refused at once',
    main: { smtpd_delay_reject: 'no', smtpd_helo_restrictions: 'reject_non_fqdn_helo_hostname' },
    conversations: [
      { name: 'HELO refused, then a better name', from: CLIENTS.known, says: ['EHLO client', 'HELO client', HELLO, GOOD_SENDER, GOOD_RECIPIENT] },
    ],
  },
  {
    name: 'MAIL refused at once',
    main: { smtpd_delay_reject: 'no', smtpd_sender_restrictions: 'reject_unknown_sender_domain' },
    conversations: [
      {
        name: 'MAIL refused, then a better sender',
        from: CLIENTS.known,
        says: [HELLO, 'MAIL FROM:<a@none.test>', GOOD_SENDER, GOOD_RECIPIENT, 'DATA', '.'],
      },
      { name: 'a temporary failure waits for RCPT', from: CLIENTS.known, says: [HELLO, 'MAIL FROM:<a@x.refused>', GOOD_RECIPIENT] },
    ],
  },
];
