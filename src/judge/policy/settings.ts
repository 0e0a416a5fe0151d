/** Options of the policy: `[policy]` in posthorn.toml. What a setting does is what the Postfix parameter in `see` does. */
import { choice, count, DAY, duration, flag, HOUR, list, MINUTE, SECOND, type SettingsOf, text } from '../../system/declare.ts';
import { splitWords } from './split.ts';

const RESTRICTIONS = 'a list of restrictions in Postfix\'s words: ["permit_mynetworks", "check_client_access hash:/etc/postfix/access"]';
const DOMAINS = 'a list of domains, !domains and type:table';
const TABLES = 'a list of tables: ["hash:/etc/postfix/relay_recipients"]';
const wrongWords = (entry: string): string | undefined => {
  const words = splitWords(entry);
  return typeof words === 'string' ? words : undefined;
};

function restrictions(defaults: readonly string[], doc: string, see: string) {
  return list({ default: defaults, accepts: RESTRICTIONS, check: wrongWords, doc, see });
}
function code(value: number, doc: string, name: string, least = 400) {
  return count({ default: value, least, most: 599, doc, see: `Postfix ${name}` });
}
function tempfail(doc: string, name: string) {
  return choice({ default: 'defer_if_permit', of: ['defer_if_permit', 'defer'], doc, see: `Postfix ${name}` });
}
const tables = (doc: string, name: string) => list({ default: [], accepts: TABLES, doc, see: `Postfix ${name}` });
const domains = (doc: string, name: string) => list({ default: [], accepts: DOMAINS, doc, see: `Postfix ${name}` });

