/** A refusal as a row of the journey: what was refused, to whom, why, and what the sender was told. */
import { formatAddress } from '../mail/address.ts';
import type { Address, Journey, Metrics, Reply, SmtpView } from '../ports.ts';

export type RefusalStage = 'connect' | 'helo' | 'mail' | 'rcpt' | 'data' | 'message';

const RECIPIENTS_MAX = 50;

/** `recipients` null: those of the transaction. */
export function recordRefusal(
  context: { readonly journey: Journey; readonly metrics: Metrics; now(): number },
  view: SmtpView,
  recipients: readonly Address[] | null,
  stage: RefusalStage,
  reply: Reply,
  by: string,
  judged?: Readonly<Record<string, unknown>>,
): void {
  const envelope = view.envelope!;
  const all = recipients ?? envelope.recipients.map(({ address }) => address);
  const to = all.slice(0, RECIPIENTS_MAX).map(formatAddress);
  const from = envelope.sender === null ? '<>' : formatAddress(envelope.sender);
  context.metrics.count('judge.refused', 1, stage);
  context.journey.write({
    id: envelope.id,
    at: context.now(),
    stage: 'judge',
    event: 'refused',
    keys: [...to, from, view.client.ip],
    fields: {
      stage,
      from,
      to,
      recipients: all.length,
      ip: view.client.ip,
      name: view.client.name ?? undefined,
      helo: view.helo ?? undefined,
      tls: view.tls?.version,
      login: view.account?.login,
      code: reply.code,
      enhanced: reply.enhanced,
      reply: reply.text,
      by,
      judged,
    },
  });
}
