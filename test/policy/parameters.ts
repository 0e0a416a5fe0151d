/** Postfix's parameters as Posthorn's policy: the same words, and the same codes under other names. */
import { POLICY_DEFAULTS, type PolicyConfig, type ReplyCodes } from '../../src/judge/policy/config.ts';
import type { RecipientConfig } from '../../src/judge/policy/recipients.ts';

const CODES: Readonly<Record<keyof ReplyCodes, string>> = {
  accessMapReject: 'access_map_reject_code',
  accessMapDefer: 'access_map_defer_code',
  reject: 'reject_code',
  defer: 'defer_code',
  relayDomainsReject: 'relay_domains_reject_code',
  mapsRblReject: 'maps_rbl_reject_code',
  invalidHostnameReject: 'invalid_hostname_reject_code',
  nonFqdnReject: 'non_fqdn_reject_code',
  unknownClientReject: 'unknown_client_reject_code',
  unknownHostnameReject: 'unknown_hostname_reject_code',
  unknownAddressReject: 'unknown_address_reject_code',
  unknownLocalRecipientReject: 'unknown_local_recipient_reject_code',
  unknownVirtualAliasReject: 'unknown_virtual_alias_reject_code',
  unknownVirtualMailboxReject: 'unknown_virtual_mailbox_reject_code',
  unknownRelayRecipientReject: 'unknown_relay_recipient_reject_code',
  multiRecipientBounceReject: 'multi_recipient_bounce_reject_code',
  plaintextReject: 'plaintext_reject_code',
  unverifiedSenderReject: 'unverified_sender_reject_code',
  unverifiedSenderDefer: 'unverified_sender_defer_code',
  unverifiedRecipientReject: 'unverified_recipient_reject_code',
  unverifiedRecipientDefer: 'unverified_recipient_defer_code',
};

type Main = Readonly<Record<string, string>>;
const entries = (text: string | undefined): string[] => (text === undefined || text.trim() === '' ? [] : [text]);
const words = (text: string | undefined): string[] => (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
const isYes = (text: string | undefined, otherwise: boolean): boolean => (text === undefined ? otherwise : text === 'yes');

export function policyConfigOf(main: Main): PolicyConfig {
  const codes = { ...POLICY_DEFAULTS.codes } as Record<keyof ReplyCodes, number>;
  for (const [code, parameter] of Object.entries(CODES) as [keyof ReplyCodes, string][])
    if (main[parameter] !== undefined) codes[code] = Number(main[parameter]);
  const tempfail = (name: string): 'defer_if_permit' | 'defer' =>
    (main[name] ?? main['reject_tempfail_action'] ?? 'defer_if_permit') as 'defer_if_permit' | 'defer';
  return {
    ...POLICY_DEFAULTS,
    lists: {
      client: entries(main['smtpd_client_restrictions']),
      helo: entries(main['smtpd_helo_restrictions']),
      sender: entries(main['smtpd_sender_restrictions']),
      relay: entries(main['smtpd_relay_restrictions']),
      recipient: entries(main['smtpd_recipient_restrictions']),
      data: entries(main['smtpd_data_restrictions']),
      endOfData: entries(main['smtpd_end_of_data_restrictions']),
      etrn: entries(main['smtpd_etrn_restrictions']),
    },
    classes: words(main['smtpd_restriction_classes']).map((name) => `${name} = ${main[name] ?? ''}`),
    delayReject: isYes(main['smtpd_delay_reject'], true),
    relayBeforeRecipient: isYes(main['smtpd_relay_before_recipient_restrictions'], true),
    codes,
    mynetworks: words(main['mynetworks']),
    parentDomainMatches:
      main['parent_domain_matches_subdomains'] === undefined || words(main['parent_domain_matches_subdomains']).includes('smtpd_access_maps'),
    nullSenderKey: main['smtpd_null_access_lookup_key'] ?? '<>',
    recipientDelimiters: main['recipient_delimiter'] ?? '',
    rejectUnlistedSender: isYes(main['smtpd_reject_unlisted_sender'], false),
    rejectUnlistedRecipient: isYes(main['smtpd_reject_unlisted_recipient'], true),
    defaultRblReply: main['default_rbl_reply'] ?? POLICY_DEFAULTS.defaultRblReply,
    rblReplyMaps: words(main['rbl_reply_maps']),
    unknownAddressTempfail: tempfail('unknown_address_tempfail_action'),
    unknownHeloTempfail: tempfail('unknown_helo_hostname_tempfail_action'),
    unverifiedSenderTempfail: tempfail('unverified_sender_tempfail_action'),
    unverifiedRecipientTempfail: tempfail('unverified_recipient_tempfail_action'),
    unverifiedSenderReason: main['unverified_sender_reject_reason'] ?? '',
    unverifiedRecipientReason: main['unverified_recipient_reject_reason'] ?? '',
    mxBackupNetworks: words(main['permit_mx_backup_networks']),
    relayClientCertificates: words(main['relay_clientcerts']),
    serviceDefaultAction: main['smtpd_policy_service_default_action'] ?? POLICY_DEFAULTS.serviceDefaultAction,
    serviceRetryMs: 10,
    serviceContext: main['smtpd_policy_service_policy_context'] ?? '',
  };
}

export function recipientConfigOf(main: Main): RecipientConfig {
  return {
    localDomains: words(main['mydestination']),
    localRecipientMaps: words(main['local_recipient_maps']),
    virtualAliasDomains: words(main['virtual_alias_domains']),
    virtualAliasMaps: words(main['virtual_alias_maps']),
    virtualMailboxDomains: words(main['virtual_mailbox_domains']),
    virtualMailboxMaps: words(main['virtual_mailbox_maps']),
    relayDomains: words(main['relay_domains']),
    relayRecipientMaps: words(main['relay_recipient_maps']),
    recipientDelimiters: main['recipient_delimiter'] ?? '',
    relaySubdomains: true,
  };
}
