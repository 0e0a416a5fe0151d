/** Tells the sender of a picked-up message about recipients that cannot be reached (RFC 3464), in place of the refusal a client would hear. */
import { composeDsn, type DsnInput } from '../../mail/report.ts';
import type { Address, Envelope, LoopContext, Reply } from '../../ports.ts';
import type { ReceiveSettings } from '../settings.ts';

/** A recipient who does not get the message, and why. */
export interface PickupFailure {
  readonly recipient: Address;
  readonly reply: Reply;
}

/** False when there is nobody to tell, or telling failed: the file is then kept for the administrator. `header` is the message's own. */
export async function sendNotice(
  context: LoopContext<ReceiveSettings>,
  failed: Envelope,
  failures: readonly PickupFailure[],
  header: Uint8Array,
): Promise<boolean> {
  if (failed.sender === null) return false;
  const id = context.newId();
  const at = context.now();
  const writer = context.staging.open();
  try {
    const input: DsnInput = {
      id,
      at,
      reportingMta: context.settings().hostname,
      to: failed.sender,
      from: null,
      envid: failed.dsn.envid,
      arrivalAt: failed.at,
      recipients: failures.map(({ recipient, reply }) => ({
        address: recipient,
        orcpt: null,
        action: 'failed',
        // There is no second try: what is told is final.
        status: `5${reply.enhanced.slice(1)}`,
        remoteMta: null,
        reply: `${reply.code} ${reply.enhanced} ${reply.text}`,
        lastAttemptAt: at,
        willRetryUntil: null,
      })),
      originalHeader: header,
      isFull: false,
      has8bit: header.some((byte) => byte > 127),
      utf8: failed.smtputf8,
    };
    for await (const piece of composeDsn(input, null)) await writer.write(piece);
    const message = await writer.finish();
    const envelope: Envelope = {
      ...failed,
      id,
      source: 'bounce',
      sender: null,
      recipients: [{ address: failed.sender, resolution: context.directory.resolve(failed.sender), notify: 'never', orcpt: null }],
      dsn: { envid: null, ret: null },
      at,
    };
    const { reply } = await context.intake.accept(envelope, message);
    return reply.code < 400;
  } catch (cause) {
    writer.abort();
    context.log.error('pickup.notice.failed', { id: failed.id, cause });
    return false;
  }
}
