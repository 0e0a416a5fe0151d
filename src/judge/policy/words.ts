/** The words that Postfix's replies use for what is refused; administrators search their logs for them. */

export const SUBJECT = {
  client: 'Client host',
  reverseClient: 'Unverified Client host',
  certificate: 'Client certificate',
  login: 'SASL login name',
  helo: 'Helo command',
  sender: 'Sender address',
  recipient: 'Recipient address',
  etrn: 'Etrn command',
  data: 'Data command',
  endOfData: 'End-of-data',
} as const;
export type Subject = (typeof SUBJECT)[keyof typeof SUBJECT];

/** The subject's name in replies; null stands for the client, "name[address]", which is looked up when it is needed. */
export type SubjectName = string | null;

/**
 * The enhanced status code (RFC 3463) for what is refused: a code about recipients becomes one about senders and the other way round;
 * about anything else an address code says nothing, and becomes x.0.0. The first digit is set with the reply.
 */
export function enhancedFor(enhanced: string, subject: Subject): string {
  if (enhanced.slice(1, 4) !== '.1.') return enhanced;
  if (subject === SUBJECT.sender) return `${enhanced[0]}.1.${SENDER_DETAIL.get(enhanced.slice(4)) ?? '0'}`;
  if (subject === SUBJECT.recipient) return `${enhanced[0]}.1.${RECIPIENT_DETAIL.get(enhanced.slice(4)) ?? '0'}`;
  return `${enhanced[0]}.0.0`;
}
const SENDER_DETAIL: ReadonlyMap<string, string> = new Map([
  ['1', '7'],
  ['2', '8'],
  ['3', '7'],
  ['4', '7'],
  ['6', '7'],
  ['7', '7'],
  ['8', '8'],
]);
const RECIPIENT_DETAIL: ReadonlyMap<string, string> = new Map([
  ['1', '1'],
  ['2', '2'],
  ['3', '3'],
  ['4', '4'],
  ['5', '5'],
  ['6', '6'],
  ['7', '3'],
  ['8', '2'],
]);

/** An enhanced status code at the start of a text, and the rest; `otherwise` when there is none. */
export function splitEnhanced(text: string, otherwise: string): { enhanced: string; text: string } {
  const match = /^([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)/.exec(text);
  return match === null ? { enhanced: otherwise, text } : { enhanced: match[1]!, text: text.slice(match[0].length) };
}
