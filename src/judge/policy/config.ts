/** A policy as it is written: Postfix's words in lists, and Postfix's parameters. Plain data; `compile.ts` turns it into something that runs. */
import type { List } from './stages.ts';
import type { TempfailAction } from './run.ts';

/** Reply codes that Postfix has as parameters of the same names. */
export interface ReplyCodes {
  readonly accessMapReject: number;
  readonly accessMapDefer: number;
  readonly reject: number;
  readonly defer: number;
  readonly relayDomainsReject: number;
  readonly mapsRblReject: number;
  readonly invalidHostnameReject: number;
  readonly nonFqdnReject: number;
  readonly unknownClientReject: number;
  readonly unknownHostnameReject: number;
  readonly unknownAddressReject: number;
  readonly unknownLocalRecipientReject: number;
  readonly unknownVirtualAliasReject: number;
  readonly unknownVirtualMailboxReject: number;
  readonly unknownRelayRecipientReject: number;
  readonly multiRecipientBounceReject: number;
  readonly plaintextReject: number;
  readonly unverifiedSenderReject: number;
  readonly unverifiedSenderDefer: number;
  readonly unverifiedRecipientReject: number;
  readonly unverifiedRecipientDefer: number;
}

export const REPLY_CODES: ReplyCodes = {
  accessMapReject: 554,
  accessMapDefer: 450,
  reject: 554,
  defer: 450,
  relayDomainsReject: 554,
  mapsRblReject: 554,
  invalidHostnameReject: 501,
  nonFqdnReject: 504,
  unknownClientReject: 450,
  unknownHostnameReject: 450,
  unknownAddressReject: 450,
  unknownLocalRecipientReject: 550,
  unknownVirtualAliasReject: 550,
  unknownVirtualMailboxReject: 550,
  unknownRelayRecipientReject: 550,
  multiRecipientBounceReject: 550,
  plaintextReject: 450,
  unverifiedSenderReject: 450,
  unverifiedSenderDefer: 450,
  unverifiedRecipientReject: 450,
  unverifiedRecipientDefer: 450,
};

export interface PolicyConfig {
  /** Each entry holds one or more restrictions, parted by commas and white space. */
  readonly lists: Readonly<Record<List, readonly string[]>>;
  /** "name = restriction, restriction". */
  readonly classes: readonly string[];
  /** Refusals of the client, HELO and sender lists are given at RCPT (smtpd_delay_reject). */
  readonly delayReject: boolean;
  readonly relayBeforeRecipient: boolean;
  readonly codes: ReplyCodes;
  readonly mynetworks: readonly string[];
  /** A name in an access table stands for its subdomains too (smtpd_access_maps in parent_domain_matches_subdomains). */
  readonly parentDomainMatches: boolean;
  readonly nullSenderKey: string;
  /** Characters that part user and detail, for access tables. */
  readonly recipientDelimiters: string;
  readonly rejectUnlistedSender: boolean;
  readonly rejectUnlistedRecipient: boolean;
  readonly showTableName: boolean;
  readonly defaultRblReply: string;
  /** "type:table" or ''. */
  readonly rblReplyMaps: readonly string[];
  readonly unknownAddressTempfail: TempfailAction;
  readonly unknownHeloTempfail: TempfailAction;
  readonly unverifiedSenderTempfail: TempfailAction;
  readonly unverifiedRecipientTempfail: TempfailAction;
  /** Texts instead of what the other server said; '' = what it said. */
  readonly unverifiedSenderReason: string;
  readonly unverifiedRecipientReason: string;
  readonly mxBackupNetworks: readonly string[];
  readonly relayClientCertificates: readonly string[];
  readonly serviceTimeoutMs: number;
  readonly serviceDefaultAction: string;
  readonly serviceRetryMs: number;
  readonly serviceTryLimit: number;
  readonly serviceContext: string;
}

/** Empty lists and Postfix's defaults, to build upon. */
export const POLICY_DEFAULTS: PolicyConfig = {
  lists: { client: [], helo: [], sender: [], relay: [], recipient: [], data: [], endOfData: [], etrn: [] },
  classes: [],
  delayReject: true,
  relayBeforeRecipient: true,
  codes: REPLY_CODES,
  mynetworks: [],
  parentDomainMatches: true,
  nullSenderKey: '<>',
  recipientDelimiters: '+',
  rejectUnlistedSender: false,
  rejectUnlistedRecipient: true,
  showTableName: true,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  defaultRblReply: '$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}',
  rblReplyMaps: [],
  unknownAddressTempfail: 'defer_if_permit',
  unknownHeloTempfail: 'defer_if_permit',
  unverifiedSenderTempfail: 'defer_if_permit',
  unverifiedRecipientTempfail: 'defer_if_permit',
  unverifiedSenderReason: '',
  unverifiedRecipientReason: '',
  mxBackupNetworks: [],
  relayClientCertificates: [],
  serviceTimeoutMs: 100_000,
  serviceDefaultAction: '451 4.3.5 Server configuration problem',
  serviceRetryMs: 1_000,
  serviceTryLimit: 2,
  serviceContext: '',
};
