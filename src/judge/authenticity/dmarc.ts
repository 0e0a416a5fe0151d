/**
 * DMARC (RFC 7489): is one of the domains that SPF and DKIM vouch for the author's, and what does the author's domain want done when not?
 * Exactly one author can pass. Where a reader might be shown another one, the strictest policy of those domains is applied instead.
 */
import type { ArcResult } from './arc.ts';
import { saysDmarcPass } from './arc-chain.ts';
import type { AuthDns } from './auth-dns.ts';
import type { Author } from './author.ts';
import type { DkimResult } from './dkim.ts';
import { type DmarcRecord, isDmarcRecord, type Policy, parseDmarc } from './dmarc-record.ts';
import { isWithin } from './domain-name.ts';
import type { Memo } from './memo.ts';
import { organisationalDomain } from './organisation.ts';
import type { SpfResult } from './spf.ts';
import { type Steps, wait } from './steps.ts';

/** Why what is done is not what the policy asks for (RFC 7489 appendix C, PolicyOverrideType). */
export interface Override {
  readonly type: 'sampled_out' | 'trusted_forwarder' | 'local_policy';
  readonly comment: string;
}

export interface DmarcResult {
  /** 'none': no policy. 'permerror': no single author, or a broken record. */
  readonly result: 'pass' | 'fail' | 'none' | 'temperror' | 'permerror';
  /** The author's domain, or the one whose policy is applied; null when there is none. */
  readonly domain: string | null;
  /** Where the record was found, or null. */
  readonly policyDomain: string | null;
  readonly record: DmarcRecord | null;
  /** What the record asks for this domain: p=, sp= or np=; null without a record. */
  readonly policy: Policy | null;
  /** What to do, after sampling and overrides; 'none' for all that did not fail. */
  readonly disposition: Policy;
  readonly spfAligned: boolean;
  readonly dkimAligned: boolean;
  readonly override: Override | null;
  readonly reason: string | null;
}

export interface DmarcInput {
  readonly author: Author;
  /** Of MAIL FROM, or of HELO where MAIL FROM was empty; null when SPF was not checked. */
  readonly spf: SpfResult | null;
  readonly dkim: readonly DkimResult[];
  readonly arc: ArcResult;
  /** 0 to 99, for pct=. */
  readonly sample: number;
}

export interface DmarcOptions {
  /** Policies by domain that count instead of published ones, for a domain and those below it. */
  readonly overrides: ReadonlyMap<string, Policy>;
  /** The strictest that is done. */
  readonly most: Policy;
  /** Sealers whose word about the author is taken. */
  readonly trustedSealers: readonly string[];
  /** What is done with messages that have several From fields. */
  readonly severalFields: Policy;
}

const STRENGTH: Readonly<Record<Policy, number>> = { none: 0, quarantine: 1, reject: 2 };
type Found =
  | { readonly kind: 'record'; readonly domain: string; readonly record: DmarcRecord }
  | { readonly kind: 'none' }
  | { readonly kind: 'temperror' | 'permerror'; readonly reason: string };
export type DmarcRecords = Memo<DmarcRecord | string>;

export function* checkDmarc(input: DmarcInput, dns: AuthDns, records: DmarcRecords, options: DmarcOptions): Steps<DmarcResult> {
  const { author } = input;
  if (author.kind === 'one') {
    const result = yield* checkDomain(author.domains[0]!, input, dns, records, options);
    return result.result === 'fail' ? forwarded(result, input, options) : result;
  }
  const reason = author.kind === 'several' ? 'several authors' : author.kind === 'none' ? 'no From field' : 'From cannot be read';
  let worst: DmarcResult = { ...NO_DMARC, result: 'permerror', reason };
  for (const domain of author.domains) {
    const one = yield* checkDomain(domain, input, dns, records, options);
    if (one.result === 'temperror') return one;
    const isWorse = STRENGTH[one.disposition] > STRENGTH[worst.disposition] || worst.domain === null;
    if (isWorse) worst = { ...one, result: one.result === 'fail' ? 'fail' : 'permerror', reason };
  }
  if (author.hasSeveralFields && STRENGTH[options.severalFields] > STRENGTH[worst.disposition])
    worst = { ...worst, disposition: options.severalFields, override: { type: 'local_policy', comment: 'several From fields' } };
  return worst;
}

export const NO_DMARC: DmarcResult = {
  result: 'none',
  domain: null,
  policyDomain: null,
  record: null,
  policy: null,
  disposition: 'none',
  spfAligned: false,
  dkimAligned: false,
  override: null,
  reason: null,
};

