/** What of one message goes into the report to the domain in its From field. */
import { REPORT_LIMITS } from './limits.ts';

export type DkimResultWord = 'none' | 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror';
export type SpfResultWord = 'none' | 'neutral' | 'pass' | 'fail' | 'softfail' | 'temperror' | 'permerror';
export type DispositionWord = 'none' | 'quarantine' | 'reject';
export type OverrideWord = 'forwarded' | 'sampled_out' | 'trusted_forwarder' | 'mailing_list' | 'local_policy' | 'other';

/** The policy as published (RFC 7489 section 6.3), with its defaults filled in. */
export interface PublishedPolicy {
  readonly adkim: 'r' | 's';
  readonly aspf: 'r' | 's';
  readonly p: DispositionWord;
  readonly sp: DispositionWord;
  readonly pct: number;
  /** rua= as written: "mailto:dmarc@example.org!10m". */
  readonly rua: readonly string[];
}

/** One message whose From domain publishes a policy. Names in lower case A-labels. */
export interface DmarcReportFacts {
  /** Where the policy was found: the From domain or its organisational domain. */
  readonly domain: string;
  readonly policy: PublishedPolicy;
  readonly sourceIp: string;
  readonly headerFrom: string;
  /** Domain of MAIL FROM; null for the null reverse-path. */
  readonly envelopeFrom: string | null;
  /** What was done with the message for the policy's sake. */
  readonly disposition: DispositionWord;
  /** Passed and aligned. */
  readonly dkimAligned: boolean;
  readonly spfAligned: boolean;
  /** Why the disposition is not what the policy asks for. */
  readonly override: { readonly type: OverrideWord; readonly comment: string } | null;
  readonly dkim: readonly { readonly domain: string; readonly selector: string; readonly result: DkimResultWord }[];
  readonly spf: { readonly domain: string; readonly scope: 'helo' | 'mfrom'; readonly result: SpfResultWord };
}

/** A row of the report: the facts without the policy, which is said once. */
export type ReportFacts = Omit<DmarcReportFacts, 'domain' | 'policy'>;
export interface ReportRow {
  readonly facts: ReportFacts;
  readonly count: number;
}

const cut = (text: string): string => text.slice(0, REPORT_LIMITS.textCharacters);

/** The facts with every text bounded, in one order of keys, so that equal facts have equal JSON. */
export function boundedFacts(facts: DmarcReportFacts): ReportFacts {
  return {
    sourceIp: cut(facts.sourceIp),
    headerFrom: cut(facts.headerFrom),
    envelopeFrom: facts.envelopeFrom === null ? null : cut(facts.envelopeFrom),
    disposition: facts.disposition,
    dkimAligned: facts.dkimAligned,
    spfAligned: facts.spfAligned,
    override: facts.override === null ? null : { type: facts.override.type, comment: cut(facts.override.comment) },
    dkim: facts.dkim.slice(0, REPORT_LIMITS.dkimResults).map(({ domain, selector, result }) => ({ domain: cut(domain), selector: cut(selector), result })),
    spf: { domain: cut(facts.spf.domain), scope: facts.spf.scope, result: facts.spf.result },
  };
}

export function boundedPolicy(policy: PublishedPolicy): PublishedPolicy {
  const { adkim, aspf, p, sp, pct } = policy;
  return { adkim, aspf, p, sp, pct, rua: policy.rua.slice(0, REPORT_LIMITS.destinations).map(cut) };
}
