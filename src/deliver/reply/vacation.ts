/** The vacation action (RFC 5230, RFC 6131, RFC 8580): whether a notice is due, and the notice. */
import { addressKey } from '../../mail/address.ts';
import { parseAddressList } from '../../mail/address-list.ts';
import { formatMailbox, textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { decodeWords } from '../../mail/encoded-word.ts';
import { foldHeader } from '../../mail/header.ts';
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import type { Address } from '../../ports.ts';
import type { Action } from '../filters/filter.ts';
import { mimeEntity, textEntity, threadFields } from './compose-text.ts';
import type { HeaderFacts } from './header-facts.ts';
import { REPLY_LIMITS } from './limits.ts';
import { mayReply } from './may-reply.ts';
import { countedReply, vacationKey } from './memory.ts';
import type { Replier, ReplyPlan } from './plan.types.ts';
import type { ReplySettings } from './settings.ts';

export type VacationAction = Extract<Action, { kind: 'vacation' }>;

export interface VacationInput extends Replier {
  readonly sender: Address | null;
  /** The address the message came to, after aliases. */
  readonly recipient: Address;
  readonly header: HeaderFacts;
  readonly isSpam: boolean;
  readonly settings: Pick<ReplySettings, 'reply.perDay' | 'reply.never'>;
}

/** The period is what the engine made of the script's under its own bounds. `remembered` is asked about kind 'vacation' (`isRemembered`). */
export function planVacation(action: VacationAction, input: VacationInput, remembered: (key: string) => boolean): ReplyPlan {
  const { settings, sender } = input;
  const ownAddresses = [...input.ownAddresses, addressKey(input.recipient), addressKey(input.owner), ...action.addresses];
  const refusal = mayReply({
    sender,
    header: input.header,
    ownAddresses,
    isSpam: input.isSpam,
    never: settings['reply.never'],
    mustBeAddressed: true,
    ...(input.delimiters === undefined ? {} : { delimiters: input.delimiters }),
  });
  if (refusal !== null) return { kind: 'skip', reason: refusal };
  const key = vacationKey(action.handle, sender!);
  if (remembered(key)) return { kind: 'skip', reason: 'repeated' };
  if (input.repliesToday >= settings['reply.perDay']) return { kind: 'skip', reason: 'limit' };
  return {
    kind: 'send',
    to: [sender!],
    sender: null,
    bytes: composeVacation(action, input, sender!),
    memories: [{ kind: 'vacation', key, until: input.at + action.periodSeconds * 1000 }, countedReply(input.id, input.at)],
    fcc: action.fcc,
  };
}

function composeVacation(action: VacationAction, input: VacationInput, to: Address): Buffer {
  const subject = action.subject === null ? defaultSubject(input.header.subject) : action.subject.slice(0, REPLY_LIMITS.subjectCharacters);
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', fromField(action.from, input)) +
    foldHeader('To', formatAddress(to)) +
    textField('Subject', subject) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    threadFields(input.header) +
    'Auto-Submitted: auto-replied (vacation)\r\n' +
    'Precedence: bulk\r\n' +
    'X-Auto-Response-Suppress: All\r\n';
  return Buffer.concat([Buffer.from(head), action.isMime ? mimeEntity(action.text) : textEntity(action.text)]);
}

/** RFC 5230 section 5.3. */
function defaultSubject(original: string | null): string {
  return original === null ? 'Automated reply' : `Auto: ${original}`;
}

/** The :from of a script where it names an address that the owner may write as; otherwise it is passed over (RFC 5230 section 4.3). */
export function fromField(from: string | null, replier: Replier): string {
  const mailbox = from === null ? null : firstMailbox(from);
  if (mailbox !== null && mayBeFrom(mailbox.address, replier)) return formatMailbox(mailbox.name, mailbox.address);
  return formatMailbox(replier.ownerName, replier.owner);
}

/** The address of :from, or null when it names none that may be used. */
export function fromAddress(from: string | null, replier: Replier): Address | null {
  const mailbox = from === null ? null : firstMailbox(from);
  return mailbox !== null && mayBeFrom(mailbox.address, replier) ? mailbox.address : null;
}

function mayBeFrom(address: Address, replier: Replier): boolean {
  return replier.ownAddresses.includes(addressKey(address)) || (replier.maySendAs?.(address) ?? false);
}

/** The first mailbox of a mailbox-list that a script wrote in UTF-8. */
export function firstMailbox(text: string): { name: string | null; address: Address } | null {
  for (const item of parseAddressList(text.slice(0, 2000), 10)) {
    if (item.kind !== 'mailbox') continue;
    const address = parseMailbox(`${/^[^\s"(),:;<>@[\]\\]+$/.test(item.local) ? item.local : `"${item.local.replace(/["\\]/g, '\\$&')}"`}@${item.domain}`, {
      utf8: true,
    });
    if (address === null) return null;
    return { name: item.name === null ? null : decodeWords(item.name), address };
  }
  return null;
}
