/** What the programs of a .qmail file find in their environment. */
import { formatAddress } from '../../../mail/address.ts';
import type { FilterInput } from '../filter.ts';

export interface QmailNames {
  /** The local part as it was addressed, extension included. */
  readonly local: string;
  readonly host: string;
  readonly extension: string;
  /** What "default" stood for in the file's name; null: not set. */
  readonly defaultPart: string | null;
  readonly newSender: string;
}

/** Control characters in an address would make a second line of it. */
const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, '_');

export function senderText(input: FilterInput): string {
  const { sender } = input.envelope;
  return sender === null ? '' : oneLine(formatAddress(sender));
}

export const deliveredToLine = (local: string, host: string): string => `Delivered-To: ${oneLine(`${local}@${host}`)}\n`;
export const returnPathLine = (sender: string): string => `Return-Path: <${sender}>\n`;

export function qmailEnvironment(input: FilterInput, names: QmailNames): Readonly<Record<string, string>> {
  const sender = senderText(input);
  const hosts = fromEnd(names.host);
  const extensions = fromStart(names.extension);
  return {
    SENDER: sender,
    NEWSENDER: names.newSender,
    RECIPIENT: oneLine(`${names.local}@${names.host}`),
    USER: input.user,
    HOME: input.home ?? '/',
    HOST: names.host,
    HOST2: hosts[0]!,
    HOST3: hosts[1]!,
    HOST4: hosts[2]!,
    LOCAL: oneLine(names.local),
    EXT: oneLine(names.extension),
    EXT2: extensions[0]!,
    EXT3: extensions[1]!,
    EXT4: extensions[2]!,
    ...(names.defaultPart === null ? {} : { DEFAULT: oneLine(names.defaultPart) }),
    DTLINE: deliveredToLine(names.local, names.host),
    RPLINE: returnPathLine(sender),
    UFLINE: fromLine(sender, input.at),
  };
}

/** "example.co.uk": "example.co", "example", "" . */
function fromEnd(host: string): string[] {
  const found: string[] = [];
  for (let rest = host; found.length < 3; ) {
    const dot = rest.lastIndexOf('.');
    rest = dot === -1 ? rest : rest.slice(0, dot);
    found.push(rest);
  }
  return found;
}

/** "a-b-c": "b-c", "c", "". */
function fromStart(extension: string): string[] {
  const found: string[] = [];
  for (let rest = oneLine(extension); found.length < 3; ) {
    const dash = rest.indexOf('-');
    rest = dash === -1 ? '' : rest.slice(dash + 1);
    found.push(rest);
  }
  return found;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The line that begins a message in an mbox; in UTC, as qmail writes it. */
function fromLine(sender: string, at: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const day = String(date.getUTCDate()).padStart(2, ' ');
  const who = sender === '' ? 'MAILER-DAEMON' : sender.replace(/[ \t]/g, '-');
  return `From ${who} ${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()}\n`;
}
