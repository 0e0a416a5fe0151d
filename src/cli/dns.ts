/** posthorn dns DOMAIN: the records a mail domain should have, and which of them are there. */
import { canonicalDomain } from '../directory/address.ts';
import { createDns } from '../net/dns.ts';
import type { CliContext } from './context.ts';
import { wantedRecords, zoneText } from './dns-advice.ts';
import { checkRecords, isSerious, type RecordFinding } from './dns-check.ts';
import { dnsFacts } from './dns-facts.ts';
import { printable } from './table.ts';

export interface DnsOptions {
  zone?: boolean;
  json?: boolean;
}

const MARKS = { right: 'right  ', missing: 'missing', wrong: 'WRONG  ', unknown: 'unknown' } as const;

/** One record: its state, its line, and below what is there and what to change. */
export function findingText(finding: RecordFinding): string {
  const { record, state, found, advice } = finding;
  const isOptional = state === 'missing' && record.need === 'may';
  const lines = [
    `${isOptional ? 'optional' : ` ${state === 'missing' && record.need === 'must' ? 'MISSING' : MARKS[state]}`}  ${record.zone.replaceAll('\n', '\n          ')}`,
  ];
  const note = (text: string): void => {
    lines.push(`          - ${printable(text)}`);
  };
  if (state === 'wrong') note(`now: ${found.join('; ').slice(0, 500)}`);
  if (state !== 'right') note(advice === '' ? record.purpose : `${record.purpose}: ${advice}`);
  else if (advice !== '') note(advice);
  if (state !== 'right' && record.onlyIf !== null) note(`only if ${record.onlyIf}`);
  return lines.join('\n');
}

export function summaryText(domain: string, findings: readonly RecordFinding[]): string {
  const serious = findings.filter(isSerious);
  const rest = findings.filter((finding) => !isSerious(finding) && finding.record.need === 'should' && finding.state !== 'right');
  if (serious.length === 0)
    return rest.length === 0 ? `All that ${domain} needs is there.` : `What ${domain} needs is there; ${rest.length} of the recommended records are not.`;
  return `${serious.length} ${serious.length === 1 ? 'record' : 'records'} of ${domain} must be set right.`;
}

/** Prints the records of a domain and what is the matter with them. */
export async function showRecords(context: CliContext, text: string, options: DnsOptions): Promise<void> {
  const { io } = context;
  const domain = canonicalDomain(text);
  if (domain === null) throw new Error(`"${text}" is not a domain; it should look like example.org.`);
  const { settings, baseDir } = context.config();
  const dns = createDns(() => settings);
  const admin = await context.open();
  try {
    const facts = await dnsFacts(domain, settings, baseDir, admin, dns);
    const records = wantedRecords(facts);
    if (options.zone === true) {
      io.print(zoneText(records));
      return;
    }
    const findings = await checkRecords(records, facts, dns);
    if (options.json === true)
      for (const { record, state, found, advice } of findings)
        io.print(JSON.stringify({ state, need: record.need, name: record.name, type: record.type, data: record.data, found, advice, onlyIf: record.onlyIf }));
    else {
      for (const finding of findings) io.print(findingText(finding));
      io.print(summaryText(domain, findings));
    }
    if (facts.keys.length === 0) io.note(`There is no key that signs mail of ${domain}: posthorn dkim create ${domain}`);
    if (findings.some(isSerious)) process.exitCode = 1;
  } finally {
    await admin.close();
    dns.close();
  }
}
