/** Mail for `dmarc.reportAddress` is read as a DMARC report, beside being delivered like any other. */
import { formatAddress } from '../mail/address.ts';
import type { Directory, Envelope, Log, Metrics, StoreReader, StoreWriter } from '../ports.ts';
import type { AllSettings } from '../settings.ts';

export interface ReportTakerContext {
  settings(): AllSettings;
  readonly directory: Directory;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Larger mail is no report: those of the largest senders pack into a few megabytes. */
const REPORT_MAIL_BYTES_MAX = 32 * 1024 * 1024;

/** Anybody may send such mail: it is read one at a time, and what comes faster than that is only delivered. */
const WAITING_MAX = 100;

/** For the intake: looks at each local delivery, and costs nothing while the option is empty. */
export function reportTaker(context: ReportTakerContext) {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  return (envelope: Envelope, delivery: { readonly accountId: number; readonly mailboxId: number; readonly uid: number }): void => {
    const wanted = context.settings()['dmarc.reportAddress'].toLowerCase();
    if (wanted === '' || !envelope.recipients.some(({ address }) => formatAddress(address).toLowerCase() === wanted)) return;
    if (waiting >= WAITING_MAX) {
      context.log.warn('dmarc.report.failed', { id: envelope.id, cause: `${waiting} others wait to be read` });
      return;
    }
    waiting += 1;
    last = last
      .then(() => take(context, delivery))
      .catch((cause: unknown) => context.log.warn('dmarc.report.failed', { id: envelope.id, cause }))
      .finally(() => {
        waiting -= 1;
      });
  };
}

async function take(context: ReportTakerContext, { accountId, mailboxId, uid }: { accountId: number; mailboxId: number; uid: number }): Promise<void> {
  const tuple = context.reader.message(accountId, mailboxId, uid);
  const email = tuple === null ? null : context.reader.email(accountId, tuple[6]);
  if (email === null || email.blobBytes > REPORT_MAIL_BYTES_MAX) return;
  const reader = context.reader.open(email);
  try {
    const { takeReport } = await import('../judge/reports/take.ts');
    await takeReport(await reader.slice(0, reader.size), { ...context, isLocalDomain: (domain) => context.directory.isLocalDomain(domain) });
  } finally {
    reader.close();
  }
}
