/** A question of Postfix (smtpd_access_policy) as this server understands it. */
import { parseMailbox } from '../../../mail/address.ts';
import { parseIp } from '../../../net/networks.ts';
import type { Address } from '../../../ports.ts';
import type { PolicyRecord } from '../../../wire/policy/record.ts';

export interface Question {
  /** protocol_state: CONNECT, EHLO, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE, VRFY, ETRN. */
  readonly state: string;
  /** The same for all questions about one message. */
  readonly instance: string;
  /** Null when Postfix does not know it. */
  readonly clientIp: string | null;
  /** Only a name that leads back to the address. */
  readonly clientName: string | null;
  readonly helo: string;
  /** Null is the null reverse-path. */
  readonly sender: Address | null;
  /** Null when there is none yet, or (after DATA) several. */
  readonly recipient: Address | null;
  /** Bytes, where they are known. */
  readonly size: number;
  /** The login name of a signed-in client. */
  readonly account: string | null;
}

/** Null for another kind of request. */
export function readQuestion(record: PolicyRecord): Question | null {
  if (record.get('request') !== 'smtpd_access_policy') return null;
  const name = record.get('client_name') ?? '';
  const size = record.get('size') ?? '';
  return {
    state: record.get('protocol_state') ?? '',
    instance: record.get('instance') ?? '',
    clientIp: parseIp(record.get('client_address') ?? ''),
    clientName: name === '' || name === 'unknown' ? null : name,
    helo: record.get('helo_name') ?? '',
    sender: addressOf(record.get('sender') ?? ''),
    recipient: addressOf(record.get('recipient') ?? ''),
    size: /^\d{1,15}$/.test(size) ? Number(size) : 0,
    account: record.get('sasl_username') || null,
  };
}

/** Postfix writes addresses without quotes; what is no mailbox by the book is still somebody's address. */
function addressOf(text: string): Address | null {
  if (text === '') return null;
  const address = parseMailbox(text, { utf8: true, localBytes: 1000 });
  if (address !== null) return address;
  const at = text.lastIndexOf('@');
  return at === -1 ? { local: text, domain: '' } : { local: text.slice(0, at), domain: text.slice(at + 1).toLowerCase() };
}
