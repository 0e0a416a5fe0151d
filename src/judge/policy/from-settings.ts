/** The policy that settings describe. */
import type { PolicyConfig } from './config.ts';
import type { ProbeSettings } from './probes.ts';
import type { RecipientConfig } from './recipients.ts';
import type { PolicySettings } from './settings.ts';

type Settings = PolicySettings & { readonly 'smtp.relayFrom': readonly string[]; readonly 'directory.recipientDelimiters': string };

export function policyConfig(settings: Settings): PolicyConfig {
  return {
    lists: {
      client: settings['policy.clientRestrictions'],
      helo: settings['policy.heloRestrictions'],
      sender: settings['policy.senderRestrictions'],
      relay: settings['policy.relayRestrictions'],
      recipient: settings['policy.recipientRestrictions'],
      data: settings['policy.dataRestrictions'],
      endOfData: settings['policy.endOfDataRestrictions'],
      etrn: settings['policy.etrnRestrictions'],
    },
    classes: settings['policy.restrictionClasses'],
    delayReject: settings['policy.delayReject'],
    relayBeforeRecipient: settings['policy.relayBeforeRecipient'],
    codes: {
      accessMapReject: settings['policy.accessMapRejectCode'],
      accessMapDefer: settings['policy.accessMapDeferCode'],
      reject: settings['policy.rejectCode'],
      defer: settings['policy.deferCode'],
      relayDomainsReject: settings['policy.relayDomainsRejectCode'],
      mapsRblReject: settings['policy.mapsRblRejectCode'],
      invalidHostnameReject: settings['policy.invalidHostnameRejectCode'],
      nonFqdnReject: settings['policy.nonFqdnRejectCode'],
      unknownClientReject: settings['policy.unknownClientRejectCode'],
      unknownHostnameReject: settings['policy.unknownHostnameRejectCode'],
      unknownAddressReject: settings['policy.unknownAddressRejectCode'],
      unknownLocalRecipientReject: settings['policy.unknownLocalRecipientRejectCode'],
      unknownVirtualAliasReject: settings['policy.unknownVirtualAliasRejectCode'],
      unknownVirtualMailboxReject: settings['policy.unknownVirtualMailboxRejectCode'],
      unknownRelayRecipientReject: settings['policy.unknownRelayRecipientRejectCode'],
      multiRecipientBounceReject: settings['policy.multiRecipientBounceRejectCode'],
      plaintextReject: settings['policy.plaintextRejectCode'],
      unverifiedSenderReject: settings['policy.unverifiedSenderRejectCode'],
      unverifiedSenderDefer: settings['policy.unverifiedSenderDeferCode'],
      unverifiedRecipientReject: settings['policy.unverifiedRecipientRejectCode'],
      unverifiedRecipientDefer: settings['policy.unverifiedRecipientDeferCode'],
    },
    mynetworks: settings['smtp.relayFrom'],
    parentDomainMatches: settings['policy.parentDomainMatches'],
    nullSenderKey: settings['policy.nullAccessLookupKey'],
    recipientDelimiters: settings['directory.recipientDelimiters'],
    rejectUnlistedSender: settings['policy.rejectUnlistedSender'],
    rejectUnlistedRecipient: settings['policy.rejectUnlistedRecipient'],
    showTableName: settings['policy.showTableName'],
    defaultRblReply: settings['policy.rblReply'],
    rblReplyMaps: settings['policy.rblReplyMaps'],
    unknownAddressTempfail: settings['policy.unknownAddressTempfailAction'],
    unknownHeloTempfail: settings['policy.unknownHeloHostnameTempfailAction'],
    unverifiedSenderTempfail: settings['policy.unverifiedSenderTempfailAction'],
    unverifiedRecipientTempfail: settings['policy.unverifiedRecipientTempfailAction'],
    unverifiedSenderReason: settings['policy.unverifiedSenderRejectReason'],
    unverifiedRecipientReason: settings['policy.unverifiedRecipientRejectReason'],
    mxBackupNetworks: settings['policy.mxBackupNetworks'],
    relayClientCertificates: settings['policy.relayClientCertificates'],
    serviceTimeoutMs: settings['policy.serviceTimeout'],
    serviceDefaultAction: settings['policy.serviceDefaultAction'],
    serviceRetryMs: settings['policy.serviceRetryDelay'],
    serviceTryLimit: settings['policy.serviceTryLimit'],
    serviceContext: settings['policy.servicePolicyContext'],
  };
}

export function recipientConfig(settings: Settings): RecipientConfig {
  return {
    localDomains: settings['policy.localDomains'],
    localRecipientMaps: settings['policy.localRecipientMaps'],
    virtualAliasDomains: settings['policy.virtualAliasDomains'],
    virtualAliasMaps: settings['policy.virtualAliasMaps'],
    virtualMailboxDomains: settings['policy.virtualMailboxDomains'],
    virtualMailboxMaps: settings['policy.virtualMailboxMaps'],
    relayDomains: settings['policy.relayDomains'],
    relayRecipientMaps: settings['policy.relayRecipientMaps'],
    recipientDelimiters: settings['directory.recipientDelimiters'],
    relaySubdomains: settings['policy.parentDomainMatches'],
  };
}

export function probeSettings(settings: PolicySettings): ProbeSettings {
  return {
    positiveExpireMs: settings['policy.probePositiveExpire'],
    positiveRefreshMs: settings['policy.probePositiveRefresh'],
    negativeExpireMs: settings['policy.probeNegativeExpire'],
    negativeRefreshMs: settings['policy.probeNegativeRefresh'],
    waitMs: settings['policy.probeWait'],
    calloutMs: settings['policy.probeTimeout'],
    pendingMax: settings['policy.probesPendingMax'],
    rowsMax: settings['policy.probesRememberedMax'],
  };
}
