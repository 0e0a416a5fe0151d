/**
 * Sends the reports of days that are over. Every few minutes it looks for days that are still open: a report's mails and the
 * note that it was sent are one transaction, so neither a crash nor a second courier sends it twice.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import type { Dns } from '../../net/dns.ts';
import type { Address, Log, MessageId, Metrics, StoreReader, StoreWriter } from '../../ports.ts';
import type { AcceptInput } from '../../store/operations/accept.types.ts';
import { type BuiltReport, buildAggregateReport } from './aggregate-write.ts';
import { type Destination, reportDestinations } from './destinations.ts';
import type { PublishedPolicy, ReportFacts } from './facts.ts';
import { DAY_MS, FIRST_ROUND_MS, REPORT_LIMITS, ROUND_MS, SENT_KEEP_DAYS, SETTLE_MS } from './limits.ts';
import type { PruneInput, SettleInput } from './operations.ts';
import { composeReportMail } from './report-mail.ts';
import type { ReportsSettings } from './settings.ts';

/** One mail to be handed to the queue: NOTIFY=NEVER, to be signed by whoever accepts it. */
export interface OutgoingReport {
  readonly id: MessageId;
  readonly at: number;
  readonly sender: Address;
  readonly recipient: Address;
  readonly bytes: Uint8Array;
}

export interface DmarcReporterContext {
  settings(): Pick<ReportsSettings, 'dmarc.sendReports' | 'dmarc.reportFrom' | 'dmarc.organization' | 'dmarc.reportBytesMax' | 'dmarc.keepReports'> & {
    readonly hostname: string;
    readonly domain: string;
  };
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly dns: Pick<Dns, 'txt'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Signs, stages and routes the mail; answers what the operation 'accept' would be given, or null when the recipient cannot be reached. */
  prepare(mail: OutgoingReport): Promise<AcceptInput | null>;
  newId(): MessageId;
  now(): number;
}

export interface DmarcReporter {
  /** One look, as the timer does it; for tests and administration. Rejects never. */
  round(): Promise<void>;
  /** No further round; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

const compress = promisify(gzip);

export function startDmarcReporter(context: DmarcReporterContext): DmarcReporter {
  let isStopped = false;
  let under: Promise<void> | null = null;

  const round = (): Promise<void> => {
    under ??= look().finally(() => {
      under = null;
    });
    return under;
  };
  // A server that is restarted often sends its reports all the same.
  const first = setTimeout(() => void round(), FIRST_ROUND_MS);
  const timer = setInterval(() => void round(), ROUND_MS);
  first.unref();
  timer.unref();

  async function look(): Promise<void> {
    try {
      await prune();
      if (!context.settings()['dmarc.sendReports']) return;
      const today = Math.floor((context.now() - SETTLE_MS) / DAY_MS);
      const open = context.reader.rows(
        "SELECT day, domain, policy FROM dmarc_day WHERE state='open' AND day < ? ORDER BY day, attempts, domain LIMIT ?",
        today,
        REPORT_LIMITS.reportsPerRound,
      ) as [number, string, string][];
      for (const [day, domain, policy] of open) {
        if (isStopped) return;
        await one(day, domain, JSON.parse(policy) as PublishedPolicy);
      }
    } catch (cause) {
      context.log.warn('dmarc.round.failed', { cause });
    }
  }

  async function prune(): Promise<void> {
    const input: PruneInput = {
      before: context.now() - context.settings()['dmarc.keepReports'],
      beforeDay: Math.floor(context.now() / DAY_MS) - SENT_KEEP_DAYS,
    };
    while (!isStopped && (await context.writer.run<boolean>('dmarc.prune', input)));
  }

  async function one(day: number, domain: string, policy: PublishedPolicy): Promise<void> {
    const settle = (outcome: SettleInput['outcome'], mails: readonly AcceptInput[], note: string | null): Promise<{ isSettled: boolean }> =>
      context.writer.run('dmarc.settle', { day, domain, outcome, mails, note } satisfies SettleInput);
    try {
      const where = await reportDestinations(domain, policy.rua, context.dns);
      if (where.kind === 'later') {
        await settle('later', [], where.reason);
        return;
      }
      const notes = [...where.refused];
      const built = where.destinations.length === 0 ? null : await build(day, domain, policy);
      const mails = built === null ? [] : await mailsFor(domain, built, where.destinations, notes);
      const note = notes.length === 0 ? null : notes.join('; ').slice(0, 1000);
      const { isSettled } = await settle(mails.length > 0 ? 'sent' : 'given up', mails, note);
      if (!isSettled) return;
      if (mails.length === 0) context.log.info('dmarc.report.skipped', { domain, day, why: note });
      else {
        context.metrics.count('dmarc.reportsSent', mails.length);
        context.log.info('dmarc.report.sent', { domain, day, ids: mails.map((mail) => mail.id), reportId: built!.report.reportId });
      }
    } catch (cause) {
      context.log.warn('dmarc.report.failed', { domain, day, cause });
      await settle('later', [], cause instanceof Error ? cause.message.slice(0, 1000) : 'failed');
    }
  }

  async function build(day: number, domain: string, policy: PublishedPolicy): Promise<{ report: BuiltReport; gzip: Uint8Array }> {
    const settings = context.settings();
    const rows = context.reader.rows('SELECT facts, count FROM dmarc_row WHERE day=? AND domain=? ORDER BY count DESC, key', day, domain) as [string, number][];
    const report = buildAggregateReport({
      organization: settings['dmarc.organization'] || settings.domain,
      email: formatAddress(sender()),
      receiver: settings.domain,
      domain,
      policy,
      day,
      rows: rows.map(([facts, count]) => ({ facts: JSON.parse(facts) as ReportFacts, count })),
    });
    return { report, gzip: await compress(report.xml) };
  }

  function sender(): Address {
    const settings = context.settings();
    return parseMailbox(settings['dmarc.reportFrom']) ?? { local: 'postmaster', domain: settings.domain };
  }

  async function mailsFor(
    domain: string,
    built: { report: BuiltReport; gzip: Uint8Array },
    destinations: readonly Destination[],
    notes: string[],
  ): Promise<AcceptInput[]> {
    const settings = context.settings();
    const mails: AcceptInput[] = [];
    for (const { address, bytesMax } of destinations) {
      const most = Math.min(bytesMax ?? Number.MAX_SAFE_INTEGER, settings['dmarc.reportBytesMax']);
      if (built.gzip.length > most) {
        notes.push(`${formatAddress(address)} takes ${most} octets, the report has ${built.gzip.length}`);
        continue;
      }
      const id = context.newId();
      const at = context.now();
      const { report, gzip } = built;
      const bytes = composeReportMail({
        id,
        at,
        hostname: settings.hostname,
        from: sender(),
        to: address,
        domain,
        receiver: settings.domain,
        report,
        gzip,
      });
      const mail = await context.prepare({ id, at, sender: sender(), recipient: address, bytes });
      if (mail === null) notes.push(`${formatAddress(address)} cannot be reached`);
      else mails.push(mail);
    }
    return mails;
  }

  return {
    round,
    async stop() {
      isStopped = true;
      clearTimeout(first);
      clearInterval(timer);
      await under;
    },
  };
}
