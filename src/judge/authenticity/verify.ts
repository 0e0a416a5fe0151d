/**
 * Who the sender is: SPF, DKIM, ARC and DMARC of one message, with what follows from them. Synchronous while DNS is warm and the message in
 * memory; the body is read once, and only when a signature over the header is right.
 */
import type { Address, HeaderEdit, JudgeInput, JudgeSymbol, Metrics, Reply } from '../../ports.ts';
import type { DmarcReportFacts } from '../reports/facts.ts';
import { type ArcResult, checkArc, NO_ARC } from './arc.ts';
import type { AuthDns } from './auth-dns.ts';
import { type Author, authorOf } from './author.ts';
import { BodyHashes } from './body-hash.ts';
import { checkDkim, type DkimResult, type Keys } from './dkim.ts';
import { checkDmarc, type DmarcOptions, type DmarcRecords, type DmarcResult, NO_DMARC } from './dmarc.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { createMemo } from './memo.ts';
import { MessageHeader } from './message-header.ts';
import { receivedSpf } from './received-spf.ts';
import { authenticationResults, type Findings, forgedResults } from './results-field.ts';
import { type AuthenticitySettings, readDmarcOverrides } from './settings.ts';
import { createSpf, type SpfLimits, type SpfResult } from './spf.ts';
import { run, type Steps, wait } from './steps.ts';
import { symbolsOf } from './symbols.ts';

export interface AuthenticityContext {
  settings(): AuthenticitySettings;
  /** This host's name: authserv-id of the results. */
  hostname(): string;
  readonly dns: AuthDns;
  /** Unix time in milliseconds. */
  now(): number;
  readonly metrics?: Metrics;
}

export interface AuthenticityOptions {
  /** What reverse DNS said of the client, when somebody looked. */
  readonly reverse?: { readonly name: string | null; readonly isConfirmed: boolean };
  /** Who is asked for this message instead: a resolver that writes down what was said. */
  readonly dns?: AuthDns;
}

export interface AuthenticityResult {
  readonly author: Author;
  /** Of MAIL FROM, or of HELO for the null reverse-path; null for mail of our own users and without a client. */
  readonly spf: SpfResult | null;
  /** Of HELO where MAIL FROM was checked, or null. */
  readonly heloSpf: SpfResult | null;
  readonly dkim: readonly DkimResult[];
  readonly arc: ArcResult;
  readonly dmarc: DmarcResult;
  readonly symbols: readonly JudgeSymbol[];
  /** Value of the Authentication-Results field, folded. */
  readonly authenticationResults: string;
  /** The same unfolded, for an ARC set (`sealArc`). */
  readonly payload: string;
  /** Value of the Received-SPF field, folded; null when SPF was not checked. */
  readonly receivedSpf: string | null;
  /** To be made in this order: forged results go, ours come. */
  readonly edits: readonly HeaderEdit[];
  /** What a sender hears whose message DMARC refuses; null unless `dmarc.disposition` is 'reject'. */
  readonly reply: Reply | null;
  /** For the report to the author's domain; null when it publishes no policy. */
  readonly report: DmarcReportFacts | null;
  /** The header as it was read, for `sealArc`. */
  readonly header: MessageHeader;
}

export interface Authenticity {
  verify(input: JudgeInput, options?: AuthenticityOptions): AuthenticityResult | Promise<AuthenticityResult>;
  /** SPF of an envelope alone, before there is a message (greylisting, policy face). */
  spf(ip: string, helo: string, sender: Address | null, dns?: AuthDns): SpfResult | Promise<SpfResult>;
  /** Forgets remembered SPF results; used at reload. */
  clear(): void;
}

