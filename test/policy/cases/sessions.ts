import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, NULL_SENDER, type Conversation, type Setup } from '../types.ts';

const named = (name: string, attributes: string, from: string = CLIENTS.proxy): Conversation => ({
  name,
  from,
  says: [`XCLIENT ${attributes}`, HELLO, GOOD_SENDER, GOOD_RECIPIENT, FOREIGN_RECIPIENT],
});
const says = (name: string, ...lines: readonly string[]): Conversation => ({ name, from: CLIENTS.known, says: lines });
const differs = (row: string, conversation: Conversation): Conversation => ({ ...conversation, differs: row });
const ADDRESS = `ADDR=${CLIENTS.deep}`;

/** What the session itself says, and clients that a proxy names: only the whole program has a session. */
export const SESSIONS: readonly Setup[] = [
  {
    name: 'commands out of order',
    isSession: true,
    main: {},
    conversations: [
      says('RCPT before MAIL', HELLO, GOOD_RECIPIENT),
      says('DATA before MAIL', HELLO, 'DATA'),
      says('DATA before RCPT', HELLO, GOOD_SENDER, 'DATA'),
      says('DATA after a refused RCPT', HELLO, GOOD_SENDER, FOREIGN_RECIPIENT, 'DATA'),
      says('MAIL twice', HELLO, GOOD_SENDER, GOOD_SENDER),
      says('EHLO within a message', HELLO, GOOD_SENDER, GOOD_RECIPIENT, HELLO, 'DATA'),
      says('RSET within a message', HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'RSET', 'DATA', ...MESSAGE.slice(1)),
      differs('VRFY', says('NOOP and VRFY', HELLO, 'NOOP', 'VRFY nobody@good.test')),
      says('an unknown command', HELLO, 'FROBNICATE'),
      differs('TLS in TLS', says('STARTTLS twice', HELLO, 'STARTTLS', HELLO, 'STARTTLS')),
      differs('enhanced codes', says('ETRN within a message', HELLO, GOOD_SENDER, 'ETRN us.test')),
      says('after the message', ...MESSAGE, 'DATA', GOOD_RECIPIENT),
    ],
  },
  {
    name: 'what is no address',
    isSession: true,
    main: {},
    conversations: [
      differs('enhanced codes', says('HELO without a name', 'HELO', 'EHLO')),
      differs('addresses without a domain', says('a sender without a domain', HELLO, 'MAIL FROM:<rita>', GOOD_RECIPIENT)),
      differs('addresses without a domain', says('a recipient without a domain', HELLO, GOOD_SENDER, 'RCPT TO:<anna>', 'RCPT TO:<nobody>')),
      says('no recipient', HELLO, GOOD_SENDER, 'RCPT TO:<>'),
      says('blanks before the path', HELLO, 'MAIL FROM: <rita@good.test>', 'RCPT TO: <anna@us.test>'),
      differs('addresses without brackets', says('no brackets', HELLO, 'MAIL FROM:rita@good.test', GOOD_SENDER, 'RCPT TO:anna@us.test')),
      says('no colon', HELLO, 'MAIL FROM <rita@good.test>', GOOD_SENDER, 'RCPT TO <anna@us.test>'),
      says('an open bracket', HELLO, 'MAIL FROM:<rita@good.test', GOOD_SENDER, 'RCPT TO:<anna@us.test'),
      says('an unknown parameter', HELLO, 'MAIL FROM:<rita@good.test> COLOUR=red', GOOD_SENDER, 'RCPT TO:<anna@us.test> COLOUR=red'),
      says('a size', HELLO, 'MAIL FROM:<rita@good.test> SIZE=abc', 'MAIL FROM:<rita@good.test> SIZE=99999999999', `${GOOD_SENDER} SIZE=100`),
      differs('values of parameters', says('a body', HELLO, `${GOOD_SENDER} BODY=9BIT`, `${GOOD_SENDER} BODY=8BITMIME`, GOOD_RECIPIENT)),
      says(
        'notifications',
        HELLO,
        `${GOOD_SENDER} RET=ALL`,
        `${GOOD_SENDER} RET=HDRS ENVID=x`,
        `${GOOD_RECIPIENT} NOTIFY=SOON`,
        `${GOOD_RECIPIENT} NOTIFY=NEVER`,
      ),
      says('DATA with an argument', HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'DATA now'),
      says('RSET with an argument', HELLO, 'RSET now'),
      differs('enhanced codes', says('ETRN without a domain', HELLO, 'ETRN', 'ETRN !')),
    ],
  },
  {
    name: 'a client that a proxy names',
    isSession: true,
    main: { smtpd_client_restrictions: 'reject_unknown_client_hostname', unknown_client_reject_code: '550' },
    conversations: [
      named('with its name', `${ADDRESS} NAME=mail.sub.client.test`),
      named('with another name', `${ADDRESS} NAME=other.test`),
      named('without a name', `${ADDRESS} NAME=[UNAVAILABLE]`),
      named('whose name cannot be found now', `${ADDRESS} NAME=[TEMPUNAVAIL]`),
      named('of mynetworks', `ADDR=${CLIENTS.trusted} NAME=trusted.test`),
      named('over IPv6', `ADDR=IPV6:${CLIENTS.six} NAME=six.test`),
      named('with a name that is none', `${ADDRESS} NAME=!`),
      named('with an address that is none', 'ADDR=300.1.1.1 NAME=a.test'),
      named('with an unknown attribute', 'COLOUR=red'),
      named('nothing', ''),
      named('by one who may not', `${ADDRESS} NAME=mail.sub.client.test`, CLIENTS.known),
      says('within a message', HELLO, GOOD_SENDER, `XCLIENT ${ADDRESS}`),
      { name: 'by a proxy within a message', from: CLIENTS.proxy, says: [HELLO, GOOD_SENDER, `XCLIENT ${ADDRESS}`] },
    ],
  },
  {
    name: 'the reverse name that a proxy gives',
    isSession: true,
    main: {
      smtpd_client_restrictions: 'reject_unknown_reverse_client_hostname, check_reverse_client_hostname_access inline:{bad.test=REJECT}',
      unknown_client_reject_code: '550',
    },
    conversations: [
      named('only a name', `${ADDRESS} NAME=mail.sub.client.test`),
      differs('names that a proxy does not give', named('only that there is no name', `${ADDRESS} NAME=[UNAVAILABLE]`)),
      differs('names that a proxy does not give', named('only that there is no name now', `${ADDRESS} NAME=[TEMPUNAVAIL]`)),
      differs('names that a proxy does not give', named('only an address, of a host without a name', `ADDR=${CLIENTS.nameless}`)),
      named('both names', `${ADDRESS} NAME=mail.sub.client.test REVERSE_NAME=mail.sub.client.test`),
      named('only the reverse name', `${ADDRESS} NAME=[UNAVAILABLE] REVERSE_NAME=forged.test`),
      named('no reverse name', `${ADDRESS} NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]`),
      named('no reverse name now', `${ADDRESS} NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL]`),
      named('a reverse name that is listed', `${ADDRESS} NAME=[UNAVAILABLE] REVERSE_NAME=bad.test`),
    ],
  },
  {
    name: 'HELO and the null sender of a named client',
    isSession: true,
    main: { smtpd_helo_restrictions: 'check_helo_access inline:{spam.test=REJECT}' },
    conversations: [
      {
        name: 'a HELO name from the proxy',
        from: CLIENTS.proxy,
        says: [`XCLIENT ${ADDRESS} NAME=a.test HELO=spam.test`, 'EHLO good.test', NULL_SENDER, GOOD_RECIPIENT],
      },
      {
        name: 'a HELO name of its own',
        from: CLIENTS.proxy,
        says: [`XCLIENT ${ADDRESS} NAME=a.test HELO=good.test`, 'EHLO spam.test', NULL_SENDER, GOOD_RECIPIENT],
      },
    ],
  },
  {
    name: '421 and 521 close, whichever list says them',
    isSession: true,
    main: {
      smtpd_delay_reject: 'no',
      smtpd_client_restrictions: 'check_client_access inline:{{192.0.2.22=421 later},{192.0.2.21=521 never},{192.0.2.24=DEFER}}',
      smtpd_helo_restrictions: 'check_helo_access inline:{{good.test=421 later},{spam.test=521 never}}',
      smtpd_sender_restrictions: 'check_sender_access inline:{{later@good.test=421 later},{never@good.test=521 never}}',
      smtpd_recipient_restrictions: 'check_recipient_access inline:{{bert@us.test=421 later},{six@us.test=521 never}}',
      smtpd_data_restrictions: 'check_sender_access inline:{{data@good.test=421 later}}',
      smtpd_end_of_data_restrictions: 'check_sender_access inline:{{end@good.test=421 later}}',
    },
    conversations: [
      { name: '421 to the client', from: CLIENTS.nameless, says: MESSAGE },
      { name: '521 to the client', from: CLIENTS.forged, says: MESSAGE },
      { name: '450 to the client', from: CLIENTS.deep, says: MESSAGE },
      says('421 to HELO', 'EHLO good.test', ...MESSAGE),
      says('521 to HELO', 'HELO spam.test', ...MESSAGE),
      says('421 to MAIL', HELLO, 'MAIL FROM:<later@good.test>', ...MESSAGE.slice(1)),
      says('521 to MAIL', HELLO, 'MAIL FROM:<never@good.test>', ...MESSAGE.slice(1)),
      says('421 to RCPT', HELLO, GOOD_SENDER, 'RCPT TO:<bert@us.test>', GOOD_RECIPIENT),
      says('521 to RCPT', HELLO, GOOD_SENDER, 'RCPT TO:<six@us.test>', GOOD_RECIPIENT),
      says('421 to DATA', HELLO, 'MAIL FROM:<data@good.test>', GOOD_RECIPIENT, 'DATA', '.'),
      says('421 after DATA', HELLO, 'MAIL FROM:<end@good.test>', GOOD_RECIPIENT, 'DATA', '.'),
    ],
  },
];
