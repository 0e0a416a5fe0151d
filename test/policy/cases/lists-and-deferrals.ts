// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the macros of Postfix's reply templates
import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, type Setup } from '../types.ts';

const LISTED = (['known', 'listed', 'listedTen', 'allowed', 'nameless', 'sixNameless', 'forged'] as const).map((name) => ({
  name,
  from: CLIENTS[name],
  says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, FOREIGN_RECIPIENT],
}));
const senders = (...addresses: string[]) =>
  addresses.map((address) => ({ name: `from <${address}>`, from: CLIENTS.known, says: [HELLO, `MAIL FROM:<${address}>`, GOOD_RECIPIENT] }));

/** DNS lists, what is put off, pipelining, ETRN. */
export const LISTS_AND_DEFERRALS: readonly Setup[] = [
  { name: 'reject_rbl_client', main: { smtpd_client_restrictions: 'reject_rbl_client bl.test' }, conversations: LISTED },
  {
    name: 'reject_rbl_client with a filter',
    main: { smtpd_client_restrictions: 'reject_rbl_client bl.test=127.0.0.[1..4;8], reject_rbl_client bl.test=127.0.0.10', maps_rbl_reject_code: '550' },
    conversations: LISTED,
  },
  { name: 'a list that does not answer', main: { smtpd_client_restrictions: 'reject_rbl_client bl.refused' }, conversations: LISTED.slice(0, 2) },
  {
    name: 'permit_dnswl_client',
    main: {
      smtpd_client_restrictions: 'permit_dnswl_client wl.test=127.0.0.[4..6], reject',
      smtpd_relay_restrictions: 'permit_dnswl_client wl.test, reject_unauth_destination',
    },
    conversations: LISTED,
  },
  {
    name: 'a good list that does not answer',
    main: { smtpd_client_restrictions: 'permit_dnswl_client wl.refused, reject' },
    conversations: LISTED.slice(0, 2),
  },
  { name: 'permit_rhswl_client', main: { smtpd_client_restrictions: 'permit_rhswl_client dwl.test, reject' }, conversations: LISTED },
  { name: 'reject_rhsbl_client', main: { smtpd_client_restrictions: 'reject_rhsbl_client dbl.test' }, conversations: LISTED },
  { name: 'reject_rhsbl_reverse_client', main: { smtpd_client_restrictions: 'reject_rhsbl_reverse_client dbl.test=127.0.1.[4;5]' }, conversations: LISTED },
  {
    name: 'reject_rhsbl_helo',
    main: { smtpd_helo_restrictions: 'reject_rhsbl_helo dbl.test' },
    conversations: ['spam.test', 'good.test', '[192.0.2.1]', '192.0.2.1'].map((name) => ({
      name,
      from: CLIENTS.known,
      says: [`EHLO ${name}`, GOOD_SENDER, GOOD_RECIPIENT],
    })),
  },
  {
    name: 'reject_rhsbl_sender',
    main: { smtpd_sender_restrictions: 'reject_rhsbl_sender dbl.test' },
    conversations: senders('a@spam.test', 'a@good.test', 'a@[192.0.2.1]', ''),
  },
  {
    name: 'reject_rhsbl_recipient',
    main: { smtpd_recipient_restrictions: 'reject_rhsbl_recipient owndbl.test' },
    conversations: [{ name: 'a listed recipient domain', from: CLIENTS.trusted, says: [HELLO, GOOD_SENDER, FOREIGN_RECIPIENT, GOOD_RECIPIENT] }],
  },
  {
    name: 'replies of lists',
    main: {
      smtpd_client_restrictions: 'reject_rbl_client bl.test',
      smtpd_sender_restrictions: 'reject_rhsbl_sender dbl.test',
      rbl_reply_maps: 'texthash:$dir/replies',
      default_rbl_reply: '450 4.7.9 $rbl_class $rbl_what ${rbl_reason?yes} ${rbl_reason:none}',
    },
    files: { replies: 'dbl.test 551 5.1.2 $$ ${rbl_text?{$rbl_text}:{no text}} $(client_name) $sender_domain\n' },
    conversations: [...LISTED.slice(0, 3), ...senders('a@spam.test', 'a@good.test')],
  },
  {
    name: 'a reply of a list that is none',
    main: { smtpd_client_restrictions: 'reject_rbl_client bl.test', rbl_reply_maps: 'texthash:$dir/replies' },
    files: { replies: 'bl.test 250 welcome\n' },
    conversations: LISTED.slice(0, 2),
  },
  {
    name: 'defer_if_permit from the HELO list',
    main: { smtpd_helo_restrictions: 'reject_unknown_helo_hostname' },
    conversations: [
      { name: 'everything else permits', from: CLIENTS.known, says: ['EHLO x.refused', GOOD_SENDER, GOOD_RECIPIENT] },
      {
        name: 'something else refuses',
        from: CLIENTS.known,
        says: ['EHLO x.refused', GOOD_SENDER, FOREIGN_RECIPIENT, GOOD_RECIPIENT, 'RSET', 'EHLO client.test', GOOD_SENDER, GOOD_RECIPIENT],
      },
    ],
  },
  {
    name: 'defer_if_permit does not stop a refusal',
    main: { smtpd_sender_restrictions: 'defer_if_permit', smtpd_recipient_restrictions: 'check_recipient_access inline:{anna@us.test=REJECT,bert@us.test=OK}' },
    conversations: [
      { name: 'refused and deferred', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'RCPT TO:<six@us.test>'] },
    ],
  },
  {
    name: 'defer_if_reject softens what follows in the list',
    main: { smtpd_recipient_restrictions: 'defer_if_reject, check_recipient_access inline:{anna@us.test=REJECT,bert@us.test=OK}' },
    conversations: [
      {
        name: 'deferred, permitted',
        from: CLIENTS.known,
        says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'RCPT TO:<six@us.test>', 'RCPT TO:<nobody@us.test>'],
      },
    ],
  },
  {
    name: 'defer_if_reject in an earlier list softens nothing',
    main: { smtpd_client_restrictions: 'defer_if_reject', smtpd_sender_restrictions: 'reject' },
    conversations: [{ name: 'refused', from: CLIENTS.known, says: MESSAGE }],
  },
  {
    name: 'defer_if_reject in the relay list softens the recipient list',
    main: { smtpd_relay_restrictions: 'defer_if_reject, permit_mynetworks, reject_unauth_destination', smtpd_recipient_restrictions: 'reject' },
    conversations: [{ name: 'deferred', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, FOREIGN_RECIPIENT] }],
  },
  {
    name: 'both deferrals end a list',
    main: { smtpd_sender_restrictions: 'defer_if_permit, defer_if_reject, reject' },
    conversations: [{ name: 'deferred', from: CLIENTS.known, says: MESSAGE }],
  },
  {
    name: 'warn_if_reject covers a class and no more',
    main: {
      smtpd_restriction_classes: 'group',
      group: 'reject_unknown_sender_domain, reject_unknown_helo_hostname',
      smtpd_sender_restrictions: 'warn_if_reject group, warn_if_reject reject_unknown_client_hostname, reject_non_fqdn_helo_hostname',
    },
    conversations: [
      { name: 'all warnings', from: CLIENTS.nameless, says: ['EHLO none.test', 'MAIL FROM:<a@none.test>', GOOD_RECIPIENT] },
      { name: 'warnings and a refusal', from: CLIENTS.nameless, says: ['EHLO none', 'MAIL FROM:<a@none.test>', GOOD_RECIPIENT] },
    ],
  },
  {
    name: 'warn_if_reject and temporary failures',
    main: { smtpd_sender_restrictions: 'warn_if_reject reject_unknown_sender_domain', smtpd_recipient_restrictions: 'permit' },
    conversations: senders('a@x.refused', 'a@none.test'),
  },
  {
    name: 'reject_unauth_pipelining',
    main: { smtpd_data_restrictions: 'reject_unauth_pipelining' },
    conversations: [
      { name: 'commands one by one', from: CLIENTS.known, says: MESSAGE },
      { name: 'commands in groups, as allowed', from: CLIENTS.known, says: [HELLO, `${GOOD_SENDER}|${GOOD_RECIPIENT}|DATA`, '.'] },
    ],
  },
  {
    name: 'sleep',
    main: { smtpd_client_restrictions: 'sleep 1, permit', smtpd_sender_restrictions: 'sleep 0, reject' },
    conversations: [{ name: 'refused after a second', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT] }],
  },
  {
    name: 'ETRN',
    main: {
      smtpd_etrn_restrictions: 'check_etrn_access inline:{us.test=REJECT,{sub.us.test=450 4.1.8 etrn},good.test=OK}, reject',
      smtpd_client_restrictions: 'check_client_access inline:{192.0.2.22=DEFER}',
    },
    conversations: [
      ...['us.test', 'sub.us.test', 'other.us.test', 'good.test', 'none.test'].map((domain) => ({
        name: domain,
        from: CLIENTS.known,
        says: [HELLO, `ETRN ${domain}`],
        ...(domain === 'good.test' ? { serverDiffers: 'enhanced codes' } : {}),
      })),
      { name: 'the client list comes first', from: CLIENTS.nameless, says: [HELLO, 'ETRN good.test'] },
    ],
  },
  {
    name: 'end of data',
    main: { smtpd_end_of_data_restrictions: 'check_recipient_access inline:{anna@us.test=REJECT}, check_sender_access inline:{{a@good.test=PREPEND X: y}}' },
    conversations: [
      { name: 'one recipient, known after DATA', from: CLIENTS.known, says: MESSAGE },
      { name: 'two recipients, not known after DATA', from: CLIENTS.known, says: [HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'RCPT TO:<bert@us.test>', 'DATA', '.'] },
      { name: 'PREPEND comes too late', from: CLIENTS.known, says: [HELLO, 'MAIL FROM:<a@good.test>', 'RCPT TO:<bert@us.test>', 'DATA', '.'] },
    ],
  },
];