export const POLICY_SETTINGS = {
  'policy.clientRestrictions': restrictions([], 'What is asked about the client.', 'Postfix smtpd_client_restrictions'),
  'policy.heloRestrictions': restrictions(
    ['permit_mynetworks', 'permit_sasl_authenticated', 'reject_invalid_helo_hostname', 'reject_non_fqdn_helo_hostname'],
    'What is asked about the HELO name.',
    'Postfix smtpd_helo_restrictions',
  ),
  'policy.senderRestrictions': restrictions(
    ['reject_non_fqdn_sender', 'reject_unknown_sender_domain'],
    'What is asked about the sender.',
    'Postfix smtpd_sender_restrictions',
  ),
  'policy.relayRestrictions': restrictions(
    ['permit_mynetworks', 'permit_sasl_authenticated', 'reject_unauth_destination'],
    'Who may send where; asked of every recipient.',
    'Postfix smtpd_relay_restrictions',
  ),
  'policy.recipientRestrictions': restrictions(
    ['reject_non_fqdn_recipient', 'reject_unlisted_recipient'],
    'What else is asked of every recipient.',
    'Postfix smtpd_recipient_restrictions',
  ),
  'policy.dataRestrictions': restrictions(['reject_unauth_pipelining'], 'What is asked before the message.', 'Postfix smtpd_data_restrictions'),
  'policy.endOfDataRestrictions': restrictions([], 'What is asked when the message is there.', 'Postfix smtpd_end_of_data_restrictions'),
  'policy.etrnRestrictions': restrictions([], 'What is asked of ETRN.', 'Postfix smtpd_etrn_restrictions'),
  'policy.restrictionClasses': list({
    default: [],
    accepts: 'a list of classes: ["strict = reject_unknown_client_hostname, reject_unknown_helo_hostname"]',
    check: (entry) => (entry.includes('=') ? wrongWords(entry.slice(entry.indexOf('=') + 1)) : 'must be of the form "name = restriction, restriction"'),
    doc: 'Names for lists of restrictions, to be used in the lists and in access tables.',
    see: 'Postfix smtpd_restriction_classes',
  }),
  'policy.delayReject': flag({ default: true, doc: 'Refuse at RCPT what the client, HELO and sender lists refuse.', see: 'Postfix smtpd_delay_reject' }),
  'policy.relayBeforeRecipient': flag({
    default: true,
    doc: 'Ask relayRestrictions before recipientRestrictions.',
    see: 'Postfix smtpd_relay_before_recipient_restrictions',
  }),

  // Whose addresses are ours, besides the directory's.
  'policy.relayDomains': domains('Domains for which mail is taken and passed on.', 'relay_domains'),
  'policy.relayRecipientMaps': tables('Addresses that exist in relayDomains; all, when there is no table.', 'relay_recipient_maps'),
  'policy.localDomains': domains('Domains whose users are in localRecipientMaps.', 'mydestination'),
  'policy.localRecipientMaps': tables('Users that exist in localDomains; all, when there is no table.', 'local_recipient_maps'),
  'policy.virtualAliasDomains': domains('Domains all of whose addresses are aliases in virtualAliasMaps.', 'virtual_alias_domains'),
  'policy.virtualAliasMaps': tables('Aliases: such addresses exist, in whatever domain.', 'virtual_alias_maps'),
  'policy.virtualMailboxDomains': domains('Domains whose mailboxes are in virtualMailboxMaps.', 'virtual_mailbox_domains'),
  'policy.virtualMailboxMaps': tables('Addresses that exist in virtualMailboxDomains; all, when there is no table.', 'virtual_mailbox_maps'),
  'policy.rejectUnlistedRecipient': flag({
    default: true,
    doc: 'Refuse recipients of ours that do not exist, at the end of recipientRestrictions, wherever the list permitted.',
    see: 'Postfix smtpd_reject_unlisted_recipient',
  }),
  'policy.rejectUnlistedSender': flag({ default: false, doc: 'The same for senders at our domains.', see: 'Postfix smtpd_reject_unlisted_sender' }),
  'policy.showTableName': flag({
    default: true,
    doc: 'Say in the reply in which table an unknown address was looked for.',
    see: 'Postfix show_user_unknown_table_name',
  }),
  'policy.senderLoginMaps': tables(
    'Logins that own a sender address, for the lists, and may send as it beside those the directory lets; the directory alone knows, when there is no table.',
    'smtpd_sender_login_maps',
  ),

  // How tables are asked.
  'policy.parentDomainMatches': flag({
    default: true,
    doc: 'A domain in access tables and in relayDomains stands for its subdomains; off: ".domain" does.',
    see: 'Postfix parent_domain_matches_subdomains',
  }),
  'policy.nullAccessLookupKey': text({ default: '<>', doc: 'What is looked up for the null sender.', see: 'Postfix smtpd_null_access_lookup_key' }),
  'policy.relayClientCertificates': tables('Fingerprints of client certificates and keys for permit_tls_clientcerts.', 'relay_clientcerts'),
  'policy.mxBackupNetworks': list({
    default: [],
    accepts: 'a list of networks',
    doc: 'Only for domains whose best mail exchangers are all in these networks does permit_mx_backup permit; empty for all.',
    see: 'Postfix permit_mx_backup_networks',
  }),
  'policy.proxyInterfaces': list({
    default: [],
    accepts: 'a list of addresses',
    doc: "Addresses that are ours though another device has them (a router's, a proxy's).",
    see: 'Postfix proxy_interfaces',
  }),

  // Replies.
  'policy.accessMapRejectCode': code(554, 'Code of REJECT in access tables.', 'access_map_reject_code'),
  'policy.accessMapDeferCode': code(450, 'Code of DEFER, DEFER_IF_PERMIT and DEFER_IF_REJECT in access tables.', 'access_map_defer_code'),
  'policy.rejectCode': code(554, 'Code of "reject".', 'reject_code'),
  'policy.deferCode': code(450, 'Code of "defer".', 'defer_code'),
  'policy.relayDomainsRejectCode': code(554, 'Code of reject_unauth_destination; defer_unauth_destination takes 100 less.', 'relay_domains_reject_code', 500),
  'policy.mapsRblRejectCode': code(554, 'Code for what a DNS list has.', 'maps_rbl_reject_code'),
  'policy.invalidHostnameRejectCode': code(501, 'Code of reject_invalid_helo_hostname.', 'invalid_hostname_reject_code'),
  'policy.nonFqdnRejectCode': code(504, 'Code of the reject_non_fqdn restrictions.', 'non_fqdn_reject_code'),
  'policy.unknownClientRejectCode': code(450, 'Code of the reject_unknown_..._client_hostname restrictions.', 'unknown_client_reject_code'),
  'policy.unknownHostnameRejectCode': code(450, 'Code of reject_unknown_helo_hostname.', 'unknown_hostname_reject_code'),
  // Postfix says 450 unless it is told otherwise; a domain that does not exist will not exist in five days either.
  'policy.unknownAddressRejectCode': code(
    550,
    'Code of reject_unknown_sender_domain and reject_unknown_recipient_domain when the domain does not exist; without an answer of the DNS it is always 450.',
    'unknown_address_reject_code',
  ),
  'policy.unknownLocalRecipientRejectCode': code(550, 'Code for unknown users of localDomains.', 'unknown_local_recipient_reject_code'),
  'policy.unknownVirtualAliasRejectCode': code(550, 'Code for unknown addresses of virtualAliasDomains.', 'unknown_virtual_alias_reject_code'),
  'policy.unknownVirtualMailboxRejectCode': code(
    550,
    "Code for unknown addresses of the directory's domains and of virtualMailboxDomains.",
    'unknown_virtual_mailbox_reject_code',
  ),
  'policy.unknownRelayRecipientRejectCode': code(550, 'Code for unknown addresses of relayDomains.', 'unknown_relay_recipient_reject_code'),
  'policy.multiRecipientBounceRejectCode': code(550, 'Code of reject_multi_recipient_bounce.', 'multi_recipient_bounce_reject_code'),
  'policy.plaintextRejectCode': code(450, 'Code of reject_plaintext_session.', 'plaintext_reject_code'),
  'policy.rblReply': text({
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    default: '$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}',
    doc: 'Reply for what a DNS list has, with macros.',
    see: 'Postfix default_rbl_reply',
  }),
  'policy.rblReplyMaps': tables('Replies by the name of the DNS list.', 'rbl_reply_maps'),

  // When the DNS or another server does not answer.
  'policy.unknownAddressTempfailAction': tempfail(
    'When the DNS does not answer for a sender or recipient domain: refuse for now if nothing else refuses, or at once.',
    'unknown_address_tempfail_action',
  ),
  'policy.unknownHeloHostnameTempfailAction': tempfail('The same for the HELO name.', 'unknown_helo_hostname_tempfail_action'),
  'policy.unverifiedSenderTempfailAction': tempfail('The same for a sender that could not be probed.', 'unverified_sender_tempfail_action'),
  'policy.unverifiedRecipientTempfailAction': tempfail('The same for a recipient that could not be probed.', 'unverified_recipient_tempfail_action'),

  // Address probes.
  'policy.unverifiedSenderRejectCode': code(450, 'Code for a sender to whom mail is refused; 250 takes it all the same.', 'unverified_sender_reject_code', 250),
  'policy.unverifiedSenderDeferCode': code(450, 'Code for a sender that could not be probed.', 'unverified_sender_defer_code', 250),
  'policy.unverifiedRecipientRejectCode': code(450, 'Code for a recipient to whom mail is refused.', 'unverified_recipient_reject_code', 250),
  'policy.unverifiedRecipientDeferCode': code(450, 'Code for a recipient that could not be probed.', 'unverified_recipient_defer_code', 250),
  'policy.unverifiedSenderRejectReason': text({
    default: '',
    doc: 'Text instead of what the other server said.',
    see: 'Postfix unverified_sender_reject_reason',
  }),
  'policy.unverifiedRecipientRejectReason': text({
    default: '',
    doc: 'Text instead of what the other server said.',
    see: 'Postfix unverified_recipient_reject_reason',
  }),
  'policy.probePositiveExpire': duration({
    default: 31 * DAY,
    least: MINUTE,
    doc: 'How long an address that takes mail is believed to.',
    see: 'Postfix address_verify_positive_expire_time',
  }),
  'policy.probePositiveRefresh': duration({
    default: 7 * DAY,
    least: MINUTE,
    doc: 'Age at which it is asked again, in the background.',
    see: 'Postfix address_verify_positive_refresh_time',
  }),
  'policy.probeNegativeExpire': duration({
    default: 3 * DAY,
    least: MINUTE,
    doc: 'How long an address that takes no mail is believed not to.',
    see: 'Postfix address_verify_negative_expire_time',
  }),
  'policy.probeNegativeRefresh': duration({
    default: 3 * HOUR,
    least: MINUTE,
    doc: 'Age at which it is asked again, in the background.',
    see: 'Postfix address_verify_negative_refresh_time',
  }),
  'policy.probeWait': duration({
    default: 6 * SECOND,
    most: MINUTE,
    doc: 'How long a client waits for the first answer; then it is told to come back.',
    see: 'Postfix address_verify_poll_count, address_verify_poll_delay',
  }),
  'policy.probeTimeout': duration({ default: MINUTE, least: SECOND, most: 10 * MINUTE, doc: 'How long one probe may take.' }),
  'policy.probesPendingMax': count({
    default: 500,
    least: 1,
    most: 100_000,
    doc: 'Probes at the same time.',
    see: 'Postfix address_verify_pending_request_limit',
  }),
  'policy.probesRememberedMax': count({ default: 100_000, least: 100, most: 10_000_000, doc: 'Addresses whose answers are kept.' }),

  // Policy servers.
  'policy.serviceTimeout': duration({
    default: 100 * SECOND,
    least: 100,
    most: HOUR,
    doc: 'Wait for the answer of a policy server.',
    see: 'Postfix smtpd_policy_service_timeout',
  }),
  'policy.serviceDefaultAction': text({
    default: '451 4.3.5 Server configuration problem',
    doc: 'What is done when a policy server cannot be asked.',
    see: 'Postfix smtpd_policy_service_default_action',
  }),
  'policy.serviceRetryDelay': duration({
    default: SECOND,
    most: MINUTE,
    doc: 'Pause before a policy server is asked again.',
    see: 'Postfix smtpd_policy_service_retry_delay',
  }),
  'policy.serviceTryLimit': count({ default: 2, least: 1, most: 20, doc: 'Times a policy server is asked.', see: 'Postfix smtpd_policy_service_try_limit' }),
  'policy.servicePolicyContext': text({ default: '', doc: 'Told to policy servers as policy_context.', see: 'Postfix smtpd_policy_service_policy_context' }),
};

export type PolicySettings = SettingsOf<typeof POLICY_SETTINGS>;
