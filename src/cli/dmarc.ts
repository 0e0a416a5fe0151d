/** posthorn dmarc: what others report of the mail in the name of our domains, and what we report to them. */
import type { Command } from 'commander';
import type { OutgoingView, ReceivedReportView, SourcesAnswer, SourceView } from '../judge/reports/admin.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { parseWhen } from './when.ts';
import { withAdmin } from './with-admin.ts';

interface Options {
  since?: string;
  json?: boolean;
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
const since = (options: Options): number | undefined => (options.since === undefined ? undefined : parseWhen(options.since, Date.now()));

/** "all pass", "3 of 20 pass". */
function share(passed: number, messages: number): string {
  return passed === messages ? 'all pass' : passed === 0 ? 'none pass' : `${passed} of ${messages} pass`;
}

/** What one source is, in a sentence for people who do not read reports every day. */
export function sourceWords(source: SourceView): string {
  const words = [`DKIM ${share(source.dkimPassed, source.messages)}`, `SPF ${share(source.spfPassed, source.messages)}`];
  if (source.passed < source.messages) {
    // Whose signature or envelope it was tells whether it is a forgotten service of ours or somebody else.
    if (source.dkim.length > 0) words.push(`signed by ${source.dkim.slice(0, 2).join(', ')}`);
    else words.push('not signed');
    if (source.spf.length > 0) words.push(`envelope of ${source.spf.slice(0, 2).join(', ')}`);
  }
  if (source.rejected > 0) words.push(`${source.rejected} rejected`);
  if (source.quarantined > 0) words.push(`${source.quarantined} put into junk`);
  return words.join('; ');
}

export function sourcesText(answer: SourcesAnswer): string {
  const { domain, reports, messages, sources } = answer;
  if (reports === 0) return `There is no report about ${domain}. Reports come to the address in rua= of its DMARC record; "posthorn dns ${domain}" checks it.`;
  const failing = sources.filter((source) => source.passed < source.messages);
  const failed = failing.reduce((sum, source) => sum + source.messages - source.passed, 0);
  return [
    table(
      ['source', 'messages', 'passed', 'in words'],
      sources.map((source) => [source.sourceIp === '' ? '(no address)' : source.sourceIp, source.messages, source.passed, sourceWords(source)]),
    ),
    `${messages} messages in ${reports} ${reports === 1 ? 'report' : 'reports'}: ${failed === 0 ? 'all passed.' : `${failed} from ${failing.length} ${failing.length === 1 ? 'source' : 'sources'} failed; they are forged, forwarded, or from a service of yours that does not sign.`}`,
  ].join('\n');
}

export function registerDmarc(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const dmarc = program
    .command('dmarc')
    .summary('reports about mail in the name of your domains')
    .description('Reports (DMARC) of other servers about mail in the name of your domains, received at dmarc.reportAddress, and those this server sends.');

  dmarc
    .command('reports')
    .summary('list the reports received')
    .argument('[domain]', 'only those about this domain')
    .option('--since <time>', 'that end after: 7d, 2026-05-01')
    .option('--json', 'one JSON object a report')
    .action((domain: string | undefined, options: Options) =>
      withAdmin(open, async (admin) => {
        const reports: ReceivedReportView[] = await admin.call('dmarc.reports', { domain, since: since(options) });
        if (options.json === true) for (const report of reports) io.print(JSON.stringify(report));
        else if (reports.length === 0) io.note('No report has been received.');
        else
          io.print(
            table(
              ['domain', 'from', 'begin', 'end', 'messages', 'passed'],
              reports.map((report) => [report.domain, report.organization, day(report.beginAt), day(report.endAt), report.messages, report.passed]),
            ),
          );
      }),
    );

  dmarc
    .command('show')
    .summary('show from where mail in the name of a domain was sent, and what passed')
    .argument('<domain>')
    .option('--since <time>', 'only reports that end after: 30d, 2026-05-01')
    .option('--json', 'as one JSON object')
    .action((domain: string, options: Options) =>
      withAdmin(open, async (admin) => {
        const answer: SourcesAnswer = await admin.call('dmarc.sources', { domain, since: since(options) });
        io.print(options.json === true ? JSON.stringify(answer) : sourcesText(answer));
      }),
    );

  dmarc
    .command('outgoing')
    .summary('show the reports this server sends')
    .option('--json', 'one JSON object a day and domain')
    .action((options: Options) =>
      withAdmin(open, async (admin) => {
        const rows: OutgoingView[] = await admin.call('dmarc.outgoing', {});
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('Nothing is to be reported; option dmarc.sendReports switches reports on.');
        else
          io.print(
            table(
              ['day', 'domain', 'rows', 'state', 'note'],
              rows.map((row) => [row.day, row.domain, row.rows, row.state, row.note ?? '']),
            ),
          );
      }),
    );
}
