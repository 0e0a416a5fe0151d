/** A mail that arrives for dmarc.reportAddress: finds the attached report, reads it, stores it. */
import { asBuffer } from '../../mail/header.ts';
import { MimeParser, type MimePart } from '../../mail/mime.ts';
import { findParam } from '../../mail/params.ts';
import { decodeTransfer } from '../../mail/transfer.ts';
import type { Log, Metrics, StoreWriter } from '../../ports.ts';
import { parseAggregateReport } from './aggregate-read.ts';
import type { AggregateReport } from './aggregate.types.ts';
import { REPORT_LIMITS } from './limits.ts';
import { ReportError } from './report-error.ts';

export type Taken =
  | { readonly kind: 'taken'; readonly report: AggregateReport; readonly isNew: boolean }
  /** No attachment that could be a report: an ordinary mail. */
  | { readonly kind: 'none' }
  /** `reason` is a clause for the log. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface ReportTakerContext {
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Anybody can send a report about anything: only those about domains served here are kept. */
  isLocalDomain(domain: string): boolean;
}

/** Takes the whole message. Rejects only when the store fails; a bad report is an answer. */
export async function takeReport(message: Uint8Array, context: ReportTakerContext): Promise<Taken> {
  const taken = await read(message, context);
  if (taken.kind === 'refused') {
    context.metrics.count('dmarc.reportsRefused');
    context.log.info('dmarc.report.refused', { reason: taken.reason });
  }
  if (taken.kind !== 'taken') return taken;
  const { isNew } = await context.writer.run<{ isNew: boolean }>('dmarc.take', taken.report);
  const { policy, organization, records } = taken.report;
  context.metrics.count('dmarc.reportsTaken');
  context.log.info('dmarc.report.taken', { domain: policy.domain, organization, records: records.length, isNew });
  return { ...taken, isNew };
}

async function read(message: Uint8Array, context: ReportTakerContext): Promise<Taken> {
  let reason: string | null = null;
  for (const { bytes, fileName } of attachments(message)) {
    try {
      const report = await parseAggregateReport(bytes, fileName);
      if (!context.isLocalDomain(report.policy.domain)) {
        reason ??= `it is about ${report.policy.domain}, which is not served here`;
        continue;
      }
      return { kind: 'taken', report, isNew: true };
    } catch (error) {
      if (!(error instanceof ReportError)) throw error;
      reason ??= error.message;
    }
  }
  return reason === null ? { kind: 'none' } : { kind: 'refused', reason };
}

/** Decoded parts that may be a report, by type or name. */
function* attachments(message: Uint8Array): Generator<{ bytes: Uint8Array; fileName: string }> {
  const parser = new MimeParser();
  parser.push(message);
  const root = parser.end();
  const bytes = asBuffer(message);
  let left: number = REPORT_LIMITS.attachments;
  for (const part of leaves(root)) {
    const fileName = (part.disposition === null ? null : findParam(part.disposition.params, 'filename')) ?? findParam(part.params, 'name') ?? '';
    if (!mayBeReport(part, fileName)) continue;
    left -= 1;
    yield { bytes: decodeTransfer(bytes.subarray(part.bodyStart, part.bodyEnd), part.encoding), fileName };
    if (left === 0) return;
  }
}

function* leaves(part: MimePart): Generator<MimePart> {
  if (part.children.length === 0) yield part;
  else for (const inner of part.children) yield* leaves(inner);
}

const TYPES = new Set([
  'application/zip',
  'application/x-zip',
  'application/x-zip-compressed',
  'application/gzip',
  'application/x-gzip',
  'application/xml',
  'text/xml',
]);

function mayBeReport(part: MimePart, fileName: string): boolean {
  if (TYPES.has(`${part.type}/${part.subtype}`)) return true;
  return /\.(?:xml|xml\.gz|gz|zip)$/i.test(fileName);
}
