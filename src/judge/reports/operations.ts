/** The writer operations of DMARC reports, ours and those of others. */
import { acceptInto } from '../../store/operations/accept.ts';
import type { AcceptInput } from '../../store/operations/accept.types.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import type { AggregateReport } from './aggregate.types.ts';
import { REPORT_LIMITS } from './limits.ts';

export interface CollectRow {
  readonly day: number;
  readonly domain: string;
  /** JSON of PublishedPolicy. */
  readonly policy: string;
  readonly key: string;
  /** JSON of ReportFacts. */
  readonly facts: string;
  readonly count: number;
}
export interface CollectInput {
  readonly rows: readonly CollectRow[];
}

/** Adds up rows. Those beyond the bounds are counted, not kept; those of a day that was reported already come too late. */
function collect(tx: Transaction, input: CollectInput): { dropped: number } {
  let dropped = 0;
  for (const row of input.rows) {
    if (tx.run('UPDATE dmarc_row SET count=count+? WHERE day=? AND domain=? AND key=?', row.count, row.day, row.domain, row.key) > 0) continue;
    const day = tx.get('SELECT row_count, state FROM dmarc_day WHERE day=? AND domain=?', row.day, row.domain);
    if (day === undefined) {
      if (Number(tx.get('SELECT count(*) FROM dmarc_day WHERE day=?', row.day)![0]) >= REPORT_LIMITS.domainsPerDay) {
        dropped += row.count;
        continue;
      }
      tx.run('INSERT INTO dmarc_day (day, domain, policy, row_count) VALUES (?, ?, ?, 1)', row.day, row.domain, row.policy);
    } else {
      if (day[1] !== 'open' || Number(day[0]) >= REPORT_LIMITS.rowsPerDay) {
        dropped += row.count;
        continue;
      }
      tx.run('UPDATE dmarc_day SET policy=?, row_count=row_count+1 WHERE day=? AND domain=?', row.policy, row.day, row.domain);
    }
    tx.run('INSERT INTO dmarc_row (day, domain, key, facts, count) VALUES (?, ?, ?, ?, ?)', row.day, row.domain, row.key, row.facts, row.count);
  }
  return { dropped };
}

export interface SettleInput {
  readonly day: number;
  readonly domain: string;
  /** 'sent': with these mails, in the same transaction. 'later': could not be decided now. */
  readonly outcome: 'sent' | 'later' | 'given up';
  readonly mails: readonly AcceptInput[];
  readonly note: string | null;
}

/** Ends a day of a domain, once: the mails are accepted only by the one call that finds it open. */
function settle(tx: Transaction, input: SettleInput): { isSettled: boolean } {
  const row = tx.get('SELECT state, attempts FROM dmarc_day WHERE day=? AND domain=?', input.day, input.domain);
  if (row === undefined || row[0] !== 'open') return { isSettled: false };
  const attempts = Number(row[1]) + 1;
  const isLater = input.outcome === 'later' && attempts < REPORT_LIMITS.attempts;
  const state = isLater ? 'open' : input.outcome === 'sent' ? 'sent' : 'given up';
  for (const mail of input.mails) acceptInto(tx, mail);
  tx.run('UPDATE dmarc_day SET state=?, attempts=?, note=? WHERE day=? AND domain=?', state, attempts, input.note, input.day, input.domain);
  if (!isLater) tx.run('DELETE FROM dmarc_row WHERE day=? AND domain=?', input.day, input.domain);
  return { isSettled: !isLater };
}

/** Stores a report of somebody else; one that is here already (same organisation, id and domain) is not stored twice. */
function take(tx: Transaction, report: AggregateReport): { isNew: boolean } {
  const known = tx.get(
    'SELECT id FROM dmarc_report WHERE organization=? AND report_id=? AND domain=?',
    report.organization,
    report.reportId,
    report.policy.domain,
  );
  if (known !== undefined) return { isNew: false };
  let messages = 0;
  let passed = 0;
  for (const record of report.records) {
    messages += record.count;
    if (record.dkim === 'pass' || record.spf === 'pass') passed += record.count;
  }
  const [id] = tx.get(
    'INSERT INTO dmarc_report (domain, organization, report_id, email, begin_at, end_at, received_at, policy, messages, passed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    report.policy.domain,
    report.organization,
    report.reportId,
    report.email,
    report.beginAt,
    report.endAt,
    tx.now,
    JSON.stringify(report.policy),
    messages,
    passed,
  )!;
  for (const [n, record] of report.records.entries()) {
    const { sourceIp, count, disposition, dkim, spf, headerFrom, ...details } = record;
    tx.run(
      'INSERT INTO dmarc_record (report_id, n, source_ip, count, disposition, dkim, spf, header_from, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      n,
      sourceIp,
      count,
      disposition,
      dkim,
      spf,
      headerFrom,
      JSON.stringify(details),
    );
  }
  return { isNew: true };
}

export interface PruneInput {
  /** Reports received before this go. */
  readonly before: number;
  /** Days before this are forgotten. */
  readonly beforeDay: number;
}

/** Reports removed in one operation: each may have twenty thousand records, and deliveries wait meanwhile. */
const PRUNE_REPORTS = 5;
const PRUNE_DAYS = 100;

/** Removes some of what is too old or too many; answers whether there is more. */
function prune(tx: Transaction, input: PruneInput): boolean {
  const days = tx.run('DELETE FROM dmarc_day WHERE (day, domain) IN (SELECT day, domain FROM dmarc_day WHERE day < ? LIMIT ?)', input.beforeDay, PRUNE_DAYS);
  const old = tx.run('DELETE FROM dmarc_report WHERE id IN (SELECT id FROM dmarc_report WHERE received_at < ? LIMIT ?)', input.before, PRUNE_REPORTS);
  const excess = Number(tx.get('SELECT count(*) FROM dmarc_report')![0]) - REPORT_LIMITS.reportsKept;
  if (excess > 0) tx.run('DELETE FROM dmarc_report WHERE id IN (SELECT id FROM dmarc_report ORDER BY received_at LIMIT ?)', Math.min(excess, PRUNE_REPORTS));
  return days === PRUNE_DAYS || old === PRUNE_REPORTS || excess > PRUNE_REPORTS;
}

export const REPORTS_OPERATIONS: Operations = {
  'dmarc.collect': collect,
  'dmarc.settle': settle,
  'dmarc.take': take,
  'dmarc.prune': prune,
};
