/** The notify action (RFC 5435) by mail (RFC 5436). */
import { addressKey, formatAddress } from '../../mail/address.ts';
import { textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import type { Action } from '../filters/filter.ts';
import { textEntity } from './compose-text.ts';
import type { HeaderFacts } from './header-facts.ts';
import { REPLY_LIMITS } from './limits.ts';
import { parseMailto } from './mailto.ts';
import { countedReply } from './memory.ts';
import type { Replier, ReplyPlan } from './plan.types.ts';
import type { ReplySettings } from './settings.ts';
import { fromAddress, fromField } from './vacation.ts';

export type NotifyAction = Extract<Action, { kind: 'notify' }>;

export interface NotificationInput extends Replier {
  /** Of the message that triggers. */
  readonly sender: Address | null;
  readonly header: HeaderFacts;
  /** Keys of those whom this run of the script has notified already. */
  readonly notified: readonly string[];
  readonly settings: Pick<ReplySettings, 'reply.perDay'>;
}

export function composeNotification(action: NotifyAction, input: NotificationInput): ReplyPlan {
  // RFC 5436 section 2.7: never about what a program wrote; a null sender is no hindrance.
  if (input.header.autoSubmitted !== null || input.header.isChallenge) return { kind: 'skip', reason: 'automatic' };
  const uri = parseMailto(action.method);
  if (uri === null) return { kind: 'skip', reason: 'badTarget' };
  const fresh = (address: Address): boolean => !input.notified.includes(addressKey(address));
  const to = uri.to.filter(fresh);
  const cc = uri.cc.filter(fresh);
  if (to.length + cc.length === 0) return { kind: 'skip', reason: 'repeated' };
  if (input.repliesToday >= input.settings['reply.perDay']) return { kind: 'skip', reason: 'limit' };
  const subject = action.text ?? uri.subject ?? input.header.subject ?? 'New message';
  const list = (addresses: readonly Address[]): string => addresses.map((address) => formatAddress(address)).join(', ');
  const head =
    // A trace field: it stands above all others (RFC 5436 section 2.7.1).
    foldHeader('Auto-Submitted', `auto-notified; owner-email=${ownerEmail(input.owner)}`) +
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', fromField(action.from, input)) +
    (to.length === 0 ? '' : foldHeader('To', list(to))) +
    (cc.length === 0 ? '' : foldHeader('Cc', list(cc))) +
    textField('Subject', subject.slice(0, REPLY_LIMITS.subjectCharacters)) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    (input.header.messageId === null ? '' : foldHeader('References', input.header.messageId)) +
    'X-Auto-Response-Suppress: All\r\n' +
    IMPORTANCE[action.importance] +
    uri.fields.map(([name, value]) => textField(name, value)).join('');
  return {
    kind: 'send',
    to: [...to, ...cc],
    // RFC 5436 section 2.7: nobody hears of a notification that failed when nobody would have heard of the message.
    sender: input.sender === null ? null : (fromAddress(action.from, input) ?? input.owner),
    bytes: Buffer.concat([Buffer.from(head), textEntity(uri.body ?? '')]),
    memories: [countedReply(input.id, input.at)],
    fcc: action.fcc,
  };
}

const IMPORTANCE = { 1: 'Importance: high\r\nX-Priority: 1\r\n', 2: '', 3: 'Importance: low\r\nX-Priority: 5\r\n' } as const;

/** A quoted string with an addr-spec in it: the quotes of the local part are escaped once more. */
function ownerEmail(owner: Address): string {
  return `"${formatAddress(owner).replace(/["\\]/g, '\\$&')}"`;
}