export function createAuthenticity(context: AuthenticityContext): Authenticity {
  const { now } = context;
  const keys: Keys = createMemo(AUTHENTICITY_LIMITS.compiled);
  const records: DmarcRecords = createMemo(AUTHENTICITY_LIMITS.compiled);
  let readOf: AuthenticitySettings | null = null;
  let read: { readonly spf: SpfLimits; readonly dmarc: DmarcOptions };
  /** What the settings say, worked out once for each settings object. */
  const options = (): typeof read => {
    const settings = context.settings();
    if (settings !== readOf) {
      readOf = settings;
      read = {
        spf: { lookups: settings['authenticity.spfLookupsMax'], voids: settings['authenticity.spfVoidMax'], ms: settings['authenticity.spfTimeout'] },
        dmarc: {
          overrides: readDmarcOverrides(settings['authenticity.dmarcOverrides']),
          most: settings['authenticity.dmarcPolicy'],
          trustedSealers: settings['authenticity.arcTrustedSealers'].map((domain) => domain.toLowerCase()),
          severalFields: settings['authenticity.severalFrom'],
        },
      };
    }
    return read;
  };
  const spf = createSpf(context.dns, () => options().spf, now);

  function* verify(input: JudgeInput, more: AuthenticityOptions): Steps<AuthenticityResult> {
    const settings = context.settings();
    const { dmarc: dmarcOptions } = options();
    const hostname = context.hostname();
    const { message, sender } = input;
    const dns = more.dns ?? context.dns;
    const helo = input.helo ?? '';
    const isStranger = input.auth === null && input.client !== null;
    const ip = input.client?.ip ?? null;
    const header = new MessageHeader(message.header, message.size);
    const author = authorOf(header);

    // Questions of the message are sent while SPF still waits for its own.
    const early = isStranger && author.kind === 'one' ? dns.txt(`_dmarc.${author.domains[0]}`) : null;
    const asked = isStranger ? spf.check({ ip: ip!, helo, sender, receiver: hostname }, more.dns) : null;
    const askedHelo =
      isStranger && sender !== null && settings['authenticity.spfHelo'] ? spf.check({ ip: ip!, helo, sender: null, receiver: hostname }, more.dns) : null;

    const hashes = new BodyHashes();
    const nowSeconds = Math.floor(now() / 1000);
    let dkim: readonly DkimResult[] = [];
    let arc: ArcResult = NO_ARC;
    const hasArc = header.arcSeals.length + header.arcSignatures.length + header.arcResults.length > 0;
    if (header.signatures.length > 0 || hasArc) {
      const dkimOptions = {
        rsaBitsMin: settings['authenticity.rsaBitsMin'],
        signaturesMax: settings['authenticity.dkimSignaturesMax'],
        domainSignaturesMax: settings['authenticity.dkimDomainMax'],
        nowSeconds,
        prefer: author.domains[0] ?? null,
      };
      const pending = header.signatures.length > 0 ? yield* checkDkim(header, dns, keys, dkimOptions, hashes) : [];
      const pendingArc = hasArc ? yield* checkArc(header, dns, keys, dkimOptions, hashes) : null;
      const fed = hashes.feed(message, header.end);
      if (fed !== undefined) yield* wait(fed);
      dkim = pending.map((finish) => finish());
      if (pendingArc !== null) arc = pendingArc();
    }
    if (early !== null) yield* wait(early);
    const spfResult = asked === null ? null : yield* wait(asked);
    const heloSpf = askedHelo === null ? null : yield* wait(askedHelo);
    const dmarc = isStranger ? yield* checkDmarc({ author, spf: spfResult, dkim, arc, sample: sampleOf(input.id) }, dns, records, dmarcOptions) : NO_DMARC;

    const findings: Findings = {
      ip,
      helo: input.helo,
      sender,
      login: input.auth?.login ?? null,
      reverse: more.reverse ?? null,
      spf: spfResult,
      heloSpf,
      dkim,
      dmarc,
      arc,
    };
    const field = authenticationResults(hostname, findings, '\r\n\t');
    const received = spfResult === null ? null : receivedSpf(hostname, spfResult, ip!, input.helo, sender);
    const edits = forgedResults(header, hostname);
    if (received !== null && settings['authenticity.receivedSpf']) edits.push({ kind: 'prepend', name: 'Received-SPF', value: received });
    edits.push({ kind: 'prepend', name: 'Authentication-Results', value: field });
    count(context.metrics, findings);
    return {
      author,
      spf: spfResult,
      heloSpf,
      dkim,
      arc,
      dmarc,
      symbols: isStranger ? symbolsOf(findings, author, header.isMalformed) : [],
      authenticationResults: field,
      payload: field.replaceAll('\r\n\t', ' '),
      receivedSpf: received,
      edits,
      reply: dmarc.disposition === 'reject' ? refusal(dmarc) : null,
      report: isStranger ? reportOf(input, author, spfResult, dkim, dmarc) : null,
      header,
    };
  }

  return {
    verify: (input, more = {}) => run(verify(input, more)),
    spf: (ip, helo, sender, asking) => spf.check({ ip, helo, sender, receiver: context.hostname() }, asking),
    clear: () => spf.clear(),
  };
}

/** 0 to 99, the same whenever a message is judged again. */
function sampleOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash >>> 8) % 100;
}

function refusal(dmarc: DmarcResult): Reply {
  if (dmarc.override?.comment === 'several From fields')
    return { code: 550, enhanced: '5.6.0', text: 'The message has more than one From field (RFC 5322 section 3.6)' };
  // RFC 7372 section 3.4: several checks failed.
  return {
    code: 550,
    enhanced: '5.7.26',
    text: `The domain ${dmarc.domain} asks to refuse mail that is not proven to be its own (DMARC p=reject): neither SPF nor DKIM passed for it`,
  };
}

function reportOf(input: JudgeInput, author: Author, spf: SpfResult | null, dkim: readonly DkimResult[], dmarc: DmarcResult): DmarcReportFacts | null {
  const { record, policyDomain, domain } = dmarc;
  if (record === null || policyDomain === null || domain === null || spf === null || author.kind !== 'one') return null;
  return {
    domain: policyDomain,
    policy: { adkim: record.adkim, aspf: record.aspf, p: record.p, sp: record.sp, pct: record.pct, rua: record.rua },
    sourceIp: input.client!.ip,
    headerFrom: domain,
    envelopeFrom: input.sender === null ? null : input.sender.domain,
    disposition: dmarc.disposition,
    dkimAligned: dmarc.dkimAligned,
    spfAligned: dmarc.spfAligned,
    override: dmarc.override,
    dkim: dkim.filter((signature) => signature.domain !== '').map(({ domain: signer, selector, result }) => ({ domain: signer, selector, result })),
    spf: { domain: spf.domain, scope: spf.scope === 'helo' ? 'helo' : 'mfrom', result: spf.result },
  };
}

function count(metrics: Metrics | undefined, { spf, dkim, dmarc, arc, login }: Findings): void {
  if (metrics === undefined || login !== null) return;
  if (spf !== null) metrics.count('authenticity.spf', 1, spf.result);
  for (const { result } of dkim) metrics.count('authenticity.dkim', 1, result);
  metrics.count('authenticity.dmarc', 1, dmarc.result);
  if (arc.result !== 'none') metrics.count('authenticity.arc', 1, arc.result);
}
