/** The question itself: a short message with the null sender, marked so that no program answers it and no challenge challenges it. */
import { formatAddress } from '../../mail/address.ts';
import { formatMailbox, textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import { textEntity, threadFields } from '../reply/compose-text.ts';
import { CHALLENGE_FIELD, type HeaderFacts } from '../reply/header-facts.ts';
import type { Replier } from '../reply/plan.types.ts';
import { answerAddress, subjectMark } from './token.ts';

export interface ChallengeMessageInput extends Replier {
  readonly to: Address;
  readonly token: string;
  readonly header: HeaderFacts;
  readonly delimiters: string;
  /** `challenge.baseUrl`. */
  readonly baseUrl: string;
  readonly waitDays: number;
}

export function composeChallenge(input: ChallengeMessageInput): Buffer {
  const { token, header } = input;
  const about = header.subject === null ? 'Your message' : `Your message "${header.subject}"`;
  const answer = answerAddress(input.owner, token, input.delimiters);
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', formatMailbox(input.ownerName, input.owner)) +
    foldHeader('To', formatAddress(input.to)) +
    (answer === null ? '' : foldHeader('Reply-To', formatAddress(answer))) +
    textField('Subject', `Please confirm: ${(header.subject ?? 'your message').slice(0, 200)} ${subjectMark(token)}`) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    threadFields(header) +
    'Auto-Submitted: auto-replied (challenge)\r\n' +
    'Precedence: bulk\r\n' +
    'X-Auto-Response-Suppress: All\r\n' +
    `${CHALLENGE_FIELD}: 1\r\n`;
  const text =
    `${about} to ${formatAddress(input.owner)} waits,\n` +
    'because you have not written to each other before.\n\n' +
    `To have it delivered, ${input.baseUrl === '' ? '' : `open ${input.baseUrl}${token} or `}answer this message without changing its subject.\n` +
    `You are asked only once; the answer is taken for ${input.waitDays} days.\n\n` +
    'If you did not write that message, somebody used your address, and you need not do anything.\n';
  return Buffer.concat([Buffer.from(head), textEntity(text)]);
}
