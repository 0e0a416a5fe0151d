/** The part of a delivery report that people read: what happened, what the other server said, what to do. */
import { formatAddress } from './address.ts';
import { wrapText } from './compose.ts';
import { formatDate } from './date.ts';
import { decodeWords } from './encoded-word.ts';
import { fieldValue, firstField, scanHeaders } from './header.ts';
import type { DsnAction, DsnInput, DsnRecipient } from './report.types.ts';

const WIDTH = 72;
/** Lines of a remote server's reply that are shown, and characters of each. */
const REPLY_LINES = 20;
const REPLY_LINE = 500;
/** Addresses spelled out in words; all of them are in the fields for programs. */
const RECIPIENTS_SHOWN = 100;

/** The worst thing that is reported names the report. */
const ORDER: readonly DsnAction[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'];

export function reportSubject(input: DsnInput): string {
  const subject = originalText(input.originalHeader, 'subject');
  const what = SUBJECTS[worst(input.recipients)];
  return subject === null ? what : `${what}: ${subject.slice(0, 200)}`;
}

const SUBJECTS: Readonly<Record<DsnAction, string>> = {
  failed: 'Not delivered',
  delayed: 'Delayed, still trying',
  delivered: 'Delivered',
  relayed: 'Passed on',
  expanded: 'Delivered to a list',
};

function worst(recipients: readonly DsnRecipient[]): DsnAction {
  return ORDER.find((action) => recipients.some((recipient) => recipient.action === action)) ?? 'failed';
}

const INTRODUCTIONS: Readonly<Record<DsnAction, string>> = {
  failed: 'could not be delivered to the address below. It will not be tried again.',
  delayed: 'has not been delivered to the address below yet. You need not send it again: we go on trying.',
  delivered: 'was delivered to the address below, as you asked to be told.',
  relayed: 'was passed on for the address below to a server that does not report deliveries. You will hear no more about it.',
  expanded: 'was delivered to the address below and passed on to the members of a list.',
};

/** Advice by enhanced status code (RFC 3463), most exact first. */
const ADVICE: readonly (readonly [prefix: string, advice: string])[] = [
  ['5.1.1', 'There is no such mailbox. Check the spelling of the part before the "@".'],
  ['5.1.2', 'The part after the "@" does not exist or does not receive mail. Check its spelling.'],
  ['5.1.3', 'This is not a valid address. Check its spelling.'],
  ['5.1.6', 'The mailbox has moved. Ask the recipient for the new address.'],
  ['5.1.7', 'Your sender address was not accepted. Check the account settings of your mail program.'],
  ['5.1.8', 'The domain of your sender address was not accepted. Ask your mail administrator.'],
  ['5.1.10', 'The domain says that it receives no mail at all. Reach the recipient in another way.'],
  ['5.2.1', 'The mailbox is switched off. Reach the recipient in another way.'],
  ['5.2.2', 'The mailbox is full. Reach the recipient in another way, or try again later.'],
  ['5.2.3', 'The message is larger than this mailbox takes. Send less, or send a link instead of the file.'],
  ['5.3.4', 'The message is larger than the server takes. Send less, or send a link instead of the file.'],
  ['5.4.4', 'No server was found that takes mail for this domain. Check the spelling of the part after the "@".'],
  ['5.4.6', 'The message went in a circle between servers. Tell your mail administrator.'],
  ['5.4.7', 'We tried for as long as we try. Send the message again later, or reach the recipient in another way.'],
  ['4.4.7', 'We tried for as long as we try. Send the message again later, or reach the recipient in another way.'],
  ['5.6.7', 'The address or message uses characters that the other server does not understand. Use another address for this recipient.'],
  ['5.7.', 'The other server refused the message by its rules. Its answer above may say why; your mail administrator can help.'],
  ['5.4.', 'The server of the recipient could not be reached. Send the message again later, or reach the recipient in another way.'],
  ['4.2.2', 'The mailbox is full. It may help to tell the recipient in another way.'],
  ['4.7.', 'The other server asks us to come back later; many servers do so with senders they do not know yet.'],
  ['4.', 'The trouble looks passing. Nothing needs to be done now.'],
  ['5.', 'If the address is right, send this report to your mail administrator.'],
];

/** The text, lines with CRLF, Unicode. */
export function reportText(input: DsnInput): string {
  const subject = originalText(input.originalHeader, 'subject');
  const date = originalText(input.originalHeader, 'date');
  const named = `Your message${subject === null || subject === '' ? '' : ` "${subject.slice(0, 300)}"`}${date === null || date === '' ? '' : ` of ${date.slice(0, 60)}`}`;
  const blocks: string[] = [`This is the mail system at ${input.reportingMta}.`];
  let shown = 0;
  for (const action of ORDER) {
    const recipients = input.recipients.filter((recipient) => recipient.action === action);
    if (recipients.length === 0) continue;
    const introduction = recipients.length === 1 ? INTRODUCTIONS[action] : INTRODUCTIONS[action].replace('the address below', 'the addresses below');
    blocks.push(wrapText(`${named} ${introduction}`, WIDTH));
    for (const recipient of recipients) {
      if (shown < RECIPIENTS_SHOWN) blocks.push(recipientText(recipient));
      shown += 1;
    }
  }
  if (shown > RECIPIENTS_SHOWN) blocks.push(`And ${shown - RECIPIENTS_SHOWN} more addresses, which the attached report lists.`);
  blocks.push(wrapText(`The report for programs and ${input.isFull ? 'your message' : 'the header of your message'} are attached.${questions(input)}`, WIDTH));
  return `${blocks.join('\r\n\r\n')}\r\n`;
}

function questions(input: DsnInput): string {
  return input.from === null ? ` For help write to postmaster@${input.reportingMta}.` : '';
}

function recipientText(recipient: DsnRecipient): string {
  const lines = [`  <${formatAddress(recipient.address)}>`];
  const original = recipient.orcpt === null ? null : recipient.orcpt.slice(recipient.orcpt.indexOf(';') + 1);
  if (original !== null && original.toLowerCase() !== formatAddress(recipient.address).toLowerCase()) lines.push(`    (sent to <${clean(original)}>)`);
  if (recipient.reply !== null && recipient.reply !== '') {
    const isGood = recipient.action !== 'failed' && recipient.action !== 'delayed';
    lines.push(recipient.remoteMta === null ? '    Reason:' : `    The server ${clean(recipient.remoteMta)} answered:`);
    for (const line of recipient.reply.split(/\r\n|\r|\n/, REPLY_LINES)) if (line.trim() !== '') lines.push(wrapText(clean(line), WIDTH, '      '));
    if (isGood) return lines.join('\r\n');
  }
  const advice = adviceFor(recipient);
  if (advice !== null) lines.push(wrapText(advice, WIDTH, '    '));
  if (recipient.action === 'delayed' && recipient.willRetryUntil !== null) lines.push(`    We go on trying until ${formatDate(recipient.willRetryUntil)}.`);
  return lines.join('\r\n');
}

function adviceFor(recipient: DsnRecipient): string | null {
  if (recipient.action !== 'failed' && recipient.action !== 'delayed') return null;
  if (recipient.action === 'failed' && recipient.status.startsWith('4.') && recipient.status !== '4.2.2')
    return ADVICE.find(([prefix]) => prefix === '4.4.7')![1];
  const row = ADVICE.find(([prefix]) => (prefix.endsWith('.') ? recipient.status.startsWith(prefix) : recipient.status === prefix));
  return row === undefined ? null : row[1];
}

function clean(text: string): string {
  return text
    .slice(0, REPLY_LINE)
    .replace(/[\0-\x1f\x7f-\x9f]+/g, ' ')
    .toWellFormed();
}

/** A field of the original as text on one line, or null. */
function originalText(header: Uint8Array, name: string): string | null {
  const field = firstField(header, scanHeaders(header).fields, name);
  return field === null ? null : clean(decodeWords(fieldValue(header, field, REPLY_LINE * 4)));
}
