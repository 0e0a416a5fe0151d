/** Aggregate reports that we send (RFC 7489 section 7.2 and appendix C). Pure. */
import { DAY_MS } from './limits.ts';
import type { PublishedPolicy, ReportRow } from './facts.ts';

export interface ReportInput {
  /** Who reports, a contact, and the host that names the file. */
  readonly organization: string;
  readonly email: string;
  readonly receiver: string;
  readonly domain: string;
  readonly policy: PublishedPolicy;
  /** Days since 1970, UTC. */
  readonly day: number;
  readonly rows: readonly ReportRow[];
}
export interface BuiltReport {
  readonly reportId: string;
  /** "receiver!domain!begin!end.xml.gz" (section 7.2.1.1). */
  readonly fileName: string;
  readonly xml: string;
}

/** Same input, same report, same id: a report made again is known as the same by whoever gets both. */
export function buildAggregateReport(input: ReportInput): BuiltReport {
  const begin = (input.day * DAY_MS) / 1000;
  const end = begin + DAY_MS / 1000 - 1;
  const reportId = `${begin}.${input.domain}@${input.receiver}`;
  const { policy } = input;
  const parts = [
    '<?xml version="1.0" encoding="UTF-8"?>\n<feedback>\n  <version>1.0</version>\n  <report_metadata>\n',
    tag(4, 'org_name', input.organization),
    tag(4, 'email', input.email),
    tag(4, 'report_id', reportId),
    `    <date_range>\n      <begin>${begin}</begin>\n      <end>${end}</end>\n    </date_range>\n  </report_metadata>\n  <policy_published>\n`,
    tag(4, 'domain', input.domain),
    tag(4, 'adkim', policy.adkim),
    tag(4, 'aspf', policy.aspf),
    tag(4, 'p', policy.p),
    tag(4, 'sp', policy.sp),
    tag(4, 'pct', String(policy.pct)),
    '  </policy_published>\n',
    ...input.rows.map(recordXml),
    '</feedback>\n',
  ];
  return { reportId, fileName: `${input.receiver}!${input.domain}!${begin}!${end}.xml.gz`, xml: parts.join('') };
}

function recordXml({ facts, count }: ReportRow): string {
  let out = '  <record>\n    <row>\n';
  out += tag(6, 'source_ip', facts.sourceIp) + tag(6, 'count', String(count));
  out += '      <policy_evaluated>\n';
  out += tag(8, 'disposition', facts.disposition) + tag(8, 'dkim', facts.dkimAligned ? 'pass' : 'fail') + tag(8, 'spf', facts.spfAligned ? 'pass' : 'fail');
  if (facts.override !== null) {
    out += `        <reason>\n${tag(10, 'type', facts.override.type)}`;
    if (facts.override.comment !== '') out += tag(10, 'comment', facts.override.comment);
    out += '        </reason>\n';
  }
  out += '      </policy_evaluated>\n    </row>\n    <identifiers>\n';
  out += tag(6, 'envelope_from', facts.envelopeFrom ?? '') + tag(6, 'header_from', facts.headerFrom);
  out += '    </identifiers>\n    <auth_results>\n';
  for (const { domain, selector, result } of facts.dkim)
    out += `      <dkim>\n${tag(8, 'domain', domain)}${tag(8, 'selector', selector)}${tag(8, 'result', result)}      </dkim>\n`;
  const { domain, scope, result } = facts.spf;
  out += `      <spf>\n${tag(8, 'domain', domain)}${tag(8, 'scope', scope)}${tag(8, 'result', result)}      </spf>\n`;
  return `${out}    </auth_results>\n  </record>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

function tag(indent: number, name: string, text: string): string {
  // Characters that XML 1.0 cannot hold at all (section 2.2) become question marks.
  const clean = text
    .toWellFormed()
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
  return `${' '.repeat(indent)}<${name}>${clean}</${name}>\n`;
}