function* checkDomain(domain: string, input: DmarcInput, dns: AuthDns, records: DmarcRecords, options: DmarcOptions): Steps<DmarcResult> {
  const base = { ...NO_DMARC, domain };
  const found = yield* discover(domain, dns, records);
  if (found.kind === 'temperror') return { ...base, result: found.kind, reason: found.reason };
  const local = localPolicy(domain, options.overrides);
  const record = found.kind === 'record' ? found.record : null;
  if (record === null && local === null) return found.kind === 'none' ? base : { ...base, result: 'permerror', reason: (found as { reason: string }).reason };

  const organisation = organisationalDomain(domain);
  const aligns = (other: string, mode: 'r' | 's'): boolean =>
    other === domain || (mode === 'r' && organisation !== null && organisationalDomain(other) === organisation);
  const { spf } = input;
  const spfAligned = spf !== null && spf.result === 'pass' && aligns(spf.domain, record?.aspf ?? 'r');
  const dkimAligned = input.dkim.some((signature) => signature.result === 'pass' && aligns(signature.domain, record?.adkim ?? 'r'));
  const policyDomain = found.kind === 'record' ? found.domain : null;
  const known = { ...base, policyDomain, record, spfAligned, dkimAligned };
  let policy: Policy | null = null;
  if (record !== null) policy = policyDomain === domain ? record.p : record.hasNp && !(yield* doesExist(domain, dns)) ? record.np : record.sp;
  if (spfAligned || dkimAligned) return { ...known, policy, result: 'pass' };
  return { ...known, policy, result: 'fail', ...dispose(policy, local, record, input.sample, options) };
}

/** The record of a domain, else of its organisational domain (RFC 7489 section 6.6.3). */
function* discover(domain: string, dns: AuthDns, records: DmarcRecords): Steps<Found> {
  const own = yield* lookUp(domain, dns, records);
  if (own.kind !== 'none') return own;
  const organisation = organisationalDomain(domain);
  return organisation === null || organisation === domain ? own : yield* lookUp(organisation, dns, records);
}

function* lookUp(domain: string, dns: AuthDns, records: DmarcRecords): Steps<Found> {
  const answer = yield* wait(dns.txt(`_dmarc.${domain}`));
  if (answer.kind === 'failed') return { kind: 'temperror', reason: answer.reason };
  if (answer.kind === 'none') return NONE;
  const texts = answer.records.filter(isDmarcRecord);
  if (texts.length === 0) return NONE;
  // Several records: there is no policy, also none further up (section 6.6.3, step 5).
  if (texts.length > 1) return { kind: 'permerror', reason: 'several DMARC records' };
  const text = texts[0]!;
  let record = records.get(text);
  if (record === undefined) {
    record = parseDmarc(text);
    records.set(text, record);
  }
  return typeof record === 'string' ? { kind: 'permerror', reason: record } : { kind: 'record', domain, record };
}
const NONE: Found = { kind: 'none' };

/** Has the name addresses or mail exchangers (RFC 9091 section 2.7)? A failing name server counts as yes. */
function* doesExist(domain: string, dns: AuthDns): Steps<boolean> {
  for (const asked of [dns.mx(domain), dns.addresses4(domain), dns.addresses6(domain)] as const) {
    const answer: { kind: string } = yield* wait<{ kind: string }>(asked);
    if (answer.kind !== 'none') return true;
  }
  return false;
}

function localPolicy(domain: string, overrides: ReadonlyMap<string, Policy>): Policy | null {
  if (overrides.size === 0) return null;
  for (let name = domain; ; ) {
    const policy = overrides.get(name);
    if (policy !== undefined) return policy;
    const dot = name.indexOf('.');
    if (dot === -1) return null;
    name = name.slice(dot + 1);
  }
}

function dispose(
  policy: Policy | null,
  local: Policy | null,
  record: DmarcRecord | null,
  sample: number,
  options: DmarcOptions,
): { disposition: Policy; override: Override | null } {
  let disposition = policy ?? 'none';
  let override: Override | null = null;
  if (local !== null) {
    if (local !== disposition) override = { type: 'local_policy', comment: 'set for this domain' };
    disposition = local;
  } else if (record !== null && disposition !== 'none' && sample >= record.pct) {
    disposition = disposition === 'reject' ? 'quarantine' : 'none'; // RFC 7489 section 6.6.4
    override = { type: 'sampled_out', comment: `pct=${record.pct}` };
  }
  if (STRENGTH[disposition] > STRENGTH[options.most]) {
    disposition = options.most;
    override = { type: 'local_policy', comment: `never more than ${options.most}` };
  }
  return { disposition, override };
}

/** A failed message that a trusted sealer saw pass before it was forwarded (RFC 8617 section 7.2.1) is let through. */
function forwarded(result: DmarcResult, { arc }: DmarcInput, options: DmarcOptions): DmarcResult {
  if (result.disposition === 'none' || arc.result !== 'pass' || !arc.isFromSigned) return result;
  // From the newest set back, as far as the sealers are trusted without a gap: what came before them they only repeat.
  for (let i = arc.sets.length - 1; i >= 0; i -= 1) {
    const { seal, payload, instance } = arc.sets[i]!;
    if (!options.trustedSealers.some((trusted) => isWithin(seal.domain, trusted))) return result;
    if (saysDmarcPass(payload, result.domain!))
      return {
        ...result,
        disposition: 'none',
        override: { type: 'trusted_forwarder', comment: `arc=pass as[${instance}].d=${seal.domain} as[${instance}].s=${seal.selector}` },
      };
  }
  return result;
}
