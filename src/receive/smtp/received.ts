/** Our Received field (RFC 5321 section 4.4): the first bytes of every message we take in. */
import { formatAddress } from '../../mail/address.ts';
import { formatDate } from '../../mail/date.ts';
import type { Address, Client, MessageId, Milliseconds, TlsInfo } from '../../ports.ts';

export interface Hop {
  readonly client: Client;
  readonly helo: string | null;
  /** SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP…, UTF8SMTP… (RFC 3848, RFC 6531 section 3.7.3). */
  readonly protocol: string;
  readonly tls: TlsInfo | null;
  readonly hostname: string;
  readonly id: MessageId;
  /** Only when it is the only one: others must not learn of each other. */
  readonly recipient: Address | null;
  readonly at: Milliseconds;
}

/** The words registered for "with", by what was used. */
export function protocolWord(used: { lmtp: boolean; esmtp: boolean; tls: boolean; auth: boolean; utf8: boolean }): string {
  const base = used.lmtp ? (used.utf8 ? 'UTF8LMTP' : 'LMTP') : used.utf8 ? 'UTF8SMTP' : used.esmtp ? 'ESMTP' : 'SMTP';
  // There is no SMTPS or SMTPA: TLS and AUTH need EHLO.
  return base === 'SMTP' ? base : `${base}${used.tls ? 'S' : ''}${used.auth ? 'A' : ''}`;
}

/** The field with its CRLF. */
export function receivedField(hop: Hop): Buffer {
  const { client, tls } = hop;
  const literal = client.ip.includes(':') ? `IPv6:${client.ip}` : client.ip;
  const from = `from ${hop.helo ?? 'unknown'} (${client.name ?? 'unknown'} [${literal}])`;
  const using = tls === null ? '' : `\r\n\t(using ${tls.version} with cipher ${tls.cipher} (${tls.bits}/${tls.bits} bits))`;
  const recipient = hop.recipient === null ? '' : `\r\n\tfor <${formatAddress(hop.recipient)}>`;
  return Buffer.from(
    `Received: ${from}${using}\r\n\tby ${hop.hostname} (Posthorn) with ${hop.protocol} id ${hop.id}${recipient};\r\n\t${dateText(hop.at)}\r\n`,
    'utf8',
  );
}

// The date changes once a second; thousands of messages may share it.
let dateSecond = -1;
let dateCached = '';
function dateText(at: Milliseconds): string {
  const second = Math.floor(at / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateCached = formatDate(at, zoneMinutes(at));
  }
  return dateCached;
}

/** Minutes east of UTC where the server stands. */
export function zoneMinutes(at: Milliseconds): number {
  return -new Date(at).getTimezoneOffset();
}
