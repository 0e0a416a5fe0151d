/** 'dmarc.reports', 'dmarc.sources': what others reported of our domains; 'dmarc.outgoing': what we owe to others. */
import { canonicalDomain } from '../../directory/address.ts';
import type { AdminHandlers } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { DAY_MS } from './limits.ts';

export interface ReceivedReportView {
  readonly domain: string;
  readonly organization: string;
  readonly reportId: string;
  readonly beginAt: number;
  readonly endAt: number;
  readonly receivedAt: number;
  readonly messages: number;
  readonly passed: number;
}

/** Mail from one address in the name of a domain, over all reports. */
export interface SourceView {
  readonly sourceIp: string;
  readonly messages: number;
  /** Passed DMARC: one of the two aligned. */
  readonly passed: number;
  readonly dkimPassed: number;
  readonly spfPassed: number;
  readonly quarantined: number;
  readonly rejected: number;
  readonly headerFrom: readonly string[];
  /** Signatures as they were seen, "domain result", the most frequent first. */
  readonly dkim: readonly string[];
  readonly spf: readonly string[];
  /** Who reported it. */
  readonly organizations: readonly string[];
}
export interface SourcesAnswer {
  readonly domain: string;
  readonly reports: number;
  readonly messages: number;
  readonly sources: readonly SourceView[];
}
export interface OutgoingView {
  readonly day: string;
  readonly domain: string;
  readonly rows: number;
  readonly state: string;
  readonly attempts: number;
  readonly note: string | null;
}

const REPORTS_LISTED = 1000;
const RECORDS_READ = 200_000;
const WORDS_KEPT = 5;

function domainInput(value: unknown): string {
  const domain = typeof value === 'string' ? canonicalDomain(value) : null;
  if (domain === null) throw new Failure('cannot', `"${String(value)}" is not a domain; it should look like example.org.`);
  return domain;
}
function sinceInput(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** Counts words and gives the most frequent. */
class Tally {
  readonly #counts = new Map<string, number>();
  add(word: string, by: number): void {
    if (word !== '' && (this.#counts.has(word) || this.#counts.size < 100)) this.#counts.set(word, (this.#counts.get(word) ?? 0) + by);
  }
  top(): string[] {
    return [...this.#counts]
      .sort((a, b) => b[1] - a[1])
      .slice(0, WORDS_KEPT)
      .map(([word]) => word);
  }
}

interface Details {
  readonly dkimResults?: readonly { domain: string; result: string }[];
  readonly spfResults?: readonly { domain: string; result: string }[];
}

export const REPORTS_ADMIN: AdminHandlers = {
  /** {domain?, since?: ms}; newest first. */
  'dmarc.reports': async (context, args): Promise<ReceivedReportView[]> => {
    const domain = args?.domain === undefined || args.domain === null ? null : domainInput(args.domain);
    const rows = context.reader.rows(
      'SELECT domain, organization, report_id, begin_at, end_at, received_at, messages, passed FROM dmarc_report WHERE (?1 IS NULL OR domain=?1) AND end_at>=?2 ORDER BY end_at DESC LIMIT ?3',
      domain,
      sinceInput(args?.since),
      REPORTS_LISTED,
    ) as [string, string, string, number, number, number, number, number][];
    return rows.map(([name, organization, reportId, beginAt, endAt, receivedAt, messages, passed]) => ({
      domain: name,
      organization,
      reportId,
      beginAt,
      endAt,
      receivedAt,
      messages,
      passed,
    }));
  },

  /** {domain, since?: ms}; the address with most mail first. */
  'dmarc.sources': async (context, args): Promise<SourcesAnswer> => {
    const domain = domainInput(args.domain);
    const since = sinceInput(args.since);
    const rows = context.reader.rows(
      `SELECT r.source_ip, r.count, r.disposition, r.dkim, r.spf, r.header_from, r.details, p.organization FROM dmarc_report p JOIN dmarc_record r ON r.report_id=p.id
       WHERE p.domain=? AND p.end_at>=? ORDER BY p.end_at DESC LIMIT ?`,
      domain,
      since,
      RECORDS_READ,
    ) as [string, number, string, string, string, string, string, string][];
    const [[reports]] = context.reader.rows('SELECT count(*) FROM dmarc_report WHERE domain=? AND end_at>=?', domain, since) as [[number]];
    const sources = new Map<string, ReturnType<typeof newSource>>();
    for (const [ip, count, disposition, dkim, spf, from, details, organization] of rows) {
      let source = sources.get(ip);
      if (source === undefined) sources.set(ip, (source = newSource()));
      source.messages += count;
      if (dkim === 'pass' || spf === 'pass') source.passed += count;
      if (dkim === 'pass') source.dkimPassed += count;
      if (spf === 'pass') source.spfPassed += count;
      if (disposition === 'quarantine') source.quarantined += count;
      if (disposition === 'reject') source.rejected += count;
      source.headerFrom.add(from, count);
      source.organizations.add(organization, count);
      const { dkimResults = [], spfResults = [] } = JSON.parse(details) as Details;
      for (const one of dkimResults) source.dkim.add(`${one.domain} ${one.result}`, count);
      for (const one of spfResults) source.spf.add(`${one.domain} ${one.result}`, count);
    }
    const list = [...sources].map(([sourceIp, { headerFrom, dkim, spf, organizations, ...numbers }]) => ({
      sourceIp,
      ...numbers,
      headerFrom: headerFrom.top(),
      dkim: dkim.top(),
      spf: spf.top(),
      organizations: organizations.top(),
    }));
    list.sort((a, b) => b.messages - a.messages || (a.sourceIp < b.sourceIp ? -1 : 1));
    return { domain, reports, messages: list.reduce((sum, one) => sum + one.messages, 0), sources: list };
  },

  /** {}: the last days, newest first. */
  'dmarc.outgoing': async (context): Promise<OutgoingView[]> =>
    (
      context.reader.rows('SELECT day, domain, row_count, state, attempts, note FROM dmarc_day ORDER BY day DESC, domain LIMIT ?', REPORTS_LISTED) as [
        number,
        string,
        number,
        string,
        number,
        string | null,
      ][]
    ).map(([day, domain, rows, state, attempts, note]) => ({ day: new Date(day * DAY_MS).toISOString().slice(0, 10), domain, rows, state, attempts, note })),
};

function newSource() {
  return {
    messages: 0,
    passed: 0,
    dkimPassed: 0,
    spfPassed: 0,
    quarantined: 0,
    rejected: 0,
    headerFrom: new Tally(),
    dkim: new Tally(),
    spf: new Tally(),
    organizations: new Tally(),
  };
}
