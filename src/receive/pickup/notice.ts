/** Tells the sender of a picked-up message about recipients that cannot be reached (RFC 3464), in place of the refusal a client would hear. */
import { formatDate } from '../../mail/date.ts';
import type { Address, Envelope, LoopContext, Reply } from '../../ports.ts';
import { formatAddress } from '../../mail/address.ts';
import { printable } from '../../wire/smtp/reply.ts';
import type { ReceiveSettings } from '../settings.ts';
import { zoneMinutes } from '../smtp/received.ts';

/** False when there is nobody to tell, or telling failed: the file is then kept for the administrator. */
export async function sendNotice(
  context: LoopContext<ReceiveSettings>,
  failed: Envelope,
  failures: readonly { recipient: string; reply: Reply }[],
  header: string,
): Promise<boolean> {
  if (failed.sender === null) return false;
  const { hostname } = context.settings();
  const id = context.newId();
  const at = context.now();
  const message = Buffer.from(compose(failed.sender, hostname, id, at, failures, header), 'latin1');
  const envelope: Envelope = {
    ...failed,
    id,
    source: 'bounce',
    sender: null,
    recipients: [{ address: failed.sender, resolution: context.directory.resolve(failed.sender), notify: 'never', orcpt: null }],
    dsn: { envid: null, ret: null },
    at,
  };
  const { reply } = await context.intake.accept(envelope, context.staging.stage(message));
  return reply.code < 400;
}

function compose(sender: Address, hostname: string, id: string, at: number, failures: readonly { recipient: string; reply: Reply }[], header: string): string {
  const boundary = `posthorn-${id}`;
  const reason = ({ recipient, reply }: { recipient: string; reply: Reply }): string =>
    `<${printable(recipient)}>\r\n    ${reply.code} ${reply.enhanced} ${printable(reply.text)}\r\n`;
  const status = ({ recipient, reply }: { recipient: string; reply: Reply }): string =>
    `\r\nFinal-Recipient: rfc822; ${printable(recipient)}\r\nAction: failed\r\nStatus: 5${reply.enhanced.slice(1)}\r\nDiagnostic-Code: smtp; ${reply.code} ${reply.enhanced} ${printable(reply.text)}\r\n`;
  return [
    `From: Mail Delivery System <MAILER-DAEMON@${hostname}>`,
    `To: <${printable(formatAddress(sender))}>`,
    'Subject: Your message could not be delivered',
    `Date: ${formatDate(at, zoneMinutes(at))}`,
    `Message-ID: <${id}@${hostname}>`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `Your message was handed in at ${hostname} but could not be delivered to:`,
    '',
    failures.map(reason).join('\r\n'),
    `--${boundary}`,
    'Content-Type: message/delivery-status',
    '',
    `Reporting-MTA: dns; ${hostname}\r\n${failures.map(status).join('')}`,
    `--${boundary}`,
    'Content-Type: text/rfc822-headers',
    '',
    header,
    `--${boundary}--`,
    '',
  ].join('\r\n');
}
