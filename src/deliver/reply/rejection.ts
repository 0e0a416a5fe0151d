/**
 * Sieve's reject and ereject (RFC 5429): said at the door where that is possible, otherwise a report to the sender: an MDN for reject
 * (RFC 8098), a DSN for ereject (RFC 3464).
 */
import { addressKey, formatAddress, needsUtf8 } from '../../mail/address.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import { unitext } from '../../mail/report.ts';
import type { Address, Reply } from '../../ports.ts';
import type { Action } from '../filters/filter.ts';
import { boundedText, threadFields } from './compose-text.ts';
import type { HeaderFacts } from './header-facts.ts';
import { REPLY_LIMITS } from './limits.ts';
import { mayReportRejection } from './may-reply.ts';
import { countedReply } from './memory.ts';
import type { Replier, ReplyPlan } from './plan.types.ts';
import type { ReplySettings } from './settings.ts';

import { composeReport } from './report-frame.ts';

export type RejectAction = Extract<Action, { kind: 'reject' }>;

const GENERIC = 'The message was refused by the recipient';

/**
 * The reply by which the message is refused while its sender still waits; null when the exact words matter and SMTP cannot carry them
 * (reject with other than ASCII, several lines or a long text: RFC 5429 section 2.2). The caller sees to it that every recipient of the
 * transaction refused, or speaks LMTP.
 */
export function refusalReply(action: RejectAction): Reply | null {
  const code = action.code !== undefined && /^5\.\d{1,3}\.\d{1,3}$/.test(action.code) ? action.code : '5.7.1';
  const text = action.text.trim();
  const line = text.replace(/\s*[\r\n]+\s*/g, ' ');
  const isSayable = /^[\x20-\x7e\t]*$/.test(line) && line.length <= REPLY_LIMITS.replyCharacters;
  if (action.variant === 'reject' && (!isSayable || /[\r\n]/.test(text))) return null;
  // RFC 5429 section 2.1.1: what is not ASCII gives way to a text of ours.
  const sayable = /^[\x20-\x7e\t]*$/.test(line) ? line.slice(0, REPLY_LIMITS.replyCharacters) : GENERIC;
  return { code: 550, enhanced: code, text: sayable === '' ? GENERIC : sayable };
}

export interface RejectionInput extends Replier {
  readonly sender: Address | null;
  /** The address the message came to. */
  readonly recipient: Address;
  /** ORCPT as "rfc822;user@example.org", or null. */
  readonly orcpt: string | null;
  readonly envid: string | null;
  readonly arrivalAt: number;
  readonly header: HeaderFacts;
  readonly headerBytes: Uint8Array;
  readonly isSpam: boolean;
  /** SPF says that the sender is not who sent it. */
  readonly isForged: boolean;
  readonly settings: Pick<ReplySettings, 'reply.perDay' | 'reply.rejectedReport'>;
}

/** The report on a message that was taken and then refused. A skipped one is logged with its reason (RFC 5429 section 2.1). */
export function composeRejection(action: RejectAction, input: RejectionInput): ReplyPlan {
  const refusal = mayReportRejection(input.sender, input.isSpam, input.isForged);
  if (refusal !== null) return { kind: 'skip', reason: refusal };
  const sender = input.sender!;
  if (input.ownAddresses.includes(addressKey(sender))) return { kind: 'skip', reason: 'oneself' };
  if (input.repliesToday >= input.settings['reply.perDay']) return { kind: 'skip', reason: 'limit' };
  const isMdn = action.variant === 'reject';
  const about = input.header.subject === null ? '' : ` "${input.header.subject}"`;
  const reason = boundedText(action.text).trim();
  const bytes = composeReport({
    id: input.id,
    at: input.at,
    hostname: input.hostname,
    from: isMdn
      ? { name: input.ownerName, address: input.owner }
      : { name: 'Mail Delivery System', address: { local: 'MAILER-DAEMON', domain: input.hostname } },
    to: sender,
    subject: `Refused${input.header.subject === null ? '' : `: ${input.header.subject}`}`,
    autoSubmitted: isMdn ? 'auto-replied (rejected)' : 'auto-replied',
    thread: threadFields(input.header),
    text: `Your message${about} to ${formatAddress(input.recipient)}\r\nwas refused by the recipient's mail filter.\r\n${reason === '' ? '' : `The reason given is as follows:\r\n\r\n${reason}\r\n`}`,
    type: isMdn ? 'disposition-notification' : 'delivery-status',
    fields: isMdn ? dispositionFields(input) : statusFields(action, input),
    originalHeader: input.settings['reply.rejectedReport'] === 'header' ? input.headerBytes : null,
  });
  return { kind: 'send', to: [sender], sender: null, bytes, memories: [countedReply(input.id, input.at)], fcc: null };
}

/** RFC 8098 section 3.2; the disposition is the one that RFC 5429 section 2.2.1 demands. */
function dispositionFields(input: RejectionInput): string {
  return (
    foldHeader('Reporting-UA', `${input.hostname}; Posthorn`) +
    originalRecipient(input.orcpt) +
    foldHeader('Final-Recipient', typed(input.recipient)) +
    (input.header.messageId === null ? '' : foldHeader('Original-Message-ID', input.header.messageId)) +
    foldHeader('Disposition', 'automatic-action/MDN-sent-automatically; deleted')
  );
}

/** RFC 3464 section 2. */
function statusFields(action: RejectAction, input: RejectionInput): string {
  const reply = refusalReply({ ...action, variant: 'ereject' })!;
  return (
    (input.envid === null ? '' : foldHeader('Original-Envelope-Id', ascii(input.envid))) +
    foldHeader('Reporting-MTA', `dns; ${input.hostname}`) +
    foldHeader('Arrival-Date', formatDate(input.arrivalAt)) +
    '\r\n' +
    originalRecipient(input.orcpt) +
    foldHeader('Final-Recipient', typed(input.recipient)) +
    foldHeader('Action', 'failed') +
    foldHeader('Status', reply.enhanced) +
    foldHeader('Diagnostic-Code', `X-Posthorn; ${reply.code} ${reply.enhanced} ${reply.text}`)
  );
}

function originalRecipient(orcpt: string | null): string {
  if (orcpt === null) return '';
  const semicolon = orcpt.indexOf(';');
  return foldHeader('Original-Recipient', `${semicolon === -1 ? 'rfc822' : ascii(orcpt.slice(0, semicolon))}; ${ascii(orcpt.slice(semicolon + 1))}`);
}

function typed(address: Address): string {
  return needsUtf8(address) ? `utf-8; ${unitext(formatAddress(address))}` : `rfc822; ${formatAddress(address)}`;
}

function ascii(text: string): string {
  return text.slice(0, 1000).replace(/[^\x20-\x7e]/g, '?');
}
