/** Counts, in each thread, what is to be reported: equal messages become one row, and rows go to the writer many at a time. */
import { createHash } from 'node:crypto';
import type { Log, Metrics, StoreWriter } from '../../ports.ts';
import { boundedFacts, boundedPolicy, type DmarcReportFacts } from './facts.ts';
import { DAY_MS, FLUSH_MS, REPORT_LIMITS } from './limits.ts';
import type { CollectInput, CollectRow } from './operations.ts';

export interface ReportCollector {
  /** Counts one message. Costs a hash and a map entry; waits for nothing. */
  add(facts: DmarcReportFacts): void;
  /** Hands over what was counted; resolves when it is durable or was given up. */
  flush(): Promise<void>;
  /** Ends the timer; call flush first at shutdown. */
  close(): void;
}

export interface CollectorContext {
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether reports are sent at all (dmarc.sendReports); otherwise nothing is counted. */
  isWanted(): boolean;
  now(): number;
}

export function createReportCollector(context: CollectorContext): ReportCollector {
  let rows = new Map<string, { -readonly [K in keyof CollectRow]: CollectRow[K] }>();
  let flushing: Promise<void> | null = null;
  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();

  function add(facts: DmarcReportFacts): void {
    if (!context.isWanted() || facts.policy.rua.length === 0) return;
    const day = Math.floor(context.now() / DAY_MS);
    const text = JSON.stringify(boundedFacts(facts));
    const key = createHash('sha256').update(text).digest('base64url').slice(0, 22);
    const mapKey = `${day} ${facts.domain} ${key}`;
    const row = rows.get(mapKey);
    if (row !== undefined) {
      row.count += 1;
      return;
    }
    if (rows.size >= REPORT_LIMITS.heldRows) {
      context.metrics.count('dmarc.rowsDropped');
      return;
    }
    rows.set(mapKey, { day, domain: facts.domain, policy: JSON.stringify(boundedPolicy(facts.policy)), key, facts: text, count: 1 });
    if (rows.size >= REPORT_LIMITS.flushRows && flushing === null) void flush();
  }

  function flush(): Promise<void> {
    if (flushing !== null) return flushing;
    if (rows.size === 0) return Promise.resolve();
    const batch: CollectInput = { rows: [...rows.values()] };
    rows = new Map();
    flushing = context.writer.run<{ dropped: number }>('dmarc.collect', batch).then(
      ({ dropped }) => {
        flushing = null;
        if (dropped > 0) context.metrics.count('dmarc.rowsDropped', dropped);
      },
      (cause: unknown) => {
        flushing = null;
        // A report that lacks a minute is worth less than the memory to keep it for a store that does not answer.
        context.metrics.count('dmarc.rowsDropped', batch.rows.length);
        context.log.warn('dmarc.collect.failed', { rows: batch.rows.length, cause });
      },
    );
    return flushing;
  }

  return { add, flush, close: () => clearInterval(timer) };
}
