/** What the owner of an account and the administrator are told when its mail is held: once for each incident. */
import { formatMailbox, textBody, textField, wrapText } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import type { UnusualSending } from './habit.ts';

export interface HabitIncident extends UnusualSending {
  /** Login name: "local@domain". */
  readonly login: string;
  /** Where the last message came from, or null. */
  readonly clientIp: string | null;
  readonly at: number;
  /** How long the account's mail is held, unless it is released before. */
  readonly until: number;
}

export interface Notice {
  readonly subject: string;
  /** Lines of at most 72 characters, with CRLF. */
  readonly text: string;
}

export function ownerNotice(incident: HabitIncident): Notice {
  return {
    subject: 'Your outgoing mail is being held',
    text: paragraphs([
      `From your account ${incident.login} mail was sent to ${incident.recipients} recipients within ${SPAN[incident.window]}. Usually it is ${usually(incident)}. Mail you send is held on the server meanwhile; nothing is lost.`,
      ...from(incident),
      'If this was you: tell your mail administrator, who can let the mail go.',
      'If this was not you: somebody knows your password. Change it now, on every device, and tell your mail administrator, who can delete what was sent in your name.',
    ]),
  };
}

export function administratorNotice(incident: HabitIncident): Notice {
  const { login } = incident;
  return {
    subject: `Mail of ${login} is held: far more recipients than usual`,
    text: paragraphs([
      `The account ${login} sent to ${incident.recipients} recipients within ${SPAN[incident.window]}; up to ${incident.limit} would not have been unusual, its average is ${usually(incident)}. Its mail is held in the queue until ${formatDate(incident.until)}. Its owner was told.`,
      ...from(incident),
      `Look at what it sent:\n  posthorn queue list --from ${login}`,
      `If the account was broken into:\n  posthorn user passwd ${login}\n  posthorn queue delete --from ${login}`,
      `If all is well:\n  posthorn queue release --from ${login}`,
    ]),
  };
}

const SPAN = { hour: 'an hour', day: 'a day' } as const;

function usually(incident: HabitIncident): string {
  return incident.average < 1 ? 'less than one' : `about ${incident.average}`;
}

function from(incident: HabitIncident): string[] {
  return incident.clientIp === null ? [] : [`The last message came from the address ${incident.clientIp}, on ${formatDate(incident.at)}.`];
}

/** Lines that begin with two spaces are kept as they are. */
function paragraphs(texts: readonly string[]): string {
  return `${texts
    .map((text) =>
      text
        .split('\n')
        .map((line) => (line.startsWith('  ') ? line : wrapText(line, 72)))
        .join('\r\n'),
    )
    .join('\r\n\r\n')}\r\n`;
}

export interface NoticeEnvelope {
  readonly to: Address;
  /** This server's name. */
  readonly host: string;
  /** The journey's id, for the Message-ID. */
  readonly id: string;
  readonly at: number;
}

/** The notice as a message; to be sent with the null reverse-path. */
export function composeNotice(notice: Notice, envelope: NoticeEnvelope): Uint8Array {
  const { to, host, id, at } = envelope;
  const body = textBody(notice.text);
  return Buffer.from(
    `Date: ${formatDate(at)}\r\n` +
      foldHeader('From', formatMailbox('Mail Server', { local: 'postmaster', domain: host })) +
      foldHeader('To', formatMailbox(null, to)) +
      textField('Subject', notice.subject) +
      foldHeader('Message-ID', `<${id}@${host}>`) +
      'Auto-Submitted: auto-generated\r\n' +
      'MIME-Version: 1.0\r\n' +
      `Content-Type: text/plain; charset=${body.charset}\r\n` +
      `Content-Transfer-Encoding: ${body.encoding}\r\n` +
      `\r\n${body.body}`,
  );
}
